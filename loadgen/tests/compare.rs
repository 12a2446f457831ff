//! `loadgen compare` as scripts meet it: what it prints, how it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A measured result and a changed copy of it.
struct Results {
    folder: TempDir,
}

impl Results {
    fn measure() -> Results {
        let results = Results { folder: tempfile::tempdir().unwrap() };
        let (before, out) = (results.path("before.json"), results.path("out"));
        let sizes = ["--pairs", "2", "--rounds", "50", "--size", "5", "--hops", "100"];
        let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .args(["ping_pong", "ring", "--repeat", "5", "--quiet", "--json"])
            .arg(&before)
            .arg("--out")
            .arg(&out)
            .args(sizes)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        results.change(|_| ());
        results
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `after.json` as `before.json` with a change.
    fn change(&self, change: impl Fn(&mut Value)) {
        let text = fs::read_to_string(self.path("before.json")).unwrap();
        let mut result = serde_json::from_str(&text).unwrap();
        change(&mut result);
        fs::write(self.path("after.json"), result.to_string()).unwrap();
    }

    fn compare(&self, arguments: &[&str]) -> (i32, String, String) {
        let files = [self.path("before.json"), self.path("after.json")];
        status(compare(&files[0], &files[1], arguments))
    }
}

fn compare(before: &Path, after: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.arg("compare").args([before, after]).args(arguments).output().unwrap()
}

fn status(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Multiplies a figure of every run of a scenario.
fn scale(result: &mut Value, scenario: &str, pointer: &str, factor: f64) {
    for run in result["runs"].as_array_mut().unwrap() {
        if run["scenario"] == scenario {
            let figure = run.pointer_mut(pointer).unwrap();
            *figure = (figure.as_f64().unwrap() * factor).into();
        }
    }
}

/// Gives every run of a scenario the figure of the first one, as on a machine without noise.
fn smooth(result: &mut Value, scenario: &str, pointer: &str) {
    let runs = result["runs"].as_array_mut().unwrap();
    let first = runs.iter().find(|run| run["scenario"] == scenario).unwrap();
    let figure = first.pointer(pointer).unwrap().clone();
    for run in runs.iter_mut().filter(|run| run["scenario"] == scenario) {
        *run.pointer_mut(pointer).unwrap() = figure.clone();
    }
}

impl Results {
    /// Measured without noise, so that changes can be told to a tenth of a percent.
    fn smooth() -> Results {
        let results = Results::measure();
        results.change(|result| {
            smooth(result, "ping_pong", "/rtt_us/p99");
            smooth(result, "ping_pong", "/rtt_us/p50");
            smooth(result, "ping_pong", "/rate_per_s");
            smooth(result, "ring", "/rate_per_s");
        });
        fs::copy(results.path("after.json"), results.path("before.json")).unwrap();
        results
    }
}

#[test]
fn the_same_result_is_within_noise() {
    let results = Results::measure();
    let (code, stdout, stderr) = results.compare(&["--fail-if", "p99>+5%"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let row = stdout.lines().find(|line| line.starts_with("ping_pong")).unwrap();
    assert!(row.contains("  1.000  ") && row.ends_with("within noise"), "{stdout}");
    assert!(!stdout.contains("faster") && !stdout.contains("slower"), "{stdout}");
}

#[test]
fn a_limit_that_is_passed_fails_and_is_named() {
    let results = Results::smooth();
    results.change(|result| {
        scale(result, "ping_pong", "/rtt_us/p99", 1.2);
        scale(result, "ring", "/rate_per_s", 0.5);
    });
    assert_eq!(results.compare(&[]).0, 0);
    assert_eq!(results.compare(&["--fail-if", "p99>+25%", "--fail-if", "p50>+1%"]).0, 0);
    assert_eq!(results.compare(&["--fail-if", "ping_pong.rate<-1%"]).0, 0);

    let (code, stdout, stderr) = results.compare(&["--fail-if", "p99>+5%"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("1.200") && stdout.contains("slower"), "{stdout}");
    assert!(stderr.contains("ping_pong: p99 went from"), "{stderr}");
    assert!(stderr.contains("+20.0 % (+20.0 % to +20.0 %), beyond 'p99>+5%'"), "{stderr}");

    let (code, _, stderr) =
        results.compare(&["--fail-if", "rate<-5%", "--fail-if", "ping_pong.p99>+5%"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("ring: rate went from"), "{stderr}");
    assert!(stderr.contains("-50.0 % (-50.0 % to -50.0 %), beyond 'rate<-5%'"), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

/// Ratios as the same program had them against itself on a busy machine: no limit may fail by them.
#[test]
fn a_median_beyond_a_limit_does_not_fail_while_its_interval_holds_it() {
    let results = Results::smooth();
    results.change(|result| {
        let runs = result["runs"].as_array_mut().unwrap();
        let rings = runs.iter_mut().filter(|run| run["scenario"] == "ring");
        for (run, factor) in rings.zip([0.57, 1.02, 0.78, 0.74, 1.28]) {
            run["rate_per_s"] = (run["rate_per_s"].as_f64().unwrap() * factor).into();
        }
    });
    let (code, stdout, stderr) = results.compare(&["--fail-if", "rate<-5%"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let row = stdout.lines().find(|line| line.starts_with("ring")).unwrap();
    assert!(row.contains("0.780") && row.ends_with("within noise"), "{stdout}");
}

#[test]
fn a_limit_on_too_few_runs_ends_with_two() {
    let results = Results::measure();
    results.change(|result| {
        let runs = result["runs"].as_array_mut().unwrap();
        runs.remove(0);
    });
    let (code, stdout, _) = results.compare(&[]);
    assert_eq!(code, 0);
    assert!(stdout.contains("too few runs (5 and 4)"), "{stdout}");
    let (code, _, stderr) = results.compare(&["--fail-if", "ping_pong.rate<-5%"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("measure with --repeat 5 or more"), "{stderr}");
    assert_eq!(results.compare(&["--fail-if", "ring.rate<-90%"]).0, 0);
}

#[test]
fn a_scenario_that_fails_now_passes_every_limit() {
    let results = Results::measure();
    results.change(|result| {
        for run in result["runs"].as_array_mut().unwrap() {
            if run["scenario"] == "ring" {
                run["validated"] = false.into();
                run["error"] = "token lost".into();
            }
        }
    });
    let (code, stdout, _) = results.compare(&[]);
    assert_eq!(code, 0);
    assert!(stdout.lines().any(|line| line.starts_with("ring") && line.ends_with("failed")));
    let (code, _, stderr) = results.compare(&["--fail-if", "p99>+5%"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("ring: failed, and did not before: token lost"), "{stderr}");
}

#[test]
fn other_sizes_and_machines_are_remarked_on() {
    let results = Results::measure();
    results.change(|result| {
        result["machine"]["cores"] = 64.into();
        for run in result["runs"].as_array_mut().unwrap() {
            if run["scenario"] == "ring" {
                run["params"]["hops"] = 7.into();
            }
        }
    });
    let (code, stdout, _) = results.compare(&[]);
    assert_eq!(code, 0);
    assert!(stdout.contains("note: the machine or the build is not the same"), "{stdout}");
    assert!(stdout.contains("note: ring: sizes differ: --hops 100 "), "{stdout}");
}

#[test]
fn what_makes_no_sense_ends_with_two_and_an_answer() {
    let results = Results::measure();
    for (limit, expected) in [
        ("p99>5%", "'p99>+5%'"),
        ("p98>+5%", "there are rate, p50, p90, p99, p999, max, memory"),
        ("spawn.rate<-5%", "in both files there is only ping_pong, ring"),
        ("ring.p99>+5%", "no scenario that it is about has this figure"),
    ] {
        let (code, _, stderr) = results.compare(&["--fail-if", limit]);
        assert_eq!(code, 2, "{limit}");
        assert!(stderr.contains(expected), "{limit}: {stderr}");
    }

    let before = results.path("before.json");
    let bad = results.path("bad.json");
    for (text, expected) in [
        ("not json", "bad.json: not JSON"),
        ("{}", "bad.json: no field `schema`"),
        ("{\"schema\": 1}", "bad.json: field `schema` is 1, and this loadgen reads 2 to 3"),
        ("{\"schema\": 3}", "bad.json: field"),
    ] {
        fs::write(&bad, text).unwrap();
        let (code, _, stderr) = status(compare(&before, &bad, &[]));
        assert_eq!(code, 2, "{text}");
        assert!(stderr.contains(expected), "{text}: {stderr}");
    }
    assert_eq!(status(compare(&results.path("none.json"), &bad, &[])).0, 2);

    results.change(|result| result["runs"].as_array_mut().unwrap().clear());
    let (code, _, stderr) = results.compare(&[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("nothing to compare"), "{stderr}");
}
