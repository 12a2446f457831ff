//! Nobody reads what is written: a run whose output goes nowhere ends as other programs do.

use std::io::{self, Write};
use std::process::Stdio;

use crate::command::{Folder, Running, moonlet};

/// A pipe whose reader is gone.
fn closed() -> Stdio {
    let (reader, writer) = io::pipe().expect("there are pipes");
    drop(reader);
    writer.into()
}

/// The status of a program that wrote into a pipe without a reader.
const STATUS_UNREAD: i32 = 141;

#[test]
fn an_endless_printer_ends_without_its_reader() {
    let main = "while true do print('more') end";
    let folder = Folder::with(&[("main", main)], &[]);
    let mut command = moonlet();
    command.arg("run").arg(folder.path()).args(["-x", "app:main"]);
    let ended = Running::redirected(command.stdout(closed()).stderr(Stdio::piped())).finish();
    assert_eq!(ended.with_status(STATUS_UNREAD).stderr, "");
}

#[test]
fn a_reader_that_goes_away_is_not_missed() {
    let main = r#"
        print("first")
        io.readline()
        for i = 1, math.huge do print(i, ("x"):rep(100)) end
    "#;
    let folder = Folder::with(&[("main", main)], &[]);
    let mut command = moonlet();
    command.arg("run").arg(folder.path()).args(["-x", "app:main"]);
    let (reader, writer) = io::pipe().expect("there are pipes");
    let command = command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
    let mut running = Running::redirected(command);
    let mut first = [0; 6];
    io::Read::read_exact(&mut &reader, &mut first).expect("it prints");
    assert_eq!(&first, b"first\n");
    drop(reader);
    let input = running.child.stdin.as_mut().expect("it is piped");
    input.write_all(b"go on\n").expect("it reads");
    assert_eq!(running.finish().with_status(STATUS_UNREAD).stderr, "");
}

#[test]
fn failures_keep_their_status_when_nobody_reads_them() {
    let folder = Folder::with(&[("main", "error('failed')"), ("broken", "= =")], &[]);
    for (entry, status) in [("app:main", 1), ("app:broken", 1), ("app:unknown", 2)] {
        let mut command = moonlet();
        command.arg("run").arg(folder.path()).args(["-x", entry]);
        let command = command.stdout(Stdio::piped()).stderr(closed());
        assert_eq!(Running::redirected(command).finish().with_status(status).stdout, "");
    }
}

#[test]
fn a_check_whose_report_is_lost_is_no_success() {
    let folder = Folder::with(&[("main", "")], &[]);
    let mut command = moonlet();
    command.arg("check").arg(folder.path()).stdout(closed()).stderr(Stdio::piped());
    assert_eq!(Running::redirected(&mut command).finish().with_status(1).stderr, "");
}
