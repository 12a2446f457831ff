//! Mailboxes of a Rust program: processes among others, which the program reads.

mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use moonlet::{Error, Event, Failure, Kind, Mailbox, Pid, Runtime, Value, value};
use support::{App, PATIENCE, builder, within};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn until(holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "it never holds");
        thread::sleep(Duration::from_millis(1));
    }
}

const EVENTS: &str = r#"
    local what, pid = ...
    if what == "monitor" then assert(process.monitor(pid)) end
    if what == "link" then assert(process.link(pid)) end
    if what == "trap" then
        process.set_options({ trap_links = true })
        assert(process.link(pid))
    end
    process.send(pid, "ready")
    local e = process.events():receive()
    return { kind = e.kind, from = e.from, result = e.result }"#;

fn runtime() -> Runtime {
    App::new()
        .process("send", "local pid, n = ... for i = 1, n do assert(process.send(pid, 't', i)) end")
        .process("call", "return process.request(...)")
        .process("fail", "error('broken')")
        .process("waits", "process.inbox():receive()")
        .process("does", "local f, pid = ... return { process[f](pid) }")
        .process("lookup", "return process.registry.lookup(...)")
        .process("events", EVENTS)
        .process("cancels", "return process.cancel(...)")
        .process("fills", FILLS)
        .start()
}

/// Sends until it is refused; returns how many were sent and the error.
const FILLS: &str = r#"
    local pid = ...
    for i = 0, 100 do
        local ok, err = process.send(pid, "t", i)
        if not ok then return i .. " " .. err:kind() .. " " .. err:message() end
    end"#;

fn text(event: Event) -> String {
    match event {
        Event::Message(message) => message.topic().into_owned(),
        Event::Exit(exit) => format!("exit {:?}", exit.result().map(|value| value.value())),
        Event::LinkDown(exit) => format!("down {}", exit.result().unwrap_err()),
        Event::Cancel(cancel) => format!("cancel {}", cancel.deadline().is_some()),
        other => format!("{other:?}"),
    }
}

fn next(mailbox: &mut Mailbox) -> Event {
    mailbox.recv().timeout(PATIENCE).block().expect("it comes")
}

fn value_of(runtime: &Runtime, id: &str, args: impl moonlet::IntoPayload) -> Value {
    runtime.exec(id, args).block().expect("it ends well").value().expect("a value")
}

#[test]
fn messages_arrive_in_order_with_their_sender() {
    within(PATIENCE, || {
        let runtime = runtime();
        let mut mailbox = runtime.mailbox().open().unwrap();
        assert!(mailbox.pid().as_str().starts_with("{moonlet:host|0x"), "{mailbox:?}");
        assert!(mailbox.try_recv().unwrap().is_none());
        let sender = runtime.process("app:send").args((mailbox.pid().as_str(), 1000));
        let sender = sender.monitored_by(&mailbox).spawn().block().unwrap();
        for i in 1..=1000 {
            let Event::Message(message) = next(&mut mailbox) else { panic!("a message") };
            assert_eq!((message.topic(), message.args::<i64>().unwrap()), ("t".into(), i));
            assert_eq!(message.from().as_ref(), Some(&sender));
            assert!(!message.is_request());
            let error = message.reply(1).unwrap_err();
            assert!(error.to_string().starts_with("no request"), "{error}");
        }
        let Event::Exit(exit) = next(&mut mailbox) else { panic!("its end comes last") };
        assert_eq!(exit.from(), &sender);
        assert_eq!(exit.result().unwrap().value().unwrap(), Value::Nil);
        assert!(mailbox.try_recv().unwrap().is_none());
        assert_eq!(runtime.process_count(), 0, "mailboxes are not counted");
    });
}

