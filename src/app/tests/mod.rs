//! The rules of application files, with one file of tests per group of rules. Most applications
//! here are built in memory; tests that depend on the disk use temporary directories.

mod code;
mod format;
mod lifecycle;
mod references;
mod security;

use super::*;

/// Loads an application of one file, `_index.yaml`, in the namespace `app`.
fn one_file(entries: &str) -> Application {
    many_files(&[("_index.yaml", &format!("namespace: app\nentries:\n{entries}"))])
}

fn many_files(files: &[(&str, &str)]) -> Application {
    let files = files.iter().map(|(path, text)| ((*path).into(), text.as_bytes().to_vec()));
    Application::from_files(files)
}

fn id(text: &str) -> EntryId {
    EntryId::parse(text).expect("valid")
}

fn ids(application: &Application) -> Vec<String> {
    application.entries().map(|entry| entry.id.to_string()).collect()
}

fn problems(application: &Application) -> Vec<String> {
    application.problems().iter().map(Problem::to_string).collect()
}

/// Asserts that there is exactly one problem, with this text.
#[track_caller]
fn assert_problem(application: &Application, expected: &str) {
    assert_eq!(problems(application), [expected]);
}

#[track_caller]
fn assert_clean(application: &Application) {
    assert_eq!(problems(application), [""; 0]);
}

#[track_caller]
fn entry<'a>(application: &'a Application, text: &str) -> &'a Entry {
    application.entry(&id(text)).expect("the entry exists")
}

#[track_caller]
fn code<'a>(application: &'a Application, text: &str) -> &'a Code {
    entry(application, text).code().expect("the entry has code")
}
