//! Layouts of times and lengths of time, as texts.

pub(crate) mod duration;
pub(crate) mod layout;