#[test]
fn a_recv_is_a_future_that_loses_nothing() {
    within(PATIENCE, || {
        let runtime = runtime();
        let mut mailbox = runtime.mailbox().open().unwrap();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut context = Context::from_waker(&waker);
        let mut recv = mailbox.recv();
        assert!(Pin::new(&mut recv).poll(&mut context).is_pending());
        assert!(Pin::new(&mut recv).poll(&mut context).is_pending());
        drop(recv);
        runtime.send(mailbox.pid(), "one", ()).unwrap();
        runtime.send(mailbox.pid(), "two", ()).unwrap();
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "once for both");
        let begin = Instant::now();
        assert_eq!(text(mailbox.recv().block().unwrap()), "one");
        assert_eq!(text(mailbox.try_recv().unwrap().unwrap()), "two");
        let timeout = Duration::from_millis(20);
        assert!(matches!(mailbox.recv().timeout(timeout).block(), Err(Error::Timeout)));
        assert!(begin.elapsed() >= timeout);
        let polled = mailbox.recv().timeout(PATIENCE);
        assert!(matches!(pin_poll(polled, &mut context), Poll::Pending));
    });
}

fn pin_poll<F: Future>(future: F, context: &mut Context<'_>) -> Poll<F::Output> {
    Box::pin(future).as_mut().poll(context)
}

#[test]
fn requests_go_both_ways() {
    within(PATIENCE, || {
        let runtime = runtime();
        let mut mailbox = runtime.mailbox().name("prices").open().unwrap();
        let handle = runtime.handle();
        let call = move |args: (&'static str, &'static str, &'static str, i64)| {
            let call = handle.exec("app:call", args);
            thread::spawn(move || call.block())
        };
        let caller = call(("prices", "double", "10s", 21));
        let Event::Message(message) = next(&mut mailbox) else { panic!("a request") };
        assert!(message.is_request());
        message.reply(2 * message.args::<i64>().unwrap()).unwrap();
        assert!(!message.is_request());
        let error = message.reply(0).unwrap_err();
        assert!(error.to_string().contains("answered already"), "{error}");
        assert_eq!(caller.join().unwrap().unwrap().decode::<i64>().unwrap(), 42);

        let caller = call(("prices", "drop", "10s", 1));
        drop(next(&mut mailbox));
        let Err(Error::Failed(failure)) = caller.join().unwrap() else { panic!("no answer") };
        assert_eq!(failure.message(), "process dropped the request without an answer");

        let caller = call(("prices", "end", "10s", 1));
        let kept = next(&mut mailbox);
        let mut unread = runtime.request("prices", "unread", 1);
        let waker = Waker::from(Arc::new(Wakes::default()));
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(&mut unread).poll(&mut context).is_pending(), "it is sent");
        drop(mailbox);
        let Poll::Ready(Err(Error::Refused(failure))) = Pin::new(&mut unread).poll(&mut context)
        else {
            panic!("no answer")
        };
        assert_eq!(failure.message(), "process ended before it answered");
        let Event::Message(kept) = kept else { panic!("a request") };
        kept.reply(5).expect("a message may outlive its mailbox");
        assert_eq!(caller.join().unwrap().unwrap().decode::<i64>().unwrap(), 5);

        let mut server = runtime.mailbox().open().unwrap();
        let client = runtime.mailbox().open().unwrap();
        let answer = client.request(server.pid(), "whoami", ());
        let answer = thread::spawn(move || answer.timeout(PATIENCE).block());
        let Event::Message(message) = next(&mut server) else { panic!("a request") };
        assert_eq!(message.from().as_ref(), Some(client.pid()));
        message.reply("you").unwrap();
        assert_eq!(answer.join().unwrap().unwrap().decode::<String>().unwrap(), "you");
    });
}

/// Runs `app:events`, which watches a new mailbox, and then `end`s the mailbox.
fn seen(runtime: &Runtime, what: &str, end: impl FnOnce(Mailbox)) -> (Pid, Value) {
    let mut mailbox = runtime.mailbox().name("seen").open().unwrap();
    let pid = mailbox.pid().clone();
    let watcher = runtime.process("app:events").args((what, pid.as_str())).exec();
    let watcher = thread::spawn(move || watcher.block());
    assert_eq!(text(next(&mut mailbox)), "ready");
    end(mailbox);
    assert!(runtime.lookup("seen").unwrap().is_none(), "its name is free");
    let error = runtime.send(&pid, "late", ()).unwrap_err();
    assert_eq!(error.to_string(), "process not found");
    let event = watcher.join().unwrap().expect("it gets an event").value().unwrap();
    (pid, event)
}

