//! Long strings that VMs share instead of copying them.

use std::sync::Arc;

/// Immutable bytes that any number of VMs share, followed by a NUL that `len` does not count.
#[derive(Clone, Debug)]
pub(crate) struct SharedBytes(Arc<[u8]>);

impl SharedBytes {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut owned = Vec::with_capacity(bytes.len() + 1);
        owned.extend_from_slice(bytes);
        owned.push(0);
        SharedBytes(owned.into())
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0[..self.len()]
    }

    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len() - 1
    }
}
