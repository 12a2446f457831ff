//! Standard input: a line belongs to the node until a coroutine takes it.

use std::io::Write;

use crate::command::{Ended, Folder, Running};

const HOST: &str = "name: processes, kind: process.host, lifecycle: { auto_start: true }";

fn write(running: &mut Running, bytes: &[u8]) {
    let input = running.child.stdin.as_mut().expect("it is piped");
    input.write_all(bytes).and_then(|()| input.flush()).expect("it reads");
}

/// Runs `app:main`, and gives it this input once it has printed `ready`.
fn fed(processes: &[(&str, &str)], bytes: &[u8]) -> Ended {
    let folder = Folder::with(processes, &[HOST]);
    let mut running = folder.start(&["-x", "app:main"]);
    running.wait_for("ready\n");
    write(&mut running, bytes);
    running.finish()
}

const READER: &str = r#"
    local owner, upgrades = ...
    coroutine.spawn(function() process.send(owner, "line", io.readline()) end)
    process.send(owner, "waits")
    process.inbox():receive()
    if upgrades then process.upgrade("app:upgraded", owner) end
"#;

#[test]
fn whoever_ends_while_it_waits_eats_no_line() {
    for end in [
        "process.terminate(reader)",
        "process.send(reader, 'end')",
        "process.cancel(reader, '1ms')",
    ] {
        let main = format!(
            r#"
            local waits, events = process.listen("waits"), process.events()
            local reader = process.spawn_monitored("app:reader", "app:processes", process.pid())
            waits:receive()
            {end}
            assert(events:receive().kind == process.event.EXIT)
            print("ready")
            print(io.readline(), io.readline())
            "#
        );
        let ended = fed(&[("main", &main), ("reader", READER)], b"one\ntwo\nthree\n");
        assert_eq!(ended.with_status(0).stdout, "ready\none\ttwo\n", "{end}");
    }
}

#[test]
fn an_upgrade_while_a_coroutine_waits_eats_no_line() {
    let main = r#"
        local waits = process.listen("waits")
        local reader = process.spawn("app:reader", "app:processes", process.pid(), true)
        waits:receive()
        process.send(reader, "go on")
        process.listen("upgraded"):receive()
        print("ready")
        print(io.readline(), io.readline())
    "#;
    let upgraded = "local owner = ... process.send(owner, 'upgraded') process.inbox():receive()";
    let processes = [("main", main), ("reader", READER), ("upgraded", upgraded)];
    let ended = fed(&processes, b"one\ntwo\n").with_status(0);
    assert_eq!(ended.stdout, "ready\none\ttwo\n");
}

#[test]
fn readers_get_their_lines_in_the_order_in_which_they_asked() {
    let main = r#"
        local waits, lines = process.listen("waits"), process.listen("line")
        for i = 1, 5 do
          process.spawn("app:reader", "app:processes", process.pid(), i)
          waits:receive()
        end
        print("ready")
        local got = {}
        for _ = 1, 5 do
          local line = lines:receive()
          got[line.number] = line.text
        end
        print(table.concat(got, " "))
    "#;
    let reader = r#"
        local owner, number = ...
        coroutine.spawn(function() process.send(owner, "waits") end)
        process.send(owner, "line", { number = number, text = io.readline() })
    "#;
    let ended = fed(&[("main", main), ("reader", reader)], b"1\n2\n3\n4\n5\n").with_status(0);
    assert_eq!(ended.stdout, "ready\n1 2 3 4 5\n");
}

#[test]
fn a_wait_for_a_line_can_have_an_end() {
    let main = r#"
        local line, err = io.readline("10ms")
        assert(line == nil and err:kind() == errors.TIMEOUT, err)
        line, err = io.readline(1000000)
        assert(line == nil and err:kind() == errors.TIMEOUT, err)
        line, err = io.readline(0)
        assert(line == nil and err:kind() == errors.TIMEOUT, err)
        line, err = io.readline("-1s")
        assert(line == nil and err:kind() == errors.TIMEOUT, err)
        for _, wrong in ipairs({ "soon", "10", {}, true }) do
          line, err = io.readline(wrong)
          assert(line == nil and err:kind() == errors.INVALID, err)
        end
        print("ready")
        print(io.readline("1h"), io.readline(time.parse_duration("1h")), io.readline(nil))
        print(io.readline("1h"))
    "#;
    let ended = fed(&[("main", main)], b"one\ntwo\nthree\n").with_status(0);
    assert_eq!(ended.stdout, "ready\none\ttwo\tthree\nnil\n");
}

/// Asking for no time at all still finds what is there, sooner or later.
#[test]
fn polling_finds_a_line() {
    let main = r#"
        print("ready")
        local line, err
        repeat line, err = io.readline(0) until line or err:kind() ~= errors.TIMEOUT
        print(line, err, io.readline())
    "#;
    let ended = fed(&[("main", main)], b"one\ntwo\n").with_status(0);
    assert_eq!(ended.stdout, "ready\none\tnil\ttwo\n");
}

#[test]
fn lines_are_any_bytes() {
    let main = r#"
        print("ready")
        for line in io.readline do print(#line, (line:sub(1, 8):gsub("[^ -~]", "?"))) end
        print("end", select('#', io.readline()))
    "#;
    let long = vec![b'x'; 3_000_000];
    let input = [b"\0\xff\xfe\n\n", &long[..], b"\nno end"].concat();
    let ended = fed(&[("main", main)], &input).with_status(0);
    assert_eq!(ended.stdout, "ready\n3\t???\n0\t\n3000000\txxxxxxxx\n6\tno end\nend\t1\n");
}

#[test]
fn the_end_of_the_input_is_not_eaten_either() {
    let main = r#"
        local waits, events = process.listen("waits"), process.events()
        local reader = process.spawn_monitored("app:reader", "app:processes", process.pid())
        waits:receive()
        process.terminate(reader)
        events:receive()
        print("ready")
        print(io.readline(), io.readline())
    "#;
    let ended = fed(&[("main", main), ("reader", READER)], b"").with_status(0);
    assert_eq!(ended.stdout, "ready\nnil\tnil\n");
}

#[test]
fn an_input_that_cannot_be_read_is_no_end() {
    let main = "local line, err = io.readline() print(line, err:kind(), err:message())";
    let folder = Folder::with(&[("main", main)], &[]);
    let mut command = crate::command::moonlet();
    command.arg("run").arg(folder.path()).args(["-x", "app:main"]);
    let directory = std::fs::File::open(folder.path()).expect("it is there");
    let pipe = std::process::Stdio::piped;
    command.stdin(directory).stdout(pipe()).stderr(pipe());
    let ended = Running::redirected(&mut command).finish().with_status(0);
    assert!(
        ended.stdout.starts_with("nil\tUnavailable\tcannot read standard input: "),
        "{ended:?}"
    );
}
