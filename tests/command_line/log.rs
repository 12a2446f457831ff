//! Log lines: nothing that an application says can pass for a line of somebody else.

use crate::command::{Ended, Folder};

const HOST: &str = "name: processes, kind: process.host, lifecycle: { auto_start: true }";
/// Begins a line, hides it, goes back in it, and is no text.
const FORGED: &str =
    r#"x\n2026-01-01T00:00:00.000000Z ERROR FORGED\r\x1b[2K\0\u{85}\u{2028}\u{202e}\xff"#;

/// Whatever is written: lines of the log, of the command, or parts of a traceback.
#[track_caller]
fn nothing_is_forged(ended: &Ended, log: &str) {
    assert!(log.contains("FORGED"), "it was written: {log}");
    for line in log.lines() {
        assert!(!line.starts_with("2026-01-01") && !line.starts_with("ERROR"), "{ended:#?}");
    }
    let raw = |text: char| {
        text != '\n' && (text.is_control() || ['\u{2028}', '\u{202e}'].contains(&text))
    };
    assert!(!log.contains(raw), "{ended:#?}");
}

#[test]
fn log_lines_cannot_be_forged() {
    for body in [
        "logger:info(TEXT)",
        "logger:info('fields', { [TEXT] = 1, key = TEXT, list = { TEXT, [TEXT] = { TEXT } } })",
        "logger:with({ key = TEXT }):named(TEXT):info('named')",
        "logger:info('fields', TEXT)",
        "logger:error(errors.new({ message = TEXT }):message(), { err = errors.new(TEXT) })",
        "await(process.spawn('app:raises', 'app:processes'))",
        "await(process.spawn('app:calls', 'app:processes'))",
        "error(TEXT)",
        "return nil, TEXT",
        "process.exec('app:raises', 'app:processes') logger:info('FORGED')",
    ] {
        let main = format!(
            "local function await(pid) \
               while process.send(pid, 't') do time.sleep('1ms') end \
             end \
             local TEXT = \"{FORGED}\" {body}"
        );
        let raises = format!("error(\"{FORGED}\")");
        let calls = format!(
            "local t = {{}} t[\"{FORGED}\"] = function() error('x') end \
             t[\"{FORGED}\"]()"
        );
        let processes =
            [("main", main.as_str()), ("raises", raises.as_str()), ("calls", calls.as_str())];
        let folder = Folder::with(&processes, &[HOST]);
        for format in ["text", "json"] {
            let ended = folder.run_main(&["--log-level", "debug", "--log-format", format]);
            nothing_is_forged(&ended, &ended.stderr);
        }
    }
}

#[test]
fn printed_lines_and_failing_services_cannot_be_forged() {
    let main = format!("print(\"{FORGED}\") error(\"{FORGED}\")");
    let service = "name: service, kind: process.service, process: main, host: processes, \
        lifecycle: { auto_start: true, restart: { max_attempts: 2, initial_delay: 1ms } }";
    let folder = Folder::with(&[("main", &main)], &[HOST, service]);
    let ended = folder.start(&[]).finish().with_status(1);
    nothing_is_forged(&ended, &ended.stderr);
}

#[test]
fn problems_cannot_be_forged() {
    let name = "a\n2026-01-01T00:00:00.000000Z ERROR FORGED\u{1b}[2K\u{202e}.yaml";
    let files = [
        (name, "namespace: app\nentries:\n- { name: main, kind: \"x\\nFORGED\" }\n- {}\n"),
        ("_index.yaml", "namespace: app\nentries: []\n"),
    ];
    let folder = Folder::new(&files);
    let ended = folder.start(&["-x", "app:ma\n2026-01-01\u{1b}in"]).finish().with_status(2);
    nothing_is_forged(&ended, &ended.stderr);
    let path = folder.path().display().to_string();
    let ended = crate::command::ended(&["check", &path]).with_status(1);
    nothing_is_forged(&ended, &ended.stdout);
}

