//! The examples that are Rust programs do what their READMEs say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program of an example, which `cargo test` builds, too.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program");
    let profile = own.parent().and_then(Path::parent).expect("it is in `deps` of a profile");
    let program = profile.join("examples").join(name);
    if !program.exists() {
        // Asked for alone, this test has no examples beside it.
        let mut build = Command::new(env!("CARGO"));
        let target = profile.parent().expect("a profile is in a folder");
        build.args(["build", "--quiet", "--example", name]).arg("--target-dir").arg(target);
        assert!(build.status().expect("cargo runs").success());
    }
    program
}

fn printed(name: &str) -> String {
    let output = Command::new(program(name)).output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let is_news = |line: &str| line.contains(" INFO  moonlet: ");
    assert!(output.status.success() && errors.lines().all(is_news), "{name}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_native_process_gives_permits() {
    let printed = printed("native_process");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}");
    assert!(lines[..2].iter().all(|line| line.ends_with(": no permit is left")), "{printed}");
    assert_eq!(lines[2], "3 of 5 workers got a permit");
}

#[test]
fn two_runtimes_ask_each_other() {
    let expected = "3² = 9\n12² = 144\n111² = 12321\n\
                    3 requests went from one runtime to the other\n";
    assert_eq!(printed("two_runtimes"), expected);
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    format!("{status} {body}")
}

#[test]
fn a_web_service_answers() {
    let mut command = Command::new(program("axum"));
    command.env("MOONLET_ADDR", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut service = command.spawn().expect("it runs");
    let mut line = String::new();
    let output = service.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut line).expect("it says where it listens");
    let address = line.trim_start_matches("listening on http://").split(';').next();
    let address = address.expect("an address").to_owned();
    let answers = ["/quote/tea/3", "/quote/milk/1", "/orders/next", "/orders/next"]
        .map(|path| get(&address, path));
    service.kill().expect("it runs");
    service.wait().expect("it ends");
    let expected =
        ["200 3 tea: 10.50\n", "404 there is no milk\n", "200 order 1\n", "200 order 2\n"];
    assert_eq!(answers, expected);
}
