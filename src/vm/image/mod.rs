//! VMs made by copying.

pub(crate) mod difference;
pub(crate) mod template;
