//! Native modules: Rust functions of the host program that Lua code calls.
//!
//! A [`Module`] is made before the runtime starts and never changes afterwards. A call is made by
//! `api/native.rs`. A function gets values and returns values, never the process, so it cannot reenter
//! the VM that called it. It is code of the program: a panic in it, or in the drop of what it owns, stays
//! there ([`quietly`]).

mod class;
mod function;
mod main;
mod module;
mod pool;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::nearest;
use crate::sync::Arc;
pub use class::Class;
pub(crate) use function::{Body, CallError, Done, Function, Future, Value};
pub(crate) use main::{Main, Mains, Running};
pub use module::Module;
pub(crate) use pool::{Pool, PoolLimits, Unavailable};

/// The native modules of a runtime; numbers of modules and functions are positions.
#[derive(Default)]
pub(crate) struct Modules(Vec<Module>);

impl Modules {
    /// # Errors
    /// A name is used twice, is empty, or belongs to one of the `taken`; the text says which.
    pub(crate) fn new<'a>(
        modules: Vec<Module>,
        taken: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Arc<Modules>, String> {
        for (position, module) in modules.iter().enumerate() {
            let name = &module.name;
            if name.is_empty() {
                return Err("a native module has no name".to_owned());
            }
            if taken.clone().any(|taken| taken == &**name) {
                return Err(format!("native module {name:?} has the name of one of the runtime's"));
            }
            if modules[..position].iter().any(|other| other.name == *name) {
                return Err(format!("there are two native modules {name:?}"));
            }
            module.check()?;
        }
        Ok(Arc::new(Modules(modules)))
    }

    pub(crate) fn number_of(&self, name: &str) -> Option<u32> {
        self.0
            .iter()
            .zip(0..)
            .find_map(|(module, number)| (*module.name == *name).then_some(number))
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Module> {
        self.0.get(number as usize)
    }

    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.iter().map(|module| &*module.name)
    }

    /// The advice for a name that is none of these modules'.
    pub(crate) fn advice(&self, name: &str) -> String {
        match nearest::hint(name, self.names()) {
            none if none.is_empty() && self.0.is_empty() => "; it has none".to_owned(),
            none if none.is_empty() => format!("; it has {}", nearest::list(self.names())),
            hint => hint,
        }
    }
}

/// Does something in which code of the program may panic, such as dropping what belongs to it. The
/// program's panic hook has told of the panic, which concerns nobody else.
pub(crate) fn quietly(act: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(act)) {
        // What was thrown may panic in its own drop.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(panic)));
        dropped.unwrap_or_else(std::mem::forget);
    }
}
