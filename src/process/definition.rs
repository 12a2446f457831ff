//! A definition as loaded: everything that a process of it needs, shared by all of them.

use std::sync::OnceLock;

use crate::app::EntryId;
use crate::sync::{Arc, Mutex};
use crate::vm::bytecode::Bytecode;
use crate::vm::template::{Refusal, Template};

/// The code of a process: its libraries in the order in which they run, then its own chunk.
pub(crate) struct Definition {
    pub(crate) id: EntryId,
    /// The field of the chunk's result that is main, if it is a table.
    pub(crate) method: String,
    pub(crate) chunks: Vec<Chunk>,
    /// Names preset as globals, and what they stand for.
    pub(crate) globals: Vec<(String, Preset)>,
    /// Which globals its processes have from the start.
    pub(crate) filled: Filled,
    /// What its processes are copies of, made with the first, or why they cannot be copied.
    pub(crate) template: OnceLock<Result<Template, Refusal>>,
    /// What they are copies of when their chunks need not run in each, see `spawn/ready.rs`.
    pub(crate) ready: ReadyImage,
}

/// The image of a process whose chunks are over.
#[derive(Default)]
pub(crate) struct ReadyImage {
    /// Set when it is decided; `None` if the chunks have to run in each process.
    pub(crate) image: OnceLock<Option<Ready>>,
    /// Starts of processes while that was open.
    pub(crate) starts: Mutex<u32>,
}

pub(crate) struct Ready {
    pub(crate) template: Template,
    /// Which globals are there.
    pub(crate) filled: Filled,
}

/// Which of the lazily filled globals are there, a bit each; see `api/library.rs`.
pub(crate) type Filled = smallvec::SmallVec<[u64; 2]>;

/// One source: a library, or the definition's own (the last).
pub(crate) struct Chunk {
    pub(crate) id: EntryId,
    pub(crate) code: Arc<Bytecode>,
    /// What the code was compiled from, for tracebacks.
    pub(crate) source: Arc<[u8]>,
    /// What `require` accepts in this chunk besides the tables that are always there.
    pub(crate) names: Vec<(String, Preset)>,
}

/// What a required name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    /// A module of the runtime.
    Module(crate::api::Module),
    /// The value of the chunk with this index.
    Library(usize),
}
