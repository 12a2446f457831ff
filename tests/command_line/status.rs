//! The exit status: whether all that should run did, and what there is to run.

use crate::command::{Folder, ended};

const HOST: &str = "name: processes, kind: process.host, lifecycle: { auto_start: true }";
const MAIN: (&str, &str) = ("main", "print('ran')");

fn service(fields: &str) -> String {
    format!("name: service, kind: process.service, {fields}")
}

#[test]
fn a_service_in_error_is_a_failure_and_the_others_start() {
    let good = "name: good, kind: process.service, process: main, host: processes, \
        lifecycle: { auto_start: true }";
    for (fields, reason) in [
        (
            "process: main, host: processes, lifecycle: { auto_start: true, stop_timeout: ten }",
            "lifecycle.stop_timeout",
        ),
        (
            "process: missing, host: processes, lifecycle: { auto_start: true }",
            "process app:missing does not exist",
        ),
        ("process: bad, host: processes, lifecycle: { auto_start: true }", "app:bad"),
        (
            "process: main, host: processes, lifecycle: { auto_start: true, requires: [missing] }",
            "required entry app:missing does not exist",
        ),
        (
            "process: main, host: missing, lifecycle: { auto_start: true }",
            "host app:missing does not exist",
        ),
        ("host: processes, lifecycle: { auto_start: true }", "process is required"),
        (
            "process: main, host: processes, lifecycle: { auto_start: \"yes\" }",
            "lifecycle.auto_start",
        ),
        (
            "process: main, host: processes, lifecycle: { auto_start: true, requires: [service] }",
            "app:service",
        ),
    ] {
        let processes = [MAIN, ("bad", "= =")];
        let folder = Folder::with(&processes, &[HOST, good, &service(fields)]);
        let ended = folder.start(&[]).finish().with_status(1);
        let log = &ended.stderr;
        let line = log.lines().find(|line| line.contains("service app:service not started: "));
        assert!(line.is_some_and(|line| line.contains(reason)), "{fields}: {log}");
        assert!(log.contains("1 of 2 services not started"), "{fields}: {log}");
        assert!(log.contains(": ran"), "{fields}: {log}");
    }
}

#[test]
fn what_waits_for_something_that_does_not_run_is_told() {
    let failing = ("failing", "error('at once')");
    let first = "name: first, kind: process.service, process: failing, host: processes, \
        lifecycle: { auto_start: true, restart: { max_attempts: 1 } }";
    let second = "name: second, kind: process.service, process: main, host: processes, \
        lifecycle: { auto_start: true, requires: [third] }";
    let third = "name: third, kind: process.service, process: broken, host: processes, \
        lifecycle: { auto_start: true }";
    let broken = "name: broken, kind: process.lua, source: \"error('in the chunk')\"";
    let folder = Folder::with(&[MAIN, failing], &[HOST, first, second, third, broken]);
    let log = folder.start(&[]).finish().with_status(1).stderr;
    for text in [
        "service app:third not started: ",
        "service app:second not started: what it requires does not run",
        "2 of 3 services not started",
        "service app:first failed: failing.lua:1: at once; gave up after 1 attempt\n",
    ] {
        assert!(log.contains(text), "no {text:?} in {log}");
    }
}

#[test]
fn nothing_to_run_is_told_with_what_there_is() {
    let idle = service("process: main, host: processes");
    let ended = Folder::with(&[MAIN, ("other", "")], &[HOST, &idle]).start(&[]).finish();
    let ended = ended.with_status(2);
    assert_eq!(ended.stdout, "");
    let said = "no service has `auto_start: true`; -x runs one of: app:main, app:other; services \
        without it: app:service\n";
    assert!(ended.stderr.starts_with("moonlet: nothing to run in "), "{}", ended.stderr);
    assert!(ended.stderr.ends_with(said), "{}", ended.stderr);
    let empty = Folder::new(&[("_index.yaml", "namespace: app\nentries: []\n")]);
    empty.start(&[]).finish().with_status(2);
    let path = empty.path().join("missing");
    ended_with(&["run", &path.display().to_string()], 2);
}

#[track_caller]
fn ended_with(arguments: &[&str], status: i32) -> String {
    ended(arguments).with_status(status).stderr
}

#[test]
fn a_file_that_cannot_be_read_may_hold_a_service() {
    let files = [
        (
            "a.yaml",
            "namespace: app\nentries:\n- { name: main, kind: process.lua, source: \"return \
          function() end\" }\n",
        ),
        ("b.yaml", "namespace: app\nentries: [\n"),
    ];
    Folder::new(&files).start(&[]).finish().with_status(1);
    Folder::new(&files[1..]).start(&[]).finish().with_status(1);
    Folder::new(&files).run_main(&[]).with_status(0);
}

