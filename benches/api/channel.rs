//! Channels between the coroutines of one process, and `select`.
//!
//! `buffered` sends and receives in one coroutine, which never waits: it measures the two calls
//! alone. `rendezvous` meets another coroutine at every value, so each value also takes a wait and
//! a turn of the process's queue of ready coroutines. In `stream`, the buffer reduces the number of
//! turns. No other process and no other worker is involved. In `select`, the list of cases is
//! created anew each time, as programs do.

use criterion::{Criterion, criterion_group};

use crate::support;

const CHANNELS: [(&str, &str, &str); 3] = [
    ("buffered", "local ch = channel.new(1)", "ch:send(i) ch:receive()"),
    ("rendezvous", RENDEZVOUS, "ch:receive()"),
    ("stream", STREAM, "ch:receive()"),
];

const RENDEZVOUS: &str = "local ch = channel.new()
    coroutine.spawn(function() for i = 1, count do ch:send(i) end end)";

const STREAM: &str = "local ch = channel.new(64)
    coroutine.spawn(function() for i = 1, count do ch:send(i) end end)";

const SELECTS: [(&str, &str, &str); 4] = [
    (
        "default",
        "local a, select = channel.new(1), channel.select",
        "select({ a:case_receive(), default = true })",
    ),
    (
        "second_of_2",
        "local a, b, select = channel.new(1), channel.new(1), channel.select",
        "b:send(i) select({ a:case_receive(), b:case_receive() })",
    ),
    (
        "last_of_8",
        "local c, select = {}, channel.select
         for k = 1, 8 do c[k] = channel.new(1) end
         local last = c[8]",
        "last:send(i)
         local cases = {}
         for k = 1, 8 do cases[k] = c[k]:case_receive() end
         select(cases)",
    ),
    (
        "waiting",
        "local a, b, select = channel.new(), channel.new(), channel.select
         coroutine.spawn(function() for i = 1, count do b:send(i) end end)",
        "select({ a:case_receive(), b:case_receive() })",
    ),
];

fn channel(criterion: &mut Criterion) {
    for (layer, acts) in [("channel", CHANNELS.as_slice()), ("select", &SELECTS)] {
        support::bench(criterion, layer, acts);
    }
}

criterion_group!(benches, channel);
