//! Latencies as percentile distributions in the text format of HdrHistogram, in µs.
//!
//! One file per run and kind, e.g. `ping_pong-rtt-1.hgrm`; the number counts the runs of the
//! scenario.

use std::fmt::Write;
use std::path::Path;

use hdrhistogram::Histogram;

use super::pair::Group;
use crate::targets;

/// Lines per halving of the distance to 100 %, as in HdrHistogram's own tools.
const TICKS_PER_HALF_DISTANCE: u32 = 5;

const NANOSECONDS_PER_UNIT: f64 = 1000.0;

/// Writes a file for each histogram of these repeats of a scenario into an existing folder. An
/// error says which file could not be written.
pub(crate) fn write_all(folder: &Path, group: &Group<'_>) -> Result<(), String> {
    for (index, run) in group.runs.iter().enumerate() {
        for (kind, times) in [("latency", &run.latency_us), ("rtt", &run.rtt_us)] {
            if let Some(times) = times {
                let name = format!("{}-{kind}-{}.hgrm", run.scenario, index + 1);
                targets::write(&folder.join(name), &render(&times.histogram))?;
            }
        }
    }
    Ok(())
}

/// Returns the percentile distribution of times given in ns.
fn render(times: &Histogram<u64>) -> String {
    let mut text = String::new();
    let (value, percentile, total, inverse) =
        ("Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    _ = writeln!(text, "{value:>12} {percentile:>14} {total:>10} {inverse:>14}\n");
    let mut seen = 0;
    for step in times.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        seen += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / NANOSECONDS_PER_UNIT;
        let quantile = step.quantile_iterated_to();
        _ = write!(text, "{value:12.3} {quantile:1.12} {seen:10}");
        _ = match quantile < 1.0 {
            true => writeln!(text, " {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text),
        };
    }
    let [mean, deviation, max] = [times.mean(), times.stdev(), times.max() as f64]
        .map(|nanoseconds| nanoseconds / NANOSECONDS_PER_UNIT);
    let count = times.len();
    _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {count:12}]");
    let (buckets, slots) = (times.buckets(), times.distinct_values());
    _ = writeln!(text, "#[Buckets = {buckets:12}, SubBuckets     = {slots:12}]");
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{json, pair, samples};
    use super::*;

    #[test]
    fn the_distribution_has_the_known_format() {
        let run = samples::run_with_rtt("ping_pong", 1, 1);
        let text = render(run.outcome.as_ref().unwrap().rtt.as_ref().unwrap());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[1], "");
        assert_eq!(lines[2], "       1.000 0.000000000000          1           1.00");
        assert!(text.contains("     500.223 0.500000000000        500           2.00\n"), "{text}");
        assert!(text.contains("    1000.447 1.000000000000       1000\n"), "{text}");
        let summary: Vec<_> = lines[lines.len() - 3..].iter().map(|line| &line[..11]).collect();
        assert_eq!(summary, ["#[Mean    =", "#[Max     =", "#[Buckets ="]);
        assert!(lines[lines.len() - 2].ends_with("Total count    =         1000]"));
    }

    #[test]
    fn a_file_is_written_per_run_and_kind() {
        let folder = tempfile::tempdir().unwrap();
        let mut both = samples::run_with_rtt("latency_under_load", 1, 1);
        let outcome = both.outcome.as_mut().unwrap();
        outcome.latency = outcome.rtt.clone();
        let runs =
            [samples::run("ring", 1, 1), both, samples::run_with_rtt("latency_under_load", 1, 1)];
        let result = json::result_of(&samples::settings(), &samples::machine(), &runs);
        pair::groups(&result).iter().for_each(|group| write_all(folder.path(), group).unwrap());
        for name in ["latency-1", "rtt-1", "rtt-2"] {
            assert!(folder.path().join(format!("latency_under_load-{name}.hgrm")).exists());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        let result = json::result_of(&samples::settings(), &samples::machine(), &runs[1..]);
        let gone = folder.path().join("gone");
        assert!(write_all(&gone, &pair::groups(&result)[0]).unwrap_err().contains("cannot write"));
    }
}
