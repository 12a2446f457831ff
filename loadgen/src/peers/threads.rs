//! The gain of a second plain thread: the work of `steal` on runtimes of one worker each, which
//! share nothing, all at the same time. Where the machine itself gains less than a factor of two,
//! so does stealing.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use loadgen_shared::program::FILES;

use crate::engine::Engine;
use crate::scenario::{self, Parameter, Parameters, Sizes};

/// Returns the tasks per second of all threads together.
pub(super) fn rate(threads: usize, sizes: &[(Parameter, u64)]) -> Result<f64, String> {
    let steal = scenario::find("steal").expect("there is such a scenario");
    let parameters = Parameters(sizes.to_vec());
    let engines = (0..threads).map(|_| Engine::start(FILES, Some(1), false));
    let engines: Vec<Engine> = engines.collect::<Result<_, _>>()?;
    let ready = Barrier::new(threads);
    let work = |engine: &Engine| {
        ready.wait();
        let started = Instant::now();
        let outcome = (steal.run)(engine, &parameters, &Sizes::default())?;
        Ok::<_, String>((started, Instant::now(), outcome.count))
    };
    let runs: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = engines.iter().map(|engine| scope.spawn(|| work(engine))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()))
        };
        threads.into_iter().map(join).collect::<Result<_, _>>()
    })?;
    let started = runs.iter().map(|(started, ..)| *started).min().ok_or("no threads")?;
    let ended = runs.iter().map(|(_, ended, _)| *ended).max().ok_or("no threads")?;
    let tasks: u64 = runs.iter().map(|(.., tasks)| tasks).sum();
    Ok(tasks as f64 / ended.duration_since(started).as_secs_f64().max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_work_and_count_together() {
        let sizes = [(Parameter::Tasks, 4), (Parameter::N, 10)];
        assert!(rate(1, &sizes).unwrap() > 0.0);
        assert!(rate(2, &sizes).unwrap() > 0.0);
    }
}
