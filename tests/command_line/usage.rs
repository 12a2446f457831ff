//! Arguments: help is given, mistakes are explained.

use crate::command::{Folder, ended};

#[test]
fn help_goes_to_standard_output() {
    let help = ended(&["--help"]).with_status(0);
    assert!(help.stdout.contains("run") && help.stdout.contains("check"), "{}", help.stdout);
    let run = ended(&["run", "--help"]).with_status(0);
    for word in [
        "-x",
        "--exec",
        "--host",
        "--workers",
        "ARGS",
        "--verbose",
        "--strict-security",
        "--log-level",
        "--log-format",
    ] {
        assert!(run.stdout.contains(word), "no {word} in {}", run.stdout);
    }
    let check = ended(&["check", "--help"]).with_status(0);
    assert!(check.stdout.contains("file:line: message"), "{}", check.stdout);
    for help in [&run.stdout, &check.stdout] {
        assert!(help.contains("Exit status:\n  0  "), "{help}");
    }
    let version = ended(&["--version"]).with_status(0);
    assert_eq!(version.stdout, concat!("moonlet ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_arguments_give_usage() {
    let folder = Folder::with(&[("main", "print('ran')")], &[]);
    let app = folder.path().to_str().expect("a temporary path is text");
    let wrong: [&[&str]; 16] = [
        &[],
        &["walk"],
        &["run"],
        &["check"],
        &["check", app, "more"],
        &["check", app, "--fix"],
        &["run", app, "more"],
        &["run", app, "-x"],
        &["run", app, "--host", "app:processes"],
        &["run", app, "-x", "app:main", "--workers", "0"],
        &["run", app, "-x", "app:main", "--workers", "many"],
        &["run", app, "--log-level", "loud"],
        &["run", app, "--log-format", "xml"],
        &["run", app, "-v", "--log-level", "debug"],
        &["run", app, "-x", "app:main", "--unknown"],
        &["run", app, "-x", "app:main", "-x", "app:main"],
    ];
    for arguments in wrong {
        let ended = ended(arguments).with_status(2);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        // About a value that is wrong or missing, help is offered instead.
        let is_value = arguments.contains(&"--workers")
            || arguments.last().is_some_and(|last| ["-x", "loud", "xml"].contains(last));
        let usage = if is_value { "try '--help'" } else { "Usage: moonlet" };
        assert!(ended.stderr.contains(usage), "{arguments:?}: {}", ended.stderr);
    }
}
