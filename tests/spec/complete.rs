//! Every numbered section of the specification has a test: a case here, or, where a Lua program
//! sees nothing of it, a test in Rust.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{SECTIONS, files_below, root};

/// Sections without a case: the file with their test, and a name in it.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "4.6",
        "tests/command_line/reports.rs",
        "a_failure_that_nobody_handles_is_a_warning_with_a_traceback",
    ),
    ("16.9", "tests/command_line/check.rs", "warnings_alone_are_no_failure"),
    ("17.1", "tests/supervision.rs", "s17_2_what_needs_a_failed_start_stays_inactive"),
    ("17.5", "tests/shutdown.rs", "s17_5_services_are_asked_and_given_time"),
    ("17.6", "tests/supervision.rs", "s17_6_processes_of_a_host_are_cancelled"),
    ("17.7", "tests/shutdown.rs", "s17_7_services_stop_after_those_that_require_them"),
    (
        "17.9",
        "tests/command_line/reports.rs",
        "restarts_are_announced_and_the_last_failure_has_its_traceback",
    ),
    (
        "17.10",
        "tests/command_line/status.rs",
        "a_service_in_error_is_a_failure_and_the_others_start",
    ),
    ("18.9", "tests/native/functions.rs", "values_go_in_and_out_as_written"),
    ("18.7", "tests/command_line/log.rs", "lines_begin_with_time_and_level"),
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it can be read")
}

/// The beginnings of names of cases in a section's folder: `s4_4`, `s4_open`.
fn cases(section: &str) -> BTreeSet<String> {
    let name = regex::Regex::new(r"function cases\.(s\d+_(?:\d+|open))_").unwrap();
    let mut found = BTreeSet::new();
    for (path, text) in files_below(&root().join(section)) {
        if path.extension().is_some_and(|extension| extension == "lua") {
            let text = String::from_utf8(text).expect("code is text");
            found.extend(name.captures_iter(&text).map(|captures| captures[1].to_owned()));
        }
    }
    found
}

#[test]
fn every_section_of_the_specification_has_a_test() {
    let found: BTreeSet<String> = SECTIONS.iter().flat_map(|section| cases(section)).collect();
    let heading = regex::Regex::new(r"^(##|###) (?:(\d+(?:\.\d+)?)\b|(Open choices))").unwrap();
    let (mut chapter, mut count, mut missing) = (String::new(), 0, Vec::new());
    let mut elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(number, ..)| *number).collect();
    for line in read("docs/spec.md").lines() {
        let Some(captures) = heading.captures(line) else { continue };
        let number = captures.get(2).map(|number| number.as_str());
        if &captures[1] == "##" {
            chapter = number.expect("chapters have numbers").to_owned();
            let folder = format!("s{chapter:0>2}_");
            if !SECTIONS.iter().any(|section| section.starts_with(&folder)) {
                missing.push(line.to_owned());
            }
            continue;
        }
        count += 1;
        let case = match number {
            Some(number) => format!("s{}", number.replace('.', "_")),
            None => format!("s{chapter}_open"),
        };
        let number = number.unwrap_or("open choices");
        let has_case = found.contains(&case);
        if !has_case && !elsewhere.remove(number) {
            missing.push(format!("{case}: {line}"));
        }
    }
    assert!(count > 100, "the headings were found: {count}");
    assert!(missing.is_empty(), "no test for {missing:#?}");
    assert!(elsewhere.is_empty(), "they have cases now, or are no more: {elsewhere:?}");
    for (number, path, name) in ELSEWHERE {
        assert!(read(path).contains(&format!("fn {name}")), "{number}: no {name} in {path}");
    }
}

/// No folder is left out of the list, and cases stand in the folder of their section.
#[test]
fn every_folder_is_run() {
    for entry in fs::read_dir(root()).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        assert!(!path.is_dir() || SECTIONS.contains(&name), "{name} is not run");
    }
    for section in SECTIONS {
        let number = section[1..3].parse::<u32>().expect("a number");
        let own = format!("s{number}_");
        let foreign: Vec<String> =
            cases(section).into_iter().filter(|case| !case.starts_with(&own)).collect();
        assert!(foreign.is_empty(), "{section} has {foreign:?}");
    }
}