#[test]
fn fields_are_sorted_quoted_and_bounded() {
    let main = r#"
        local deep = { a = { b = { c = { d = { e = 1 } } } } }
        local many = {}
        for i = 1, 100 do many["key" .. 100 + i] = i end
        local shown = setmetatable({ 1, "two", x = true }, { __tostring = error })
        local log = logger:with({ user = "u 1", over = 1 }):named("db"):named("pool")
        log:info("m", { over = 2, plain = "a-b", n = 1.5, big = 1 << 53, no = false,
          empty = "", eq = "a=b", t = shown, f = print, ["a key"] = 0, deep = deep,
          wait = time.parse_duration("90s"), err = errors.new("broken"), [7] = "seven" })
        log:info("many", { many = many, list = table.pack(("x"):rep(100):byte(1, -1)) })
        log:info("long", { long = { ("y"):rep(5000), 1 }, whole = ("z"):rep(5000) })
        deep.a.b = deep
        log:info("cycle", deep)
        logger:info("x=1", 17)
    "#;
    let folder = Folder::with(&[("main", main)], &[]);
    let log = folder.run_main(&[]).with_status(0).stderr;
    let lines: Vec<&str> =
        log.lines().map(|line| line.split_once("#1").expect("a line").1).collect();
    assert_eq!(
        lines[0],
        " db.pool: m 7=seven \"a key\"=0 big=9007199254740992 \
         deep={a={b={c={d={…}}}}} empty=\"\" eq=\"a=b\" err=broken f=function n=1.5 no=false \
         over=2 plain=a-b t={1, two, x=true} user=\"u 1\" wait=1m30s"
    );
    assert!(lines[1].contains("key163=63, key164=64, …}"), "{}", lines[1]);
    assert!(!lines[1].contains("key165="), "{}", lines[1]);
    assert!(lines[1].contains("list={120, 120, ") && lines[1].contains("120, …} many={key101=1, "));
    assert!(lines[2].contains(" long={yy") && lines[2].contains("y…, …}"), "{}", lines[2]);
    assert!((9000..9200).contains(&lines[2].len()), "{}", lines[2].len());
    assert!(lines[3].contains(": cycle a={b={a={b={a={…}}}}} "), "{}", lines[3]);
    assert_eq!(lines[4], ": \"x=1\" value=17");
}

#[test]
fn json_lines_are_objects_with_types() {
    let main = r#"
        logger:named("db"):warn("a \"text\"\n", { n = 1, f = 0.5, yes = true, list = { 1, "x" },
          map = { a = { b = "\xff" } }, inf = math.huge, none = {} })
        error("broken")
    "#;
    let folder = Folder::with(&[("main", main), ("bad", "= =")], &[]);
    let log = folder.run_main(&["--log-format", "json"]).with_status(1).stderr;
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let [problem, line, failure] = &lines[..] else { panic!("{log}") };
    assert_eq!((&problem["level"], &problem["logger"]), (&"error".into(), &"moonlet".into()));
    assert!(problem["message"].as_str().expect("text").contains("bad.lua:1: "), "{problem}");
    let place = &problem["fields"];
    assert_eq!((&place["entry"], &place["line"]), (&"app:bad".into(), &1.into()), "{problem}");
    assert!(place["file"].as_str().expect("text").ends_with("bad.lua"), "{problem}");
    for (key, value) in [
        ("level", "warn"),
        ("entry", "app:main"),
        ("chain", "1"),
        ("pid", "{app:processes|0x00001}"),
        ("logger", "db"),
        ("message", "a \"text\"\n"),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    let fields = serde_json::json!({ "n": 1, "f": 0.5, "yes": true, "list": [1, "x"],
        "map": { "a": { "b": "\\xff" } }, "inf": "inf", "none": [] });
    assert_eq!(line["fields"], fields);
    assert_eq!(failure["message"], "app:main failed: main.lua:4: broken");
    let traceback = failure["traceback"].as_array().expect("a list");
    assert_eq!(traceback[0], "stack traceback:");
    assert!(traceback.len() > 1, "{failure}");
}

#[test]
fn the_level_decides_what_is_written() {
    let main = "logger:debug('one') logger:info('two') logger:warn('three') logger:error('four')";
    let folder = Folder::with(&[("main", main)], &[]);
    for (level, from) in [("debug", 0), ("info", 1), ("warn", 2), ("error", 3), ("off", 4)] {
        let log = folder.run_main(&["--log-level", level]).with_status(0).stderr;
        for (index, word) in ["one", "two", "three", "four"].into_iter().enumerate() {
            assert_eq!(log.contains(word), index >= from, "{level}: {log}");
        }
    }
}

#[test]
fn warnings_about_files_are_lines_of_their_level_and_errors_are_told_in_any_case() {
    let odd = "name: odd, kind: store.memory";
    let folder = Folder::with(&[("main", "print('ran')"), ("bad", "= =")], &[odd]);
    for (level, is_warned) in [("warn", true), ("error", false), ("off", false)] {
        let ended = folder.run_main(&["--log-level", level]).with_status(0);
        let log = &ended.stderr;
        assert_eq!(log.contains("unknown kind \"store.memory\""), is_warned, "{level}: {log}");
        assert!(log.contains("bad.lua:1: "), "{level}: {log}");
        let refused = folder.run_main(&["--strict", "--log-level", level]).with_status(1).stderr;
        assert!(refused.contains("unknown kind") && refused.contains("--strict"), "{refused}");
    }
}

#[test]
fn lines_begin_with_time_and_level() {
    let folder = Folder::with(&[("main", "logger:info('x') logger:error('y')")], &[]);
    let log = folder.run_main(&[]).with_status(0).stderr;
    for (line, level) in log.lines().zip(["INFO ", "ERROR"]) {
        let (time, rest) = line.split_at(27);
        let shape: String =
            time.chars().map(|text| if text.is_ascii_digit() { '0' } else { text }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000000Z");
        assert!(rest.starts_with(&format!(" {level} {{app:processes|0x00001}} app:main#1: ")));
    }
}
