//! Native processes: async functions of a Rust program as processes among others.

mod support;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use moonlet::{Builder, Context, Error, Event, Failure, Kind, Runtime, Value, value};
use support::{App, PATIENCE, builder, within};

fn until(holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "it never holds");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Entries of Lua beside the native process `app:native`.
fn app() -> App {
    App::new()
        .entry("name: native, kind: process.native")
        .process("exec", "return process.exec('app:native', 'app:processes', ...)")
        .process(
            "watch",
            "local pid = assert(process.spawn_monitored('app:native', 'app:processes', ...)) \
             local e = process.events():receive() assert(e.from == pid) return e.result",
        )
        .process("waits", "process.inbox():receive()")
        .process("ask", "return process.request(...)")
        .process("double", "return 2 * ...")
}

fn start(builder: Builder) -> Runtime {
    builder.application(app().load()).workers(2).start().expect("it starts")
}

fn value_of(runtime: &Runtime, id: &str, args: impl moonlet::IntoPayload) -> Value {
    runtime.exec(id, args).block().expect("it ends well").value().expect("a value")
}

/// Says when it is dropped.
struct Told(mpsc::Sender<&'static str>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[test]
fn a_process_of_rust_is_one_of_lua() {
    within(PATIENCE, || {
        let main = |context: Context, (a, b): (i64, i64)| async move {
            assert!(context.pid().as_str().starts_with("{app:processes|0x"), "{context:?}");
            Ok(a + b)
        };
        let runtime = start(builder().native("app:native", main));
        assert_eq!(value_of(&runtime, "app:exec", (20, 22)), 42.into());
        assert_eq!(value_of(&runtime, "app:watch", (20, 22)), value!({ value = 42 }));
        assert_eq!(runtime.exec("app:native", (1, 2)).block().unwrap().decode::<i64>(), Ok(3));
        let pid = runtime.process("app:native").args((1, 2)).name("sum").spawn().block().unwrap();
        assert!(pid.as_str().contains("app:processes"));
        until(|| runtime.process_count() == 0);
        let error = runtime.exec("app:native", "x").block().unwrap_err();
        let Error::Failed(failure) = error else { panic!("{error:?}") };
        assert!(failure.message().starts_with("bad arguments for main"), "{failure}");
    });
}

#[test]
fn it_fails_as_others_do() {
    within(PATIENCE, || {
        let main = |_: Context, how: String| async move {
            match how.as_str() {
                "fail" => Err(Failure::new(Kind::Conflict, "full").with_retryable(true)),
                "panic" => panic!("for the test"),
                _ => Ok(()),
            }
        };
        let runtime = start(builder().native("app:native", main));
        let result = value_of(&runtime, "app:watch", "fail");
        assert_eq!(result.get("error"), Some(&"full".into()));
        assert_eq!(result.get("kind"), Some(&"Conflict".into()));
        assert_eq!(result.get("retryable"), Some(&true.into()));
        let Err(Error::Failed(failure)) = runtime.exec("app:native", "panic").block() else {
            panic!("it fails")
        };
        assert_eq!(failure.message(), "panic: for the test");
        assert_eq!(value_of(&runtime, "app:exec", "well"), Value::Nil, "the others go on");
    });
}

/// Messages, requests, monitors and links, from inside.
#[test]
fn it_talks_to_others() {
    within(PATIENCE, || {
        let main = |mut context: Context, (): ()| async move {
            context.trap_links(true)?;
            loop {
                let Event::Message(message) = context.recv().await? else { continue };
                match &*message.topic() {
                    "echo" => message.reply(message.payload().clone())?,
                    "double" => {
                        let double = context.process("app:double").args(message.args::<i64>()?);
                        let double = double.monitored_by(&context).spawn().await?;
                        let Event::Exit(exit) = context.recv().await? else { panic!("an end") };
                        assert_eq!(exit.from(), &double);
                        message.reply(exit.result()?)?;
                    }
                    "ask me" => {
                        let asked = context.request(message.from().unwrap(), "what?", 1).await?;
                        message.reply(asked)?;
                    }
                    "link" => {
                        let waits = context.process("app:waits").linked_to(&context);
                        let waits = waits.spawn().await?;
                        context.terminate(&waits)?;
                        let Event::LinkDown(down) = context.recv().await? else { panic!("down") };
                        assert_eq!(down.from(), &waits);
                        message.reply("down")?;
                    }
                    _ => return Ok("stopped"),
                }
            }
        };
        let runtime = start(builder().native("app:native", main));
        let pid = runtime.process("app:native").spawn().block().unwrap();
        let pid = pid.as_str();
        assert_eq!(value_of(&runtime, "app:ask", (pid, "echo", "10s", "x")), "x".into());
        assert_eq!(value_of(&runtime, "app:ask", (pid, "double", "10s", 21)), 42.into());
        assert_eq!(value_of(&runtime, "app:ask", (pid, "link", "10s")), "down".into());
        let mut mailbox = runtime.mailbox().open().unwrap();
        let request = mailbox.request(pid, "ask me", ());
        let request = thread::spawn(move || request.block());
        let Event::Message(message) = mailbox.recv().block().unwrap() else { panic!("asked") };
        message.reply("the answer").unwrap();
        let answer: String = request.join().unwrap().unwrap().decode().unwrap();
        assert_eq!(answer, "the answer");
        let wait = runtime.wait(pid);
        let wait = thread::spawn(move || wait.block());
        thread::sleep(Duration::from_millis(5));
        runtime.send(pid, "stop", ()).unwrap();
        match wait.join().unwrap() {
            Ok(end) => assert_eq!(end.decode::<String>(), Ok("stopped".to_owned())),
            Err(error) => assert_eq!(error.to_string(), "process not found"),
        }
    });
}

#[test]
fn it_is_ended_by_others_and_its_future_is_dropped_first() {
    within(PATIENCE, || {
        let (sender, told) = mpsc::channel();
        let sender = Mutex::new(sender);
        let main = move |mut context: Context, how: String| {
            let told = Told(sender.lock().unwrap().clone());
            async move {
                let _told = told;
                match how.as_str() {
                    "recv" => while context.recv().await.is_ok() {},
                    "sleep" => context.sleep(Duration::from_secs(1000)).await?,
                    _ => std::future::pending().await,
                }
                Ok(())
            }
        };
        let runtime = start(builder().native("app:native", main));
        for how in ["recv", "sleep", "nothing"] {
            let mut mailbox = runtime.mailbox().open().unwrap();
            let native = runtime.process("app:native").args(how).monitored_by(&mailbox);
            let pid = native.spawn().block().unwrap();
            until(|| runtime.metrics().slices > 0);
            runtime.terminate(&pid).unwrap();
            let Event::Exit(exit) = mailbox.recv().block().unwrap() else { panic!("its end") };
            assert!(matches!(exit.result(), Err(Error::Terminated)));
            // One that was never polled has no main to drop.
            let _ = told.try_recv();
            runtime.terminate(&pid).unwrap_err();
        }
        // By a cancel's deadline, and by a link.
        let mut mailbox = runtime.mailbox().open().unwrap();
        let native = runtime.process("app:native").args("nothing").monitored_by(&mailbox);
        let pid = native.spawn().block().unwrap();
        // It reads neither of the two.
        runtime.cancel(&pid, None).unwrap();
        runtime.cancel(&pid, Some(Duration::from_millis(20))).unwrap();
        let Event::Exit(exit) = mailbox.recv().block().unwrap() else { panic!("its end") };
        assert!(matches!(exit.result(), Err(Error::Terminated)));
        assert_eq!(told.recv_timeout(PATIENCE), Ok("dropped"));
        let linked = runtime.mailbox().open().unwrap();
        let native = runtime.process("app:native").args("recv").monitored_by(&mailbox);
        native.linked_to(&linked).spawn().block().unwrap();
        linked.fail(&Failure::new(Kind::Internal, "broken"));
        let Event::Exit(exit) = mailbox.recv().block().unwrap() else { panic!("its end") };
        assert!(matches!(exit.result(), Err(Error::Linked)), "{exit:?}");
    });
}

#[test]
fn it_sleeps_and_is_woken_from_anywhere() {
    within(PATIENCE, || {
        /// Woken by a thread of the program.
        async fn elsewhere() -> u32 {
            let state = Arc::new(Mutex::new((None::<u32>, None::<Waker>)));
            let other = state.clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(5));
                let waker = {
                    let mut state = other.lock().unwrap();
                    state.0 = Some(7);
                    state.1.take()
                };
                waker.into_iter().for_each(Waker::wake);
            });
            std::future::poll_fn(move |context| {
                let mut state = state.lock().unwrap();
                match state.0 {
                    Some(value) => Poll::Ready(value),
                    None => {
                        state.1 = Some(context.waker().clone());
                        Poll::Pending
                    }
                }
            })
            .await
        }
        let main = |mut context: Context, (): ()| async move {
            let begin = Instant::now();
            for _ in 0..3 {
                context.sleep(Duration::from_millis(10)).await?;
            }
            assert!(begin.elapsed() >= Duration::from_millis(30));
            // One that is dropped.
            let mut sleep = Box::pin(context.sleep(Duration::from_secs(1000)));
            std::future::poll_fn(|polled| {
                assert!(sleep.as_mut().poll(polled).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(sleep);
            let limit = Duration::from_millis(10);
            assert!(matches!(context.recv().timeout(limit).await, Err(Error::Timeout)));
            Ok(elsewhere().await)
        };
        let runtime = start(builder().native("app:native", main));
        let all: Vec<_> = (0..20)
            .map(|_| {
                let exec = runtime.exec("app:native", ());
                thread::spawn(move || exec.block().unwrap().decode::<u32>().unwrap())
            })
            .collect();
        assert!(all.into_iter().all(|one| one.join().unwrap() == 7));
    });
}

/// One that never waits, and one that gets messages faster than it can read them.
#[test]
fn it_leaves_others_their_turn() {
    within(PATIENCE, || {
        let stop = Arc::new(AtomicBool::new(false));
        let polls = Arc::new(AtomicUsize::new(0));
        let (is_over, counted) = (stop.clone(), polls.clone());
        let main = move |mut context: Context, how: String| {
            let (stop, polls) = (is_over.clone(), counted.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    polls.fetch_add(1, Ordering::Relaxed);
                    if how == "wakes" {
                        let mut is_first = true;
                        std::future::poll_fn(|context| {
                            context.waker().wake_by_ref();
                            if std::mem::take(&mut is_first) {
                                Poll::Pending
                            } else {
                                Poll::Ready(())
                            }
                        })
                        .await;
                    } else {
                        context.send(context.pid(), "again", ())?;
                        context.recv().await?;
                    }
                }
                Ok(())
            }
        };
        let application = app().load();
        let builder = builder().application(application).workers(1);
        let runtime = builder.native("app:native", main).start().unwrap();
        for how in ["wakes", "messages"] {
            runtime.process("app:native").args(how).spawn().block().unwrap();
        }
        for i in 0..100 {
            let double: i64 = runtime.exec("app:double", i).block().unwrap().decode().unwrap();
            assert_eq!(double, 2 * i);
        }
        assert!(polls.load(Ordering::Relaxed) > 100);
        stop.store(true, Ordering::Relaxed);
        until(|| runtime.process_count() == 0);
    });
}

