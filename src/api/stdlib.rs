//! Lua's standard library, reduced to what is safe, with our own functions in place of those of Lua
//! that could do too much (`base.rs`, `coroutine.rs`, `string_match.rs`).
//!
//! The stock functions are taken from a scratch state, once per program: they are plain C functions
//! without state. Only random numbers have state, which a VM gets with the first of them
//! (`individual.rs`).

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::api::{base, coroutine, debug, individual, library, require, string_match};
use crate::vm::lua::ffi::{self, lua_CFunction};
use crate::vm::lua::stack::{Stack, Type};

/// Where a function comes from.
#[derive(Clone, Copy)]
pub(crate) enum FunctionSource {
    Stock,
    Ours(lua_CFunction),
    /// The global `unpack`, another name of `table.unpack`.
    TableUnpack,
}

use FunctionSource::{Ours, Stock};

/// The base functions, which are globals.
pub(crate) const BASE: &[(&str, FunctionSource)] = &[
    ("assert", Stock),
    ("error", Ours(debug::error)),
    ("getmetatable", Ours(base::getmetatable)),
    ("ipairs", Stock),
    ("next", Ours(base::next)),
    ("pairs", Ours(base::pairs)),
    ("pcall", Ours(base::pcall)),
    ("print", Ours(base::print)),
    ("rawequal", Stock),
    ("rawget", Ours(base::rawget)),
    ("rawlen", Stock),
    ("rawset", Ours(base::rawset)),
    ("require", Ours(require::require)),
    ("select", Stock),
    ("setmetatable", Ours(base::setmetatable)),
    ("tonumber", Stock),
    ("tostring", Ours(individual::tostring)),
    ("type", Stock),
    ("unpack", FunctionSource::TableUnpack),
    ("xpcall", Ours(base::xpcall)),
];

const STRING: &[(&str, FunctionSource)] = &[
    ("byte", Stock),
    ("char", Stock),
    ("find", Ours(string_match::find)),
    ("format", Ours(individual::format)),
    ("gmatch", Ours(string_match::gmatch)),
    ("gsub", Ours(string_match::gsub)),
    ("len", Stock),
    ("lower", Stock),
    ("match", Ours(string_match::match_)),
    ("pack", Stock),
    ("packsize", Stock),
    ("rep", Stock),
    ("reverse", Stock),
    ("sub", Stock),
    ("unpack", Stock),
    ("upper", Stock),
];

const TABLE: &[(&str, FunctionSource)] = &[
    ("concat", Stock),
    ("insert", Stock),
    ("move", Stock),
    ("pack", Stock),
    ("remove", Stock),
    ("sort", Stock),
    ("unpack", Stock),
];

const UTF8: &[(&str, FunctionSource)] =
    &[("char", Stock), ("codepoint", Stock), ("codes", Stock), ("len", Stock), ("offset", Stock)];

const OS: &[(&str, FunctionSource)] = &[
    ("clock", Ours(individual::clock)),
    ("date", Ours(individual::date)),
    ("difftime", Stock),
    ("time", Ours(individual::time)),
];

const COROUTINE: &[(&str, FunctionSource)] = &[
    ("close", Ours(coroutine::close)),
    ("create", Ours(coroutine::create)),
    ("isyieldable", Stock),
    ("resume", Ours(coroutine::resume)),
    ("running", Stock),
    ("spawn", Ours(coroutine::spawn)),
    ("status", Ours(coroutine::status)),
    ("wrap", Ours(coroutine::wrap)),
    ("yield", Ours(coroutine::yield_)),
];

/// Functions of `math`, without those in [`RANDOM`] and the constants.
const MATH: &[(&str, FunctionSource)] = &[
    ("abs", Stock),
    ("acos", Stock),
    ("asin", Stock),
    ("atan", Stock),
    ("ceil", Stock),
    ("cos", Stock),
    ("deg", Stock),
    ("exp", Stock),
    ("floor", Stock),
    ("fmod", Stock),
    ("log", Stock),
    ("max", Stock),
    ("min", Stock),
    ("modf", Stock),
    ("rad", Stock),
    ("sin", Stock),
    ("sqrt", Stock),
    ("tan", Stock),
    ("tointeger", Stock),
    ("type", Stock),
    ("ult", Stock),
];

/// Each has an upvalue, see `individual.rs`.
const RANDOM: &[(&str, lua_CFunction)] =
    &[("random", individual::random), ("randomseed", individual::randomseed)];

/// Metamethods of strings: arithmetic on numeric strings.
const STRING_METAMETHODS: &[&str] =
    &["__add", "__sub", "__mul", "__mod", "__pow", "__div", "__idiv", "__unm"];

/// Stock functions by library and name; `string_meta` for the metamethods of strings.
pub(crate) fn stock(library: &str, name: &str) -> Option<lua_CFunction> {
    static STOCK: OnceLock<HashMap<(String, String), lua_CFunction>> = OnceLock::new();
    let key = (library.to_owned(), name.to_owned());
    STOCK.get_or_init(collect_stock).get(&key).copied()
}

