//! Calls into a C function and back, and into a coroutine and back, seen from Lua.
//!
//! `call/nothing` is the loop around all others: subtract it. `builtin` is a C function of Lua's
//! own library, `api` is one of ours, with its wrapper. `native` is a Rust function of a native module,
//! beside a C function that takes the same: two integers, or a string of 100 bytes, which Rust gets as
//! a `String`. `coroutine` resumes and yields within one
//! process, without the worker's involvement; `channel.rs` (between the coroutines of a process)
//! and `send.rs` (between processes) show how a process waits and runs again.

use criterion::{Criterion, criterion_group};

use crate::support;

const CALLS: [(&str, &str, &str); 8] = [
    ("nothing", "", ""),
    ("lua", "local function act(x) return x end", "act(i)"),
    ("builtin", "local act = rawlen; local t = {}", "act(t)"),
    ("api", "local act = process.pid", "act()"),
    ("builtin_integers", "local act = math.ult", "act(i, 3)"),
    ("native_integers", "local act = bench.less", "act(i, 3)"),
    ("builtin_text", "local act = rawlen; local text = ('x'):rep(100)", "act(text)"),
    ("native_text", "local act = bench.length; local text = ('x'):rep(100)", "act(text)"),
];

const COROUTINES: [(&str, &str, &str); 3] = [
    (
        "resume_yield",
        "local yield, resume = coroutine.yield, coroutine.resume
         local c = coroutine.create(function() while true do yield() end end)",
        "resume(c)",
    ),
    (
        "wrap_yield",
        "local yield = coroutine.yield
         local act = coroutine.wrap(function() while true do yield() end end)",
        "act()",
    ),
    ("create", "local create, f = coroutine.create, function() end", "create(f)"),
];

fn lua(criterion: &mut Criterion) {
    for (layer, acts) in [("call", CALLS.as_slice()), ("coroutine", &COROUTINES)] {
        support::bench(criterion, layer, acts);
    }
}

criterion_group!(benches, lua);
