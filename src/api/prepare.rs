//! What a VM contains before the first chunk of its definition runs: the code, the names that the
//! code mentions, and their metatables.
//!
//! All of it is the same in every process of a definition, so it is made once, in a template
//! (`vm/image/template.rs`) from which each process is copied. Names that the code does not mention
//! stay lazy (`library.rs`); Lua code cannot tell whether a name was filled in early.

#![allow(unsafe_code)]

use crate::api::{channel, function_names, library, stdlib};
use crate::node::definition::{Chunk, Definition};
use crate::process::outcome;
use crate::vm::lua::Vm;

/// Fills an empty VM. Leaves the function of the first chunk on the stack; the functions of the
/// other chunks are stored where their results will be. False if there is no memory.
pub(crate) fn prepare(vm: &Vm, definition: &Definition) -> bool {
    library::install(vm);
    stdlib::install_string_metatable(vm.stack());
    function_names::install(vm.stack());
    let stack = vm.stack();
    library::fill(stack, definition);
    let mentions = |names: &[&str]| mention_any(&definition.chunks, names);
    if mentions(&["inbox", "events", "listen", "channel"]) {
        channel::prepare(stack);
    }
    for (index, chunk) in definition.chunks.iter().enumerate().rev() {
        // SAFETY: the chunks are those of a definition of the node, which drops none; VMs of its
        // processes and the templates in the definition end before the node does
        // (`process/lasting.rs`).
        let loaded = unsafe { vm.load(&chunk.code, chunk.id.as_str()) };
        if loaded.is_err() {
            return false;
        }
        if index > 0 {
            outcome::keep_library(stack, 1, index);
        }
    }
    vm.collect();
    true
}

/// Whether the code of one of the chunks mentions one of the names.
pub(crate) fn mention_any(chunks: &[Chunk], names: &[&str]) -> bool {
    chunks.iter().any(|chunk| names.iter().any(|name| chunk.code.mentions(name)))
}
