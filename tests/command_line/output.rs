//! What is printed arrives, whoever reads it and how slowly; else the run says what did not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::command::{Folder, Running, moonlet};

/// More than a pipe holds and less than the runtime queues.
const PRINTER: &str = r#"
    for i = 1, 3000 do io.print(i .. ("."):rep(50)) end
    logger:error("all is printed")
"#;
/// What a stopping runtime gives its readers, and then some.
const TOO_LONG: Duration = Duration::from_millis(2600);

fn expected() -> String {
    (1..=3000).map(|number| format!("{number}{}\n", ".".repeat(50))).collect()
}

/// Starts `app:main` with a standard output that nobody reads yet.
fn unread(folder: &Folder, options: &[&str]) -> (Running, PipeReader) {
    let (reader, writer) = io::pipe().expect("there are pipes");
    let mut command = moonlet();
    command.arg("run").arg(folder.path()).args(["-x", "app:main"]).args(options);
    command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
    (Running::redirected(&mut command), reader)
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("there is a full device").into()
}

#[test]
fn a_run_waits_for_its_readers_and_a_stuck_output_holds_nothing_else_up() {
    let folder = Folder::with(&[("main", PRINTER)], &[]);
    let (mut running, mut reader) = unread(&folder, &[]);
    running.wait_for("all is printed");
    // Nothing happens, which only time can show.
    thread::sleep(TOO_LONG);
    assert!(running.child.try_wait().expect("a child of ours").is_none(), "it waits");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("it is text");
    assert!(text == expected(), "{} bytes", text.len());
    running.finish().with_status(0);
}

