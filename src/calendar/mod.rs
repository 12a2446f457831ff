//! Text forms of points in time (layouts) and of durations.

pub(crate) mod duration;
pub(crate) mod layout;
