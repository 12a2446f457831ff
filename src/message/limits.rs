//! Limits of the processes of a host.

/// The limits that a host sets for its processes; 0 means no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) processes: usize,
    pub(crate) mailbox: u32,
    pub(crate) memory_bytes: usize,
}
