//! `moonlet run`: what is run, where, with which arguments, and what the status says.

use crate::command::{Folder, ended};

const TWO_HOSTS: [&str; 2] = [
    "name: first, kind: process.host, lifecycle: { auto_start: true }",
    "name: second, kind: process.host, lifecycle: { auto_start: true }",
];

fn service(name: &str) -> String {
    format!(
        "name: {name}_service, kind: process.service, process: {name}, host: processes, \
         lifecycle: {{ auto_start: true }}"
    )
}

const HOST: &str = "name: processes, kind: process.host, lifecycle: { auto_start: true }";

#[test]
fn an_entry_prints_plain_lines() {
    let folder = Folder::with(&[("main", "print('one', 2) print() print('three')")], &[]);
    let ended = folder.run_main(&[]).with_status(0);
    assert_eq!(ended.stdout, "one\t2\n\nthree\n");
    assert_eq!(ended.stderr, "");
}

#[test]
fn all_output_is_written_before_the_end() {
    let main = "for i = 1, 100000 do print(i) end io.write('no newline')";
    let ended = Folder::with(&[("main", main)], &[]).run_main(&[]).with_status(0);
    let expected: String = (1..=100_000).map(|i| format!("{i}\n")).collect();
    assert!(ended.stdout == expected + "no newline", "{} bytes", ended.stdout.len());
}

/// Chunks are tried before they are left out; nobody hears of that.
#[test]
fn a_chunk_prints_once_for_each_process() {
    let child = "name: child, kind: process.lua, modules: [logger], source: \"print('born') \
                 require('logger'):info('logged') return function() end\"";
    let main = "for _ = 1, 6 do assert(process.spawn('app:child', 'app:processes')) end";
    let ended = Folder::with(&[("main", main)], &[HOST, child]).run_main(&[]).with_status(0);
    assert_eq!(ended.stdout, "born\n".repeat(6));
    assert_eq!(ended.stderr.matches("logged").count(), 6, "{}", ended.stderr);
}

#[test]
fn arguments_arrive_as_strings() {
    let main = r#"
        for i = 1, select('#', ...) do print(math.type(select(i, ...)), (select(i, ...))) end
        print(table.concat(io.args(), "|"))
    "#;
    let folder = Folder::with(&[("main", main)], &[]);
    let ended = folder.run_main(&["--", "17", "", "-x", "--", "ä b"]).with_status(0);
    assert_eq!(ended.stdout, "nil\t17\nnil\t\nnil\t-x\nnil\t--\nnil\tä b\n17||-x|--|ä b\n");
    let ended = folder.run_main(&[]).with_status(0);
    assert_eq!(ended.stdout, "\n");
}

#[test]
fn the_value_of_an_entry_does_not_matter() {
    for value in ["", "return false", "return 7", "return { 1 }"] {
        let ended = Folder::with(&[("main", value)], &[]).run_main(&[]).with_status(0);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "{value}");
    }
}

#[test]
fn a_raised_error_is_shown_with_its_traceback() {
    let main = "print('before')\n local function deep() error('broken') end\n deep()";
    let ended = Folder::with(&[("main", main)], &[]).run_main(&[]).with_status(1);
    assert_eq!(ended.stdout, "before\n");
    let expected = "moonlet: app:main failed: main.lua:2: broken\n  stack traceback:\n    ";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("'deep'"), "{}", ended.stderr);
}

#[test]
fn a_returned_error_is_shown() {
    let main = "return nil, errors.new({ message = 'no luck' })";
    let ended = Folder::with(&[("main", main)], &[]).run_main(&[]).with_status(1);
    assert_eq!(ended.stderr, "moonlet: app:main failed: no luck\n");
}

#[test]
fn what_cannot_be_run_is_told_what_it_is_and_what_is_near() {
    let index = "namespace: app\nentries:\n\
                 - {name: main, kind: process.lua, source: \"return function() end\"}\n\
                 - {name: lib, kind: library.lua, source: return 1}\n\
                 - {name: h, kind: process.host, worker: 5, lifecycle: {auto_start: true}}\n";
    let folder = Folder::new(&[("_index.yaml", index)]);
    for (asked, expected) in [
        ("app:lib", "app:lib: is a library.lua, and -x runs a process.lua; known: app:main"),
        ("app:h", "app:h: is a process.host, and -x runs a process.lua; known: app:main"),
        ("main", "main: process definition not found; did you mean app:main?; known: app:main"),
        ("app:mian", "app:mian: process definition not found; did you mean app:main?"),
    ] {
        let ended = folder.start(&["-x", asked]).finish().with_status(2);
        assert!(ended.stderr.contains(&format!("moonlet: {expected}")), "{}", ended.stderr);
    }
    let ended = folder.start(&["-x", "app:main", "--strict"]).finish().with_status(1);
    let expected = "moonlet: nothing is run: --strict counts 1 warning as errors\n";
    assert!(ended.stderr.ends_with(expected), "{}", ended.stderr);
    folder.start(&["-x", "app:main"]).finish().with_status(0);
}

