//! What `run` says of its services: what starts, what is tried again, what is waited for.

use crate::command::Folder;

const HOST: &str = "name: processes, kind: process.host, lifecycle: { auto_start: true }";

fn service(lifecycle: &str) -> String {
    format!(
        "name: service, kind: process.service, process: main, host: processes, \
         lifecycle: {{ auto_start: true, {lifecycle} }}"
    )
}

#[test]
fn restarts_are_announced_and_the_last_failure_has_its_traceback() {
    let lifecycle = "restart: { initial_delay: 80ms, jitter: 0, max_attempts: 3 }";
    let folder = Folder::with(&[("main", "error('boom')")], &[HOST, &service(lifecycle)]);
    let log = folder.start(&[]).finish().with_status(1).stderr;
    let lines: Vec<&str> = log.lines().collect();
    let said = [
        " INFO  moonlet: service app:service started as {app:processes|0x",
        " WARN  moonlet: service app:service failed: main.lua:1: boom; attempt 2 of 3 in 0.1 s",
        " INFO  moonlet: service app:service started as {app:processes|0x",
        " WARN  moonlet: service app:service failed: main.lua:1: boom; attempt 3 of 3 in 0.2 s",
        " INFO  moonlet: service app:service started as {app:processes|0x",
        " ERROR moonlet: service app:service failed: main.lua:1: boom; gave up after 3 attempts",
        "  stack traceback:",
    ];
    for (line, text) in lines.iter().zip(said) {
        assert!(line.contains(text), "no {text:?} in {log}");
    }
    assert_eq!(log.matches("stack traceback:").count(), 1, "{log}");
}

#[test]
fn a_service_without_a_limit_says_its_attempt() {
    let main = r#"
        if not process.registry.lookup("second") then
          process.spawn("app:mark", "app:processes")
          while not process.registry.lookup("second") do time.sleep("1ms") end
          error("once")
        end
    "#;
    let mark = "process.registry.register('second') process.inbox():receive()";
    let lifecycle = "restart: { initial_delay: 1ms, jitter: 0 }";
    let folder = Folder::with(&[("main", main), ("mark", mark)], &[HOST, &service(lifecycle)]);
    let log = folder.start(&[]).finish().with_status(0).stderr;
    assert!(log.contains("once; attempt 2 in 1 ms\n"), "{log}");
    assert!(log.ends_with("service app:service ended\n"), "{log}");
}

#[test]
fn a_stop_says_how_long_it_may_take_and_how_to_hurry() {
    let main = r#"
        local events = process.events()
        print("ready")
        events:receive()
        print("asked")
        if not io.readline() then return end
        events:receive()
    "#;
    for (signal, status, hint) in [
        ("INT", 130, "Ctrl-C again ends it now"),
        ("TERM", 143, "a signal ends it now"),
        ("HUP", 129, "a signal ends it now"),
    ] {
        let folder = Folder::with(&[("main", main)], &[HOST, &service("stop_timeout: 90s")]);
        let mut running = folder.start(&[]);
        running.wait_for("ready");
        running.signal(signal);
        running.wait_for("asked");
        let log = running.finish().with_status(status).stderr;
        let said = format!(" INFO  moonlet: stopping app:service, up to 90 s; {hint}\n");
        assert!(log.contains(&said), "{log}");
        assert!(log.ends_with("service app:service stopped\n"), "{log}");
    }
}

/// Each of them is told of the failure, so it is no news for the log.
#[test]
fn a_failure_that_somebody_handles_is_no_warning() {
    for handled in [
        "process.events() process.spawn_monitored(F, H) process.events():receive()",
        "process.exec(F, H)",
        "process.set_options({ trap_links = true }) process.spawn_linked(F, H) \
         process.events():receive()",
    ] {
        let main = format!("local F, H = 'app:failing', 'app:processes' {handled}");
        let folder = Folder::with(&[("main", &main), ("failing", "error('x')")], &[HOST]);
        assert_eq!(folder.run_main(&[]).with_status(0).stderr, "", "{handled}");
        let log = folder.run_main(&["-v"]).with_status(0).stderr;
        let line = log.lines().find(|line| line.contains("process failed: failing.lua:1: x"));
        assert!(line.is_some_and(|line| line.contains(" DEBUG ")), "{handled}: {log}");
        assert!(!log.contains("traceback"), "{handled}: {log}");
    }
}

#[test]
fn a_failure_that_nobody_handles_is_a_warning_with_a_traceback() {
    for unhandled in [
        "pid = process.spawn(F, H)",
        "pid = process.spawn_monitored(F, H, 'wait') process.unmonitor(pid) \
         process.send(pid, 'go')",
    ] {
        let main = format!(
            "local F, H = 'app:failing', 'app:processes' local pid {unhandled} \
             while process.send(pid, 'probe') do time.sleep('1ms') end"
        );
        let failing = "if ... then process.inbox():receive() end error('x')";
        let folder = Folder::with(&[("main", &main), ("failing", failing)], &[HOST]);
        let log = folder.run_main(&[]).with_status(0).stderr;
        let text = "app:failing#";
        assert!(log.contains(" WARN  ") && log.contains(text), "{unhandled}: {log}");
        assert!(log.contains(": process failed: failing.lua:1: x\n  stack traceback:\n"), "{log}");
    }
}
