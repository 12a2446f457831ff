//! What a run leaves behind, whatever happens to it: files, rows, words and exit status.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

fn loadgen(out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["--size", "5", "--hops", "100", "ring", "--out"]).arg(out);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), text(&stdout), text(&stderr))
}

#[test]
fn standard_output_can_be_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(loadgen(folder.path()).args(["--json", "-"]));
    assert_eq!(code, 0, "{stderr}");
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(result["runs"][0]["scenario"], "ring");
    assert!(stderr.contains("scenario") && stderr.contains("ring"), "{stderr}");
}

#[test]
fn machine_settings_and_build_stand_first() {
    let folder = tempfile::tempdir().unwrap();
    let (_, stdout, _) = run(loadgen(folder.path()).args(["--workers", "1", "--repeat", "2"]));
    let mut lines = stdout.lines();
    let build = lines.next().unwrap();
    assert!(build.starts_with("moonlet ") && build.contains("profile"), "{stdout}");
    let before_table: Vec<_> = lines.take_while(|line| !line.starts_with("scenario")).collect();
    let before_table = before_table.join(" ");
    assert!(before_table.contains("Lua 5.5") && before_table.contains("cores"), "{stdout}");
    assert!(before_table.contains("1 worker, pinned; 2 runs of each scenario"), "{stdout}");
    assert!(stdout.lines().all(|line| line.chars().count() <= 140), "{stdout}");
    assert!(!stdout.contains("slices"), "counters are for those who ask: {stdout}");
    let (_, stdout, _) = run(loadgen(folder.path()).arg("--counters"));
    assert!(stdout.contains("ring, ") && stdout.contains("slices "), "{stdout}");
}

#[test]
fn targets_are_looked_at_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none/result.json");
    for (target, expected) in [(none.as_path(), "no folder"), (folder.path(), "is a folder")] {
        // So long that nobody would wait for it.
        let mut command = loadgen(&folder.path().join("out"));
        command.args(["--repeat", "1000000", "--json"]).arg(target);
        let (code, stdout, stderr) = run(&mut command);
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn a_size_that_nothing_has_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (code, _, stderr) = run(loadgen(&out).args(["--pairs", "3"]));
    assert_eq!(code, 2);
    let said = "--pairs is a size of ping_pong, native_ping_pong, and what runs is ring";
    assert!(stderr.contains(said), "{stderr}");
    assert!(!out.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_and_a_closed_pipe_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let output = loadgen(folder.path()).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot print the figures"), "{output:?}");

    let (code, _, stderr) = run(loadgen(folder.path()).args(["--json", "/dev/full"]));
    assert_eq!(code, 1);
    assert!(stderr.contains("cannot write /dev/full"), "{stderr}");

    let mut child = loadgen(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Reads until the piece has come; gives what was read.
fn read_until(stream: &mut impl Read, piece: &str) -> String {
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !text(&seen).contains(piece) {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "ended after {}", text(&seen));
        seen.push(byte[0]);
    }
    text(&seen)
}

#[cfg(unix)]
#[test]
fn rows_come_as_they_are_measured_and_stay_after_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    // The second scenario takes far longer than anybody waits.
    let mut child = loadgen(folder.path())
        .args(["ping_pong", "--pairs", "1", "--rounds", "1000000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // No terminal, and the row is there while the next scenario runs.
    let shown = read_until(&mut stdout, "hops");
    assert!(shown.contains("\nring"), "{shown}");
    let result = folder.path().join("result.json");
    let started = Instant::now();
    while !result.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no file while it runs");
        thread::sleep(Duration::from_millis(10));
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(rest.contains("report: "), "{rest}");
    let stderr = text(&output.stderr);
    assert!(stderr.contains("interrupted; 1 of 2 scenarios were measured"), "{stderr}");
    let result: Value = serde_json::from_slice(&fs::read(&result).unwrap()).unwrap();
    assert_eq!(result["runs"].as_array().unwrap().len(), 1);
}