#[test]
fn others_see_how_a_mailbox_ends() {
    within(PATIENCE, || {
        let runtime = runtime();
        let (pid, event) = seen(&runtime, "monitor", drop);
        assert_eq!(event.get("kind"), Some(&"pid.exit".into()));
        assert_eq!(event.get("from"), Some(&pid.as_str().into()));
        assert_eq!(event.get("result"), Some(&value!({})));
        let (_, event) = seen(&runtime, "monitor", |mailbox| mailbox.close(7).unwrap());
        assert_eq!(event.get("result"), Some(&value!({ value = 7 })));
        let failure = Failure::new(Kind::Conflict, "full").with_retryable(true);
        let (_, event) = seen(&runtime, "trap", |mailbox| mailbox.fail(&failure));
        assert_eq!(event.get("kind"), Some(&"pid.link.down".into()));
        let result = event.get("result").expect("a result");
        for (key, value) in
            [("error", "full".into()), ("kind", "Conflict".into()), ("retryable", true.into())]
        {
            assert_eq!(result.get(key), Some(&value));
        }
        let (_, event) = seen(&runtime, "monitor", |mailbox| {
            let owner = thread::spawn(move || {
                let _mailbox = mailbox;
                std::panic::resume_unwind(Box::new("for the test"));
            });
            owner.join().unwrap_err();
        });
        let error = event.get("result").and_then(|result| result.get("error").cloned());
        assert_eq!(error, Some("the owner of the mailbox panicked".into()));
    });
}

#[test]
fn a_mailbox_watches_others() {
    within(PATIENCE, || {
        let runtime = runtime();
        let mut mailbox = runtime.mailbox().trap_links(true).open().unwrap();
        let failing = runtime.process("app:fail").monitored_by(&mailbox).linked_to(&mailbox);
        failing.name("failing").spawn().block().unwrap();
        let exit = text(next(&mut mailbox));
        assert!(exit.contains("broken"), "{exit}");
        assert!(text(next(&mut mailbox)).starts_with("down "));

        let pid = runtime.process("app:waits").spawn().block().unwrap();
        mailbox.monitor(&pid).unwrap();
        let error = mailbox.monitor(&pid).unwrap_err();
        assert_eq!(error.to_string(), "already monitoring pid");
        mailbox.unmonitor(&pid).unwrap();
        mailbox.link(&pid).unwrap();
        mailbox.unlink(&pid).unwrap();
        mailbox.monitor(mailbox.pid()).expect("nothing comes of it");
        runtime.terminate(&pid).unwrap();
        until(|| runtime.process_count() == 0);
        assert!(mailbox.try_recv().unwrap().is_none(), "neither monitored nor linked");
        for error in [mailbox.monitor(&pid), mailbox.link(&pid)].map(Result::unwrap_err) {
            assert_eq!(error.to_string(), "process not found: pid not registered");
        }
        let missing = runtime.process("app:missing").monitored_by(&mailbox).spawn().block();
        assert!(matches!(missing, Err(Error::Refused(_))));
    });
}

#[test]
fn others_end_a_mailbox() {
    within(PATIENCE, || {
        let runtime = runtime();
        // While its owner waits.
        for how in ["terminate", "link"] {
            let mut mailbox = runtime.mailbox().open().unwrap();
            let pid = mailbox.pid().clone();
            let owner = thread::spawn(move || {
                let error = mailbox.recv().block().unwrap_err();
                assert_eq!(format!("{error:?}"), format!("{:?}", mailbox.try_recv().unwrap_err()));
                error.to_string()
            });
            let text = match how {
                "terminate" => {
                    runtime.terminate(&pid).unwrap();
                    "process terminated"
                }
                _ => {
                    let other = runtime.mailbox().open().unwrap();
                    other.link(&pid).unwrap();
                    other.fail(&Failure::new(Kind::Internal, "broken"));
                    "linked process failed"
                }
            };
            assert_eq!(owner.join().unwrap(), text);
            assert!(runtime.terminate(&pid).is_err(), "it is gone");
        }
        // By Lua, before it receives: what it has not received is lost, and counted.
        let before = runtime.metrics().dead_letters;
        let mut mailbox = runtime.mailbox().open().unwrap();
        runtime.send(mailbox.pid(), "unread", ()).unwrap();
        value_of(&runtime, "app:does", ("terminate", mailbox.pid().as_str()));
        assert!(matches!(mailbox.try_recv(), Err(Error::Terminated)));
        assert_eq!(runtime.metrics().dead_letters, before + 1);
    });
}

