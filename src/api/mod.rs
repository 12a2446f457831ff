//! What scripts can call. There is one file per family; each function is a C shell around a safe
//! function, and no state is kept here. [`library::LIBRARIES`] is the only list of all names that
//! Lua code sees.
//!
//! An API function is declared with [`function!`]: the name of its C shell and the safe function
//! behind it, `fn(&mut Caller) -> Result<Reply, ApiFailure>`. A [`ApiFailure`](caller::ApiFailure) says how
//! the function fails: by returning `nil, err` or `false, err`, or by raising.

#![allow(unsafe_code)]

pub(crate) mod base;
pub(crate) mod caller;
pub(crate) mod channel;
pub(crate) mod coroutine;
pub(crate) mod ctx;
mod debug;
pub(crate) mod errors;
pub(crate) mod exec;
pub(crate) mod exit;
mod fields;
pub(crate) mod function_names;
pub(crate) mod inbox;
pub(crate) mod individual;
pub(crate) mod io;
pub(crate) mod library;
pub(crate) mod link;
pub(crate) mod logger;
pub(crate) mod monitor;
mod native;
mod native_class;
mod native_wait;
pub(crate) mod object;
pub(crate) mod options;
pub(crate) mod permission;
pub(crate) mod prepare;
pub(crate) mod process;
pub(crate) mod registry;
pub(crate) mod request;
mod require;
pub(crate) mod security;
pub(crate) mod select;
pub(crate) mod send;
pub(crate) mod spawn;
pub(crate) mod spawner;
pub(crate) mod stdlib;
pub(crate) mod string_match;
pub(crate) mod time;
pub(crate) mod upgrade;

pub(crate) use caller::Caller;
pub(crate) use library::mentioned as mentioned_globals;
pub(crate) use prepare::prepare as prepare_vm;

/// Declares the C shell of a safe function: `function!(shell, inner)`, or `function!(shared shell,
/// inner)` for one that does the same in every process (see [`caller::enter_shared`]).
macro_rules! function {
    ($shell:ident, $inner:path) => {
        crate::api::function!(enter $shell, $inner);
    };
    (shared $shell:ident, $inner:path) => {
        crate::api::function!(enter_shared $shell, $inner);
    };
    ($enter:ident $shell:ident, $inner:path) => {
        pub(crate) unsafe extern "C-unwind" fn $shell(
            lua: *mut crate::vm::lua::ffi::lua_State,
        ) -> std::ffi::c_int {
            // SAFETY: Lua, the only caller, passes the running state of one of our VMs and takes
            // the result (V6). This frame holds nothing: `call` checks that the closure has no
            // destructor.
            unsafe {
                crate::vm::lua::boundary::call(lua, |stack| {
                    crate::api::caller::$enter(stack, $inner)
                })
            }
        }
    };
}
pub(crate) use function;

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::process::near_miss;

    #[test]
    fn every_function_can_be_meant() {
        let base = super::stdlib::BASE.iter().map(|(name, _)| *name);
        let ours = [super::process::FUNCTIONS, super::channel::FUNCTIONS, super::debug::FUNCTIONS];
        for name in base.chain(ours.into_iter().flatten().map(|(name, _)| *name)) {
            let message = format!("attempt to call a nil value (global '{name}')");
            assert!(near_miss::of(message.as_bytes()).ends_with(&format!("{name}?")), "{name}");
        }
    }
}