/// A context may act from another thread; what it does ends with the process.
#[test]
fn it_may_be_taken_elsewhere() {
    within(PATIENCE, || {
        let (sender, contexts) = mpsc::channel();
        let sender = Mutex::new(sender);
        let main = move |context: Context, (): ()| {
            let sender = sender.lock().unwrap().clone();
            async move {
                let _ = sender.send(context);
                std::future::pending::<()>().await;
                Ok(())
            }
        };
        let runtime = start(builder().native("app:native", main));
        let pid = runtime.process("app:native").spawn().block().unwrap();
        let mut context = contexts.recv_timeout(PATIENCE).unwrap();
        let reader = thread::spawn(move || {
            let topic = match context.recv().block().unwrap() {
                Event::Message(message) => message.topic().into_owned(),
                other => panic!("{other:?}"),
            };
            (topic, context.recv().block().unwrap_err())
        });
        runtime.send(&pid, "hello", ()).unwrap();
        thread::sleep(Duration::from_millis(10));
        runtime.terminate(&pid).unwrap();
        let (topic, error) = reader.join().unwrap();
        assert_eq!(topic, "hello");
        assert!(matches!(error, Error::Terminated));
    });
}

#[test]
fn policies_and_context_hold_for_it() {
    within(PATIENCE, || {
        let main = |context: Context, to: String| async move {
            let denied = context.send(&to, "hello", ()).unwrap_err().to_string();
            let asked = context.request(&to, "hello", ()).await.unwrap_err().to_string();
            let spawned = context.process("app:waits").spawn().await.unwrap_err().to_string();
            let missing = context.send("nobody", "hello", ()).unwrap_err().to_string();
            assert!(missing.starts_with("could not resolve"), "{missing}");
            assert_eq!(denied, asked);
            let tenant = context.value("tenant").unwrap_or_default();
            Ok((denied, spawned, tenant))
        };
        let runtime = start(builder().native("app:native", main));
        let mailbox = runtime.mailbox().open().unwrap();
        let native = runtime.process("app:native").args(mailbox.pid().as_str());
        let native = native.actor("guest", Value::Nil).scope([]).context("tenant", "blue");
        let ended: (String, String, String) = native.exec().block().unwrap().decode().unwrap();
        assert_eq!(ended.0, format!("not allowed to send: {}", mailbox.pid()));
        assert_eq!(ended.1, "not allowed to spawn process: app:waits");
        assert_eq!(ended.2, "blue");
    });
}

