//! A program's own function gets the lines of the log as records.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime};

use moonlet::{Builder, Level, LogRecord, Runtime, Value, value};
use support::{App, PATIENCE, within};

/// Starts one worker with this application, and returns its records as well.
fn recorded(app: App, builder: Builder) -> (Runtime, mpsc::Receiver<LogRecord>) {
    let (sender, records) = mpsc::channel();
    let builder = builder.workers(1).application(app.load());
    let runtime = builder.on_log(move |record| drop(sender.send(record.clone()))).start();
    (runtime.expect("the runtime starts"), records)
}

#[test]
fn records_say_what_their_lines_say_with_values() {
    let main = r#"
        local log = logger:named("shop"):named("db"):with({ shard = 3, ratio = 0.5 })
        print("printed", 2)
        log:error("slow\n", { table = { 1, "two", key = true }, ratio = 2.0, bytes = "\xff" })
        process.spawn("app:crash", "app:processes")
        return process.pid() .. " " .. process.id()
    "#;
    let app = App::new().process("main", main).process("crash", "local x = nil; x.field = 1");
    let begin = SystemTime::now();
    let (runtime, records) = recorded(app, Builder::new());
    let names = runtime.exec("app:main", ()).block().expect("it ends").value().expect("a text");
    let (pid, id) = names.as_str().and_then(|names| names.rsplit_once(' ')).expect("two names");

    let printed = records.recv().expect("what was printed");
    assert_eq!((printed.level(), &*printed.message()), (Level::Info, "printed\t2"));
    assert_eq!(
        (printed.pid(), printed.entry(), &*printed.logger()),
        (Some(pid), Some("app:main"), "")
    );
    assert_eq!(format!("app:main#{:x}", printed.chain().expect("a chain")), id);
    assert_eq!((printed.fields().len(), printed.traceback()), (0, None));
    let second = Duration::from_secs(1);
    assert!(printed.time() >= begin - second && printed.time() <= SystemTime::now() + second);

    let logged = records.recv().expect("what was logged");
    assert_eq!((logged.level(), &*logged.message()), (Level::Error, "slow\n"));
    assert_eq!((logged.pid(), &*logged.logger()), (Some(pid), "shop.db"));
    let fields: Vec<_> = logged.fields().map(|(key, value)| (key.into_owned(), value)).collect();
    let expected = [
        ("bytes", Value::from(&b"\xff"[..])),
        ("ratio", value!(2.0)),
        ("shard", value!(3)),
        ("table", value!({ [1] = 1, [2] = "two", key = true })),
    ];
    assert_eq!(fields, expected.map(|(key, value)| (key.to_owned(), value)));

    let crash = records.recv().expect("the report of the crash");
    assert_eq!((crash.level(), crash.entry()), (Level::Warn, Some("app:crash")));
    assert!(crash.message().starts_with("process failed: crash.lua:1: "), "{crash}");
    assert!(crash.traceback().is_some_and(|text| text.contains("(app:crash)")), "{crash}");
    assert!(crash.to_string().contains("\n  stack traceback:\n    "), "{crash}");
}

#[test]
fn a_record_is_shown_as_the_line_that_it_replaces() {
    let main = r#"logger:named("db"):with({ a = { 1 } }):warn("x=y", { b = "c d" })"#;
    let (runtime, records) = recorded(App::new().process("main", main), Builder::new());
    runtime.exec("app:main", ()).block().expect("it ends");
    let record = records.recv().expect("a record");
    let (text, json) = (record.to_string(), record.to_json());
    let pid = record.pid().expect("a PID");
    let chain = record.chain().expect("a chain");
    let end = format!("Z WARN  {pid} app:main#{chain:x} db: \"x=y\" a={{1}} b=\"c d\"");
    assert!(text.ends_with(&end), "{text}");
    let rest = r#""logger":"db","message":"x=y","fields":{"a":[1],"b":"c d"}}"#;
    assert!(json.ends_with(rest), "{json}");
}

#[test]
fn lines_of_the_runtime_have_no_process() {
    let text = "namespace: app\nentries:\n  - { name: service, kind: process.service, \
                process: missing, host: processes, lifecycle: { auto_start: true } }\n";
    let application = moonlet::Application::from_files([("a.yaml".into(), text.into())]);
    let (sender, records) = mpsc::channel();
    let builder = Builder::new().workers(1).application(application);
    let runtime = builder.on_log(move |record| drop(sender.send(record.clone()))).start();
    let record = records.recv().expect("services that did not start");
    assert_eq!((&*record.logger(), record.level()), ("moonlet", Level::Error));
    assert_eq!((record.pid(), record.entry(), record.chain()), (None, None, None));
    drop(runtime);
}

