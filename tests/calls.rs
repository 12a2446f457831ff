//! Calls of a Rust program as futures: on any executor, within a limit of time, and with an end for
//! what they have started.

mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use moonlet::{Error, Interrupt, Kind, OnDrop, Runtime, value};
use support::{App, PATIENCE, within};

/// Counts how often a task is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    let waker = Waker::from(wakes.clone());
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

fn until(holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "it never holds");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Entries that end, wait and compute.
fn runtime() -> Runtime {
    App::new()
        .process("add", "local a, b = ... return a + b")
        .process("fails", "return nil, errors.new({ message = 'full', kind = errors.CONFLICT })")
        .process("waits", "process.inbox():receive()")
        .process("computes", "while true do end")
        .chunk("loads", "for _ = 1, 1e12 do end return function() end")
        .process("named", "process.registry.register('named') process.inbox():receive()")
        .process("asked", "local e = process.events():receive() return e.kind")
        .start()
}

#[test]
fn an_exec_is_a_future_that_starts_when_it_is_polled() {
    within(PATIENCE, || {
        let runtime = runtime();
        let mut exec = runtime.process("app:add").args((20, 22)).exec();
        assert_eq!(runtime.metrics().spawned, 0, "not before it is polled");
        let wakes = Arc::new(Wakes::default());
        let payload = loop {
            match poll(&mut exec, &wakes) {
                Poll::Ready(result) => break result.expect("it ends"),
                Poll::Pending => until(|| wakes.0.swap(0, Ordering::SeqCst) > 0),
            }
        };
        assert_eq!(payload.decode::<i64>(), Ok(42));
        assert_eq!(runtime.process_count(), 0);
    });
}

#[test]
fn errors_say_how_it_ended() {
    within(PATIENCE, || {
        let runtime = runtime();
        let exec = |id: &str| runtime.process(id).exec().block();
        let Err(Error::Failed(failure)) = exec("app:fails") else { panic!("it fails") };
        assert_eq!((failure.kind(), &*failure.message()), (&Kind::Conflict, "full"));
        let Err(Error::Refused(failure)) = exec("app:absent") else { panic!("it is refused") };
        assert_eq!(failure.details(), &value!({ entry_id = "app:absent" }));
        let error = runtime.process("app:add").args(u64::MAX).exec().block().unwrap_err();
        assert!(matches!(error, Error::Encode(_)), "{error:?}");
        let error = runtime.process("app:add").host("app:nowhere").spawn().block().unwrap_err();
        assert_eq!(error.to_string(), "host not found");
        let error = runtime.process("app:add").scope(["app:nothing"]).exec().block().unwrap_err();
        assert_eq!(error.to_string(), "policy not found");
    });
}

#[test]
fn a_spawned_process_goes_on_and_can_be_sent_to() {
    within(PATIENCE, || {
        let runtime = runtime();
        let pid = runtime.process("app:waits").spawn().block().expect("it starts");
        assert_eq!(runtime.process_count(), 1);
        runtime.send(pid.as_str(), "go", ()).expect("it lives");
        until(|| runtime.process_count() == 0);
    });
}

#[test]
fn a_call_that_gives_up_ends_what_it_started() {
    within(PATIENCE, || {
        let runtime = runtime();
        for id in ["app:waits", "app:computes"] {
            let limit = Duration::from_millis(20);
            let error = runtime.process(id).exec().timeout(limit).block().unwrap_err();
            assert!(matches!(error, Error::Timeout), "{error:?}");
            until(|| runtime.process_count() == 0);
            let mut exec = runtime.process(id).exec();
            assert!(poll(&mut exec, &Arc::default()).is_pending());
            assert_eq!(runtime.process_count(), 1);
            drop(exec);
            until(|| runtime.process_count() == 0);
        }
    });
}

#[test]
fn what_a_dropped_call_leaves_is_the_programs_choice() {
    within(PATIENCE, || {
        let runtime = runtime();
        let started = |on_drop| {
            let mut exec = runtime.process("app:waits").exec().on_drop(on_drop);
            assert!(poll(&mut exec, &Arc::default()).is_pending());
        };
        started(OnDrop::Leave);
        assert_eq!(runtime.process_count(), 1);
        started(OnDrop::Cancel(Duration::ZERO));
        until(|| runtime.process_count() == 1);
        let mut exec = runtime.process("app:asked").exec().on_drop(OnDrop::Cancel(PATIENCE));
        assert!(poll(&mut exec, &Arc::default()).is_pending());
        drop(exec);
        until(|| runtime.process_count() == 1);
    });
}

