//! Timers through the Lua API, one process, one worker.
//!
//! `set_and_stop` creates a timer that never fires: the cost of having one. All others wait for
//! their timer while the worker sleeps, so most of the time is the wait itself, and the part above
//! 100 µs is the delay of the timer and the cost of the wake-up. `timer_heap` in
//! `engine/queues.rs` measures the data structure behind timers.

use criterion::{Criterion, criterion_group};

use crate::support;

const TIMERS: [(&str, &str, &str); 4] = [
    ("set_and_stop", "local timer = time.timer", "timer('1h'):stop()"),
    ("sleep_100us", "local sleep = time.sleep", "sleep('100us')"),
    ("after_100us", "local after = time.after", "after('100us'):receive()"),
    ("tick_100us", "local ticks = time.ticker('100us'):channel()", "ticks:receive()"),
];

fn timer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timer");
    for (name, before, act) in TIMERS {
        let main = support::repeat(before, act);
        let runtime = support::start(&[("main", &main)]);
        group.bench_function(name, |bencher| support::measure(bencher, &runtime));
        runtime.shutdown();
    }
    group.finish();
}

criterion_group!(benches, timer);