#[test]
fn a_cancel_is_an_event_with_a_deadline() {
    within(PATIENCE, || {
        let runtime = runtime();
        let mut mailbox = runtime.mailbox().open().unwrap();
        value_of(&runtime, "app:cancels", mailbox.pid().as_str());
        assert_eq!(text(next(&mut mailbox)), "cancel false");
        value_of(&runtime, "app:cancels", (mailbox.pid().as_str(), "30ms"));
        assert_eq!(text(next(&mut mailbox)), "cancel true");
        let error = mailbox.recv().block().unwrap_err();
        assert!(matches!(error, Error::Terminated), "{error:?}");
        // Its deadline holds also if it reads nothing, and has something to read.
        let mut busy = runtime.mailbox().open().unwrap();
        runtime.cancel(busy.pid(), None).unwrap();
        runtime.cancel(busy.pid(), Some(Duration::from_millis(10))).unwrap();
        until(|| runtime.send(busy.pid(), "t", ()).is_err());
        assert!(matches!(busy.try_recv(), Err(Error::Terminated)));
        // Another process, by the mailbox.
        let asker = runtime.mailbox().open().unwrap();
        let mut asked = runtime.mailbox().open().unwrap();
        asker.cancel(asked.pid(), Some(Duration::from_secs(100))).unwrap();
        let Event::Cancel(cancel) = next(&mut asked) else { panic!("a cancel") };
        assert_eq!(cancel.from(), Some(asker.pid()));
        assert!(cancel.deadline().is_some());
    });
}

#[test]
fn a_full_mailbox_refuses() {
    within(PATIENCE, || {
        let application = App::new().process("fills", FILLS).load();
        let builder = builder().application(application).mailbox_capacity(3);
        let runtime = builder.start().unwrap();
        let mut mailbox = runtime.mailbox().open().unwrap();
        let refused = value_of(&runtime, "app:fills", mailbox.pid().as_str());
        assert_eq!(refused, "3 RateLimited mailbox full".into());
        assert!(runtime.send(mailbox.pid(), "t", 0).is_err());
        next(&mut mailbox);
        runtime.send(mailbox.pid(), "t", 0).expect("there is room again");
        for _ in 0..3 {
            next(&mut mailbox);
        }
    });
}

#[test]
fn names_are_for_one() {
    within(PATIENCE, || {
        let runtime = runtime();
        let mailbox = runtime.mailbox().name("gateway").open().unwrap();
        assert_eq!(runtime.lookup("gateway").unwrap().as_ref(), Some(mailbox.pid()));
        assert_eq!(value_of(&runtime, "app:lookup", "gateway"), mailbox.pid().as_str().into());
        for error in [
            runtime.mailbox().name("gateway").open().unwrap_err(),
            runtime.process("app:waits").name("gateway").spawn().block().unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "name already registered: gateway");
        }
        assert!(runtime.mailbox().name("").open().is_err());
        assert!(runtime.process("app:missing").name("free").spawn().block().is_err());
        let pid = runtime.process("app:waits").name("free").spawn().block().unwrap();
        assert_eq!(runtime.lookup("free").unwrap(), Some(pid), "no reservation was left");
        mailbox.register("second").unwrap();
        assert_eq!(runtime.lookup("second").unwrap().as_ref(), Some(mailbox.pid()));
    });
}