#[test]
fn an_interrupt_ends_a_wait() {
    within(PATIENCE, || {
        let runtime = runtime();
        let interrupt = Interrupt::new();
        thread::scope(|scope| {
            let exec = runtime.process("app:waits").exec();
            let waits = scope.spawn(|| exec.block_until(&interrupt));
            until(|| runtime.process_count() == 1);
            interrupt.raise();
            let error = waits.join().expect("it returns").unwrap_err();
            assert!(matches!(error, Error::Interrupted), "{error:?}");
        });
        until(|| runtime.process_count() == 0);
        let error = runtime.exec("app:waits", ()).block_until(&interrupt).unwrap_err();
        assert!(matches!(error, Error::Interrupted), "raised before: {error:?}");
        let sum = runtime.exec("app:add", (1, 2)).block_until(&Interrupt::new());
        assert_eq!(sum.expect("nothing is raised").decode::<i64>(), Ok(3));
    });
}

#[test]
fn a_program_sends_to_the_topics_that_scripts_send_to() {
    within(PATIENCE, || {
        let runtime = runtime();
        let pid = runtime.process("app:waits").spawn().block().expect("it starts");
        for (topic, text) in [("", "topic cannot be empty"), ("@stop", "cannot send to @ topics")] {
            let Err(Error::Refused(failure)) = runtime.send(pid.as_str(), topic, 1) else {
                panic!("{topic:?} is refused")
            };
            assert_eq!((failure.kind(), &*failure.message()), (&Kind::Invalid, text));
        }
        let error = runtime.send(pid.as_str(), "go", u64::MAX).unwrap_err();
        assert!(matches!(error, Error::Encode(_)), "{error:?}");
        for error in [
            runtime.send("nobody", "go", 1).unwrap_err(),
            runtime.request("nobody", "go", 1).block().unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "could not resolve 'nobody' as PID or registered name");
        }
        let error = runtime.request(pid.as_str(), "@go", 1).block().unwrap_err();
        assert_eq!(error.to_string(), "cannot send to @ topics");
        assert_eq!(runtime.process_count(), 1, "nothing has arrived");
    });
}

