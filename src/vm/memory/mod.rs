//! The memory of a VM.

pub(crate) mod arena;
pub(crate) mod limit;
pub(crate) mod pool;
pub(crate) mod size_class;
mod slab_memory;