#[test]
fn a_program_waits_for_a_process_that_runs() {
    within(PATIENCE, || {
        let runtime = runtime();
        let pid = runtime.process("app:waits").spawn().block().unwrap();
        let timeout = Duration::from_millis(10);
        for _ in 0..3 {
            assert!(matches!(runtime.wait(&pid).timeout(timeout).block(), Err(Error::Timeout)));
        }
        let wait = runtime.wait(&pid);
        let waiter = thread::spawn(move || wait.block());
        let mut mailbox = runtime.mailbox().open().unwrap();
        let of_mailbox = runtime.wait(mailbox.pid());
        let of_mailbox = thread::spawn(move || of_mailbox.block());
        thread::sleep(Duration::from_millis(20));
        runtime.send(&pid, "go", ()).unwrap();
        assert!(waiter.join().unwrap().is_ok());
        assert!(mailbox.try_recv().unwrap().is_none());
        mailbox.close("closed").unwrap();
        assert_eq!(of_mailbox.join().unwrap().unwrap().decode::<String>().unwrap(), "closed");
        let error = runtime.wait(&pid).block().unwrap_err();
        assert_eq!(error.to_string(), "process not found");
    });
}

#[test]
fn a_stop_ends_mailboxes() {
    within(PATIENCE, || {
        let runtime = runtime();
        let mut mailbox = runtime.mailbox().open().unwrap();
        let mut other = runtime.mailbox().open().unwrap();
        runtime.send(other.pid(), "unread", ()).unwrap();
        let is_waiting = Arc::new(AtomicBool::new(false));
        let waits = is_waiting.clone();
        let owner = thread::spawn(move || {
            waits.store(true, Ordering::SeqCst);
            mailbox.recv().block()
        });
        until(|| is_waiting.load(Ordering::SeqCst));
        thread::sleep(Duration::from_millis(10));
        let handle = runtime.handle();
        let metrics = runtime.shutdown();
        assert_eq!(metrics.dead_letters, 1);
        assert!(matches!(owner.join().unwrap(), Err(Error::Stopped)));
        assert!(matches!(other.try_recv(), Err(Error::Stopped)));
        assert!(matches!(other.send("x", "y", ()), Err(Error::Stopped)));
        assert!(matches!(handle.mailbox().open(), Err(Error::Stopped)));
    });
}

/// A chain of links through mailboxes is no chain of calls.
#[test]
fn a_long_chain_of_links_ends() {
    within(PATIENCE, || {
        let runtime = runtime();
        let chain: Vec<_> = (0..20_000).map(|_| runtime.mailbox().open().unwrap()).collect();
        for pair in chain.windows(2) {
            pair[0].link(pair[1].pid()).unwrap();
        }
        runtime.terminate(chain[0].pid()).unwrap();
        for mailbox in &chain {
            until(|| runtime.send(mailbox.pid(), "t", ()).is_err());
        }
    });
}

/// Many threads send to one mailbox, whose owner polls, waits, and gives up in between.
#[test]
fn nothing_is_lost_between_threads() {
    within(PATIENCE, || {
        const EACH: i64 = 5000;
        let runtime = runtime();
        let mut mailbox = runtime.mailbox().open().unwrap();
        let senders: Vec<_> = (0..4i64)
            .map(|sender| {
                let (handle, to) = (runtime.handle(), mailbox.pid().clone());
                thread::spawn(move || {
                    (0..EACH).for_each(|i| handle.send(&to, "t", (sender, i)).unwrap());
                })
            })
            .collect();
        let mut last = [-1; 4];
        let mut count = 0;
        while count < 4 * EACH {
            let limit = Duration::from_micros(count as u64 % 50);
            let event = match mailbox.recv().timeout(limit).block() {
                Err(Error::Timeout) => continue,
                event => event.unwrap(),
            };
            let Event::Message(message) = event else { panic!("a message") };
            let (sender, i): (usize, i64) = message.args().unwrap();
            assert_eq!(last[sender] + 1, i);
            last[sender] = i;
            count += 1;
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(mailbox.try_recv().unwrap().is_none());
    });
}
