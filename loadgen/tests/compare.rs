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
            .args(["ping_pong", "ring", "--quiet", "--json"])
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

fn scale(value: &mut Value, factor: f64) {
    *value = (value.as_f64().unwrap() * factor).into();
}

#[test]
fn the_same_result_has_ratios_of_one() {
    let results = Results::measure();
    let (code, stdout, stderr) = results.compare(&["--fail-if", "p99>+5%"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let row = stdout.lines().find(|line| line.starts_with("ping_pong")).unwrap();
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(cells[1..], ["1.000"; 6], "{stdout}");
    assert!(!stdout.contains("note:"), "{stdout}");
}

#[test]
fn a_limit_that_is_passed_fails_and_is_named() {
    let results = Results::measure();
    results.change(|result| {
        scale(&mut result["runs"][0]["rtt_us"]["p99"], 1.2);
        scale(&mut result["runs"][1]["rate_per_s"], 0.5);
    });
    assert_eq!(results.compare(&[]).0, 0);
    assert_eq!(results.compare(&["--fail-if", "p99>+25%", "--fail-if", "p50>+1%"]).0, 0);
    assert_eq!(results.compare(&["--fail-if", "ping_pong.rate<-1%"]).0, 0);

    let (code, stdout, stderr) = results.compare(&["--fail-if", "p99>+5%"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("1.200"), "{stdout}");
    assert!(stderr.contains("ping_pong: p99 went from"), "{stderr}");
    assert!(stderr.contains("+20.0 %, beyond 'p99>+5%'"), "{stderr}");

    let (code, _, stderr) =
        results.compare(&["--fail-if", "rate<-5%", "--fail-if", "ping_pong.p99>+5%"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("ring: rate went from"), "{stderr}");
    assert!(stderr.contains("-50.0 %, beyond 'rate<-5%'"), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

#[test]
fn a_scenario_that_fails_now_passes_every_limit() {
    let results = Results::measure();
    results.change(|result| {
        result["runs"][1]["validated"] = false.into();
        result["runs"][1]["error"] = "token lost".into();
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
        result["runs"][1]["params"]["hops"] = 7.into();
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
        ("{\"schema\": 1}", "bad.json: field `schema` is 1, and this loadgen reads 2"),
        ("{\"schema\": 2}", "bad.json: field"),
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
