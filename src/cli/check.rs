//! `moonlet check`: loads an application and prints its problems; starts nothing.

use std::io::{self, Write};
use std::path::Path;

use super::plan::{STATUS_ABSENT, STATUS_FAILED, is_absent};
use crate::app::{Application, Severity};
use crate::escape;

/// Whether warnings count as errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    Warnings,
    Errors,
}

/// Prints every problem of an application and a closing line. Returns the exit status: warnings
/// alone are not a failure unless they count as errors.
pub(crate) fn check(
    directory: &Path,
    strictness: Strictness,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let application = Application::load(directory);
    for problem in application.problems() {
        writeln!(out, "{problem}")?;
    }
    let count_of = |severity| {
        application.problems().iter().filter(|problem| problem.severity == severity).count()
    };
    let (errors, warnings) = (count_of(Severity::Error), count_of(Severity::Warning));
    let entries = counted(application.defined_count(), "entry", "entries");
    let found = match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        (errors, 0) => counted(errors, "error", "errors"),
        (0, warnings) => counted(warnings, "warning", "warnings"),
        (errors, warnings) => format!(
            "{}, {}",
            counted(errors, "error", "errors"),
            counted(warnings, "warning", "warnings")
        ),
    };
    let shown = escape::one_line(directory.as_os_str().as_encoded_bytes());
    writeln!(out, "{shown}: {entries}, {found}")?;
    let failures = match strictness {
        Strictness::Warnings => errors,
        Strictness::Errors => errors + warnings,
    };
    Ok(match failures {
        0 => 0,
        _ if is_absent(&application, directory) => STATUS_ABSENT,
        _ => STATUS_FAILED,
    })
}

fn counted(count: usize, singular: &str, plural: &str) -> String {
    format!("{count} {}", if count == 1 { singular } else { plural })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Checks an application with one file; returns the status and the output, in which the
    /// directory is replaced by `APP`.
    fn checked(index: &str) -> (u8, String) {
        let directory = tempfile::tempdir().expect("temporary directory");
        fs::write(directory.path().join("_index.yaml"), index).expect("writable");
        let mut output = Vec::new();
        let status =
            check(directory.path(), Strictness::Warnings, &mut output).expect("writes to memory");
        let output = String::from_utf8(output).expect("text");
        (status, output.replace(&directory.path().display().to_string(), "APP"))
    }

    #[test]
    fn a_clean_application_gives_a_closing_line() {
        let index = "namespace: app\nentries:\n- { name: h, kind: process.host }\n";
        assert_eq!(checked(index), (0, "APP: 1 entry, no problems\n".into()));
    }

    #[test]
    fn the_implicit_host_is_not_counted() {
        let index = "namespace: app\nentries: []\n";
        assert_eq!(checked(index), (0, "APP: 0 entries, no problems\n".into()));
    }

    #[test]
    fn warnings_alone_do_not_fail() {
        let index = "namespace: app\nentries:\n- name: s\n  kind: store.memory\n";
        let expected = "APP/_index.yaml:4: warning: unknown kind \"store.memory\"\n\
                        APP: 1 entry, 1 warning\n";
        assert_eq!(checked(index), (0, expected.into()));
    }

    #[test]
    fn errors_fail() {
        let index = "namespace: app\nentries:\n- name: p\n  kind: process.lua\n\
                     - name: q\n  kind: process.lua\n  source: file://q.lua\n\
                     - name: s\n  kind: x\n";
        let (status, output) = checked(index);
        assert_eq!(status, 1);
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[0], "APP/_index.yaml:3: source is required");
        assert!(lines[1].starts_with("APP/_index.yaml:7: cannot read source APP/q.lua: "));
        assert_eq!(lines[3], "APP: 3 entries, 2 errors, 1 warning");
    }

    #[test]
    fn a_missing_or_empty_directory_is_an_error() {
        let directory = tempfile::tempdir().expect("temporary directory");
        for path in [directory.path().to_owned(), directory.path().join("missing")] {
            let mut output = Vec::new();
            let status = check(&path, Strictness::Warnings, &mut output);
            assert_eq!(status.expect("writes to memory"), STATUS_ABSENT);
            let output = String::from_utf8(output).expect("text");
            assert!(output.starts_with(&format!("{}: ", path.display())), "{output}");
            assert_eq!(output.lines().count(), 2);
        }
    }

    #[test]
    fn the_examples_are_clean() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let mut count = 0;
        for example in fs::read_dir(examples).expect("the examples are there") {
            let path = example.expect("readable").path();
            if !path.is_dir() {
                continue;
            }
            let mut output = Vec::new();
            let status = check(&path, Strictness::Errors, &mut output).expect("writes to memory");
            let output = String::from_utf8(output).expect("text");
            assert!(status == 0 && output.ends_with(", no problems\n"), "{output}");
            count += 1;
        }
        assert!(count > 0);
    }
}
