//! A definition as loaded: everything that a process of it needs, shared by all of them.

use std::sync::OnceLock;

use crate::app::{EntryId, Module};
use crate::sync::{Arc, Mutex};
use crate::vm::image::template::{Refusal, Template};
use crate::vm::lua::Vm;
use crate::vm::lua::bytecode::Bytecode;

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
    /// Fills an empty VM with what every process of it has before its first chunk runs; false if
    /// memory is out. Given by the loader, which knows the API.
    pub(crate) prepare: fn(&Vm, &Definition) -> bool,
    /// What its processes are copies of, made with the first, or why they cannot be copied.
    pub(crate) template: OnceLock<Result<Template, Refusal>>,
    /// What they are copies of when their chunks need not run in each, see `process/spawn/ready.rs`.
    pub(crate) ready: ReadyImage,
}

impl Definition {
    /// Makes the VM of a process, a copy of the definition's template. `None` if the machine is out of
    /// memory. `on_refusal` hears, once for a definition, why its processes are built one by one.
    pub(crate) fn new_vm(
        &self,
        memory_limit: usize,
        hash_seed: u32,
        on_refusal: impl FnOnce(&Refusal),
    ) -> Option<Vm> {
        let make = || {
            let template = Template::make(hash_seed, &|vm| (self.prepare)(vm, self));
            template.inspect_err(on_refusal)
        };
        if let Ok(template) = self.template.get_or_init(make) {
            return template.copy(memory_limit);
        }
        self.build_vm(memory_limit, hash_seed)
    }

    /// As [`Definition::new_vm`], without a template.
    pub(crate) fn build_vm(&self, memory_limit: usize, hash_seed: u32) -> Option<Vm> {
        let vm = Vm::new(0, hash_seed)?;
        let is_prepared = (self.prepare)(&vm, self);
        // Only now, so that what building takes for a moment counts as little as it does in a copy.
        vm.control().set_memory_limit(memory_limit);
        is_prepared.then_some(vm)
    }
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
    Module(Module),
    /// The value of the chunk with this index.
    Library(usize),
}
