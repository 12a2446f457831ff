//! A runtime ends when its owner says so, whatever its processes do, and only then.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use moonlet::{Builder, Error, Interrupt, Level, OnDrop, Runtime, Value};

use support::{App, PATIENCE, builder, exec, start, within};

/// After so long a runtime gives up on a worker and leaves it behind.
const WORKER_STOP_LIMIT: Duration = Duration::from_secs(2);

/// What processes may be doing when their runtime ends; `owner` is told by `ready()` first.
const OCCUPATIONS: [(&str, &str); 12] = [
    ("receives", "ready() process.inbox():receive()"),
    ("sleeps", "ready() time.sleep('1h')"),
    ("selects", "ready() channel.select({ channel.new():case_receive() })"),
    ("calls", "ready() process.exec('app:receives', 'app:processes', process.pid())"),
    ("computes", "ready() while true do end"),
    ("catches", "ready() while true do pcall(error) end"),
    ("catches_everything", "ready() while true do pcall(function() while true do end end) end"),
    ("resumes", "ready() while true do coroutine.wrap(function() while true do end end)() end"),
    ("allocates", "ready() while true do local t = { {}, {} } end"),
    ("sends", "ready() while true do process.send(owner, 'spam') time.sleep(1000) end"),
    ("talks_to_itself", "ready() while true do process.send(process.pid(), 't') inbox() end"),
    ("spawns", "ready() while true do process.spawn('app:receives', 'app:crowd', owner) end"),
];

/// A runtime with this builder, on which processes of these occupations are at work.
fn occupied(builder: Builder, occupations: &[(&str, &str)]) -> Runtime {
    let main = r#"
        local names, ready = ..., process.listen("ready")
        for _, name in ipairs(names) do
          assert(process.spawn("app:" .. name, "app:processes", process.pid()))
        end
        for _ in ipairs(names) do ready:receive() end
    "#;
    let before = r#"
        local owner = ...
        local function ready() process.send(owner, "ready") end
        local function inbox() return process.inbox():receive() end
    "#;
    let mut app = App::new().process("main", main).host("crowd", "{ max_processes: 1000 }");
    for (name, body) in OCCUPATIONS {
        app = app.process(name, &format!("{before}{body}"));
    }
    let names = Value::sequence(occupations.iter().map(|(name, _)| Value::from(*name)));
    within(PATIENCE, move || {
        let builder = builder.log_level(Level::Off).application(app.load());
        let runtime = builder.start().expect("the runtime starts");
        exec(&runtime, "app:main", &[names]);
        runtime
    })
}

fn raised() -> Interrupt {
    let interrupt = Interrupt::new();
    interrupt.raise();
    interrupt
}

fn raised_after(limit: Duration) -> Interrupt {
    let interrupt = Interrupt::new();
    let other = interrupt.clone();
    thread::spawn(move || {
        thread::sleep(limit);
        other.raise();
    });
    interrupt
}

/// Runs `end`, which ends a runtime, and fails if a worker was left behind.
#[track_caller]
fn prompt<T: Send + 'static>(what: &str, end: impl FnOnce() -> T + Send + 'static) {
    let begin = Instant::now();
    within(PATIENCE, end);
    let taken = begin.elapsed();
    assert!(taken < WORKER_STOP_LIMIT, "{what}: {taken:?}");
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::Refused(failure)) => (failure.kind().to_string(), failure.to_string()),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn shutdown_ends_what_processes_do() {
    for occupation in OCCUPATIONS {
        let runtime = occupied(Builder::new().workers(2), &[occupation]);
        prompt(occupation.0, move || runtime.shutdown());
    }
}

#[test]
fn shutdown_ends_library_calls_that_keep_their_worker() {
    let sorts = "table.sort({ 1, 2, 3 }, function()
        process.registry.register('stuck')
        while true do end
      end)";
    let searches = "process.registry.register('stuck')
      string.find(('a'):rep(100000), ('.-'):rep(20) .. 'b')";
    for (what, body) in [("sorts", sorts), ("searches", searches)] {
        let app = App::new().process("stuck", body);
        let app = app.process("look", "return process.registry.lookup('stuck') ~= nil");
        let runtime = within(PATIENCE, move || {
            let runtime = app.start();
            runtime.process("app:stuck").spawn().block().expect("it starts");
            loop {
                // A look that got behind the stuck process is given up for the next one.
                let late = raised_after(Duration::from_millis(100));
                let seen = runtime.exec("app:look", ()).on_drop(OnDrop::Leave).block_until(&late);
                if seen.is_ok_and(|seen| seen.decode() == Ok(true)) {
                    return runtime;
                }
            }
        });
        prompt(what, move || runtime.shutdown());
    }
}

