//! Each message goes to exactly one channel, chosen by its topic; what nobody asked for waits.

mod support;

use std::sync::Arc;
use std::thread;

use moonlet::{Error, Value};
use support::{App, exec, run, run_with};

#[test]
fn s7_1_and_s7_2_the_same_channel_each_time() {
    run(r#"
        local inbox, events = process.inbox(), process.events()
        equal(process.inbox(), inbox)
        equal(process.events(), events)
        assert(inbox ~= events)
        equal(type(inbox), "userdata")
        local ch, err = process.listen("t")
        equal(err, nil)
        equal(process.listen("t"), ch)
        equal(process.listen("t", { message = true }), ch, "also if the options differ")
        assert(process.listen("u") ~= ch)
        local found
        coroutine.spawn(function() found = process.inbox() end)
        equal(found, inbox, "in all coroutines")
    "#);
}

#[test]
fn s7_2_message_objects_are_switched_on_and_never_off() {
    run(r#"
        local pid, ch = process.pid(), process.listen("t")
        assert(process.send(pid, "t", 1))
        equal((ch:receive()), 1)
        process.listen("t", { message = true })
        assert(process.send(pid, "t", 2))
        equal(ch:receive():payload(), 2)
        process.listen("t")
        process.listen("t", { message = false })
        assert(process.send(pid, "t", 3))
        equal(ch:receive():payload(), 3)
    "#);
}

#[test]
fn s7_2_several_receivers_in_the_order_they_began_to_wait() {
    run(r#"
        local pid, ch, got = process.pid(), process.listen("t"), channel.new(3)
        for i = 1, 3 do
          coroutine.spawn(function() got:send({ i, (ch:receive()) }) end)
        end
        for i = 1, 3 do assert(process.send(pid, "t", "m" .. i)) end
        for i = 1, 3 do
          local pair = got:receive()
          equal(pair[2], "m" .. pair[1])
        end
    "#);
}

#[test]
fn s7_3_routing_by_topic() {
    run(r#"
        local pid, ticks = process.pid(), process.listen("tick")
        assert(process.send(pid, "tick", 1))
        assert(process.send(pid, "tock", 2))
        equal((ticks:receive()), 1)
        local inbox = process.inbox()
        local m = inbox:receive()
        equal(m:topic(), "tock")
        equal(m:payload(), 2)
        equal(m:from(), pid)
        assert(process.send(pid, "tick", 3))
        assert(process.send(pid, "inbox", 4))
        equal(inbox:receive():topic(), "inbox", "the listener's message is not for the inbox")
        equal((ticks:receive()), 3)
    "#);
}

#[test]
fn s7_3_subscribing_late_loses_nothing() {
    let main = r#"
        local done = process.listen("done")
        assert(process.spawn("app:sender", "app:processes", process.pid()))
        done:receive()
        local a = process.listen("a")
        for i = 1, 50 do equal((a:receive()), i) end
        local inbox = process.inbox()
        for i = 1, 50 do
          local message = inbox:receive()
          equal(message:topic(), "b")
          equal(message:payload(), i)
        end
    "#;
    let sender = r#"
        local owner = ...
        for i = 1, 50 do
          assert(process.send(owner, "a", i))
          assert(process.send(owner, "b", i))
        end
        assert(process.send(owner, "done"))
    "#;
    run_with(main, &[("sender", sender)]);
}

#[test]
fn s7_3_listen_takes_what_the_inbox_had_not_delivered() {
    run(r#"
        local pid, inbox = process.pid(), process.inbox()
        for i = 1, 6 do assert(process.send(pid, i % 2 == 0 and "even" or "odd", i)) end
        equal(inbox:receive():payload(), 1)
        equal(inbox:receive():payload(), 2, "received before")
        local even = process.listen("even")
        equal((even:receive()), 4)
        equal((even:receive()), 6)
        equal(inbox:receive():payload(), 3)
        equal(inbox:receive():payload(), 5)
        local r = channel.select({ inbox:case_receive(), even:case_receive(), default = true })
        equal(r.default, true)
    "#);
}

#[test]
fn s7_3_events_and_messages_never_mix() {
    let main = r#"
        local inbox, exit = process.inbox(), process.listen("pid.exit")
        local pid = assert(process.spawn_monitored("app:child", "app:processes"))
        repeat
          local alive = process.send(pid, "probe")
          if alive then time.sleep("1ms") end
        until not alive
        assert(process.send(process.pid(), "pid.exit", "message"))
        equal((exit:receive()), "message")
        local r = channel.select({ inbox:case_receive(), exit:case_receive(), default = true })
        equal(r.default, true, "an event is for the events channel only")
        local events = process.events()
        equal(events:receive().from, pid)
        assert(process.send(process.pid(), "events", 1))
        r = channel.select({ events:case_receive(), inbox:case_receive() })
        equal(r.channel, inbox)
    "#;
    run_with(main, &[("child", "")]);
}

#[test]
fn s7_3_a_blocked_inbox_is_not_woken_for_a_listener() {
    run(r#"
        local pid, inbox, ch = process.pid(), process.inbox(), process.listen("t")
        local got
        coroutine.spawn(function() got = inbox:receive():topic() end)
        assert(process.send(pid, "t", 1))
        equal((ch:receive()), 1)
        coroutine.yield()
        equal(got, nil)
        assert(process.send(pid, "other"))
        time.sleep("1ms")
        equal(got, "other")
    "#);
}

#[test]
fn s7_4_delivery_is_unbounded_and_default_sees_it() {
    run(r#"
        local pid, ch, inbox = process.pid(), process.listen("t"), process.inbox()
        for i = 1, 20000 do
          assert(process.send(pid, "t", i))
          if i % 10 == 0 then assert(process.send(pid, "u", i)) end
        end
        for i = 1, 20000 do
          local r = channel.select({ ch:case_receive(), default = true })
          equal(r.value, i)
        end
        for i = 10, 20000, 10 do equal(inbox:receive():payload(), i) end
        local r = channel.select({ ch:case_receive(), inbox:case_receive(), default = true })
        equal(r.default, true)
    "#);
}

#[test]
fn s7_5_listen_refuses() {
    run(r#"
        refused("INVALID", "", process.listen())
        refused("INVALID", "", process.listen(nil, {}))
        refused("INVALID", "bad argument #1", process.listen({}))
        refused("INVALID", "bad argument #1", process.listen(print))
        refused("INVALID", "topic cannot be empty", process.listen(""))
        for _, topic in ipairs({ "@", "@inbox", "@events", "@own" }) do
          refused("INVALID", "cannot listen to @ topics", process.listen(topic))
        end
        for _, options in ipairs({ 5, "x", true, print, {}, { message = 1 }, { mesage = true } }) do
          local ch = assert(process.listen("raw", options))
          assert(process.send(process.pid(), "raw", "value"))
          equal((ch:receive()), "value", "no Message objects")
        end
        equal(process.listen(7), process.listen("7"), "numbers are converted")
    "#);
}

#[test]
fn s7_6_unlisten_closes_and_removes() {
    run(r#"
        local pid, ch, inbox = process.pid(), process.listen("t"), process.inbox()
        local woken = channel.new(1)
        coroutine.spawn(function() woken:send(table.pack(ch:receive())) end)
        local results = table.pack(process.unlisten(ch))
        equal(results[1], true)
        equal(results[2], nil)
        local got = woken:receive()
        equal(got[1], nil)
        equal(got[2], false, "a blocked receiver wakes")
        assert(process.send(pid, "t", 1))
        equal(inbox:receive():payload(), 1, "later messages go to the inbox")
        refused("NOT_FOUND", "channel not found", process.unlisten(ch))
        local new = process.listen("t")
        assert(new ~= ch, "a new channel")
        equal(select(2, ch:receive()), false, "the old one stays closed")
        assert(process.send(pid, "t", 2))
        equal((new:receive()), 2)
    "#);
}

#[test]
fn s7_6_unread_values_stay_readable() {
    run(r#"
        local pid, ch = process.pid(), process.listen("t")
        for i = 1, 3 do assert(process.send(pid, "t", i)) end
        assert(process.unlisten(ch))
        assert(process.send(pid, "t", 4))
        for i = 1, 3 do
          local v, ok = ch:receive()
          equal(v, i)
          equal(ok, true)
        end
        equal(select(2, ch:receive()), false)
        equal((process.listen("t"):receive()), 4)
    "#);
}

#[test]
fn s7_6_what_is_no_subscription() {
    run(r#"
        refused("NOT_FOUND", "channel not found", process.unlisten(channel.new()))
        refused("NOT_FOUND", "channel not found", process.unlisten(time.after("1h")))
        for _, v in ipairs({ 5, "t", true, {}, print }) do
          local ok, err = process.unlisten(v)
          equal(ok, false)
          refused("INVALID", "channel expected", ok, err)
        end
        refused("INVALID", "channel expected", process.unlisten())
        equal((process.unlisten(channel.new())), false, "false and not nil")
    "#);
}

#[test]
fn s7_6_unlisten_of_inbox_and_events() {
    let main = r#"
        local pid, inbox, events = process.pid(), process.inbox(), process.events()
        assert(process.unlisten(inbox))
        assert(process.unlisten(events))
        equal(select(2, inbox:receive()), false)
        equal(select(2, events:receive()), false)
        assert(process.send(pid, "t", 1))
        local child = assert(process.spawn_monitored("app:child", "app:processes"))
        local again = process.inbox()
        assert(again ~= inbox)
        equal(again:receive():payload(), 1, "messages waited")
        assert(process.events() ~= events)
        equal(process.events():receive().from, child)
    "#;
    run_with(main, &[("child", "")]);
}

#[test]
fn s7_7_message_objects() {
    let main = r#"
        local inbox = process.inbox()
        local child = assert(process.spawn("app:child", "app:processes", process.pid()))
        local m = inbox:receive()
        equal(type(m), "userdata")
        equal(m:topic(), "the topic")
        equal(m:from(), child)
        local t = m:payload()
        equal(t.x, 1)
        t.x = 2
        equal(m:payload(), t, "the same table again")
        assert(tostring(m):find("the topic", 1, true), tostring(m))
        assert(not pcall(function() return m:unknown() end), "unknown methods are errors")
        assert(not pcall(function() m.topic = 1 end), "read-only")
        for _, wrong in ipairs({ 5, {}, inbox, "x" }) do
          assert(not pcall(m.topic, wrong) and not pcall(m.payload, wrong), "no Message")
        end
        assert(not pcall(m.from))
        local meta = getmetatable(m)
        assert(meta == nil or type(meta) ~= "table", "protected")
    "#;
    run_with(main, &[("child", "process.send(..., 'the topic', { x = 1 })")]);
}

#[test]
fn s7_7_from_is_nil_for_the_host_program() {
    let main = "local pid = process.pid()
        assert(process.registry.register('main'))
        local m = process.inbox():receive()
        assert(m:from() == nil, 'no sender')
        return m:payload()[2]";
    let runtime = Arc::new(App::new().process("main", main).start());
    let sender = runtime.clone();
    let sending = thread::spawn(move || {
        while let Err(error) = sender.send("main", "topic", &[1.into(), "two".into()]) {
            assert!(matches!(error, Error::Refused { .. }), "{error:?}");
            thread::yield_now();
        }
    });
    assert_eq!(exec(&runtime, "app:main", &[]), Value::from("two"));
    sending.join().expect("it sends");
}

#[test]
fn s7_8_event_constants() {
    let main = r#"
        equal(process.event.CANCEL, "pid.cancel")
        equal(process.event.EXIT, "pid.exit")
        equal(process.event.LINK_DOWN, "pid.link.down")
        pcall(function() process.event.EXIT = "changed" end)
        equal(assert(process.exec("app:child", "app:processes")), "pid.exit")
    "#;
    run_with(main, &[("child", "return process.event.EXIT")]);
}

#[test]
fn s7_open_choices_system_channels_belong_to_the_runtime() {
    run(r#"
        local channels = { process.inbox(), process.events(), process.listen("t") }
        for _, ch in ipairs(channels) do
          raises("cannot close a system channel", ch.close, ch)
          raises("cannot send to a system channel", ch.send, ch, 1)
          assert(not pcall(function() channel.select({ ch:case_send(1) }) end))
        end
        assert(process.send(process.pid(), "t", 1))
        equal((channels[3]:receive()), 1, "unharmed")
    "#);
}
