//! `require`: what the entry of the calling code lists, and the tables that all processes have.

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::function;
use crate::api::library::{self, LIBRARIES};
use crate::app::Module;
use crate::nearest;
use crate::node::definition::{Chunk, Definition};
use crate::process::Stage;
use crate::vm::lua::boundary::Reply;

function!(shared require, require_inner);

/// `require(name)`: returns what the entry of the calling code lists, or a table that all processes
/// have.
fn require_inner(caller: &mut Caller<'_>) -> ApiResult {
    let name = caller.text(1).map_err(|_| {
        ApiFailure::Text("bad argument #1 to 'require' (string expected)".to_owned())
    })?;
    let index = calling_chunk(caller);
    let chunk = &caller.process.definition.chunks[index];
    let preset = chunk.names.iter().find(|(other, _)| other.as_bytes() == name);
    if let Some((_, preset)) = preset {
        library::push_preset(caller.stack, &caller.process.definition, *preset);
        return Ok(Reply::Return(1));
    }
    if let Some(number) = LIBRARIES.iter().position(|(other, _)| other.as_bytes() == name) {
        library::push_library(caller.stack, number);
        return Ok(Reply::Return(1));
    }
    Err(ApiFailure::Text(not_found(
        &String::from_utf8_lossy(name),
        chunk,
        &caller.process.definition,
    )))
}

/// The error text for a name that the calling code cannot require: where to list it, or which name
/// is near.
fn not_found(name: &str, chunk: &Chunk, definition: &Definition) -> String {
    let known = || {
        let own = chunk.names.iter().map(|(name, _)| name.as_str());
        let tables = LIBRARIES.iter().map(|(name, _)| -> &str { name });
        own.chain(Module::names().map(|name| -> &str { name }))
            .chain(definition.natives.names())
            .chain(tables)
    };
    let is_module = Module::named(name).is_some() || definition.natives.number_of(name).is_some();
    let advice = match nearest::nearest(name, known()) {
        _ if is_module => format!(": list it under modules: of {}", chunk.id),
        Some(near) => format!(": did you mean '{near}'?"),
        None => format!(": neither a module nor among the imports: of {}", chunk.id),
    };
    format!("module '{name}' not found{advice}")
}

/// Returns the chunk of the calling code, found by the nearest Lua function.
fn calling_chunk(caller: &Caller<'_>) -> usize {
    let chunks = &caller.process.definition.chunks;
    let running = match caller.process.stage {
        Stage::Chunk(index) => index,
        Stage::Main => chunks.len() - 1,
    };
    let Some(mark) = caller.calling_mark() else { return running };
    chunks.iter().position(|chunk| chunk.code.mark() == mark).unwrap_or(running)
}