#[test]
fn a_stuck_log_does_not_hold_up_the_output() {
    let main = "for i = 1, 1000 do logger:info(('x'):rep(200)) end print('all is logged')";
    let folder = Folder::with(&[("main", main)], &[]);
    let (mut log, writer) = io::pipe().expect("there are pipes");
    let mut command = moonlet();
    command.arg("run").arg(folder.path()).args(["-x", "app:main"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(writer);
    let mut running = Running::redirected(&mut command);
    drop(command);
    running.wait_for("all is logged");
    let mut text = String::new();
    log.read_to_string(&mut text).expect("it is text");
    assert_eq!(text.lines().count(), 1000);
    running.finish().with_status(0);
}

#[test]
fn after_a_signal_readers_get_two_seconds_and_the_rest_is_counted() {
    for (signal, status) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let folder = Folder::with(&[("main", PRINTER)], &[]);
        let (mut running, mut reader) = unread(&folder, &[]);
        running.wait_for("all is printed");
        running.signal(signal);
        let ended = running.finish().with_status(status);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        let lost = expected().len() - text.len();
        let said = format!("moonlet: {lost} bytes not written to standard output\n");
        assert!(lost > 0 && ended.stderr.ends_with(&said), "{lost}: {}", ended.stderr);
        assert!(expected().starts_with(&text));
    }
}

#[test]
fn a_disk_that_is_full_is_a_failure() {
    let main = "io.print('x') logger:info('printed') time.sleep('1h')";
    let folder = Folder::with(&[("main", main)], &[]);
    let mut command = moonlet();
    command.arg("run").arg(folder.path()).args(["-x", "app:main"]);
    command.stdin(Stdio::piped()).stdout(full()).stderr(Stdio::piped());
    let ended = Running::redirected(&mut command).finish().with_status(1);
    let said = "moonlet: 2 bytes not written to standard output: No space left on device";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

#[test]
fn a_log_that_cannot_be_written_is_a_failure() {
    let folder = Folder::with(&[("main", "logger:info('x') print('done')")], &[]);
    let mut command = moonlet();
    command.arg("run").arg(folder.path()).args(["-x", "app:main"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(full());
    let ended = Running::redirected(&mut command).finish().with_status(1);
    assert_eq!(ended.stdout, "done\n", "but what can be done is");
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure_with_a_reason() {
    let folder = Folder::with(&[("main", "")], &[]);
    let mut command = moonlet();
    command.arg("check").arg(folder.path());
    command.stdin(Stdio::piped()).stdout(full()).stderr(Stdio::piped());
    let ended = Running::redirected(&mut command).finish().with_status(1);
    assert!(ended.stderr.contains("moonlet: cannot write the report: "), "{}", ended.stderr);
}

#[test]
fn output_that_nobody_reads_at_the_end_is_noticed() {
    let main = "print('one') logger:info('printed') io.readline() print('two')";
    let folder = Folder::with(&[("main", main)], &[]);
    let (mut running, reader) = unread(&folder, &[]);
    running.wait_for("printed");
    drop(reader);
    running.finish().with_status(141);
}

#[test]
fn flush_waits_like_a_call() {
    let main = r#"
        assert(select('#', io.flush()) == 1 and io.flush() == true)
        local other = assert(process.spawn("app:other", "app:processes"))
        io.write(("x"):rep(200000))
        coroutine.spawn(function() logger:info("a sibling runs") end)
        assert(io.flush() == true)
        logger:info("all is out")
        local ok, err = pcall(table.sort, { 1, 2 }, function() io.write("y") return true end)
        local results
        table.sort({ 1, 2 }, function()
          io.write(("z"):rep(200000))
          results = table.pack(io.flush())
          return false
        end)
        assert(results[1] == nil and results[2]:kind() == errors.INVALID, results[2])
        logger:info("cannot wait there")
    "#;
    let other = "logger:info('others run')";
    let host = "name: processes, kind: process.host, lifecycle: { auto_start: true }";
    let folder = Folder::with(&[("main", main), ("other", other)], &[host]);
    // One worker: if the call held it, nobody else would run.
    let (mut running, mut reader) = unread(&folder, &["--workers", "1"]);
    running.wait_for("a sibling runs");
    running.wait_for("others run");
    assert!(!running.has_written("all is out"), "nobody has read it");
    let mut bytes = vec![0; 200_000];
    reader.read_exact(&mut bytes).expect("it writes");
    running.wait_for("all is out");
    running.wait_for("cannot wait there");
    thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
    running.finish().with_status(0);
}

#[test]
fn flush_says_that_nothing_can_be_written() {
    let main = r#"
        process.events()
        io.print("x")
        local ok, err = io.flush()
        logger:info("flushed", { ok = tostring(ok), kind = err:kind(), text = err:message() })
    "#;
    let entries = [
        "name: processes, kind: process.host, lifecycle: { auto_start: true }",
        "name: service, kind: process.service, process: main, host: processes, \
         lifecycle: { auto_start: true }",
    ];
    let folder = Folder::with(&[("main", main)], &entries);
    let mut command = moonlet();
    command.arg("run").arg(folder.path());
    command.stdin(Stdio::piped()).stdout(full()).stderr(Stdio::piped());
    let ended = Running::redirected(&mut command).finish().with_status(1);
    let said =
        "flushed kind=Unavailable ok=\"nil\" text=\"cannot write to standard output: No space";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

/// A printer in a service prints into the log, and waits there.
#[test]
fn printers_wait_for_the_log_and_loggers_are_counted() {
    let main = r#"
        for i = 1, 3000 do logger:info("logged " .. i .. ("x"):rep(1000)) end
        for i = 1, 3000 do print("printed " .. i .. ("x"):rep(1000)) end
    "#;
    let entries = [
        "name: processes, kind: process.host, lifecycle: { auto_start: true }",
        "name: service, kind: process.service, process: main, host: processes, \
         lifecycle: { auto_start: true }",
    ];
    let folder = Folder::with(&[("main", main)], &entries);
    let (log, writer) = io::pipe().expect("there are pipes");
    let mut command = moonlet();
    command.arg("run").arg(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(writer);
    let running = Running::redirected(&mut command);
    drop(command);
    // Loggers do not wait: they are through long before this.
    thread::sleep(Duration::from_millis(500));
    let lines: Vec<String> =
        BufReader::new(log).lines().map(|line| line.expect("it is text")).collect();
    running.finish().with_status(0);
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count(": printed "), 3000, "none of them is lost");
    let lost: usize = lines
        .iter()
        .filter_map(|line| {
            line.split_once(" WARN  moonlet: ")?
                .1
                .split_once(" log lines lost")?
                .0
                .parse::<usize>()
                .ok()
        })
        .sum();
    assert_eq!(count(": logged ") + lost, 3000);
    assert!(lost > 0, "there were more than the queue holds");
}
