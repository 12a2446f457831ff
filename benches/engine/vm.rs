//! The VM of a process, created and freed: built without a template, and copied from its template.
//!
//! Nothing runs in it: `api/spawn.rs` measures the chunk and main. Each VM is freed before the next
//! one is created, so the allocator always has its memory at hand; with many VMs at once, page
//! faults come on top. `small` mentions no API, `usual` mentions what most processes use.

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
