//! The cost of the engine on one core, by scenarios of loadgen. It is measured in processor time,
//! which other programs on the machine affect little.

use std::fs;
use std::path::PathBuf;

use loadgen_shared::program::{FILES, HOST};
use moonlet::{Application, Builder, Level, Payload, Runtime, Value};

use crate::measure::cores;

/// Number of measurements of a scenario; the cheapest one counts.
const MEASUREMENTS: usize = 3;

/// A scenario, with the size arguments of its main.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) main: &'static str,
    pub(super) sizes: &'static [i64],
}

/// Processor time per unit of a scenario, with one worker and with two; in ns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) one_worker: f64,
    pub(super) two_workers: Option<f64>,
}

impl Load {
    /// Returns the cost per unit with one worker and, if there are two cores, with two. Each
    /// measurement makes `runs` runs in one engine, after one uncounted run that warms up its
    /// memory.
    pub(super) fn cost(&self, runs: u64) -> Result<Cost, String> {
        let least = |workers| {
            let times: Vec<f64> =
                (0..MEASUREMENTS).map(|_| self.measure(workers, runs)).collect::<Result<_, _>>()?;
            Ok::<_, String>(times.into_iter().fold(f64::INFINITY, f64::min))
        };
        let one_worker = least(1)?;
        Ok(Cost { one_worker, two_workers: if cores() > 1 { Some(least(2)?) } else { None } })
    }

    fn measure(&self, workers: usize, runs: u64) -> Result<f64, String> {
        let runtime = start(workers)?;
        self.run(&runtime)?;
        let before = processor_ns();
        let mut count = 0;
        for _ in 0..runs {
            count += self.run(&runtime)?;
        }
        let spent = processor_ns().zip(before).map(|(after, before)| after - before);
        let spent = spent.ok_or("the system does not tell the processor time of this program")?;
        // At least 1 ns, however coarse the system's count is.
        Ok(spent.max(1) as f64 / count.max(1) as f64)
    }

    /// Runs the scenario once, which checks every message; returns the number of units.
    fn run(&self, runtime: &Runtime) -> Result<i64, String> {
        let sizes: Vec<_> = self.sizes.iter().copied().map(Value::Integer).collect();
        let sizes = Payload::from_values(&sizes).map_err(|error| error.to_string())?;
        let exec = runtime.process(self.main).host(HOST).args(sizes).exec();
        let result = exec.block().and_then(|result| Ok(result.value()?));
        let result = result.map_err(|error| error.to_string())?;
        match result.get("count") {
            Some(Value::Integer(count)) => Ok(*count),
            _ => Err(format!("{} returned {result}, without a count", self.main)),
        }
    }
}

/// Starts a runtime with the scenarios.
fn start(workers: usize) -> Result<Runtime, String> {
    // Not those of native processes, which are loadgen's own.
    let files = FILES.iter().filter(|(path, _)| !path.starts_with("native_"));
    let files = files.map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
    let application = Application::from_files(files);
    if let Some(problem) = application.problems().first() {
        return Err(problem.to_string());
    }
    let builder = Builder::new().workers(Some(workers)).pinning(true).log_level(Level::Error);
    builder.application(application).start().map_err(|error| error.to_string())
}

/// Returns the processor time that all threads of this process have used, in nanoseconds.
fn processor_ns() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // After the name, which may contain any characters, user and system time are the 12th and 13th
    // field.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    // Linux reports hundredths of a second to programs, whatever its internal unit is.
    Some((ticks()? + ticks()?) * 10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_measured() {
        let cost = Load { main: "loadgen.spawn:main", sizes: &[1000] }.cost(5).unwrap();
        assert!(cost.one_worker > 0.0, "{cost:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn processor_time_passes_with_work() {
        let before = processor_ns().unwrap();
        let mut number = 1_u64;
        while processor_ns().unwrap() == before {
            (0..1000).for_each(|step| number = std::hint::black_box(number.wrapping_mul(step)));
        }
    }
}