#[test]
fn one_of_several_hosts_has_to_be_chosen() {
    let hosts = "namespace: app\nentries:\n\
                 - {name: main, kind: process.lua, source: return 1}\n\
                 - {name: a, kind: process.host}\n- {name: b, kind: process.host}\n";
    let folder = Folder::new(&[("_index.yaml", hosts)]);
    let ended = folder.start(&["-x", "app:main"]).finish().with_status(2);
    assert_eq!(ended.stderr, "moonlet: app:main: which host? Give one by --host: app:a, app:b\n");
}

#[test]
fn code_without_main_is_told_what_it_returns() {
    for (source, got) in [
        ("7", "a number"),
        ("nil", "nothing"),
        ("{ mian = print }", "a table with \"mian\""),
        ("{ 1, 2, [3.5] = 4 }", "a table without it"),
    ] {
        let index = format!(
            "namespace: app\nname: main\nkind: process.lua\nsource: \"return {}\"\n",
            source.replace('"', "\\\"")
        );
        let folder = Folder::new(&[("_index.yaml", &index)]);
        let ended = folder.start(&["-x", "app:main"]).finish().with_status(1);
        let expected = format!("not found in module: _index.yaml returns {got}, and main is");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
}

#[test]
fn a_raised_table_shows_its_content() {
    let main = "error({ code = 5, reason = 'disk full' })";
    let ended = Folder::with(&[("main", main)], &[]).run_main(&[]).with_status(1);
    let expected = "moonlet: app:main failed: {code=5, reason=\"disk full\"}\n";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
}

#[test]
fn a_broken_entry_fails_and_leaves_the_others_alone() {
    let folder = Folder::with(&[("main", "print('fine')"), ("broken", "x = = 1")], &[]);
    let problem = format!("{}/broken.lua:1: ", folder.path().display());
    let ended = folder.run_main(&[]).with_status(0);
    assert_eq!(ended.stdout, "fine\n");
    assert!(ended.stderr.starts_with(&problem), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1);
    let ended = folder.start(&["-x", "app:broken"]).finish().with_status(1);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("moonlet: app:broken: broken.lua:1: "), "{}", ended.stderr);
}

#[test]
fn the_host_is_the_given_one_else_the_only_one_else_the_implicit_one() {
    let processes = [("main", "print(process.pid())")];
    let cases: [(&[&str], &[&str], &str); 4] = [
        (&[], &[], "{app:processes|0x"),
        (&TWO_HOSTS[..1], &[], "{app:first|0x"),
        (&TWO_HOSTS, &["--host", "app:second"], "{app:second|0x"),
        (&[TWO_HOSTS[0], HOST], &[], "{app:processes|0x"),
    ];
    for (hosts, options, prefix) in cases {
        let ended = Folder::with(&processes, hosts).run_main(options).with_status(0);
        assert!(ended.stdout.starts_with(prefix), "{hosts:?}: {}", ended.stdout);
    }
    let ended = Folder::with(&processes, &TWO_HOSTS).run_main(&[]).with_status(2);
    let said = "moonlet: app:main: which host? Give one by --host: app:first, app:second\n";
    assert_eq!(ended.stderr, said);
}

#[test]
fn what_still_runs_at_the_end_is_terminated() {
    let main = r#"
        local ready = process.listen("ready")
        for _, how in ipairs({ "wait", "compute", "pcall" }) do
          assert(process.spawn("app:child", "app:processes", process.pid(), how))
          ready:receive()
        end
        coroutine.spawn(function() time.sleep("1h") print("late") end)
        print("done")
    "#;
    let child = r#"
        local owner, how = ...
        process.send(owner, "ready")
        if how == "wait" then process.inbox():receive() end
        while how == "compute" do end
        while true do pcall(error) end
    "#;
    let ended = Folder::with(&[("main", main), ("child", child)], &[]).run_main(&[]);
    let ended = ended.with_status(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("done\n", ""));
}

