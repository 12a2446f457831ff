//! The specification, statement by statement: one Lua application a section, in the folder of its
//! name. Each is run with one worker, with two, and with time slices of one call.
//!
//! A folder holds `cases.lua`, a library that returns a table of functions named after the section
//! and the first words of a statement (`s4_4_unmonitor_after_exit`), and `_index.yaml` with what
//! they need: definitions, hosts, services. Each case runs in a process of its own, with the
//! functions of `spec.lua` at hand; it passes if the process ends normally. The namespace of all
//! is `spec`, the host `spec:processes`; both are added to every application.

mod complete;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use moonlet::{Application, Level, Value};
use support::{builder, exec, within};

/// No section takes that long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(180);

const RUNNER: &str = include_str!("runner.lua");
const SPEC: &str = include_str!("spec.lua");
const PLACES: &str = include_str!("places.lua");
const INDEX: &str = r#"
namespace: spec
entries:
  - { name: processes, kind: process.host, lifecycle: { auto_start: true } }
  - { name: helpers, kind: library.lua, source: "file:///spec.lua", modules: [time, security] }
  - { name: places, kind: library.lua, source: "file:///places.lua", modules: [time],
      imports: { spec: helpers } }
  - { name: runner, kind: process.lua, source: "file:///runner.lua", modules: [time],
      imports: { cases: cases, spec: helpers } }
  - { name: case, kind: process.lua, source: "file:///runner.lua", method: case,
      modules: [time, ctx, security, logger], imports: { cases: cases, spec: helpers } }
  - { name: part, kind: process.lua, source: "file:///runner.lua", method: part,
      modules: [time, ctx, security, logger], imports: { cases: cases, spec: helpers } }
"#;

/// How a section is run.
struct Setting {
    workers: usize,
    /// Calls of the API that a process makes in a time slice; the usual number without.
    reductions: Option<u32>,
    how: &'static str,
}

const ONE_WORKER: Setting = Setting { workers: 1, reductions: None, how: "with one worker" };
const TWO_WORKERS: Setting = Setting { workers: 2, reductions: None, how: "with two workers" };
/// This puts a change of process wherever one can be.
const SLICES_OF_ONE_CALL: Setting =
    Setting { workers: 2, reductions: Some(1), how: "in slices of one call" };

/// Where the sections are.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec")
}

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
    let mut files = files_below(&root().join(section));
    let spec = format!("{}{SPEC}", support::PRELUDE);
    for (name, text) in
        [("_spec.yaml", INDEX), ("runner.lua", RUNNER), ("spec.lua", &spec), ("places.lua", PLACES)]
    {
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

/// Runs a section, prints its line, and fails with the list of what did not hold.
fn section(name: &'static str, setting: &'static Setting) {
    let outcome = within(PATIENCE, move || {
        let mut builder = builder().workers(setting.workers).log_level(Level::Off);
        if let Some(reductions) = setting.reductions {
            builder = builder.reductions(reductions);
        }
        let runtime = builder.application(load(name)).start().expect("the runtime starts");
        let outcome = exec(&runtime, "spec:runner", &[Value::from(setting.workers as i64)]);
        runtime.shutdown();
        outcome
    });
    let count = outcome.get("passed").and_then(Value::as_i64).unwrap_or_default();
    // Texts of failures may have any bytes.
    let failures = outcome.get("failures").and_then(Value::as_bytes).expect("a text");
    let failures = String::from_utf8_lossy(failures);
    assert!(failures.is_empty(), "{name} {}:\n{failures}", setting.how);
    assert!(count > 0, "{name}: no case ran");
    println!("{name} {}: {count} statements hold", setting.how);
}

macro_rules! sections {
    ($($name:ident)*) => {
        const SECTIONS: &[&str] = &[$(stringify!($name)),*];

        mod one_worker {
            $(
            #[test]
            fn $name() {
                crate::section(stringify!($name), &crate::ONE_WORKER);
            }
            )*
        }

        mod two_workers {
            $(
            #[test]
            fn $name() {
                crate::section(stringify!($name), &crate::TWO_WORKERS);
            }
            )*
        }

        mod slices_of_one_call {
            $(
            #[test]
            fn $name() {
                crate::section(stringify!($name), &crate::SLICES_OF_ONE_CALL);
            }
            )*
        }
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
