//! The specification, statement by statement: one Lua application a section, in the folder of its
//! name, run by one test a section.
//!
//! A folder holds `cases.lua`, a library that returns a table of functions named after the section
//! and the first words of a statement (`s4_4_unmonitor_after_exit`), and `_index.yaml` with what
//! they need: definitions, hosts, services. Each case runs in a process of its own, with the
//! functions of `spec.lua` at hand; it passes if the process ends normally. The namespace of all
//! is `spec`, the host `spec:processes`; both are added to every application.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use moonlet::{Application, Builder, Error, Level, Value};

/// No section takes that long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(180);
const WORKERS: usize = 2;

const RUNNER: &str = include_str!("runner.lua");
const SPEC: &str = include_str!("spec.lua");
const INDEX: &str = r#"
namespace: spec
entries:
  - { name: processes, kind: process.host, lifecycle: { auto_start: true } }
  - { name: helpers, kind: library.lua, source: "file:///spec.lua", modules: [time, security] }
  - { name: runner, kind: process.lua, source: "file:///runner.lua", modules: [time],
      imports: { cases: cases, spec: helpers } }
  - { name: case, kind: process.lua, source: "file:///runner.lua", method: case,
      modules: [time, ctx, security, logger], imports: { cases: cases, spec: helpers } }
  - { name: part, kind: process.lua, source: "file:///runner.lua", method: part,
      modules: [time, ctx, security, logger], imports: { cases: cases, spec: helpers } }
"#;

/// Every file below a folder, by its path from there.
fn files_below(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the section has a folder") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).expect("it lies below").to_owned();
            files.push((name, fs::read(&path).expect("the file can be read")));
        }
    }
    files
}

/// The application of a section.
fn load(section: &str) -> Application {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec").join(section);
    let mut files = files_below(&root);
    for (name, text) in [("_spec.yaml", INDEX), ("runner.lua", RUNNER), ("spec.lua", SPEC)] {
        files.push((name.into(), text.as_bytes().to_vec()));
    }
    let application = Application::from_files(files);
    // A section may be about broken entries: those say so in their names.
    for problem in application.problems() {
        let text = problem.to_string();
        assert!(text.contains("broken"), "{section}: {text}");
    }
    application
}

fn run(section: &str, builder: Builder, left_out: &[&str]) -> Result<Value, Error> {
    let left_out: Vec<Value> = left_out.iter().map(|name| Value::from(*name)).collect();
    let builder = builder.workers(WORKERS).log_level(Level::Off);
    let runtime = builder.application(load(section)).start().expect("the runtime starts");
    let result = runtime.exec("spec:runner", "spec:processes", &left_out);
    runtime.shutdown();
    result
}

/// Runs a section, prints its line, and fails with the list of what did not hold.
fn section(name: &'static str) {
    section_with(name, Builder::new(), &[], "");
}

fn section_with(name: &'static str, builder: Builder, left_out: &'static [&str], how: &str) {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more after the limit.
        let _ = done.send(run(name, builder, left_out));
    });
    let outcome = match result.recv_timeout(PATIENCE) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => panic!("{name}: {error}"),
        Err(RecvTimeoutError::Timeout) => panic!("{name}: not over after {PATIENCE:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("{name}: it panicked, see above"),
    };
    let count = outcome.get("passed").and_then(Value::as_i64).unwrap_or_default();
    // Texts of failures may have any bytes.
    let failures = outcome.get("failures").and_then(Value::as_bytes).expect("a text");
    let failures = String::from_utf8_lossy(failures);
    assert!(failures.is_empty(), "{name}:\n{failures}");
    assert!(count > 0, "{name}: no case ran");
    println!("{name}: {count} statements hold{how}");
}

macro_rules! sections {
    ($($name:ident)*) => {
        const SECTIONS: &[&str] = &[$(stringify!($name)),*];
        $(
        #[test]
        fn $name() {
            section(stringify!($name));
        }
        )*
    };
}

sections! {
    s00_conventions
    s01_identity
    s02_send
    s03_spawn
    s04_exit
    s05_links
    s06_cancel
    s07_inbox
    s08_channels
    s09_time
    s10_exec
    s11_upgrade
    s12_context
    s13_names
    s14_security
    s15_errors
    s16_application
    s17_supervision
    s18_stdlib
}

/// The same with time slices of one call, which puts a change of process wherever one can be.
#[test]
fn all_sections_with_slices_of_one_call() {
    // These tell by the order of two coroutines that a chunk took long, and with such slices the
    // spawner takes as long.
    const LEFT_OUT: &[&str] =
        &["s3_3_if_the_spawner_ends_meanwhile", "s3_3_the_spawning_coroutine_waits_for_its_end"];
    for name in SECTIONS {
        let builder = Builder::new().reductions(1);
        section_with(name, builder, LEFT_OUT, ", in slices of one call");
    }
}

/// No folder is left out of the list above.
#[test]
fn every_section_is_run() {
    let listed = include_str!("main.rs");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    for entry in fs::read_dir(root).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        assert!(!path.is_dir() || listed.contains(&format!("    {name}\n")), "{name} is not run");
    }
}
