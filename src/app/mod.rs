//! Applications on disk.
