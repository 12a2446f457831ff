//! The library of Lua gives the same results and says the same in a process as in stock Lua 5.5.
//!
//! Two programs run in both. One is generated (`stock/program.lua`): calls of every function with
//! values of all kinds, directly, under `pcall`, as methods, metamethods and bodies of coroutines;
//! `STOCK_SEEDS` is how many are made. The other (`stock/snippets.lua`) is written by hand.

#![allow(unsafe_code)]

mod support;

use std::ffi::c_int;

use mlua::ffi;
use support::{App, PATIENCE, exec, within};

use moonlet::{Builder, Value};

const PROGRAM: &str = include_str!("stock/program.lua");
const SNIPPETS: &str = include_str!("stock/snippets.lua");
const CALLS: i64 = 4000;
const SEEDS: i64 = 4;

/// Differing lines that a failure shows.
const SHOWN_MAX: usize = 40;

/// Where a process must answer otherwise: parts of the call, of stock's answer and of ours.
#[derive(Debug)]
struct Difference {
    call: &'static str,
    stock: &'static str,
    ours: &'static str,
    /// The section of the specification that wants it, and what it says.
    #[expect(dead_code, reason = "shown by a failure")]
    reason: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        call: "getmetatable('",
        stock: "true {}",
        ours: "true \"string\"",
        reason: "18.4: the metatable of strings is protected",
    },
    Difference {
        call: "isyieldable(",
        stock: "false",
        ours: "true",
        reason: "8.1: main is a coroutine, too, and can wait",
    },
];

impl Difference {
    fn fits(&self, stock: &str, ours: &str) -> bool {
        let (call, stock) = stock.split_once("): ").unwrap_or((stock, ""));
        let (_, ours) = ours.split_once("): ").unwrap_or((ours, ""));
        call.contains(self.call) && stock.contains(self.stock) && ours.contains(self.ours)
    }
}

/// Runs a program in a state of stock Lua.
fn stock(program: &str, seed: i64) -> String {
    // SAFETY: a state of this function's own; the chunk is called protected, what it leaves is on
    // top of the stack, and nothing refers to the state after it is closed.
    unsafe {
        let lua = ffi::luaL_newstate();
        assert!(!lua.is_null(), "no memory for a Lua state");
        ffi::luaL_openlibs(lua);
        let (text, name) = (program.as_ptr().cast(), c"@main.lua".as_ptr());
        let loaded = ffi::luaL_loadbufferx(lua, text, program.len(), name, c"t".as_ptr());
        let mut status = loaded;
        if loaded == ffi::LUA_OK {
            ffi::lua_pushinteger(lua, seed);
            ffi::lua_pushinteger(lua, CALLS);
            status = ffi::lua_pcallk(lua, 2, 1, 0, 0, None);
        }
        let answer = top_text(lua);
        ffi::lua_close(lua);
        assert_eq!(status, ffi::LUA_OK as c_int, "stock Lua: {answer}");
        answer
    }
}

/// # Safety
/// `lua` is a live state with a string on top of its stack.
unsafe fn top_text(lua: *mut ffi::lua_State) -> String {
    // SAFETY: the caller vouches for the string, which lives while it is on the stack.
    unsafe {
        let mut length = 0;
        let bytes = ffi::lua_tolstring(lua, -1, &mut length);
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length);
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Runs a program in both for each seed; fails if a line differs that may not.
fn compare(program: &'static str, seeds: i64, differences: &'static [Difference]) {
    within(4 * PATIENCE, move || {
        let main = format!("return function(...) {program}\nend");
        let application = App::new().code("main", &main, "kind: process.lua").load();
        let runtime = Builder::new().workers(1).application(application).start().unwrap();
        let mut unused: Vec<&Difference> = differences.iter().collect();
        let mut wrong = Vec::new();
        for seed in 1..=seeds {
            let stock = stock(program, seed);
            let ours = exec(&runtime, "app:main", &[Value::from(seed), Value::from(CALLS)]);
            let ours = ours.as_bytes().unwrap_or_else(|| panic!("no text but {ours:?}"));
            let ours = String::from_utf8_lossy(ours);
            assert_eq!(stock.lines().count(), ours.lines().count());
            for (stock, ours) in stock.lines().zip(ours.lines()).filter(|(a, b)| a != b) {
                match differences.iter().find(|difference| difference.fits(stock, ours)) {
                    Some(known) => unused.retain(|other| !std::ptr::eq(*other, known)),
                    None => wrong.push(format!("seed {seed}\n  stock {stock}\n  ours  {ours}")),
                }
            }
        }
        runtime.shutdown();
        wrong.truncate(SHOWN_MAX);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(unused.is_empty(), "nothing differs so any more: {unused:?}");
    });
}

#[test]
fn functions_of_the_library() {
    let seeds = std::env::var("STOCK_SEEDS").map_or(SEEDS, |text| text.parse().expect("a number"));
    compare(PROGRAM, seeds, DIFFERENCES);
}

#[test]
fn coroutines_levels_and_operators() {
    compare(SNIPPETS, 1, &[]);
}
