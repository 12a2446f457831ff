//! Messages through the Lua API, one worker, no contention.
//!
//! `to_itself` sends to its own process and receives at once: both API calls, a message and the
//! mailbox, but no other process. `stream` sends batches to another process, which answers once per
//! batch: the cost of a message when senders and receivers are busy. `round_trip` waits for an
//! answer to every message: two sends, two receives and two process switches. With one worker,
//! waking another core, stealing and contention do not show; loadgen measures those.

use criterion::{Criterion, Throughput, criterion_group};

use crate::support;

const TO_ITSELF: &str = r#"
local time = require("time")
return function(count)
  local self, inbox, send = process.pid(), process.inbox(), process.send
  local begin = time.monotonic()
  for i = 1, count do
    send(self, "t", i)
    inbox:receive()
  end
  return time.monotonic() - begin
end
"#;

const STREAM: &str = r#"
local time = require("time")
local BATCH = 1000
return function(count)
  local answers, send = process.listen("answer"), process.send
  local sink = assert(process.spawn("app:sink", "app:processes"))
  local begin, sent = time.monotonic(), 0
  while sent < count do
    local batch = math.min(BATCH, count - sent)
    for i = 1, batch do send(sink, "t", i) end
    send(sink, "end", batch)
    assert(answers:receive(), "a message was lost")
    sent = sent + batch
  end
  local taken = time.monotonic() - begin
  send(sink, "stop")
  return taken
end
"#;

const SINK: &str = r#"
return function()
  local inbox, received = process.inbox(), 0
  while true do
    local m = inbox:receive()
    local topic = m:topic()
    if topic == "t" then
      received = received + 1
    elseif topic == "stop" then
      return
    else
      process.send(m:from(), "answer", received == m:payload())
      received = 0
    end
  end
end
"#;

const ROUND_TRIP: &str = r#"
local time = require("time")
return function(count)
  local inbox, send = process.inbox(), process.send
  local echo = assert(process.spawn("app:echo", "app:processes"))
  local begin = time.monotonic()
  for i = 1, count do
    send(echo, "t", i)
    inbox:receive()
  end
  local taken = time.monotonic() - begin
  send(echo, "stop")
  return taken
end
"#;

const ECHO: &str = r#"
return function()
  local inbox, send = process.inbox(), process.send
  while true do
    local m = inbox:receive()
    if m:topic() == "stop" then return end
    send(m:from(), "t", m:payload())
  end
end
"#;

fn send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send");
    group.throughput(Throughput::Elements(1));
    let applications: [(&str, &[(&str, &str)]); 3] = [
        ("to_itself", &[("main", TO_ITSELF)]),
        ("stream", &[("main", STREAM), ("sink", SINK)]),
        ("round_trip", &[("main", ROUND_TRIP), ("echo", ECHO)]),
    ];
    for (name, definitions) in applications {
        let runtime = support::start(definitions);
        group.bench_function(name, |bencher| support::measure(bencher, &runtime));
        runtime.shutdown();
    }
    group.finish();
}

criterion_group!(benches, send);
