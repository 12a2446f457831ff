//! The VM of a process, made and freed: built piece by piece, and copied from its template.
//!
//! Nothing runs in it: the chunk and main are in `api/spawn.rs`. Each VM is freed before the next is
//! made, so the allocator always has its memory at hand; a crowd costs page faults on top.
//! `small` mentions no API at all, `usual` what most processes do.

use criterion::{Criterion, criterion_group};
use moonlet::bench::Vms;

const SMALL: &str = "return function() return true end";

const USUAL: &str = r#"
local time = require("time")
return function()
  local inbox, jobs = process.inbox(), channel.new(1)
  while true do
    local m = inbox:receive()
    if m:topic() == "stop" then return end
    process.send(m:from(), "answer", { at = time.monotonic(), of = m:payload() })
    jobs:send(string.format("%s", table.concat({ "a", "b" })))
  end
end
"#;

fn vm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vm");
    for (name, source) in [("small", SMALL), ("usual", USUAL)] {
        let vms = Vms::new(source).expect("it can be compiled and copied");
        if name == "small" {
            group.bench_function("empty", |bencher| bencher.iter(|| assert!(vms.build_empty())));
        }
        group.bench_function(format!("build/{name}"), |bencher| {
            bencher.iter(|| assert!(vms.build()));
        });
        group.bench_function(format!("copy/{name}"), |bencher| {
            bencher.iter(|| assert!(vms.copy()));
        });
    }
    group.finish();
}

criterion_group!(benches, vm);
