//! Messages arrive in the order in which one process sent them, and before its end is reported.

mod support;

use support::{App, run, run_with};

#[test]
fn s2_5_one_sender_over_all_topics() {
    let main = r#"
        local inbox = process.inbox()
        assert(process.spawn("app:sender", "app:processes", process.pid()))
        for i = 1, 5000 do
          local message = inbox:receive()
          equal(message:payload(), i)
          equal(message:topic(), "topic" .. i % 7)
        end
    "#;
    let sender = r#"
        local owner = ...
        for i = 1, 5000 do assert(process.send(owner, "topic" .. i % 7, i)) end
    "#;
    run_with(main, &[("sender", sender)]);
}

#[test]
fn s2_5_over_all_coroutines_of_the_sender() {
    let main = r#"
        local inbox = process.inbox()
        assert(process.spawn("app:sender", "app:processes", process.pid()))
        for i = 1, 1000 do equal(inbox:receive():payload(), i) end
    "#;
    let sender = r#"
        local owner, n, done = ..., 0, channel.new()
        for c = 1, 10 do
          coroutine.spawn(function()
            for _ = 1, 100 do
              n = n + 1
              assert(process.send(owner, "c" .. c, n))
              coroutine.yield()
            end
            done:send(true)
          end)
        end
        for _ = 1, 10 do done:receive() end
    "#;
    run_with(main, &[("sender", sender)]);
}

#[test]
fn s2_5_many_senders_each_in_its_order() {
    let main = r#"
        local numbers, next_of, left = process.listen("n"), {}, 16 * 500
        for s = 1, 16 do
          next_of[s] = 1
          assert(process.spawn("app:sender", s % 2 == 0 and "app:processes" or "app:other",
            process.pid(), s))
        end
        for _ = 1, left do
          local pair = numbers:receive()
          equal(pair[2], next_of[pair[1]], "sender " .. pair[1])
          next_of[pair[1]] = pair[2] + 1
        end
        local r = channel.select({ numbers:case_receive(), default = true })
        equal(r.default, true, "nothing twice")
    "#;
    let sender = r#"
        local owner, s = ...
        for i = 1, 500 do assert(process.send(owner, "n", s, i)) end
    "#;
    let app = App::new().host("other", "{}").process("main", main);
    app.process("sender", sender).run();
}

#[test]
fn s2_5_events_come_after_the_messages_of_their_cause() {
    let main = r#"
        local inbox, events = process.inbox(), process.events()
        for round = 1, 200 do
          local owner = process.pid()
          local pid = assert(process.spawn_monitored("app:sender", "app:processes", owner, round))
          local event = events:receive()
          equal(event.from, pid)
          for i = 1, 20 do
            local r = channel.select({ inbox:case_receive(), default = true })
            assert(not r.default, "in the queue when EXIT is")
            equal(r.value:payload(), i)
          end
        end
    "#;
    let sender = r#"
        local owner, round = ...
        for i = 1, 20 do assert(process.send(owner, "t", i)) end
        if round % 2 == 0 then error("either way") end
    "#;
    run_with(main, &[("sender", sender)]);
}

#[test]
fn s2_5_between_two_channels_the_reader_decides() {
    run(r#"
        local pid = process.pid()
        local a, b = process.listen("a"), process.listen("b")
        for i = 1, 10 do
          assert(process.send(pid, "a", i))
          assert(process.send(pid, "b", i))
        end
        for i = 1, 10 do equal((b:receive()), i) end
        for i = 1, 10 do equal((a:receive()), i) end
    "#);
}

#[test]
fn s2_5_waiting_messages_keep_their_order() {
    run(r#"
        local pid = process.pid()
        for i = 1, 100 do assert(process.send(pid, i % 3 == 0 and "third" or "other", i)) end
        local third = process.listen("third")
        for i = 3, 99, 3 do equal((third:receive()), i) end
        local inbox = process.inbox()
        for i = 1, 100 do
          if i % 3 ~= 0 then equal(inbox:receive():payload(), i) end
        end
    "#);
}

#[test]
fn s2_5_a_chain_of_processes_keeps_order() {
    let main = r#"
        local numbers, to = process.listen("n"), process.pid()
        for _ = 1, 50 do to = assert(process.spawn("app:relay", "app:processes", to)) end
        for i = 1, 200 do assert(process.send(to, "n", i)) end
        for i = 1, 200 do equal((numbers:receive()), i) end
    "#;
    let relay = r#"
        local to, numbers = ..., process.listen("n")
        while true do assert(process.send(to, "n", (numbers:receive()))) end
    "#;
    run_with(main, &[("relay", relay)]);
}
