//! Mechanical style rules, over every source file of the workspace. That each `unsafe` is argued
//! is checked by clippy (`undocumented_unsafe_blocks`).

use std::fs;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 4] = ["src", "loadgen/src", "tests", "benches"];
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Files that name a memory ordering.
const ORDERINGS: &[&str] = &[
    "src/api/send.rs",
    "src/cli/stops.rs",
    "src/clock.rs",
    "src/death.rs",
    "src/host.rs",
    "src/metrics.rs",
    "src/node.rs",
    "src/process/heap_report.rs",
    "src/process/loom_death.rs",
    "src/process/mailbox.rs",
    "src/process/names.rs",
    "src/process/slot.rs",
    "src/process/state.rs",
    "src/scheduler/idle.rs",
    "src/scheduler/loom_idle.rs",
    "src/scheduler/mod.rs",
    "src/scheduler/monitor.rs",
    "src/scheduler/worker.rs",
    "src/spawn.rs",
    "src/sync.rs",
    "src/tickets.rs",
    "src/vm/control.rs",
    "src/vm/preempt.rs",
];

/// Files, or folders with all their files, that may contain `unsafe`.
const UNSAFE: &[&str] = &[
    "benches/engine/pages.rs",
    "src/api/",
    "src/bench/waiting.rs",
    "src/vm/",
    "src/death.rs",
    "src/lasting.rs",
    "src/prefetch.rs",
    "src/process/loom_mailbox.rs",
    "src/process/mailbox.rs",
    "src/process/message.rs",
    "src/process/mod.rs",
    "src/process/outcome.rs",
    "src/process/slot.rs",
    "src/process/timeslice.rs",
    "src/process/upgrade.rs",
    "src/runtime.rs",
    "src/scheduler/alarm.rs",
    "src/scheduler/monitor.rs",
    "src/scheduler/signal.rs",
    "src/scheduler/worker.rs",
    "src/spawn.rs",
    "src/spawn/copied/life.rs",
    "src/spawn/newborn.rs",
    "src/spawn/ready.rs",
    "src/upgrade.rs",
    "tests/stock.rs",
];

/// Folder, and what its files must not import.
const FORBIDDEN_IMPORTS: &[(&str, &[&str])] = &[
    ("src/vm/", &["process", "scheduler", "api", "cli", "node", "spawn", "runtime", "app"]),
    ("src/payload/", &["process", "scheduler", "api", "cli", "node", "spawn", "runtime", "app"]),
    ("src/process/", &["scheduler", "api", "cli", "runtime", "supervisor"]),
    ("src/scheduler/", &["api", "cli", "runtime", "supervisor", "app"]),
];

/// Imports against the direction that exist, each with its reason.
const IMPORT_EXCEPTIONS: &[(&str, &str)] = &[
    // A definition lists the modules that its processes see.
    ("src/process/definition.rs", "api"),
];

struct File {
    path: String,
    lines: Vec<String>,
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push(File { path, lines: text.lines().map(str::to_owned).collect() });
            }
        }
    }
    assert!(files.len() > 50, "the sources were found");
    files
}

/// Fails with every line for which `is_bad` holds; this file, which names what it bans, aside.
fn forbid(rule: &str, is_bad: impl Fn(&File, usize, &str) -> bool) {
    let mut found = String::new();
    for file in files().iter().filter(|file| file.path != "tests/tidy.rs") {
        for (index, line) in file.lines.iter().enumerate() {
            if is_bad(file, index, line) {
                found += &format!("\n{}:{}: {}", file.path, index + 1, line.trim());
            }
        }
    }
    assert!(found.is_empty(), "{rule}:{found}");
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

#[test]
fn files_and_lines_are_short() {
    forbid("too long a file", |_, index, _| index == FILE_LINES_MAX);
    forbid("too wide a line of code", |file, _, line| {
        // Lua programs inside of tests count from where they begin, not from the Rust around.
        let line = if file.path.starts_with("tests/") { line.trim_start() } else { line };
        !line.trim_start().starts_with("//") && line.chars().count() > COLUMNS_MAX
    });
}

#[test]
fn functions_are_short() {
    forbid("too long a function", |file, index, line| {
        let code = line.trim_start();
        let words: Vec<&str> = code.split([' ', '(']).take_while(|word| *word != "fn").collect();
        let markers =
            ["pub", "crate)", "super)", "const", "unsafe", "extern", "\"C\"", "\"C-unwind\""];
        let is_head = code.contains("fn ") && words.iter().all(|word| markers.contains(word));
        // Formatted code closes a function with a brace in the column where it began.
        let end = format!("{}}}", " ".repeat(line.len() - code.len()));
        let rest = file.lines[index..].iter();
        is_head
            && !code.ends_with(['}', ';'])
            && rest.take_while(|line| **line != end).count() >= FUNCTION_LINES_MAX
    });
}

#[test]
fn memory_orderings_stay_in_their_files() {
    let names = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
    forbid("a memory ordering", |file, _, line| {
        let is_ordering = names.iter().any(|name| line.contains(&format!("Ordering::{name}")));
        (is_ordering || code(line).contains("fence("))
            && file.path.starts_with("src/")
            && !ORDERINGS.contains(&file.path.as_str())
    });
}

#[test]
fn unsafe_stays_in_its_files() {
    let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe("];
    forbid("unsafe code", |file, _, line| {
        words.iter().any(|word| code(line).contains(word))
            && !UNSAFE.iter().any(|allowed| file.path.starts_with(allowed))
    });
}

#[test]
fn imports_point_one_way() {
    forbid("an import against the direction", |file, _, line| {
        let rules = FORBIDDEN_IMPORTS.iter().filter(|(folder, _)| file.path.starts_with(folder));
        rules.flat_map(|(_, modules)| modules.iter()).any(|module| {
            code(line).contains(&format!("crate::{module}::"))
                && !IMPORT_EXCEPTIONS.contains(&(file.path.as_str(), module))
        })
    });
}

#[test]
fn names_say_something() {
    let banned = ["util", "utils", "common", "helper", "helpers", "types"];
    forbid("a name that says nothing", |file, index, line| {
        let is_banned = |name: &str| banned.contains(&name);
        let module = line.trim().trim_end_matches([';', '{', ' ']).rsplit_once("mod ");
        index == 0 && file.path.split(['/', '.']).any(is_banned)
            || module.is_some_and(|(_, name)| is_banned(name))
    });
}

#[test]
fn nothing_is_left_undone() {
    let banned =
        ["todo!", "unimplemented!", "dbg!", "#[ignore", "TODO", "FIXME", "/home/", "/root/"];
    forbid("a leftover", |_, _, line| banned.iter().any(|word| line.contains(word)));
}