#[test]
fn an_application_ends_with_its_last_service() {
    let first = r#"
        assert(process.registry.register("first"))
        print("first runs")
        process.inbox():receive()
        print("first ends")
    "#;
    let second = r#"
        while not process.registry.lookup("first") do time.sleep("1ms") end
        print("second ends")
        process.send("first", "end")
    "#;
    let processes = [("first", first), ("second", second)];
    let entries = [HOST, &service("first"), &service("second")];
    let ended = Folder::with(&processes, &entries).start(&[]).finish().with_status(0);
    assert_eq!(ended.stdout, "", "what services print goes to the log");
    for (text, process) in
        [("first runs", "app:first"), ("second ends", "app:second"), ("first ends", "app:first")]
    {
        let line = ended.stderr.lines().find(|line| line.ends_with(text)).unwrap_or_default();
        assert!(line.contains(" INFO ") && line.contains(process), "{}", ended.stderr);
    }
    let last = "first ends";
    let rest = ended.stderr.split_once(last).expect("it stands there").1;
    assert!(rest.contains("service app:first_service ended"), "{}", ended.stderr);
}

#[test]
fn a_printed_line_carries_the_pid_and_the_entry_that_runs() {
    let old = "print('old', 1, nil, process.pid()) process.upgrade('app:new')";
    let new = "print('new', process.pid())";
    let folder = Folder::with(&[("old", old), ("new", new)], &[HOST, &service("old")]);
    let ended = folder.start(&[]).finish().with_status(0);
    for (text, process) in [("old\\t1\\tnil\\t", "app:old"), ("new\\t", "app:new")] {
        let line = ended.stderr.lines().find(|line| line.contains(text)).unwrap_or_default();
        let (head, tail) = line.split_once(text).expect("a line for each");
        assert!(head.contains(process) && tail.starts_with("{app:processes|"), "{line}");
        assert!(head.contains(tail), "the PID once more: {line}");
    }
}

#[test]
fn a_service_that_failed_is_told_and_counts() {
    let failing = "return nil, errors.new({ message = 'no config', retryable = false })";
    let folder = Folder::with(&[("failing", failing)], &[HOST, &service("failing")]);
    let ended = folder.start(&[]).finish().with_status(1);
    let expected = "service app:failing_service failed: no config; not restarted, its error is not \
        retryable\n";
    assert!(ended.stderr.ends_with(expected), "{}", ended.stderr);
}

#[test]
fn a_folder_without_an_application_cannot_be_run() {
    let empty = Folder::new(&[]);
    let missing = empty.path().join("missing");
    for path in [empty.path(), &missing] {
        let path = path.display().to_string();
        for options in [&["run", &path] as &[&str], &["run", &path, "-x", "app:main"]] {
            let ended = ended(options).with_status(2);
            assert!(ended.stderr.starts_with(&format!("{path}: ")), "{}", ended.stderr);
        }
    }
}

#[test]
fn debug_lines_are_written_when_asked_for() {
    let main = "local logger = require('logger') logger:debug('detail') logger:info('event')";
    let files = [
        (
            "_index.yaml",
            "namespace: app\nentries:\n- { name: main, kind: process.lua, \
             source: 'file://main.lua', modules: [logger] }\n",
        ),
        ("main.lua", &format!("return function() {main} end")),
    ];
    let folder = Folder::new(&files);
    let quiet = folder.run_main(&[]).with_status(0).stderr;
    assert!(quiet.contains("event") && !quiet.contains("detail"), "{quiet}");
    let verbose = folder.run_main(&["--verbose"]).with_status(0).stderr;
    assert!(verbose.contains("event") && verbose.contains("detail"), "{verbose}");
}

#[test]
fn definitions_whose_processes_are_not_copied_are_said_once() {
    // So many names are more than the image of a VM has room for.
    let names: String = (0..4000).map(|number| format!("name_{number} = {number}, ")).collect();
    let large = format!("local names = {{ {names} }} return names.name_3999");
    let main = r#"
        for _ = 1, 3 do assert(process.exec("app:large", "app:processes") == 3999) end
        print((process.exec("app:small", "app:processes")))
    "#;
    let processes = [("main", main), ("large", large.as_str()), ("small", "return 'small'")];
    let folder = Folder::with(&processes, &[HOST]);
    let ended = folder.run_main(&["--verbose"]).with_status(0);
    assert_eq!(ended.stdout, "small\n");
    let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("copied")).collect();
    let [line] = lines[..] else { panic!("{}", ended.stderr) };
    let expected = "app:large: processes are built one by one, not copied: too large: its ";
    assert!(line.contains(" DEBUG ") && line.contains(expected), "{line}");
    assert_eq!(folder.run_main(&[]).with_status(0).stderr, "");
}
