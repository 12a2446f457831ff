//! `moonlet check`: every problem at its line, whatever is wrong, and nothing is run.

use crate::command::{Ended, Folder, ended};

/// Problems as file (inside of the folder), line and message, and the closing line.
type Report = (Vec<(String, u32, String)>, String);

#[track_caller]
fn checked(files: &[(&str, &str)], status: i32) -> Report {
    let folder = Folder::new(files);
    let root = folder.path().to_str().expect("a temporary path is text");
    report_of(ended(&["check", root]).with_status(status), root)
}

#[track_caller]
fn report_of(ended: Ended, root: &str) -> Report {
    assert_eq!(ended.stderr, "");
    let mut lines: Vec<&str> = ended.stdout.lines().collect();
    let last = lines.pop().expect("a closing line");
    let closing = last.strip_prefix(root).expect("it names the folder").to_owned();
    let problems = lines.iter().map(|text| {
        let place = text.strip_prefix(root).unwrap_or_else(|| panic!("no file: {text}"));
        let (place, message) = place.split_once(": ").expect("a message");
        let (file, line) = match place.split_once(':') {
            Some((file, line)) => (file, line.parse().expect("a line")),
            // No line is to blame.
            None => (place, 0),
        };
        assert!(!message.is_empty(), "{text}");
        (file.trim_start_matches('/').to_owned(), line, message.to_owned())
    });
    (problems.collect(), closing)
}

/// Checks an application with one problem.
#[track_caller]
fn one_problem(files: &[(&str, &str)], file: &str, line: u32, message: &str) {
    let (problems, closing) = checked(files, 1);
    let [(found_file, found_line, text)] = &problems[..] else {
        panic!("not one problem: {problems:?}");
    };
    assert_eq!((found_file.as_str(), *found_line), (file, line), "{text}");
    assert!(text.contains(message), "{text}");
    assert!(closing.ends_with(", 1 error"), "{closing}");
}

#[test]
fn an_application_without_problems() {
    let index = "namespace: app\nentries:\n- name: main\n  kind: process.lua\n  \
                 source: file://main.lua\n";
    let files = [("_index.yaml", index), ("main.lua", "error('a check runs nothing')")];
    assert_eq!(checked(&files, 0), (vec![], ": 1 entry, no problems".to_owned()));
}

#[test]
fn warnings_alone_are_no_failure() {
    let index = "namespace: app\nentries:\n- name: store\n  kind: store.memory\n";
    let (problems, closing) = checked(&[("_index.yaml", index)], 0);
    let message = "warning: unknown kind \"store.memory\"".to_owned();
    assert_eq!(problems, [("_index.yaml".to_owned(), 4, message)]);
    assert_eq!(closing, ": 1 entry, 1 warning");
}

#[test]
fn a_missing_folder() {
    let folder = Folder::new(&[]);
    let missing = folder.path().join("missing");
    let root = missing.to_str().expect("a temporary path is text");
    let (problems, closing) = report_of(ended(&["check", root]).with_status(2), root);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].0.as_str(), problems[0].1), ("", 0));
    assert_eq!(closing, ": 0 entries, 1 error");
}

#[test]
fn a_file_instead_of_a_folder() {
    let folder = Folder::new(&[("_index.yaml", "namespace: app\n")]);
    let file = folder.path().join("_index.yaml");
    let root = file.to_str().expect("a temporary path is text");
    let (problems, _) = report_of(ended(&["check", root]).with_status(2), root);
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn an_empty_folder() {
    for files in [&[][..], &[("main.lua", "return 1")]] {
        let (problems, _) = checked(files, 2);
        assert!(matches!(&problems[..], [(file, 0, _)] if file.is_empty()), "{problems:?}");
    }
}

#[test]
fn broken_yaml() {
    let broken = "namespace: app\nentries:\n- name: [unclosed\n";
    let (problems, _) = checked(&[("_index.yaml", broken)], 1);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].0, "_index.yaml");
    assert_eq!(problems[0].1, 3, "{problems:?}");
    let unreadable = ["\0", "[", "a: b: c", "&a *a", "*a", "{{{{"];
    // What can be read and is none of an application is no application.
    let readable = ["", "\t", "- 1", "17", "\u{feff}"];
    let odd = unreadable.map(|text| (text, 1)).into_iter().chain(readable.map(|text| (text, 2)));
    for (odd, status) in odd {
        let folder = Folder::new(&[("_index.yaml", odd)]);
        let root = folder.path().to_str().expect("a temporary path is text");
        let ended = ended(&["check", root]);
        assert_eq!(ended.status, Some(status), "{odd:?}: {ended:?}");
        assert!(!report_of(ended, root).0.is_empty(), "{odd:?}");
    }
}