#[test]
fn shutdown_ends_everything_at_once() {
    for workers in [1, 2, 5] {
        let runtime = occupied(Builder::new().workers(workers), &OCCUPATIONS);
        prompt("all at once", move || runtime.shutdown());
    }
}

#[test]
fn a_dropped_runtime_is_shut_down() {
    let runtime = occupied(Builder::new().workers(2), &OCCUPATIONS);
    prompt("dropped at work", move || drop(runtime));
    let runtime = App::new().start();
    prompt("dropped unused", move || drop(runtime));
}

#[test]
fn many_waiting_processes_are_ended() {
    let main = r#"
        for _ = 1, 5000 do
          local pid = assert(process.spawn("app:child", "app:processes"))
          process.send(pid, "t", { 1, "unread" })
        end
    "#;
    let runtime = App::new().process("main", main).process("child", "time.sleep('1h')").start();
    exec(&runtime, "app:main", &[]);
    assert_eq!(runtime.metrics().spawned, 5001);
    prompt("5000 processes", move || runtime.shutdown());
}

/// An application with a recorder: it takes what services report until it is told to finish.
fn recorded() -> App {
    let recorder = r#"
        local reports, inbox = {}, process.inbox()
        assert(process.registry.register("recorder"))
        while true do
          local m = inbox:receive()
          if m:topic() == "finish" then return table.concat(reports, ", ") end
          reports[#reports + 1] = m:payload()
        end
    "#;
    let wait = r#"
        for _, name in ipairs({ ... }) do
          while not process.registry.lookup(name) do time.sleep("1ms") end
        end
    "#;
    App::new().process("recorder", recorder).process("wait", wait)
}

/// A service process: registers its name, does as its body says, reports with `report(text)`.
fn service(app: App, name: &str, body: &str, lifecycle: &str) -> App {
    let body = format!(
        "local function report(text) process.send('recorder', 'r', '{name} ' .. text) end \
         local events = process.events() assert(process.registry.register('{name}')) {body}"
    );
    app.process(name, &body).entry(&format!(
        "name: {name}_service, kind: process.service, process: {name}, host: processes, \
         lifecycle: {{ auto_start: true, {lifecycle} }}"
    ))
}

/// Stops the services of an application once they run; returns what the recorder heard, and how
/// long it took.
fn stop(app: App, names: &[&str], hurry: bool) -> (Runtime, String, Duration) {
    let runtime = app.start();
    let (heard, taken) = thread::scope(|scope| {
        let recorder = scope.spawn(|| exec(&runtime, "app:recorder", &[]));
        let names = [&["recorder"], names].concat();
        let names: Vec<Value> = names.into_iter().map(Value::from).collect();
        exec(&runtime, "app:wait", &names);
        let begin = Instant::now();
        let hurry = if hurry { raised() } else { Interrupt::new() };
        runtime.stop_services().hurry_on(&hurry).block().expect("this is no worker");
        let taken = begin.elapsed();
        runtime.send("recorder", "finish", ()).expect("the recorder is no service");
        (recorder.join().expect("the recorder ends"), taken)
    });
    let heard = heard.as_str().expect("a text").to_owned();
    (runtime, heard, taken)
}

const ORDERLY: &str = r#"
    local event = events:receive()
    equal(event.kind, process.event.CANCEL)
    equal(event.from, nil)
    assert(event.deadline:find("^%d%d%d%d%-%d%d%-%d%dT"))
    report("asked")
    time.sleep("5ms")
    report("ended")
"#;

#[test]
fn s17_5_services_are_asked_and_given_time() {
    within(PATIENCE, || {
        let app = service(recorded(), "one", ORDERLY, "stop_timeout: 1h");
        let (runtime, heard, _) = stop(app, &["one"], false);
        assert_eq!(heard, "one asked, one ended");
        assert!(!runtime.has_failed_services());
        runtime.wait_for_services().block_until(&raised()).expect("it has ended");
    });
}

#[test]
fn s17_7_services_stop_after_those_that_require_them() {
    within(PATIENCE, || {
        let app = service(recorded(), "base", ORDERLY, "");
        let app = service(app, "middle", ORDERLY, "requires: [base_service]");
        let app = service(app, "top", ORDERLY, "requires: [middle_service]");
        let (_, heard, _) = stop(app, &["base", "middle", "top"], false);
        let expected = "top asked, top ended, middle asked, middle ended, base asked, base ended";
        assert_eq!(heard, expected);
    });
}

#[test]
fn s17_5_who_ignores_the_request_is_terminated_at_the_deadline() {
    let limit = Duration::from_millis(100);
    for (name, ignoring) in [
        ("waits", "process.inbox():receive() report('ended')"),
        ("computes", "while true do end"),
        ("catches", "while true do pcall(function() while true do end end) end"),
        ("goes_on", "events:receive() report('asked') events:receive() report('ended')"),
    ] {
        let heard = within(PATIENCE, move || {
            let app = service(recorded(), name, ignoring, "stop_timeout: 100ms");
            let (runtime, heard, taken) = stop(app, &[name], false);
            assert!(taken >= limit, "{name}: not given its time: {taken:?}");
            assert!(taken < limit + WORKER_STOP_LIMIT, "{name}: {taken:?}");
            assert!(runtime.has_failed_services(), "{name}");
            heard
        });
        let asked = if name == "goes_on" { "goes_on asked" } else { "" };
        assert_eq!(heard, asked);
    }
}

#[test]
fn who_is_in_a_hurry_does_not_wait_for_the_deadline() {
    within(PATIENCE, || {
        let app = service(recorded(), "one", "process.inbox():receive()", "stop_timeout: 1h");
        let (runtime, _, taken) = stop(app, &["one"], true);
        assert!(taken < WORKER_STOP_LIMIT, "{taken:?}");
        assert!(runtime.has_failed_services());
    });
}

#[test]
fn a_shutdown_without_a_stop_does_not_ask() {
    let app = service(recorded(), "one", "while true do events:receive() end", "stop_timeout: 1h");
    let runtime = app.start();
    exec(&runtime, "app:wait", &["one".into()]);
    prompt("services, too", move || runtime.shutdown());
}

#[test]
fn s17_6_a_stopping_host_refuses_new_processes() {
    let main = r#"
        assert(process.registry.register("main"))
        process.inbox():receive()
        for name, start in pairs({ spawn = process.spawn, exec = process.exec }) do
          local err = refused("UNAVAILABLE", "host is shutting down",
            start("app:child", "app:processes"))
          equal(err:retryable(), false, name)
        end
        return "refused"
    "#;
    let wait = "while not process.registry.lookup('main') do time.sleep('1ms') end";
    let app = App::new().process("main", main).process("wait", wait).process("child", "");
    within(PATIENCE, move || {
        let runtime = app.start();
        thread::scope(|scope| {
            let main = scope.spawn(|| exec(&runtime, "app:main", &[]));
            exec(&runtime, "app:wait", &[]);
            runtime.stop_services().block().expect("this is no worker");
            let expected = ("Unavailable".to_owned(), "host is shutting down".to_owned());
            assert_eq!(refused(runtime.process("app:child").spawn().block()), expected);
            assert_eq!(refused(runtime.exec("app:child", ()).block()), expected);
            runtime.send("main", "go on", ()).expect("what runs goes on");
            assert_eq!(main.join().expect("main ends").as_str(), Some("refused"));
        });
        runtime.shutdown();
    });
}

#[test]
fn s17_7_a_service_may_start_processes_while_it_stops() {
    let cleaning = "events:receive() \
                    report(assert(process.exec('app:helper', 'app:processes')))";
    within(PATIENCE, move || {
        let app = recorded().process("helper", "return 'cleaned'");
        let (_, heard, _) = stop(service(app, "one", cleaning, ""), &["one"], false);
        assert_eq!(heard, "one cleaned");
    });
}

const COUNTING: &str = r#"
    local self, rounds = process.pid(), ...
    assert(process.registry.register("counter"))
    local echo = assert(process.spawn("app:echo", "app:processes"))
    local inbox, sum = process.inbox(), 0
    for i = 1, rounds do
      process.send(echo, "t", i)
      sum = sum + inbox:receive():payload()
    end
    return sum
"#;
const ECHO: &str = r#"
    local inbox = process.inbox()
    while true do
      local m = inbox:receive()
      process.send(m:from(), "t", m:payload())
    end
"#;

fn counting() -> App {
    App::new().process("main", COUNTING).process("echo", ECHO)
}

/// Runs the counting program and checks its result.
fn count(runtime: &Runtime, rounds: i64) {
    let sum = exec(runtime, "app:main", &[rounds.into()]);
    assert_eq!(sum.as_i64(), Some(rounds * (rounds + 1) / 2));
}

#[test]
fn several_runtimes_live_in_one_program() {
    within(PATIENCE, || {
        let runtimes = [(); 4].map(|()| counting().start());
        thread::scope(|scope| {
            for runtime in &runtimes {
                scope.spawn(|| count(runtime, 2000));
            }
        });
        let [first, second, third, fourth] = runtimes;
        let foreign = first.process("app:echo").spawn().block().expect("it starts");
        assert_eq!(refused(second.send(foreign.as_str(), "t", ())).0, "NotFound");
        thread::scope(|scope| {
            scope.spawn(|| count(&third, 2000));
            scope.spawn(move || first.shutdown());
            scope.spawn(move || drop(second));
        });
        count(&third, 100);
        count(&fourth, 100);
    });
}

#[test]
fn runtimes_come_and_go() {
    within(PATIENCE, || {
        for _ in 0..30 {
            let runtime = counting().start();
            count(&runtime, 20);
            runtime.shutdown();
        }
    });
}

#[test]
fn several_threads_call_one_runtime() {
    let app = App::new().process("main", "return 2 * ...").process("echo", ECHO);
    within(PATIENCE, move || {
        let runtime = app.start();
        thread::scope(|scope| {
            for thread in 0..4 {
                let runtime = &runtime;
                scope.spawn(move || {
                    for i in 0..100 {
                        let value = exec(runtime, "app:main", &[(100 * thread + i).into()]);
                        assert_eq!(value.as_i64(), Some(i64::from(2 * (100 * thread + i))));
                    }
                });
            }
        });
        assert_eq!(runtime.metrics().ended, 400);
    });
}

#[test]
fn programs_run_without_preemption() {
    let patient = r#"
        assert(process.spawn("app:chatter", "app:processes"))
        for _ = 1, 10 do time.sleep("1ms") end
        local sum = 0
        for i = 1, 5000000 do sum = sum + 1 end
        return sum
    "#;
    let chatter = r#"
        local inbox = process.inbox()
        while true do
          process.send(process.pid(), "t")
          inbox:receive()
        end
    "#;
    within(PATIENCE, move || {
        let app = counting().process("patient", patient).process("chatter", chatter);
        let builder = builder().preemption(false).workers(1);
        let runtime = builder.application(app.load()).start().expect("the runtime starts");
        count(&runtime, 1000);
        // A process that calls the runtime all the time is counted, not interrupted.
        assert_eq!(exec(&runtime, "app:patient", &[]).as_i64(), Some(5_000_000));
        let begin = Instant::now();
        runtime.shutdown();
        assert!(begin.elapsed() < WORKER_STOP_LIMIT);
    });
}

#[test]
fn one_worker_is_enough() {
    let impatient = r#"
        for _ = 1, 3 do assert(process.spawn("app:computes", "app:processes")) end
        for _ = 1, 10 do time.sleep("1ms") end
        return "still served"
    "#;
    for workers in [0, 1] {
        let app = counting().process("impatient", impatient);
        let app = app.process("computes", "while true do end");
        within(PATIENCE, move || {
            let builder = builder().workers(workers);
            let runtime = builder.application(app.load()).start().expect("the runtime starts");
            assert_eq!(runtime.workers(), 1);
            count(&runtime, 1000);
            let served = exec(&runtime, "app:impatient", &[]);
            assert_eq!(served.as_str(), Some("still served"));
            count(&runtime, 10);
            let begin = Instant::now();
            runtime.shutdown();
            assert!(begin.elapsed() < WORKER_STOP_LIMIT);
        });
    }
}

#[test]
fn an_application_with_problems_starts_what_it_can() {
    let app = App::new().process("main", "return 'fine'").chunk("broken", "= =");
    within(PATIENCE, move || {
        let runtime = start(app.load());
        assert_eq!(exec(&runtime, "app:main", &[]).as_str(), Some("fine"));
        let (kind, message) = refused(runtime.process("app:broken").spawn().block());
        assert_eq!(kind, "Internal");
        assert!(message.contains("broken.lua:1: "), "{message}");
        runtime.shutdown();
    });
}