fn collect_stock() -> HashMap<(String, String), lua_CFunction> {
    let mut found = HashMap::new();
    // SAFETY: the call has no preconditions; null is handled below.
    let lua = unsafe { ffi::luaL_newstate() };
    assert!(!lua.is_null(), "no memory for a Lua state");
    // SAFETY: this function has just made the state. The call raises for lack of memory only, and
    // outside of a protected call that ends the program (`lua_atpanic` of luaL_newstate) and jumps
    // over nothing.
    unsafe { ffi::luaL_openlibs(lua) };
    // SAFETY: the state is this function's and lives until `lua_close` below, behind the last use
    // of the view. It has no control, which nothing here asks for. Its allocator refuses only when
    // memory is out, which ends the program.
    let stack = unsafe { Stack::new(lua) };
    stack.push_globals();
    collect_table(stack, "base", &mut found);
    for library in ["string", "table", "math", "utf8", "os", "coroutine"] {
        stack.raw_field(-1, library);
        collect_table(stack, library, &mut found);
        stack.pop(1);
    }
    stack.push_string("");
    if stack.push_metatable(-1) {
        collect_table(stack, "string_meta", &mut found);
    }
    // SAFETY: luaL_newstate made the state, and neither `stack` nor a text of it is used again: the
    // names were copied, and C functions are code, not memory of the state.
    unsafe { ffi::lua_close(lua) };
    found
}

fn collect_table(
    stack: Stack,
    library: &str,
    found: &mut HashMap<(String, String), lua_CFunction>,
) {
    let table = stack.top();
    stack.push_nil();
    while stack.next(table) {
        // SAFETY: `collect_stock` keeps the state alive, and `next` has pushed a value; marked `-`.
        let function = unsafe { ffi::lua_tocfunction(stack.lua(), -1) };
        if let (Some(function), Type::String) = (function, stack.kind(-2)) {
            let name = String::from_utf8_lossy(stack.string(-2).unwrap_or_default());
            found.insert((library.to_owned(), name.into_owned()), function);
        }
        stack.pop(1);
    }
}

/// Pushes one function.
fn push_function(stack: Stack, library: &str, name: &str, source: FunctionSource) {
    let function = match source {
        Ours(function) => Some(function),
        Stock => stock(library, name),
        FunctionSource::TableUnpack => stock("table", "unpack"),
    };
    match function {
        Some(function) => stack.push_function(function, 0),
        None => stack.push_nil(),
    }
}

pub(crate) fn push_base(stack: Stack, name: &str, source: FunctionSource) {
    push_function(stack, "base", name, source);
}

fn push_table(stack: Stack, library: &str, functions: &[(&str, FunctionSource)]) {
    stack.push_table(0, functions.len());
    for (name, source) in functions {
        push_function(stack, library, name, *source);
        stack.set_raw_field(-2, name);
    }
}

pub(crate) fn make_string(stack: Stack) {
    push_table(stack, "string", STRING);
    // From now on methods of strings find the table itself.
    stack.push_string("");
    if stack.push_metatable(-1) {
        stack.push_value(-3);
        stack.set_raw_field(-2, "__index");
        stack.pop(1);
    }
    stack.pop(1);
}

pub(crate) fn make_table(stack: Stack) {
    push_table(stack, "table", TABLE);
}

pub(crate) fn make_utf8(stack: Stack) {
    push_table(stack, "utf8", UTF8);
    stack.push_string(b"[\0-\x7F\xC2-\xFD][\x80-\xBF]*");
    stack.set_raw_field(-2, "charpattern");
}

pub(crate) fn make_os(stack: Stack) {
    push_table(stack, "os", OS);
}

pub(crate) fn make_coroutine(stack: Stack) {
    push_table(stack, "coroutine", COROUTINE);
}

pub(crate) fn make_math(stack: Stack) {
    push_table(stack, "math", MATH);
    for (name, function) in RANDOM {
        // The place of the generator.
        stack.push_integer(0);
        stack.push_function(*function, 1);
        stack.set_raw_field(-2, name);
    }
    for (name, value) in [("huge", f64::INFINITY), ("pi", std::f64::consts::PI)] {
        stack.push_number(value);
        stack.set_raw_field(-2, name);
    }
    for (name, value) in [("maxinteger", i64::MAX), ("mininteger", i64::MIN)] {
        stack.push_integer(value);
        stack.set_raw_field(-2, name);
    }
}

/// Pushes a table with every function of the library under its names.
pub(crate) fn push_names(stack: Stack) {
    stack.push_table(0, 7);
    stack.push_table(0, BASE.len());
    for (name, source) in BASE {
        if !matches!(source, FunctionSource::TableUnpack) {
            push_base(stack, name, *source);
            stack.set_raw_field(-2, name);
        }
    }
    stack.set_raw_field(-2, "_G");
    for (library, functions) in
        [("string", STRING), ("table", TABLE), ("utf8", UTF8), ("os", OS), ("coroutine", COROUTINE)]
    {
        push_table(stack, library, functions);
        stack.set_raw_field(-2, library);
    }
    // Some of its functions differ between VMs.
    if !library::push_made(stack, "math") {
        push_table(stack, "math", MATH);
    }
    stack.set_raw_field(-2, "math");
}

/// Sets the metatable of strings; their methods are created at the first use.
pub(crate) fn install_string_metatable(stack: Stack) {
    stack.push_string("");
    stack.push_table(0, STRING_METAMETHODS.len() + 2);
    for name in STRING_METAMETHODS {
        push_function(stack, "string_meta", name, Stock);
        stack.set_raw_field(-2, name);
    }
    stack.push_function(string_index, 0);
    stack.set_raw_field(-2, "__index");
    stack.push_string("string");
    stack.set_raw_field(-2, "__metatable");
    stack.set_metatable(-2);
    stack.pop(1);
}

crate::api::function!(shared string_index, string_index_inner);

fn string_index_inner(caller: &mut crate::api::Caller<'_>) -> crate::api::caller::ApiResult {
    library::push_named_library(caller.stack, "string");
    caller.push_value(2);
    caller.raw_get(-2);
    Ok(crate::vm::lua::boundary::Reply::Return(1))
}
