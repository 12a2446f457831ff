//! A loaded definition: everything that its processes need and share.

use std::sync::OnceLock;

use crate::app::{EntryId, Module};
use crate::native::Main;
use crate::native::Modules;
use crate::sync::{Arc, Mutex};
use crate::vm::image::template::{Refusal, Template};
use crate::vm::lua::Vm;
use crate::vm::lua::bytecode::Bytecode;

/// The code of a process: its libraries in the order in which they run, then its own chunk.
pub(crate) struct Definition {
    pub(crate) id: EntryId,
    /// If the chunk returns a table: the field of it that is main.
    pub(crate) method: String,
    pub(crate) chunks: Vec<Chunk>,
    /// What a native process runs, which has no chunks.
    pub(crate) main: Option<Arc<Main>>,
    /// Names that are preset as globals, and what they refer to.
    pub(crate) globals: Vec<(String, Preset)>,
    /// The native modules of the runtime.
    pub(crate) natives: Arc<Modules>,
    /// Which globals its processes have from the start.
    pub(crate) filled: Filled,
    /// Fills an empty VM with everything that its processes have before the first chunk runs; false
    /// if there is no memory. The loader, which knows the API, sets this.
    pub(crate) prepare: fn(&Vm, &Definition) -> bool,
    /// The template from which its processes are copied, made with the first process; or why they
    /// cannot be copied.
    pub(crate) template: OnceLock<Result<Template, Refusal>>,
    /// The image for processes whose chunks need not run again, see `process/spawn/ready.rs`.
    pub(crate) ready: ReadyImage,
}

impl Definition {
    /// Creates the VM of a process, a copy of the definition's template. `None` if there is no
    /// memory. `on_refusal` is called once per definition if its processes must be built one by
    /// one, with the reason.
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

    /// Like [`Definition::new_vm`], without a template.
    pub(crate) fn build_vm(&self, memory_limit: usize, hash_seed: u32) -> Option<Vm> {
        let vm = Vm::new(0, hash_seed)?;
        let is_prepared = (self.prepare)(&vm, self);
        // The limit is set only now, so that temporary memory of the build does not count, as in a
        // copy.
        vm.control().set_memory_limit(memory_limit);
        is_prepared.then_some(vm)
    }
}

/// The image of a process whose chunks are over.
#[derive(Default)]
pub(crate) struct ReadyImage {
    /// Set when it is decided; `None` if the chunks must run in each process.
    pub(crate) image: OnceLock<Option<Ready>>,
    /// Spawns before that was decided.
    pub(crate) starts: Mutex<u32>,
}

pub(crate) struct Ready {
    pub(crate) template: Template,
    /// Which globals are filled in.
    pub(crate) filled: Filled,
}

/// Which of the lazily filled globals are filled in, one bit each; see `api/library.rs`.
pub(crate) type Filled = smallvec::SmallVec<[u64; 2]>;

/// One source file: a library, or the definition's own chunk (the last).
pub(crate) struct Chunk {
    pub(crate) id: EntryId,
    pub(crate) code: Arc<Bytecode>,
    /// The source text, for tracebacks.
    pub(crate) source: Arc<[u8]>,
    /// The names that `require` accepts in this chunk, besides the tables that are always there.
    pub(crate) names: Vec<(String, Preset)>,
}

/// What a required name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    /// A module of the runtime.
    Module(Module),
    /// The value of the chunk with this index.
    Library(usize),
    /// A native module, by its number.
    Native(u32),
}
