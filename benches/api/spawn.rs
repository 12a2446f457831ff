//! The life of a process that does nothing: a VM is created, its chunk and main run, and the VM is
//! freed.
//!
//! `spawn_exit` starts a process under a monitor and waits for its EXIT event; `exec` calls a
//! process like a function. There is one worker and one child at a time. The child's slot and
//! memory are always those of the previous child, so the result says nothing about many processes
//! at once, or about chunks and main functions of real size. loadgen's `spawn` and `skynet` measure
//! crowds.

use criterion::{Criterion, Throughput, criterion_group};

use crate::support;

const SPAWN_EXIT: &str = r#"
local time = require("time")
return function(count)
  local events, spawn = process.events(), process.spawn_monitored
  local begin = time.monotonic()
  for _ = 1, count do
    assert(spawn("app:child", "app:processes"))
    events:receive()
  end
  return time.monotonic() - begin
end
"#;

const EXEC: &str = r#"
local time = require("time")
return function(count)
  local exec = process.exec
  local begin = time.monotonic()
  for _ = 1, count do
    assert(exec("app:child", "app:processes"))
  end
  return time.monotonic() - begin
end
"#;

const CHILD: &str = "return function() return true end";

fn spawn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("spawn");
    group.throughput(Throughput::Elements(1));
    for (name, main) in [("spawn_exit", SPAWN_EXIT), ("exec", EXEC)] {
        let runtime = support::start(&[("main", main), ("child", CHILD)]);
        group.bench_function(name, |bencher| support::measure(bencher, &runtime));
        runtime.shutdown();
    }
    group.finish();
}

criterion_group!(benches, spawn);