#[test]
fn a_service_may_be_native() {
    within(PATIENCE, || {
        let starts = Arc::new(AtomicUsize::new(0));
        let counted = starts.clone();
        let main = move |mut context: Context, (): ()| {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                if number == 0 {
                    context.sleep(Duration::from_millis(1)).await?;
                    return Err(Failure::new(Kind::Unavailable, "not yet").with_retryable(true));
                }
                loop {
                    if let Event::Cancel(_) = context.recv().await? {
                        return Ok(());
                    }
                }
            }
        };
        let service = "name: service, kind: process.service, process: native, host: processes, \
                       lifecycle: { auto_start: true, restart: { initial_delay: 1ms } }";
        let builder = builder().application(app().entry(service).load());
        let runtime = builder.native("app:native", main).start().unwrap();
        until(|| starts.load(Ordering::SeqCst) == 2);
        runtime.stop().timeout(PATIENCE).block().unwrap();
        assert_eq!(starts.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn what_the_program_and_the_application_lack_is_said() {
    let error = |builder: Builder| builder.application(app().load()).start().unwrap_err();
    let main = |_: Context, (): ()| async { Ok::<_, Failure>(()) };
    assert_eq!(
        error(builder()).to_string(),
        "app:native is a native process, for which this program has no main; it has none"
    );
    assert_eq!(
        error(builder().native("app:native", main).native("app:nativ", main)).to_string(),
        "the application has no entry app:nativ of kind process.native; did you mean app:native?"
    );
}

#[test]
fn a_long_poll_is_counted() {
    within(PATIENCE, || {
        let main = |mut context: Context, (): ()| async move {
            thread::sleep(Duration::from_millis(20));
            context.sleep(Duration::from_millis(1)).await?;
            Ok(())
        };
        let runtime = start(builder().native("app:native", main));
        runtime.exec("app:native", ()).block().unwrap();
        assert_eq!(runtime.metrics().long_polls, 1);
    });
}

/// Starts, stops and drops at random moments leave nothing behind.
#[test]
fn a_stop_drops_what_runs() {
    within(PATIENCE, || {
        for round in 0..20 {
            let alive = Arc::new(AtomicUsize::new(0));
            struct Alive(Arc<AtomicUsize>);
            impl Drop for Alive {
                fn drop(&mut self) {
                    self.0.fetch_sub(1, Ordering::SeqCst);
                }
            }
            let counted = alive.clone();
            let main = move |mut context: Context, (): ()| {
                counted.fetch_add(1, Ordering::SeqCst);
                let alive = Alive(counted.clone());
                async move {
                    let _alive = alive;
                    loop {
                        context.recv().await?;
                    }
                    #[allow(unreachable_code)]
                    Ok(())
                }
            };
            let runtime = start(builder().native("app:native", main));
            let pids: Vec<_> =
                (0..50).map(|_| runtime.process("app:native").spawn().block().unwrap()).collect();
            pids.iter().for_each(|pid| runtime.send(pid, "hello", ()).unwrap());
            thread::sleep(Duration::from_micros(round * 50));
            drop(runtime);
            assert_eq!(alive.load(Ordering::SeqCst), 0);
        }
    });
}
