//! Workers that park all the time miss nothing that other threads send them.
//!
//! Everything here reaches the workers through the injector, from threads that are none: messages,
//! spawns and their answers, lines of standard input. The pauses are those of a search for work, so
//! each push meets workers that search, fall asleep, or sleep. A wake-up that is lost shows as a
//! round trip that does not end. `STRESS_SECONDS` is how long each test goes on; short by default.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use moonlet::{Builder, Runtime, Value};
use support::{App, exec, within};

/// Threads that drive the workers.
const DRIVERS: u64 = 3;
/// A worker searches for 20 microseconds before it parks; pauses go up to some more.
const PAUSE_MAX_NS: u64 = 60_000;
/// Nothing here takes that long, on whatever machine.
const STUCK: Duration = Duration::from_secs(60);

fn duration() -> Duration {
    let seconds = std::env::var("STRESS_SECONDS").ok();
    Duration::from_secs(seconds.map_or(2, |text| text.parse().expect("a number of seconds")))
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Waits for a random while, mostly without giving up the core.
    fn pause(&mut self) {
        let end = Instant::now() + Duration::from_nanos(self.below(PAUSE_MAX_NS));
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        if self.below(64) == 0 {
            thread::sleep(Duration::from_micros(self.below(500)));
        }
    }
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seed = now.as_nanos() as u64;
    println!("seed {seed}");
    seed
}

const COUNTER: &str = r#"
    local inbox, asks, count = process.inbox(), process.listen("ask", { message = true }), 0
    while true do
      local r = channel.select({ inbox:case_receive(), asks:case_receive() })
      if r.channel == inbox then count = count + 1
      else process.send(r.value:payload(), "count", count) end
    end
"#;

const ASK: &str = r#"
    local counter, wanted = ...
    local counts = process.listen("count")
    process.send(counter, "ask", process.pid())
    return counts:receive()
"#;

/// What one driver does until `end`: sends and calls; returns how many messages it sent.
fn drive(runtime: &Runtime, counter: &str, mut random: Random, end: Instant) -> u64 {
    let mut sent = 0;
    while Instant::now() < end {
        random.pause();
        if random.below(4) > 0 {
            runtime.send(counter, "t", ()).expect("it takes messages");
            sent += 1;
            continue;
        }
        let number = random.below(1000) as i64;
        let answer = exec(runtime, "app:echo", &[Value::from(number)]);
        assert_eq!(answer.as_i64(), Some(number));
    }
    sent
}

/// Drives a runtime from outside and sees that nothing is lost.
fn stress(workers: usize, seed: u64, duration: Duration) {
    let app = App::new().process("echo", "return ...").process("ask", ASK);
    let app = app.process("counter", COUNTER);
    let start = "return assert(process.spawn('app:counter', 'app:processes'))";
    let app = app.process("start", start);
    let builder = Builder::new().workers(workers).pinning(false);
    let runtime = Arc::new(builder.application(app.load()).start().expect("it starts"));
    let counter = exec(&runtime, "app:start", &[]);
    let counter = counter.as_str().expect("a PID").to_owned();
    let (sent, barrier) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(DRIVERS as usize)));
    let drivers: Vec<_> = (0..DRIVERS)
        .map(|driver| {
            let (runtime, counter) = (runtime.clone(), counter.clone());
            let (sent, barrier) = (sent.clone(), barrier.clone());
            let random = Random(seed ^ driver.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            thread::spawn(move || {
                barrier.wait();
                let count = drive(&runtime, &counter, random, Instant::now() + duration);
                sent.fetch_add(count, Ordering::Relaxed);
            })
        })
        .collect();
    for driver in drivers {
        driver.join().expect("no driver failed");
    }
    let sent = sent.load(Ordering::Relaxed);
    let counted = exec(&runtime, "app:ask", &[Value::from(counter.as_str())]);
    assert_eq!(counted.as_i64(), Some(sent as i64), "sent = received");
    assert!(sent > 0, "something was sent");
    Arc::into_inner(runtime).expect("the drivers are over").shutdown();
}

#[test]
fn one_worker_misses_nothing() {
    let seed = seed();
    within(STUCK + duration(), move || stress(1, seed, duration()));
}

#[test]
fn two_workers_miss_nothing() {
    let seed = seed();
    within(STUCK + duration(), move || stress(2, seed, duration()));
}

#[test]
fn four_workers_miss_nothing() {
    let seed = seed();
    within(STUCK + duration(), move || stress(4, seed, duration()));
}

/// Runs a program that sleeps and then reads two lines, and sees it end.
fn read_after_sleep(folder: &std::path::Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_moonlet"))
        .arg("run")
        .arg(folder)
        .args(["-x", "app:main", "--workers", "2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"one\ntwo\n").expect("it takes input");
    let end = Instant::now() + STUCK;
    loop {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            assert_eq!(status.code(), Some(0));
            return;
        }
        assert!(Instant::now() < end, "process {} is stuck; it is left for a look", child.id());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn programs_that_read_after_a_sleep_end() {
    let folder = tempfile::tempdir().expect("a folder for the application");
    let main = "local io, time = require('io'), require('time')\n\
                return function() time.sleep('30ms')\n\
                if io.readline() ~= 'one' or io.readline() ~= 'two' then return nil, 'lines' end end\n";
    let index = "namespace: app\nentries:\n\
                 - { name: processes, kind: process.host, lifecycle: { auto_start: true } }\n\
                 - { name: main, kind: process.lua, source: 'file://main.lua', modules: [io, time] }\n";
    std::fs::write(folder.path().join("main.lua"), main).expect("the file can be written");
    std::fs::write(folder.path().join("_index.yaml"), index).expect("the file can be written");
    let end = Instant::now() + duration();
    thread::scope(|scope| {
        // More at once than cores.
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    read_after_sleep(folder.path());
                    if Instant::now() >= end {
                        return;
                    }
                }
            });
        }
    });
}
