//! Services are started in order, restarted when they fail, and stopped in the reverse order.

mod support;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use moonlet::{Error, Interrupt, Runtime, ServiceState};

use support::{App, PATIENCE, exec, within};

/// An application with a recorder that services report to, and `app:heard` which returns what it
/// heard once it has heard so many reports.
fn app() -> App {
    let recorder = r#"
        assert(process.registry.register("recorder"))
        local inbox, heard = process.inbox(), {}
        local asked, count
        while true do
          local m = inbox:receive()
          if m:topic() == "report" then heard[#heard + 1] = m:payload()
          elseif m:topic() == "heard" then asked, count = m:from(), m:payload() end
          if asked and #heard >= count then
            process.send(asked, "answer", table.concat(heard, " "))
            asked = nil
          end
        end
    "#;
    let heard = r#"
        while not process.send("recorder", "heard", ...) do time.sleep("1ms") end
        return process.listen("answer"):receive()
    "#;
    App::new().process("recorder", recorder).process("heard", heard).entry(&service_entry(
        "recorder",
        "recorder",
        "stop_timeout: 50ms",
    ))
}

fn service_entry(name: &str, process: &str, lifecycle: &str) -> String {
    format!(
        "name: {name}_service, kind: process.service, process: {process}, host: processes, \
         lifecycle: {{ auto_start: true, {lifecycle} }}"
    )
}

const REPORT: &str = r#"
    local function report(text)
      while not process.send("recorder", "report", text) do time.sleep("1ms") end
    end
"#;

/// Adds a service whose process has this body.
fn service(app: App, name: &str, body: &str, lifecycle: &str) -> App {
    app.process(name, &format!("{REPORT}{body}")).entry(&service_entry(name, name, lifecycle))
}

fn heard(runtime: &Runtime, count: i64) -> String {
    let value = exec(runtime, "app:heard", &[count.into()]);
    value.as_str().expect("a text").to_owned()
}

/// Waits until a service is in a state.
fn await_state(runtime: &Runtime, name: &str, state: ServiceState) {
    let id = format!("app:{name}_service");
    while runtime.service_state(&id) != Some(state) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

const FAST: &str = "restart: { initial_delay: 5ms, max_delay: 20ms }";

#[test]
fn s17_1_a_service_runs_until_it_has_exited() {
    within(PATIENCE, || {
        let app = service(app(), "base", "process.inbox():receive()", "stop_timeout: 50ms");
        let app = service(app, "middle", "report('middle')", "requires: [base_service]");
        let runtime = app.start();
        await_state(&runtime, "middle", ServiceState::Exited);
        assert_eq!(runtime.service_state("app:base_service"), Some(ServiceState::Running));
        assert_eq!(runtime.service_state("app:processes"), Some(ServiceState::Running));
        assert_eq!(runtime.service_state("app:nothing"), None);
        assert!(!runtime.has_failed_services());
    });
}

#[test]
fn s17_2_what_needs_a_failed_start_stays_inactive() {
    within(PATIENCE, || {
        let app = app().chunk("broken", "error('no')");
        let app = app.entry(&service_entry("broken", "broken", ""));
        let app = service(app, "needs", "report('needs')", "requires: [broken_service]");
        let runtime = app.start();
        await_state(&runtime, "broken", ServiceState::Failed);
        assert_eq!(runtime.service_state("app:needs_service"), Some(ServiceState::Inactive));
        assert!(runtime.has_failed_services());
        runtime.stop().block().expect("this is no worker");
        assert_eq!(runtime.service_state("app:needs_service"), Some(ServiceState::Inactive));
    });
}

/// It fails twice, and the recorder has a name for each time. That it is started again, and as
/// what, is seen in Lua.
#[test]
fn s17_1_a_service_that_ends_well_after_failures_has_exited() {
    within(PATIENCE, || {
        let body = r#"
            local registry, recorder = process.registry
            repeat recorder = registry.lookup("recorder") until recorder
            for _, run in ipairs({ "first", "second" }) do
              if not registry.lookup(run) then
                assert(registry.register(run, recorder))
                error("no")
              end
            end
        "#;
        let runtime = service(app(), "fails", body, FAST).start();
        await_state(&runtime, "fails", ServiceState::Exited);
        assert!(!runtime.has_failed_services());
    });
}

/// Exited is final. That nothing is started again is seen in Lua.
#[test]
fn s17_1_some_ends_are_final() {
    for (name, body, is_failure) in [
        ("value", "return 1", false),
        ("nothing", "", false),
        ("forbidden", "return nil, errors.new({ message = 'n', retryable = false })", true),
        ("api", "return process.registry.lookup('nobody')", true),
    ] {
        within(PATIENCE, move || {
            let runtime = service(app(), name, body, FAST).start();
            await_state(&runtime, name, ServiceState::Exited);
            assert_eq!(runtime.has_failed_services(), is_failure, "{name}");
        });
    }
}

#[test]
fn s17_4_so_many_attempts() {
    within(PATIENCE, || {
        let attempts = "restart: { initial_delay: 1ms, max_attempts: 3 }";
        let runtime = service(app(), "fails", "report('x') error('no', 0)", attempts).start();
        await_state(&runtime, "fails", ServiceState::Failed);
        assert_eq!(heard(&runtime, 3), "x x x", "starts in a row, the first included");
        assert!(runtime.has_failed_services());
    });
}

#[test]
fn s17_4_a_stop_takes_effect_while_it_waits() {
    within(PATIENCE, || {
        let slow = "restart: { initial_delay: 1h }";
        let runtime = service(app(), "fails", "error('no', 0)", slow).start();
        await_state(&runtime, "fails", ServiceState::Starting);
        runtime.stop().block().expect("this is no worker");
        assert_eq!(runtime.service_state("app:fails_service"), Some(ServiceState::Stopped));
    });
}

#[test]
fn s17_5_stop_timeout() {
    within(PATIENCE, || {
        let app = service(app(), "deaf", "process.inbox():receive()", "stop_timeout: 20ms");
        let app = service(app, "good", "process.events():receive()", "stop_timeout: 1h");
        let runtime = app.start();
        runtime.stop_services().block().expect("this is no worker");
        assert_eq!(runtime.service_state("app:deaf_service"), Some(ServiceState::Failed));
        assert_eq!(runtime.service_state("app:good_service"), Some(ServiceState::Stopped));
        assert!(runtime.has_failed_services());
    });
}

#[test]
fn s17_6_processes_of_a_host_are_cancelled() {
    within(PATIENCE, || {
        let worker = r#"
            local events = process.events()
            process.send(..., "ready")
            local event = events:receive()
            -- It may still send, receive and end as it likes.
            assert(process.send(process.pid(), "x"))
            assert(process.inbox():receive():topic() == "x")
            return event.kind .. tostring(event.from) .. tostring(event.deadline ~= nil)
        "#;
        let body = r#"
            local inbox, events = process.inbox(), process.events()
            for _ = 1, 3 do assert(process.spawn_monitored("app:worker", "app:second", process.pid())) end
            assert(process.spawn("app:deaf", "app:second"))
            for _ = 1, 3 do inbox:receive() end
            report("ready")
            for _ = 1, 3 do
              local r = events:receive()
              report(r.result.value or r.result.error)
            end
            report(tostring(select(2, process.spawn("app:worker", "app:second"))))
        "#;
        let app = app()
            .entry(
                "name: second, kind: process.host, \
                 lifecycle: { auto_start: true, stop_timeout: 100ms, \
                 requires: [processes, recorder_service] }",
            )
            .process("worker", worker)
            .process("deaf", "process.inbox():receive()")
            .process("owner", &format!("{REPORT}{body}"));
        let app = app.process("start", "assert(process.spawn('app:owner', 'app:processes'))");
        let runtime = app.start();
        exec(&runtime, "app:start", &[]);
        assert_eq!(heard(&runtime, 1), "ready");
        std::thread::scope(|scope| {
            let stop = scope.spawn(|| runtime.stop().block().expect("this is no worker"));
            // The recorder's host stops last of all, after `second`.
            let words = heard(&runtime, 5);
            let one = "pid.cancelniltrue";
            assert_eq!(words, format!("ready {one} {one} {one} host is shutting down"));
            stop.join().expect("it stops");
        });
        assert_eq!(runtime.service_state("app:second"), Some(ServiceState::Stopped));
    });
}

#[test]
fn s17_7_a_hurried_stop() {
    within(PATIENCE, || {
        let app = service(app(), "deaf", "process.inbox():receive()", "stop_timeout: 1h");
        let app = app.process("stays", "while true do process.inbox():receive() end");
        let runtime = app.start();
        runtime.process("app:stays").spawn().block().expect("it starts");
        runtime.stop().hurry_on(&raised()).block().expect("this is no worker");
        assert_eq!(runtime.process_count(), 0);
    });
}

#[test]
fn a_stop_has_the_time_that_the_program_gives_it() {
    within(PATIENCE, || {
        let app = service(app(), "deaf", "process.inbox():receive()", "stop_timeout: 1h");
        let runtime = app.start();
        await_state(&runtime, "deaf", ServiceState::Running);
        runtime.stop().timeout(Duration::from_millis(20)).block().expect("this is no worker");
        assert_eq!(runtime.service_state("app:deaf_service"), Some(ServiceState::Failed));
        assert_eq!(runtime.process_count(), 0);
    });
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_stop_begins_with_the_first_poll_and_goes_on_without_its_future() {
    within(PATIENCE, || {
        let app = service(app(), "ends", "process.events():receive()", "stop_timeout: 1h");
        let runtime = app.start();
        await_state(&runtime, "ends", ServiceState::Running);
        let mut stopping = runtime.stop();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(runtime.service_state("app:ends_service"), Some(ServiceState::Running));
        // Whether it is over already does not matter.
        let _ = poll_once(&mut stopping);
        drop(stopping);
        await_state(&runtime, "ends", ServiceState::Stopped);
    });
}

#[test]
fn who_waits_for_services_hears_of_their_end_or_of_the_stop() {
    within(PATIENCE, || {
        let app = service(app(), "stays", "process.inbox():receive()", "stop_timeout: 1h");
        let runtime = app.start();
        await_state(&runtime, "stays", ServiceState::Running);
        let limit = Duration::from_millis(5);
        let result = runtime.wait_for_services().timeout(limit).block();
        assert!(matches!(result, Err(Error::Timeout)), "{result:?}");
        let result = runtime.wait_for_services().block_until(&raised());
        assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        let (mut polled, fresh) = (runtime.wait_for_services(), runtime.wait_for_services());
        assert!(poll_once(&mut polled).is_pending());
        let stopping = runtime.stop();
        drop(runtime);
        for result in [polled.block(), fresh.block()] {
            assert!(matches!(result, Err(Error::Stopped)), "{result:?}");
        }
        stopping.block().expect("nothing is left to stop");
    });
}

fn raised() -> Interrupt {
    let interrupt = Interrupt::new();
    interrupt.raise();
    interrupt
}

#[test]
fn s17_7_a_stop_after_one_of_the_services() {
    within(PATIENCE, || {
        let app = App::new().entry(
            "name: second, kind: process.host, lifecycle: { auto_start: true, stop_timeout: 1h }",
        );
        let app = app.process("stays", "return process.events():receive().kind");
        let runtime = app.start();
        runtime.process("app:stays").host("app:second").spawn().block().expect("it starts");
        runtime.stop_services().block().expect("this is no worker");
        assert_eq!(runtime.process_count(), 1, "it is no service");
        runtime.stop().block().expect("this is no worker");
        assert_eq!(runtime.process_count(), 0);
    });
}

#[test]
fn s17_7_two_stops_wait_for_the_same_end() {
    within(PATIENCE, || {
        let body = "process.inbox():receive()";
        let runtime = service(app(), "slow", body, "stop_timeout: 1h").start();
        await_state(&runtime, "slow", ServiceState::Running);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                runtime.stop_services().block().expect("this is no worker");
                runtime.service_state("app:slow_service")
            });
            await_state(&runtime, "slow", ServiceState::Stopping);
            runtime.stop_services().hurry_on(&raised()).block().expect("this is no worker");
            let state = first.join().expect("it stops");
            assert_eq!(state, Some(ServiceState::Failed), "the first has waited, too");
        });
    });
}

