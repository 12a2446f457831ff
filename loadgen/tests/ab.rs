//! `loadgen ab` as scripts meet it: two builds in, a verdict and an exit status out.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const LOADGEN: &str = env!("CARGO_BIN_EXE_loadgen");

fn ab(old: &Path, new: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(LOADGEN)
        .arg("ab")
        .args([old, new])
        .args(["ring", "--size", "5", "--hops", "20000", "--runs", "5"])
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A build that claims another rate: what loadgen writes, with this in the place of every rate.
#[cfg(unix)]
fn build_with_rate(folder: &Path, rate: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let path = folder.join("changed");
    let script = format!(
        "#!/bin/sh\n{LOADGEN} \"$@\" || exit\nfor file; do\n  case \"$file\" in *.json) \
         awk '/rate_per_s/ {{ sub(/:.*/, \": {rate},\") }} {{ print }}' \"$file\" \
         >\"$file.new\" && mv \"$file.new\" \"$file\";; esac\ndone\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_build_against_itself_is_measured_and_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    // On a busy machine so short runs may differ by anything: only their form is looked at.
    let (code, stdout, stderr) =
        ab(LOADGEN.as_ref(), LOADGEN.as_ref(), &["--out", out, "--fail-if", "rate<-99%"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("\nring") && stdout.contains("5 pairs"), "{stdout}");
    let report: Value =
        serde_json::from_slice(&fs::read(folder.path().join("ab.json")).unwrap()).unwrap();
    let row = &report["rows"][0];
    assert_eq!(row["scenario"], "ring");
    for side in ["old", "new", "again"] {
        assert_eq!(row[side].as_array().unwrap().len(), 5, "{side}");
    }
    assert!(row["low"].as_f64().unwrap() <= row["ratio"].as_f64().unwrap());
    assert!(row["noise"].as_f64().unwrap() >= 0.0);
}

#[cfg(unix)]
#[test]
fn a_build_that_is_slower_fails_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let slow = build_with_rate(folder.path(), "1.5");
    let (code, stdout, stderr) = ab(LOADGEN.as_ref(), &slow, &["--out", out]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("slower"), "{stdout}");
    assert!(stderr.contains("ring: rate went from"), "{stderr}");
    let (code, stdout, _) = ab(&slow, LOADGEN.as_ref(), &["--out", out]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("faster"), "{stdout}");
}

#[test]
fn what_is_no_loadgen_ends_with_two_and_an_answer() {
    for (program, expected) in
        [("/no/such/program", "give the path of a loadgen"), ("/bin/echo", "is no loadgen")]
    {
        let (code, stdout, stderr) = ab(LOADGEN.as_ref(), program.as_ref(), &[]);
        assert_eq!((code, stdout.as_str()), (2, ""));
        assert!(stderr.contains(expected), "{stderr}");
    }
    let (code, _, stderr) = ab(LOADGEN.as_ref(), LOADGEN.as_ref(), &["--pairs", "3"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--pairs is a size of ping_pong"), "{stderr}");
}
