//! The page as it comes out of a run and out of `loadgen report`.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn loadgen<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).args(arguments).output().unwrap()
}

/// A quick run into a folder.
fn measure(out: &Path, more: &[&str]) -> Output {
    let sizes = ["--pairs", "2", "--rounds", "200", "--size", "5", "--hops", "100", "--quiet"];
    let arguments = ["ping_pong", "ring"].iter().chain(&sizes).chain(more).map(OsStr::new);
    loadgen(arguments.chain([OsStr::new("--out"), out.as_os_str()]))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_run_leaves_a_page_and_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("first");
    let output = measure(&out, &[]);
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<h2>ping_pong</h2>") && page.contains("latency by percentile"));
    assert!(!page.contains("Against the baseline"));
    assert!(out.join("ping_pong-rtt-1.hgrm").exists());

    let result = out.join("result.json");
    for path in [folder.path(), Path::new(env!("CARGO_MANIFEST_DIR"))] {
        let text = fs::read_to_string(&result).unwrap() + &page;
        assert!(!text.contains(path.to_str().unwrap()), "a path of this machine");
    }

    // The result that is about to be replaced may be the baseline.
    let output = measure(&out, &["--baseline", result.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<h2>Against the baseline</h2>") && page.contains("dashed"));
}

#[test]
fn results_of_several_runs_make_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let results = ["1", "2"].map(|workers| {
        let out = folder.path().join(workers);
        assert!(measure(&out, &["--workers", workers]).status.success());
        out.join("result.json")
    });
    let page = folder.path().join("page.html");
    let arguments = [OsStr::new("report"), results[0].as_os_str(), results[1].as_os_str()];
    let output = loadgen(arguments.into_iter().chain([OsStr::new("--out"), page.as_os_str()]));
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("<h2>Scaling</h2>") && page.contains("ring (2 workers)"));
}

#[test]
fn a_file_that_is_no_result_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.json");
    fs::write(&bad, "{\"schema\": 3, \"measured_at\": 7}").unwrap();
    let out = folder.path().join("out");
    for output in [
        measure(&out, &["--baseline", bad.to_str().unwrap()]),
        loadgen([OsStr::new("report"), bad.as_os_str()]),
    ] {
        assert_eq!(output.status.code(), Some(2));
        let stderr = stderr(&output);
        assert!(stderr.contains("bad.json: field `measured_at`: invalid type"), "{stderr}");
    }
    assert!(!out.exists(), "nothing was measured in vain");
    assert_eq!(loadgen(["report"]).status.code(), Some(2));
}

#[test]
fn a_page_that_cannot_be_written_ends_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = measure(&file.join("below"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot make the folder "), "{output:?}");
}