#[test]
fn s16_8_start_timeout_bounds_the_chunk() {
    within(PATIENCE, || {
        let app = app().chunk("endless", "while true do end");
        let runtime =
            app.entry(&service_entry("endless", "endless", "start_timeout: 30ms")).start();
        await_state(&runtime, "endless", ServiceState::Failed);
        while runtime.process_count() > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

#[test]
fn s17_open_an_upgrade_is_neither_start_nor_end() {
    within(PATIENCE, || {
        let body = "if ... then report('new') process.inbox():receive() end \
                    report('old') process.upgrade(nil, true)";
        let runtime = service(app(), "changes", body, "stop_timeout: 50ms").start();
        assert_eq!(heard(&runtime, 2), "old new");
        assert_eq!(runtime.service_state("app:changes_service"), Some(ServiceState::Running));
        runtime.stop_services().block().expect("this is no worker");
    });
}

#[test]
fn s17_2_thousands_of_services_that_cannot_start() {
    within(PATIENCE, || {
        let host = "host: nowhere, kind: process.service, process: one, \
                    lifecycle: { auto_start: true }";
        let app = App::new().host("nowhere", "{ max_processes: 1 }");
        let app = app.process("one", "process.inbox():receive()");
        let app = (0..8000).fold(app, |app, n| app.entry(&format!("name: s{n}, {host}")));
        let runtime = app.start();
        assert_eq!(runtime.service_state("app:s0"), Some(ServiceState::Running));
        assert_eq!(runtime.service_state("app:s7999"), Some(ServiceState::Starting));
    });
}

#[test]
fn s17_5_thousands_of_services_stop_in_time() {
    within(PATIENCE, || {
        let body = "process.events():receive()";
        let app = (0..3000).fold(App::new().process("one", body), |app, number| {
            app.entry(&service_entry(&format!("s{number}"), "one", "stop_timeout: 3s"))
        });
        let runtime = app.start();
        runtime.stop_services().block().expect("this is no worker");
        assert!(!runtime.has_failed_services());
    });
}

/// A service with `ready` runs when it says so, and what requires it starts only then.
#[test]
fn s17_2_a_service_may_say_that_it_is_ready() {
    within(PATIENCE, || {
        let slow = "report('slow_begins') time.sleep('20ms') report('slow_ready') \
                    process.ready() process.ready() process.events():receive()";
        let app = service(app(), "slow", slow, "ready: true");
        let next = "report('next') process.events():receive()";
        let app = service(app, "next", next, "requires: [slow_service]");
        let runtime = app.process("helper", "process.ready()").start();
        // The start of the runtime waits for it, too.
        assert_eq!(runtime.service_state("app:slow_service"), Some(ServiceState::Running));
        assert_eq!(heard(&runtime, 3), "slow_begins slow_ready next");
        exec(&runtime, "app:helper", &[]);
    });
}

/// One that does not say so in time is terminated; one that fails before is tried again.
#[test]
fn s17_2_a_service_must_be_ready_in_time() {
    within(PATIENCE, || {
        let never = "process.events():receive()";
        let app = service(app(), "never", never, "ready: true, start_timeout: 30ms");
        let second = "report('try') if process.registry.lookup('tried') then process.ready() \
                      process.events():receive() end \
                      process.registry.register('tried', process.registry.lookup('recorder')) \
                      return nil, 'not yet'";
        let app = service(app, "second", second, "ready: true, restart: { initial_delay: 1ms }");
        let runtime = app.start();
        await_state(&runtime, "never", ServiceState::Failed);
        await_state(&runtime, "second", ServiceState::Running);
        assert_eq!(heard(&runtime, 2), "try try");
    });
}
