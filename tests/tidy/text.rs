//! Rules that a look at the lines of a file can decide.

use std::collections::BTreeSet;

use crate::sources::{self, File};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Where memory orderings are written: files, or folders with all their files, and why there. This
/// list, as the others here, has at most ten lines.
const ORDERINGS: &[(&str, &str)] = &[
    ("src/sync.rs", "the door to atomics"),
    ("src/clock.rs", "the coarse reading"),
    ("src/metrics.rs", "counters"),
    ("src/vm/lua/", "what a signal handler may read; the kill word of the slot"),
    ("src/message/", "the mailbox"),
    ("src/slot/", "state word, names, heap report, tenant"),
    ("src/scheduler/", "park and notify, what workers see of each other"),
    ("src/node/host.rs", "counts of processes by worker, the state of a host"),
    ("src/node/tickets.rs", "the numbers of tickets"),
    ("src/cli/stops.rs", "a number that a signal leaves for the command"),
];

/// Where `unsafe` may stand in what ships, and what for.
const UNSAFE: &[(&str, &str)] = &[
    ("src/prefetch.rs", "an instruction"),
    ("src/vm/", "Lua's C API, the memory of VMs and copies of it"),
    ("src/message/", "links between messages, which are filled in where they stay"),
    ("src/slot/wakes.rs", "links between wakers that were woken"),
    ("src/scheduler/", "the thread's own worker; timers of the kernel, signals to threads"),
    ("src/node/delivery.rs", "the inside of a process that waits"),
    ("src/process/", "a process belongs to the worker that holds its state"),
    ("src/worker/", "as above; how the kernel treats the thread"),
    ("src/api/", "shells of functions that Lua calls"),
    ("src/runtime/running.rs", "processes that no worker ended"),
];

/// The same for tests, models and benches.
const UNSAFE_BESIDE: &[(&str, &str)] = &[
    ("src/slot/loom_mailbox.rs", "the loom cell of a model"),
    ("src/copied/life.rs", "a process run by hand"),
    ("src/bench/waiting.rs", "a process run by hand"),
    ("studies/src/hibernation/pages.rs", "pages of memory"),
    ("tests/stock.rs", "stock Lua beside ours"),
    ("tests/outside.rs", "Lua itself, to see how it was built"),
    ("tests/process_wide.rs", "a signal handler that was there before"),
    ("tests/drops.rs", "an allocator that counts"),
];

const LIST_LINES_MAX: usize = 10;

/// Fails with every line for which `is_bad` holds; this folder, which names what it bans, aside.
fn forbid(rule: &str, is_bad: impl Fn(&File, usize, &str) -> bool) {
    let mut found = String::new();
    for file in sources::files().iter().filter(|file| !file.path.starts_with("tests/tidy/")) {
        for (number, line) in file.lines() {
            if is_bad(file, number, line) {
                found += &format!("\n{}:{number}: {}", file.path, line.trim());
            }
        }
    }
    assert!(found.is_empty(), "{rule}:{found}");
}

/// As [`forbid`], but for the places of a list; fails with a place that does not need to be there.
fn confine(rule: &str, lists: &[&[(&str, &str)]], is_meant: impl Fn(&File, &str) -> bool) {
    assert!(lists.iter().all(|list| list.len() <= LIST_LINES_MAX), "a list is too long");
    let places = lists.concat();
    let unused = std::cell::RefCell::new(BTreeSet::from_iter(places.iter().map(|place| place.0)));
    forbid(rule, |file, _, line| {
        if !is_meant(file, line) {
            return false;
        }
        let place = places.iter().find(|(place, _)| file.path.starts_with(place));
        if let Some((place, _)) = place {
            unused.borrow_mut().remove(place);
        }
        place.is_none()
    });
    let unused = unused.into_inner();
    assert!(unused.is_empty(), "no longer {rule}, so no line is needed: {unused:?}");
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

#[test]
fn files_and_lines_are_short() {
    forbid("too long a file", |_, number, _| number == FILE_LINES_MAX + 1);
    forbid("too wide a line of code", |file, _, line| {
        // Lua programs inside of tests count from where they begin, not from the Rust around.
        let line = if file.path.starts_with("tests/") { line.trim_start() } else { line };
        !line.trim_start().starts_with("//") && line.chars().count() > COLUMNS_MAX
    });
}

#[test]
fn functions_are_short() {
    forbid("too long a function", |file, number, line| {
        let code = line.trim_start();
        let words: Vec<&str> = code.split([' ', '(']).take_while(|word| *word != "fn").collect();
        let markers =
            ["pub", "crate)", "super)", "const", "unsafe", "extern", "\"C\"", "\"C-unwind\""];
        let is_head = code.contains("fn ") && words.iter().all(|word| markers.contains(word));
        // Formatted code closes a function with a brace in the column where it began.
        let end = format!("{}}}", " ".repeat(line.len() - code.len()));
        let rest = file.text.lines().skip(number - 1);
        is_head
            && !code.ends_with(['}', ';'])
            && rest.take_while(|line| **line != end).count() >= FUNCTION_LINES_MAX
    });
}

#[test]
fn memory_orderings_stay_in_their_files() {
    let names = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
    confine("a memory ordering", &[ORDERINGS], |file, line| {
        let is_ordering = names.iter().any(|name| line.contains(&format!("Ordering::{name}")));
        file.path.starts_with("src/") && (is_ordering || code(line).contains("fence("))
    });
}

#[test]
fn unsafe_stays_in_its_files() {
    let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe("];
    confine("unsafe code", &[UNSAFE, UNSAFE_BESIDE], |_, line| {
        words.iter().any(|word| code(line).contains(word))
    });
}

#[test]
fn names_say_something() {
    let banned = ["util", "utils", "common", "helper", "helpers", "types"];
    forbid("a name that says nothing", |file, number, line| {
        let is_banned = |name: &str| banned.contains(&name);
        let module = line.trim().trim_end_matches([';', '{', ' ']).rsplit_once("mod ");
        number == 1 && file.path.split(['/', '.']).any(is_banned)
            || module.is_some_and(|(_, name)| is_banned(name))
    });
}

#[test]
fn nothing_is_left_undone() {
    let banned =
        ["todo!", "unimplemented!", "dbg!", "#[ignore", "TODO", "FIXME", "/home/", "/root/"];
    forbid("a leftover", |_, _, line| banned.iter().any(|word| line.contains(word)));
}

/// A file that a comment or a document sends its reader to is there.
#[test]
fn files_that_are_named_exist() {
    let named = regex::Regex::new(r"`([a-z_]+(?:/[a-z_]+)*\.(?:rs|md))`").unwrap();
    let root = sources::root();
    let mut found = String::new();
    for file in sources::files().into_iter().chain(sources::documents()) {
        let folder = root.join(&file.path).parent().expect("it lies in a folder").to_owned();
        let bases = ["", "src", "docs", "benches", "loadgen/src", "studies/src"]
            .map(|base| root.join(base));
        let beside = folder.join(file.path.rsplit('/').next().unwrap().trim_end_matches(".rs"));
        for (number, line) in file.lines() {
            for (_, [name]) in named.captures_iter(line).map(|captures| captures.extract()) {
                let mut places =
                    folder.ancestors().chain([&*beside]).chain(bases.iter().map(|base| &**base));
                if !places.any(|place| place.join(name).exists()) {
                    found += &format!("\n{}:{number}: {name}", file.path);
                }
            }
        }
    }
    assert!(found.is_empty(), "files that are not there:{found}");
}