#[test]
fn the_level_counts_before_the_function() {
    let main = "logger:debug('no') logger:info('no') print('no') logger:warn('yes')";
    let app = App::new().process("main", main);
    let (runtime, records) = recorded(app, Builder::new().log_level(Level::Warn));
    runtime.exec("app:main", ()).block().expect("it ends");
    assert_eq!(runtime.shutdown().lost_log_lines, 0);
    assert_eq!(
        records.iter().map(|record| record.message().into_owned()).collect::<Vec<_>>(),
        ["yes"]
    );
}

#[test]
fn a_panic_loses_one_record() {
    within(PATIENCE, || {
        let main = "for number = 1, 4 do print(number) end";
        let application = App::new().process("main", main).load();
        let (sender, seen) = mpsc::channel();
        let on_log = move |record: &LogRecord| {
            assert!(record.message() != "2", "what the test wants");
            let _ = sender.send(record.message().into_owned());
        };
        let builder = Builder::new().workers(1).application(application).on_log(on_log);
        let runtime = builder.start().expect("the runtime starts");
        runtime.exec("app:main", ()).block().expect("it ends");
        assert_eq!(runtime.shutdown().lost_log_lines, 1);
        assert_eq!(seen.iter().collect::<Vec<_>>(), ["1", "3", "4"]);
    });
}

#[test]
fn a_slow_function_loses_lines_that_are_counted_and_told_but_none_that_were_printed() {
    within(PATIENCE, || {
        let logs = "for number = 1, 20000 do logger:info(('x'):rep(200)) end return 'over'";
        let prints = "for number = 1, 20000 do print(('x'):rep(200)) end";
        let application = App::new().process("logs", logs).process("prints", prints).load();
        let (open, gate) = mpsc::channel::<()>();
        let (sender, seen) = mpsc::channel();
        let on_log = move |record: &LogRecord| {
            // Blocks until the sender is gone.
            let _ = gate.recv();
            let _ = sender.send(record.message().into_owned());
        };
        let builder = Builder::new().workers(1).application(application).on_log(on_log);
        let runtime = builder.start().expect("the runtime starts");
        // Log lines do not wait for the function.
        let logs = runtime.exec("app:logs", ()).block().expect("it ends");
        assert_eq!(logs.value().expect("a text"), Value::from("over"));
        let lost = runtime.metrics().lost_log_lines;
        assert!((10_000..20_000).contains(&lost), "{lost}");
        // What is printed does, and holds no worker meanwhile.
        let prints = runtime.exec("app:prints", ()).timeout(PATIENCE);
        let prints = std::thread::spawn(|| prints.block());
        assert!(runtime.exec("app:logs", ()).block().is_ok());
        let lost = runtime.metrics().lost_log_lines;
        drop(open);
        prints.join().expect("a thread").expect("it ends");
        assert_eq!(runtime.shutdown().lost_log_lines, lost);
        let seen: Vec<_> = seen.iter().collect();
        let told: u64 =
            seen.iter().filter_map(|line| line.strip_suffix(TOLD)?.parse::<u64>().ok()).sum();
        assert_eq!(told, lost);
        let lines = seen.iter().filter(|line| !line.ends_with(TOLD)).count() as u64;
        assert_eq!(lines + lost, 60_000);
    });
}

const TOLD: &str = " log lines lost: nobody read them in time";

#[test]
fn a_stuck_function_is_left_behind() {
    within(PATIENCE, || {
        let application = App::new().process("main", "print('one') print('two')").load();
        let (keep, gate) = mpsc::channel::<()>();
        let on_log = move |_: &LogRecord| {
            let _ = gate.recv();
        };
        let builder = Builder::new().workers(1).application(application).on_log(on_log);
        let runtime = builder.start().expect("the runtime starts");
        runtime.exec("app:main", ()).block().expect("it ends");
        let begin = Instant::now();
        assert_eq!(runtime.shutdown().lost_log_lines, 2);
        assert!(begin.elapsed() >= Duration::from_secs(2), "it had its time");
        drop(keep);
    });
}

#[test]
fn the_function_may_call_the_runtime() {
    within(PATIENCE, || {
        let main = "print('main') return 1";
        let app = App::new().process("main", main).process("other", "return 2");
        let handle = Arc::new(Mutex::new(None::<moonlet::Handle>));
        let sum = Arc::new(AtomicU64::new(0));
        let (of_function, total) = (handle.clone(), sum.clone());
        let on_log = move |_: &LogRecord| {
            let handle = of_function.lock().expect("a lock").clone().expect("it is set");
            let value: u64 = handle.exec("app:other", ()).block().unwrap().decode().unwrap();
            total.fetch_add(value + handle.metrics().unwrap().lost_log_lines, Ordering::Relaxed);
        };
        let builder = Builder::new().workers(1).application(app.load()).on_log(on_log);
        let runtime = builder.start().expect("the runtime starts");
        *handle.lock().expect("a lock") = Some(runtime.handle());
        runtime.exec("app:main", ()).block().expect("it ends");
        while sum.load(Ordering::Relaxed) < 2 {
            std::thread::yield_now();
        }
        assert_eq!(runtime.shutdown().lost_log_lines, 0);
    });
}