#[test]
fn what_the_command_line_asks_for_has_to_be_there() {
    let library = "name: library, kind: library.lua, source: return 1";
    let folder = Folder::with(&[MAIN], &[HOST, library]);
    let (absent, meant) = ("process definition not found", "; did you mean app:main?");
    for (entry, said) in [
        ("app:mian", format!("{absent}{meant}")),
        ("main", format!("{absent}{meant}")),
        ("app:library", "is a library.lua, and -x runs a process.lua".to_owned()),
        ("app:processes", "is a process.host, and -x runs a process.lua".to_owned()),
        ("", absent.to_owned()),
    ] {
        let ended = folder.start(&["-x", entry]).finish().with_status(2);
        assert_eq!(ended.stderr, format!("moonlet: {entry}: {said}; known: app:main\n"));
    }
    for host in ["app:nowhere", "app:main"] {
        let ended = folder.run_main(&["--host", host]).with_status(2);
        let said = format!("moonlet: app:main: host not found: {host}; known: app:processes\n");
        assert_eq!(ended.stderr, said);
    }
}

#[test]
fn a_service_that_fails_beside_an_entry_leaves_its_status() {
    let broken = service("process: main, host: nowhere, lifecycle: { auto_start: true }");
    let folder = Folder::with(&[MAIN], &[HOST, &broken]);
    let ended = folder.run_main(&[]).with_status(0);
    assert!(ended.stderr.contains("1 of 1 services not started"), "{}", ended.stderr);
}

#[test]
fn a_hangup_is_ignored_by_who_was_started_so() {
    let folder = Folder::with(&[("main", "print('ready') io.readline() print('went on')")], &[]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" run \"$1\" -x app:main"]);
    command.arg(crate::command::moonlet().get_program()).arg(folder.path());
    let mut running = crate::command::Running::new(&mut command);
    running.wait_for("ready");
    running.signal("HUP");
    assert_eq!(running.finish().with_status(0).stdout, "ready\nwent on\n");
}

#[test]
fn a_host_that_does_not_run_is_named_with_the_reason() {
    for (fields, reason) in [
        ("kind: process.host", "does not start; give it `lifecycle: { auto_start: true }`"),
        ("kind: process.host, host: { workers: none }", "is in error: host.workers must be"),
    ] {
        let folder = Folder::with(&[MAIN], &[&format!("name: h, {fields}")]);
        let ended = folder.run_main(&[]).with_status(1);
        let said = format!("moonlet: app:main: its host app:h {reason}");
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    let needed = "name: other, kind: process.host, \
        lifecycle: { auto_start: true, requires: [h] }";
    let folder = Folder::with(&[MAIN], &["name: h, kind: process.host", needed]);
    folder.run_main(&["--host", "app:h"]).with_status(0);
}

/// An application of main, which ends when the service beside it is ready, and that.
fn with_service(service: &str) -> Folder {
    let main = "repeat time.sleep('1ms') until process.registry.lookup('ready')";
    let service =
        format!("local events = process.events() process.registry.register('ready') {service}");
    let entry = "name: service, kind: process.service, process: body, host: processes, \
        lifecycle: { auto_start: true }";
    Folder::with(&[("main", main), ("body", &service)], &[HOST, entry])
}

#[test]
fn services_beside_an_entry_are_asked_to_stop_when_it_has_ended() {
    let saves = with_service("print('saved on ' .. events:receive().kind)");
    let ended = saves.run_main(&[]).with_status(0);
    assert_eq!(ended.stdout, "saved on pid.cancel\n");
    let deaf = with_service("time.sleep('1h')");
    let mut running = deaf.start(&["-x", "app:main"]);
    running.wait_for("stopping app:service, up to 10 s; Ctrl-C ends it now");
    running.interrupt();
    running.finish().with_status(130);
}

#[test]
fn a_failure_is_told_before_services_are_waited_for() {
    let deaf = with_service("time.sleep('1h')");
    let failing = "return function() error('broken') end";
    std::fs::write(deaf.path().join("main.lua"), failing).expect("writable");
    let mut running = deaf.start(&["-x", "app:main"]);
    running.wait_for("moonlet: app:main failed: main.lua:1: broken");
    running.wait_for("stopping app:service");
    running.interrupt();
    running.finish().with_status(1);
}