#[test]
fn a_missing_source() {
    let index = "namespace: app\nentries:\n- name: main\n  kind: process.lua\n  \
                 source: file://nowhere.lua\n";
    one_problem(&[("_index.yaml", index)], "_index.yaml", 5, "nowhere.lua");
    let index = "namespace: app\nentries:\n- name: main\n  kind: process.lua\n";
    one_problem(&[("_index.yaml", index)], "_index.yaml", 3, "source is required");
}

#[test]
fn a_source_outside_of_the_folder() {
    let index = "namespace: app\nentries:\n- name: main\n  kind: process.lua\n  \
                 source: file://../../etc/passwd\n";
    one_problem(&[("_index.yaml", index)], "_index.yaml", 5, "leaves the application's");
}

#[test]
fn a_duplicate_name() {
    let host = "  kind: process.host\n";
    let index = format!("namespace: app\nentries:\n- name: twin\n{host}- name: twin\n{host}");
    one_problem(&[("_index.yaml", &index)], "_index.yaml", 5, "app:twin");
    let index = format!("namespace: app\nentries:\n- name: twin\n{host}");
    let files = [("a.yaml", index.as_str()), ("b/_index.yaml", &index)];
    one_problem(&files, "b/_index.yaml", 3, "app:twin");
}

#[test]
fn a_syntax_error_stands_at_its_line_of_the_lua_file() {
    let index = "namespace: app\nentries:\n- name: main\n  kind: process.lua\n  \
                 source: file://code/main.lua\n";
    let files = [("_index.yaml", index), ("code/main.lua", "local x = 1\n\nx = = 2\n")];
    one_problem(&files, "code/main.lua", 3, "unexpected symbol near '='");
    let files = [("_index.yaml", index), ("code/main.lua", "\u{1b}Lua not bytecode")];
    let (problems, _) = checked(&files, 1);
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn a_syntax_error_in_the_index_stands_at_its_line_there() {
    let index = "namespace: app\nentries:\n- name: main\n  kind: process.lua\n  \
                 source: |\n    local x = 1\n    x = = 2\n";
    one_problem(&[("_index.yaml", index)], "_index.yaml", 7, "unexpected symbol near '='");
}

#[test]
fn all_problems_are_listed_in_the_order_of_the_files() {
    let entry = |name, source| {
        format!("- {{ name: {name}, kind: process.lua, source: 'file://{source}' }}\n")
    };
    let a = format!("namespace: a\nentries:\n{}{}", entry("x", "no.lua"), entry("y", "y.lua"));
    let b = format!("namespace: b\nentries:\n{}- {{ name: z, kind: odd }}\n", entry("x", "no.lua"));
    let files = [("a.yaml", a.as_str()), ("b.yaml", &b), ("y.lua", "return return")];
    let (problems, closing) = checked(&files, 1);
    let places: Vec<_> = problems.iter().map(|(file, line, _)| (file.as_str(), *line)).collect();
    assert_eq!(places, [("a.yaml", 3), ("b.yaml", 3), ("b.yaml", 4), ("y.lua", 1)]);
    assert_eq!(closing, ": 4 entries, 3 errors, 1 warning");
}
