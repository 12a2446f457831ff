//! The memory of a process that waits, everything included: growth of this program's resident
//! memory.

use std::thread;
use std::time::Duration;

use super::{HOST, Outcome, Parameter, Parameters, Scenario, exec};
use crate::args::Sizes;
use crate::engine::Engine;
use crate::machine;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "idle_memory",
    summary: "COUNT processes wait for a message, then answer it",
    unit: "wake-ups",
    parameters: &[(Parameter::Count, 100_000)],
    run,
};

/// How often memory is looked at until it stands still.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Most looks: ten seconds.
const LOOKS_MAX: usize = 100;

/// Looks in a row without change that count as standing still.
const STEADY_LOOKS: usize = 3;

/// Two entries, because the memory is measured from outside between them: one starts the processes
/// and leaves them waiting, the other wakes them.
fn run(engine: &Engine, parameters: &Parameters, _: &Sizes) -> Result<Outcome, String> {
    let unknown = || "resident memory cannot be read on this system".to_owned();
    let before = machine::resident_bytes().ok_or_else(unknown)?;
    engine.exec("loadgen.idle_memory:main", HOST, &parameters.arguments())?;
    let after = steady_resident_bytes().ok_or_else(unknown)?;
    let mut outcome = exec(engine, "loadgen.idle_memory:wake", parameters)?;
    let growth = after.saturating_sub(before) as f64;
    outcome.bytes_per_process = Some(growth / outcome.count.max(1) as f64);
    Ok(outcome)
}

/// Waits until memory stands still: the last processes started may not have reached their `receive`
/// yet.
fn steady_resident_bytes() -> Option<u64> {
    let (mut last, mut steady) = (machine::resident_bytes()?, 0);
    for _ in 0..LOOKS_MAX {
        thread::sleep(LOOK_INTERVAL);
        let now = machine::resident_bytes()?;
        // Within a thousandth: an idle runtime may still touch a page now and then.
        steady = match now.abs_diff(last) <= last / 1000 {
            true => steady + 1,
            false => 0,
        };
        last = now;
        if steady == STEADY_LOOKS {
            break;
        }
    }
    Some(last)
}
