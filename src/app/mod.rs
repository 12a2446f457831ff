//! Applications on disk.

mod entry_id;
mod files;
mod problem;

pub use self::entry_id::EntryId;
pub use self::problem::{Problem, Severity};