/// Answers what it is asked, by topic.
const ANSWERS: &str = r#"
    local inbox, kept = process.inbox(), {}
    while true do
        local m = inbox:receive()
        assert(m:from() == nil)
        if m:topic() == "echo" then m:reply(m:payload())
        elseif m:topic() == "keep" then kept[#kept + 1] = m
        elseif m:topic() == "kept" then
            local ok, err = kept[1]:reply(1)
            m:reply({ ok = ok, kind = err and err:kind() })
        else error("no such topic") end
    end"#;

#[test]
fn a_program_asks_a_process() {
    within(PATIENCE, || {
        let runtime = App::new().process("answers", ANSWERS).start();
        let pid = runtime.process("app:answers").spawn().block().expect("it starts");
        let ask = |topic, values| runtime.request(pid.as_str(), topic, values);
        let sum: Vec<i64> = ask("echo", (1, 2)).block().unwrap().decode().unwrap();
        assert_eq!(sum, [1, 2]);

        let mut request = ask("echo", (7, 8));
        let wakes = Arc::new(Wakes::default());
        if poll(&mut request, &wakes).is_pending() {
            until(|| wakes.0.load(Ordering::SeqCst) > 0);
            assert!(poll(&mut request, &wakes).is_ready());
        }
        assert!(poll(&mut request, &wakes).is_ready(), "it stays over");

        let begin = Instant::now();
        let error = ask("keep", (0, 0)).timeout(Duration::from_millis(20)).block().unwrap_err();
        assert!(matches!(error, Error::Timeout), "{error:?}");
        assert!(begin.elapsed() >= Duration::from_millis(20));
        let late = ask("kept", (0, 0)).block().unwrap().value().unwrap();
        assert_eq!(late, value!({ kind = "NotFound" }), "nobody waits any more");
        assert_eq!(runtime.metrics().dead_letters, 1, "a late answer is counted");

        let wakes = Arc::new(Wakes::default());
        let mut kept = ask("keep", (0, 0));
        assert!(poll(&mut kept, &wakes).is_pending());
        let error = ask("unknown", (0, 0)).block().unwrap_err();
        let Error::Refused(failure) = error else { panic!("{error:?}") };
        assert_eq!(failure.kind(), &Kind::Unavailable);
        assert_eq!(failure.retryable(), Some(true));
        assert_eq!(failure.message(), "process ended before it answered");
        until(|| wakes.0.load(Ordering::SeqCst) > 0);
        assert!(matches!(poll(&mut kept, &wakes), Poll::Ready(Err(Error::Refused(_)))));
    });
}

#[test]
fn a_stop_ends_requests() {
    within(PATIENCE, || {
        let runtime = App::new().process("answers", ANSWERS).start();
        let pid = runtime.process("app:answers").spawn().block().expect("it starts");
        let wakes = Arc::new(Wakes::default());
        let mut taken = runtime.request(pid.as_str(), "keep", 1);
        assert!(poll(&mut taken, &wakes).is_pending());
        let late = runtime.request(pid.as_str(), "keep", 1);
        let handle = runtime.handle();
        drop(runtime);
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        assert!(matches!(poll(&mut taken, &wakes), Poll::Ready(Err(Error::Stopped))));
        assert!(matches!(late.block(), Err(Error::Stopped)));
        assert!(matches!(handle.request("x", "y", 1).block(), Err(Error::Stopped)));
    });
}

#[test]
fn the_context_of_a_process_is_the_programs_to_give() {
    within(PATIENCE, || {
        let runtime = App::new()
            .process_using(
                "ctx, security",
                "main",
                "return { tenant = ctx.get('tenant').id, actor = security.actor():id() }",
            )
            .start();
        let exec = runtime
            .process("app:main")
            .actor("ada", value!({ team = "blue" }))
            .context("tenant", value!({ id = 7 }))
            .exec();
        let value = exec.block().and_then(|payload| Ok(payload.value()?)).expect("it ends");
        assert_eq!(value.get("tenant"), Some(&value!(7)));
        assert_eq!(value.get("actor"), Some(&value!("ada")));
    });
}

#[test]
fn a_stop_ends_every_call() {
    within(PATIENCE, || {
        let runtime = runtime();
        let calls: Vec<_> = (0..20)
            .map(|number| {
                let id = ["app:waits", "app:computes", "app:loads"][number % 3];
                let exec = runtime.process(id).exec();
                thread::spawn(move || exec.block())
            })
            .collect();
        let spawn = runtime.process("app:loads").spawn();
        let spawning = thread::spawn(move || spawn.block());
        until(|| runtime.process_count() == 21);
        let late = runtime.process("app:add").args((1, 2)).exec();
        drop(runtime);
        for call in calls {
            let error = call.join().expect("it does not panic").unwrap_err();
            assert!(matches!(error, Error::Terminated | Error::Stopped), "{error:?}");
        }
        let error = spawning.join().expect("it does not panic").unwrap_err();
        assert!(matches!(error, Error::Stopped), "its chunk never ended: {error:?}");
        assert!(matches!(late.block(), Err(Error::Stopped)));
    });
}

#[test]
fn calls_and_a_stop_may_meet_anywhere() {
    within(PATIENCE, || {
        for round in 0..30_u64 {
            let runtime = runtime();
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let process = runtime.process("app:add").args((1, 2));
                    thread::spawn(move || while process.clone().exec().block().is_ok() {})
                })
                .collect();
            thread::sleep(Duration::from_micros(round * 100));
            drop(runtime);
            for thread in threads {
                thread.join().expect("it sees the stop");
            }
        }
    });
}

#[test]
fn a_waker_that_panics_hurts_nobody() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the program");
        }
    }
    within(PATIENCE, || {
        let runtime = runtime();
        let mut exec = runtime.process("app:add").args((1, 2)).exec();
        let waker = Waker::from(Arc::new(Panics));
        while Pin::new(&mut exec).poll(&mut Context::from_waker(&waker)).is_pending() {
            thread::yield_now();
        }
        let sum = runtime.process("app:add").args((3, 4)).exec().block();
        assert_eq!(sum.and_then(|sum| Ok(sum.decode::<i64>()?)).expect("it goes on"), 7);
    });
}

#[test]
fn a_handle_keeps_nothing_alive() {
    within(PATIENCE, || {
        let runtime = runtime();
        let handle = runtime.handle();
        let pid = handle.process("app:waits").spawn().block().expect("it starts");
        assert_eq!(handle.exec("app:add", (1, 2)).block().unwrap().decode::<i64>(), Ok(3));
        handle.send(pid.as_str(), "go", ()).expect("it lives");
        assert_eq!(handle.metrics().expect("it runs").spawned, 2);
        drop(runtime);
        let is_stopped = |error: Error| matches!(error, Error::Stopped);
        assert!(is_stopped(handle.process("app:waits").spawn().block().unwrap_err()));
        assert!(is_stopped(handle.exec("app:add", (1, 2)).block().unwrap_err()));
        assert!(is_stopped(handle.send(pid.as_str(), "go", ()).unwrap_err()));
        assert!(is_stopped(handle.metrics().unwrap_err()));
    });
}

