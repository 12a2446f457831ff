//! VMs created by copying.

#[cfg(feature = "bench")]
pub(crate) mod difference;
pub(crate) mod template;
