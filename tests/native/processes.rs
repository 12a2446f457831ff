//! Native processes at the limits of their hosts, and where they cannot stand in for those of Lua.
//! `tests/native_processes.rs` has the rest.

use moonlet::{Context, Error, Event, Kind};

use crate::support::{App, PATIENCE, builder, within};

/// The limits of its host hold for what waits for it, not for what it has taken.
#[test]
fn the_limits_of_its_host_hold() {
    within(PATIENCE, || {
        let main = |mut context: Context, (): ()| async move {
            loop {
                let Event::Message(message) = context.recv().await? else { return Ok(()) };
                if message.is_request() {
                    message.reply(message.args::<String>()?.len())?;
                } else {
                    std::future::pending::<()>().await;
                }
            }
        };
        let app = App::with_host("{ max_memory: 1000000, max_mailbox: 5, max_processes: 2 }");
        let application = app.entry("name: native, kind: process.native").load();
        let builder = builder().application(application);
        let runtime = builder.native("app:native", main).start().unwrap();
        let pid = runtime.process("app:native").spawn().block().unwrap();
        for _ in 0..50 {
            let answer = runtime.request(&pid, "long", "x".repeat(100_000)).block().unwrap();
            assert_eq!(answer.decode::<usize>(), Ok(100_000));
        }
        let second = runtime.process("app:native").spawn().block().unwrap();
        let error = runtime.process("app:native").spawn().block().unwrap_err();
        assert_eq!(error.to_string(), "max processes limit exceeded");
        runtime.send(&second, "wait", ()).unwrap();
        let mut sent = 0;
        let error = loop {
            match runtime.send(&second, "more", "x".repeat(100_000)) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), "mailbox full");
        // The first message may not have been taken yet.
        assert!((4..=5).contains(&sent), "{sent}");
        let error = runtime.send(&pid, "long", "x".repeat(2_000_000)).unwrap_err();
        assert_eq!(error.to_string(), "memory limit of the receiver reached");
    });
}

/// A process of Lua cannot become one: it ends as after any upgrade that cannot be done.
#[test]
fn nothing_is_upgraded_to_it() {
    within(PATIENCE, || {
        let main = |_: Context, (): ()| async { Ok(()) };
        let app = App::new().entry("name: native, kind: process.native");
        let app = app.process("upgrades", "process.upgrade('app:native')");
        let builder = builder().application(app.load()).native("app:native", main);
        let runtime = builder.start().unwrap();
        let Err(Error::Failed(failure)) = runtime.exec("app:upgrades", ()).block() else {
            panic!("it fails")
        };
        assert!(failure.message().contains("app:native is a native process"), "{failure}");
        assert_eq!(failure.kind(), &Kind::Invalid);
    });
}
