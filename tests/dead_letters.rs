//! A message that was accepted and is never read is counted.

mod support;

use support::{App, PATIENCE, exec, within};

/// Runs `app:main` and returns how many dead letters that made.
fn dead_letters(app: App) -> u64 {
    within(PATIENCE, || {
        let runtime = app.start();
        exec(&runtime, "app:main", &[]);
        let counted = runtime.metrics().dead_letters;
        runtime.shutdown();
        counted
    })
}

/// Main sends seven messages to a process that ends without reading more than its body says.
const SEVEN: &str = r#"
    local ready, events = process.listen("ready"), process.events()
    local pid = assert(process.spawn_monitored("app:reader", "app:processes", process.pid()))
    ready:receive()
    for i = 1, 7 do assert(process.send(pid, i % 2 == 0 and "even" or "odd", i)) end
    process.send(pid, "end")
    equal(events:receive().from, pid)
"#;

#[test]
fn s2_1_what_a_process_leaves_unread_is_counted() {
    let cases = [
        ("local e = process.listen('end') process.send(..., 'ready') e:receive()", 7),
        (
            "local e, i = process.listen('end'), process.inbox()
             process.send(..., 'ready') e:receive() for _ = 1, 5 do i:receive() end",
            2,
        ),
        (
            "local e, odd = process.listen('end'), process.listen('odd')
             process.send(..., 'ready') e:receive() odd:receive()",
            6,
        ),
        // Those that the listener holds were given up before, the inbox has three.
        (
            "local e, i, odd = process.listen('end'), process.inbox(), process.listen('odd')
             process.send(..., 'ready') e:receive() process.unlisten(odd)",
            7,
        ),
        ("process.send(..., 'ready') local e = process.listen('end') e:receive() error('x')", 7),
    ];
    for (body, expected) in cases {
        let app = App::new().process("main", SEVEN).process("reader", body);
        assert_eq!(dead_letters(app), expected, "{body}");
    }
}

/// Both messages wake a coroutine at once; main is the first of them and ends.
#[test]
fn s2_1_what_woke_a_coroutine_that_gets_no_turn_is_counted() {
    let main = r#"
        local ends, odd = process.listen("end"), process.listen("odd")
        coroutine.spawn(function() odd:receive() error("it gets no turn") end)
        time.sleep("1ms")
        local own = process.pid()
        -- What a process sends itself is routed when it waits.
        process.send(own, "end")
        process.send(own, "odd")
        ends:receive()
    "#;
    assert_eq!(dead_letters(App::new().process("main", main)), 1);
}

#[test]
fn s2_1_a_killed_process_and_one_that_never_ran_leave_dead_letters() {
    let main = r#"
        local events = process.events()
        for _, target in ipairs({ "app:sleeper", "app:newborn" }) do
          local pid = assert(process.spawn_monitored(target, "app:processes"))
          for _ = 1, 10 do assert(process.send(pid, "t", "unread")) end
          assert(process.terminate(pid))
          equal(events:receive().from, pid)
          refused("NOT_FOUND", "process not found", process.send(pid, "t"))
        end
    "#;
    let app = App::new()
        .process("main", main)
        .process("sleeper", "time.sleep('1h')")
        .process("newborn", "while true do end");
    assert_eq!(dead_letters(app), 20);
}

#[test]
fn s7_6_a_channel_that_is_given_up_gives_its_places_back() {
    let main = r#"
        for _ = 1, 50 do
          local given_up = process.listen("t")
          for i = 1, 10 do assert(process.send(process.pid(), "t", i)) end
          equal(given_up:receive(), 1)
          process.unlisten(given_up)
          given_up = nil
          for i = 1, 20000 do local _ = { i } end
          -- What was collected is settled by the next step.
          time.sleep("1ms")
        end
    "#;
    let app = App::with_host("{ max_mailbox: 200 }").process("main", main);
    assert_eq!(dead_letters(app), 450);
}