#[test]
fn handles_may_send_while_the_runtime_stops() {
    within(PATIENCE, || {
        for round in 0..40 {
            let runtime = runtime();
            let pid = runtime.process("app:waits").host("app:processes").spawn().block().unwrap();
            let senders = [(); 2].map(|()| {
                let (handle, pid) = (runtime.handle(), pid.as_str().to_owned());
                thread::spawn(move || {
                    loop {
                        match handle.send(&pid, "t", "a message that is read or counted") {
                            Err(Error::Stopped) => return,
                            Ok(()) | Err(Error::Refused(_)) => {}
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                })
            });
            thread::sleep(Duration::from_micros(100 * round));
            runtime.shutdown();
            for sender in senders {
                sender.join().expect("it ends");
            }
        }
    });
}

/// Owns what it drops when it is woken, which a worker does.
struct DropsWhenWoken(Mutex<Option<Runtime>>);

impl Wake for DropsWhenWoken {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn a_runtime_may_be_dropped_on_its_own_worker() {
    within(PATIENCE, || {
        for _ in 0..20 {
            let runtime = runtime();
            let handle = runtime.handle();
            let pid = runtime.process("app:waits").spawn().block().expect("it starts");
            let mut exec = runtime.process("app:waits").exec();
            runtime.process("app:computes").spawn().block().expect("it starts");
            let mut first = runtime.process("app:named").exec();
            let owner = Waker::from(Arc::new(DropsWhenWoken(Mutex::new(Some(runtime)))));
            assert!(poll(&mut exec, &Arc::default()).is_pending());
            let result = Pin::new(&mut first).poll(&mut Context::from_waker(&owner));
            assert!(result.is_pending(), "{result:?}");
            drop(owner);
            until(|| !matches!(handle.send("named", "t", ()), Err(Error::Refused(_))));
            until(|| matches!(handle.send(pid.as_str(), "t", ()), Err(Error::Stopped)));
            until(|| handle.metrics().is_err());
            assert!(matches!(exec.block(), Err(Error::Stopped)));
        }
    });
}

#[test]
fn a_runtime_may_be_dropped_by_who_is_told_of_its_stop() {
    within(PATIENCE, || {
        for _ in 0..20 {
            let runtime = runtime();
            runtime.process("app:computes").spawn().block().expect("it starts");
            let (handle, mut stopping) = (runtime.handle(), runtime.stop().timeout(Duration::ZERO));
            let owner = Waker::from(Arc::new(DropsWhenWoken(Mutex::new(Some(runtime)))));
            let first = Pin::new(&mut stopping).poll(&mut Context::from_waker(&owner));
            drop(owner);
            until(|| handle.metrics().is_err());
            if first.is_pending() {
                stopping.block().expect("it has stopped");
            }
        }
    });
}

/// Blocks where it is woken, which is a worker.
struct Blocks {
    runtime: Mutex<Option<Runtime>>,
    errors: Mutex<Vec<Error>>,
}

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        let runtime = self.runtime.lock().unwrap().take().expect("it is woken once");
        let errors = [
            runtime.exec("app:add", (1, 2)).block().map(drop),
            runtime.process("app:waits").spawn().block().map(drop),
            runtime.stop().block(),
            runtime.wait_for_services().block(),
        ];
        *self.errors.lock().unwrap() = errors.into_iter().filter_map(Result::err).collect();
    }
}

#[test]
fn a_worker_does_not_wait_for_its_own_runtime() {
    within(PATIENCE, || {
        let runtime = runtime();
        let handle = runtime.handle();
        let mut exec = runtime.process("app:named").exec();
        let blocks = Blocks { runtime: Mutex::new(Some(runtime)), errors: Mutex::default() };
        let blocks = Arc::new(blocks);
        let waker = Waker::from(blocks.clone());
        assert!(Pin::new(&mut exec).poll(&mut Context::from_waker(&waker)).is_pending());
        until(|| !matches!(handle.send("named", "t", ()), Err(Error::Refused(_))));
        until(|| blocks.errors.lock().unwrap().len() == 4);
        let errors = blocks.errors.lock().unwrap();
        assert!(errors.iter().all(|error| matches!(error, Error::OnWorker)), "{errors:?}");
    });
}
