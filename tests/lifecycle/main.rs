//! Random lives: thousands of processes spawn, link, monitor, register, send, upgrade, fail, cancel
//! and terminate each other, and whoever watches checks what it is told.
//!
//! Invariants: each monitor sees exactly one EXIT, each link at most one LINK_DOWN and after it the
//! EXIT came; no message to a living process is lost, doubled or out of order; no name outlives its
//! owner; afterwards nothing is left, and memory does not grow from round to round.
//!
//! `MOONLET_LIFECYCLE_SECONDS` sets how long it goes on, `MOONLET_SEED` where it begins.

#[path = "../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use moonlet::Value;

use support::{App, exec, within};

const OBSERVERS: i64 = 6;
/// How long observers act in one round.
const ROUND: Duration = Duration::from_millis(1500);
const DEFAULT_SECONDS: u64 = 9;
/// Rounds before memory is expected to have found its level.
const WARM_UP_ROUNDS: u32 = 2;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the system is Linux");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096
}

fn application() -> App {
    let fields = "kind: process.lua, modules: [time]";
    App::new()
        .code("ledger", include_str!("ledger.lua"), fields)
        .code("observer", include_str!("observer.lua"), fields)
        .code("mortal", include_str!("mortal.lua"), fields)
        .chunk("brief", "return function(n) if n == 1 then error('x', 0) end return n end")
}

/// What the rounds together must have seen of everything.
const SEEN_MIN: i64 = 100;

#[test]
fn random_lives_keep_the_invariants() {
    let seconds = from_environment("MOONLET_LIFECYCLE_SECONDS").unwrap_or(DEFAULT_SECONDS);
    let seed = from_environment("MOONLET_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("MOONLET_SEED={seed}");
    let limit = Duration::from_secs(seconds);
    within(limit + support::PATIENCE, move || {
        let runtime = application().start();
        let begin = Instant::now();
        let (mut round, mut level) = (0, 0);
        let mut totals = [("exits", 0), ("downs", 0), ("heard", 0), ("checked", 0)];
        // On a busy machine one round may see too little of something.
        while begin.elapsed() < limit || totals.iter().any(|(_, total)| *total < SEEN_MIN) {
            round += 1;
            let number = seed.wrapping_add(u64::from(round) * 1000) as i64;
            let arguments = [number, OBSERVERS, ROUND.as_nanos() as i64].map(Value::from);
            let sum = exec(&runtime, "app:ledger", &arguments);
            let count = |name: &str| sum.get(name).and_then(Value::as_i64).expect("a count");
            let violations = sum.get("violations").and_then(Value::as_str).expect("a text");
            assert_eq!(violations, "", "seed {seed}, round {round}");
            for (name, total) in &mut totals {
                *total += count(name);
            }
            // The ledger tells its end just before it gives its place back.
            while runtime.process_count() > 0 {
                std::thread::yield_now();
            }
            let metrics = runtime.metrics();
            assert_eq!(metrics.spawned, metrics.ended);
            let memory = resident();
            println!(
                "round {round}: {} processes, {} EXITs, {} LINK_DOWNs, {} messages, {} KiB",
                metrics.spawned,
                count("exits"),
                count("downs"),
                count("heard"),
                memory / 1024
            );
            if round <= WARM_UP_ROUNDS {
                level = level.max(memory);
            } else {
                assert!(memory < level * 3 / 2, "memory grows: {level} to {memory} bytes");
            }
        }
        runtime.shutdown();
    });
}
