//! What a runtime ends with: processes that never ran, and one whose chunk goes on for ever.

mod support;

use std::thread;

use support::{App, PATIENCE, exec, within};

/// Nobody has the PID of a process whose chunk runs, but the end of the runtime reaches it.
#[test]
fn s17_7_a_chunk_that_never_ends_is_left_at_shutdown() {
    let app = App::new()
        .process("main", "process.spawn('app:endless', 'app:processes')")
        .chunk("endless", "while true do pcall(string.rep, 'x', 10) end");
    within(PATIENCE, || {
        let runtime = app.start();
        runtime.process("app:main").spawn().block().expect("main starts");
        while runtime.process_count() < 2 {
            thread::yield_now();
        }
        runtime.shutdown();
    });
}

/// The definition has been used so often that its chunk need not run, and what runs on `app:one` is
/// alone there: none of the processes that it spawns is built before the runtime ends.
#[test]
fn s17_7_processes_that_never_ran_are_left_at_shutdown() {
    let main = r#"
        for _ = 1, 3 do process.terminate(assert(process.spawn("app:waits", "app:processes"))) end
        assert(process.exec("app:spawns", "app:one"))
    "#;
    let spawns = r#"
        for i = 1, 500 do
          assert(process.send(assert(process.spawn("app:waits", "app:one", i)), "topic", i))
        end
        return true
    "#;
    let app = App::new().host("one", "{ workers: 1 }").process("main", main);
    let app = app.process("spawns", spawns);
    let app = app.chunk("waits", "return function() process.inbox():receive() end");
    within(PATIENCE, || {
        let runtime = app.start();
        exec(&runtime, "app:main", &[]);
        runtime.shutdown();
    });
}
