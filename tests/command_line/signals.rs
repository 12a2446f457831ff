//! Ctrl-C, SIGTERM and SIGHUP: services are asked to stop, then made to.

use crate::command::{Ended, Folder};

const STATUS_INTERRUPTED: i32 = 130;
const STATUS_TERMINATED: i32 = 143;
const STATUS_HUNG_UP: i32 = 129;

/// A service whose process has this body, with a time to stop.
fn service(body: &str, stop_timeout: &str) -> Folder {
    let service = format!(
        "name: service, kind: process.service, process: main, host: processes, \
         lifecycle: {{ auto_start: true, stop_timeout: {stop_timeout} }}"
    );
    let host = "name: processes, kind: process.host, lifecycle: { auto_start: true }";
    Folder::with(&[("main", body)], &[host, &service])
}

const ORDERLY: &str = r#"
    local events = process.events()
    print("ready")
    local event = events:receive()
    print("asked: " .. event.kind, event.deadline ~= nil)
    time.sleep("10ms")
    print("put away")
"#;

#[track_caller]
fn ended_orderly(ended: Ended, status: i32) {
    let ended = ended.with_status(status);
    assert!(ended.stderr.contains("asked: pid.cancel\\ttrue\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("put away\n"), "{}", ended.stderr);
}

#[test]
fn services_are_asked_to_stop() {
    let signals =
        [("INT", STATUS_INTERRUPTED), ("TERM", STATUS_TERMINATED), ("HUP", STATUS_HUNG_UP)];
    for (signal, status) in signals {
        let folder = service(ORDERLY, "1h");
        let mut running = folder.start(&[]);
        running.wait_for("ready");
        running.signal(signal);
        ended_orderly(running.finish(), status);
    }
}

#[test]
fn services_beside_an_entry_are_asked_to_stop() {
    let folder = service(ORDERLY, "1h");
    let mut running = folder.start(&["-x", "app:main"]);
    running.wait_for("ready\nready\n");
    running.interrupt();
    let ended = running.finish().with_status(STATUS_INTERRUPTED);
    assert!(ended.stdout.contains("asked: pid.cancel\ttrue\nput away\n"), "{}", ended.stdout);
}

#[test]
fn an_entry_without_services_ends_at_once() {
    for body in ["process.inbox():receive()", "while true do end", "while true do pcall(error) end"]
    {
        let folder = Folder::with(&[("main", &format!("print('ready') {body}"))], &[]);
        let mut running = folder.start(&["-x", "app:main"]);
        running.wait_for("ready");
        running.interrupt();
        let ended = running.finish().with_status(STATUS_INTERRUPTED);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("ready\n", ""));
    }
}

#[test]
fn who_does_not_stop_in_time_is_terminated() {
    let folder = service("print('ready') while true do end", "50ms");
    let mut running = folder.start(&[]);
    running.wait_for("ready");
    running.interrupt();
    running.finish().with_status(STATUS_INTERRUPTED);
}

#[test]
fn a_second_signal_does_not_wait() {
    let ignoring = r#"
        local events = process.events()
        print("ready")
        events:receive()
        print("ignored")
        events:receive()
        print("again")
    "#;
    let folder = service(ignoring, "1h");
    let mut running = folder.start(&[]);
    running.wait_for("ready");
    running.interrupt();
    running.wait_for("ignored");
    running.interrupt();
    let ended = running.finish().with_status(STATUS_INTERRUPTED);
    assert!(!ended.stderr.contains(": again"), "{}", ended.stderr);
}
