//! A message is either delivered as it was sent or refused with an error that says why.

mod support;

use support::{App, run, run_with};

#[test]
fn s2_2_order_of_checks() {
    run(r#"
        local pid, ghost = process.pid(), "{app:processes|0xfffff}"
        local too_few = "send requires at least destination and topic arguments"
        local function no(kind, text, ...) return refused(kind, text, process.send(...)) end
        no("INVALID", too_few)
        no("INVALID", too_few, pid)
        no("INVALID", too_few, nil, "topic")
        no("INVALID", too_few, pid, nil)
        no("INVALID", too_few, nil, nil, print)
        no("INVALID", "bad argument #1", {}, "topic")
        no("INVALID", "bad argument #1", true, "topic")
        no("INVALID", "bad argument #1", print, "@events")
        no("INVALID", "bad argument #2", pid, {})
        no("INVALID", "bad argument #2", pid, false)
        no("INVALID", "topic cannot be empty", pid, "")
        no("INVALID", "topic cannot be empty", "nobody", "")
        for _, topic in ipairs({ "@", "@inbox", "@events", "@x" }) do
          no("INVALID", "cannot send to @ topics", pid, topic)
          no("INVALID", "cannot send to @ topics", "nobody", topic, print)
        end
        no("NOT_FOUND", "could not resolve 'nobody' as PID or registered name", "nobody", "t", print)
        no("NOT_FOUND", "could not resolve '7' as PID or registered name", 7, "t")
        no("NOT_FOUND", "could not resolve '' as PID or registered name", "", "t")
        no("INVALID", "cannot send a function", ghost, "t", print)
        no("INVALID", "cannot send a function", "{app:nowhere|0x00001}", "t", print)
        local err = no("NOT_FOUND", "process not found", ghost, "t")
        equal(err:retryable(), false)
    "#);
}

#[test]
fn s2_1_success_is_true_and_nil() {
    run(r#"
        local results = table.pack(process.send(process.pid(), "t"))
        equal(results.n, 2)
        equal(results[1], true)
        equal(results[2], nil)
    "#);
}

#[test]
fn s2_2_topics_are_arbitrary_bytes() {
    run(r#"
        local inbox = process.inbox()
        local topics = { "inbox", "events", "exit", "a.b", "a.*", " ", "\0", "\xff\xfe", "x@y" }
        topics[#topics + 1] = string.rep("long", 1000)
        for _, topic in ipairs(topics) do
          assert(process.send(process.pid(), topic, 1))
          equal(inbox:receive():topic(), topic)
        end
        assert(process.send(process.pid(), 12, 1))
        equal(inbox:receive():topic(), "12", "a number is converted")
        local star, plain = process.listen("a.*"), process.listen("a.b")
        assert(process.send(process.pid(), "a.b", "exact"))
        local r = channel.select({ star:case_receive(), plain:case_receive() })
        equal(r.channel, plain, "no wildcards")
    "#);
}

#[test]
fn s2_3_how_several_values_arrive() {
    run(r#"
        local inbox, raw = process.inbox(), process.listen("raw")
        local function both(check, ...)
          assert(process.send(process.pid(), "message", ...))
          assert(process.send(process.pid(), "raw", ...))
          check(inbox:receive():payload())
          local value, ok = raw:receive()
          equal(ok, true)
          check(value)
        end
        both(function(v) equal(v, nil, "none") end)
        both(function(v) equal(v, nil, "one nil") end, nil)
        both(function(v) equal(v, false, "one false") end, false)
        both(function(v) equal(v, 7, "one") end, 7)
        both(function(v) equal(#v, 2); equal(v[1], 1); equal(v[2], 2) end, 1, 2)
        both(function(v) equal(#v, 2); equal(v[1], 1); equal(v[2], 2) end, { 1, 2 })
        both(function(v)
          local keys = 0
          for _ in pairs(v) do keys = keys + 1 end
          equal(keys, 2, "a nil leaves a hole and nothing is added")
          equal(v[1], "a")
          equal(v[3], "c")
        end, "a", nil, "c")
        both(function(v)
          equal(v[1].x, 1)
          equal(v[2].x, 2)
        end, { x = 1 }, { x = 2 })
    "#);
}

#[test]
fn s2_4_scalars_keep_value_and_subtype() {
    let main = r#"
        local replies = process.listen("reply")
        local mirror = assert(process.spawn("app:mirror", "app:processes", process.pid()))
        local function there_and_back(v)
          assert(process.send(mirror, "v", v))
          return (replies:receive())
        end
        local bytes = {}
        for i = 0, 255 do bytes[i + 1] = string.char(i) end
        local values = {
          true, false, 0, 1, -1, math.maxinteger, math.mininteger, 2.0, -2.5, 1e300, 2^53, 2^63,
          math.huge, -math.huge, 5e-324, "", "x", "\0", "a\0b", "\xff\xfe\x80",
          table.concat(bytes), string.rep("y", 39), string.rep("y", 40), string.rep("y", 41),
          string.rep("z", 1023), string.rep("z", 1024), string.rep("\0", 1025),
          string.rep("long", 250000),
        }
        for i, v in ipairs(values) do equal(there_and_back(v), v, "value " .. i) end
        equal(there_and_back(nil), nil)
        local nan = there_and_back(0 / 0)
        assert(nan ~= nan and math.type(nan) == "float", "not a number stays so")
        equal(1 / there_and_back(-0.0), -math.huge, "minus zero keeps its sign")
    "#;
    let mirror = r#"
        local owner, inbox = ..., process.inbox()
        while true do process.send(owner, "reply", inbox:receive():payload()) end
    "#;
    run_with(main, &[("mirror", mirror)]);
}

#[test]
fn s2_4_tables_keep_keys_and_shape() {
    run(r#"
        local values = process.listen("t")
        local function copy(...)
          assert(process.send(process.pid(), "t", ...))
          return (values:receive())
        end
        local t = { 1, 2.0, nil, "x", [true] = "yes", [1.5] = "half", [-3] = "minus" }
        t.self = t
        t.nested = { deep = { t } }
        local shared = {}
        t.left, t.right = shared, shared
        local key = { name = "key" }
        t[key] = "by table"
        local c = copy(t)
        assert(c ~= t, "a copy")
        equal(c[1], 1); equal(c[2], 2.0); equal(c[3], nil); equal(c[4], "x")
        equal(c[true], "yes"); equal(c[1.5], "half"); equal(c[-3], "minus")
        equal(c.self, c, "a cycle")
        equal(c.nested.deep[1], c, "a cycle further down")
        assert(c.left == c.right and c.left ~= shared, "reached twice, copied once")
        equal(c[key], nil, "a table key is copied")
        local found
        for k, v in pairs(c) do if v == "by table" then found = k end end
        equal(found.name, "key")
        local pair = copy(shared, shared)
        assert(pair[1] ~= pair[2], "two values of one call share nothing")
        local self_keyed = {}
        self_keyed[self_keyed] = self_keyed
        local k = copy(self_keyed)
        equal(k[k], k, "a table that is its own key")
        local big = {}
        for i = 1, 10000 do big[i] = i; big["k" .. i] = i end
        local bc = copy(big)
        equal(#bc, 10000)
        for i = 1, 10000 do equal(bc[i], i); equal(bc["k" .. i], i) end
        equal(next(copy({})), nil, "an empty table")
    "#);
}

#[test]
fn s2_4_metatables_are_dropped_and_never_called() {
    run(r#"
        local values = process.listen("t")
        local function boom() error("a metamethod was called") end
        local t = setmetatable({ x = 1 }, {
          __index = boom, __newindex = boom, __pairs = boom, __len = boom, __tostring = boom,
          __eq = boom, __metatable = "hidden",
        })
        assert(process.send(process.pid(), "t", t, { t }))
        local c = values:receive()
        equal(c[1].x, 1)
        equal(getmetatable(c[1]), nil)
        equal(getmetatable(c[2][1]), nil)
        equal(c[1].missing, nil)
    "#);
}

#[test]
fn s2_4_copies_are_independent() {
    run(r#"
        local values, t = process.listen("t"), { n = 1, inner = { n = 1 } }
        assert(process.send(process.pid(), "t", t))
        t.n, t.inner.n = 2, 2
        local c = values:receive()
        equal(c.n, 1)
        equal(c.inner.n, 1)
        c.inner.n = 3
        equal(t.inner.n, 2)
    "#);
}

#[test]
fn s2_4_error_objects_travel() {
    run(r#"
        local values = process.listen("e")
        local sent = errors.new({
          message = "broken\0text", kind = "Own", retryable = true, details = { n = { 1, 2 } },
        })
        local _, api = process.registry.lookup("nobody")
        assert(process.send(process.pid(), "e", sent, { inside = api }))
        local got = values:receive()
        local e = got[1]
        assert(e ~= sent and type(e) == "userdata", type(e))
        equal(e:kind(), "Own")
        equal(e:message(), "broken\0text")
        equal(e:retryable(), true)
        equal(e:details().n[2], 2)
        assert(errors.is(got[2].inside, errors.NOT_FOUND))
        equal(got[2].inside:retryable(), false)
        assert(process.send(process.pid(), "e", errors.new("plain")))
        e = values:receive()
        equal(e:kind(), "")
        equal(e:retryable(), nil)
        equal(e:details(), nil)
    "#);
}

/// What cannot be copied, as the Lua expressions that make it and the word of its type.
const UNCOPYABLE: &str = r#"
    assert(process.send(process.pid(), "own"))
    local message = process.inbox():receive()
    local things = {
      { "function", print }, { "function", function() end },
      { "coroutine", coroutine.create(print) }, { "channel", channel.new() },
      { "channel", process.inbox() }, { "", message }, { "", channel.new():case_receive() },
      { "", time.timer("1h") }, { "", time.ticker("1h") }, { "", time.now() },
    }
"#;

#[test]
fn s2_4_what_cannot_be_sent() {
    let checks = r#"
        local pid = process.pid()
        local function no(thing, where, ...)
          local err = refused("INVALID", "cannot send", process.send(pid, "t", ...))
          if thing ~= "coroutine" then
            assert(string.find(err, thing, 1, true), tostring(err))
          end
          if where then assert(string.find(err, where, 1, true), tostring(err)) end
        end
        for _, pair in ipairs(things) do
          local name, v = pair[1], pair[2]
          no(name, nil, v)
          no(name, nil, "fine", v)
          no(name, ".opts.on_done", { opts = { on_done = v } })
          no(name, nil, { { [v] = true } })
          no(name, "2", { "fine", v })
        end
        local err = refused("INVALID", "cannot send", process.send(pid, "t", { a = { b = print } }))
        equal(tostring(err), "cannot send a function (at .a.b)")
        assert(process.send(pid, "last"))
        equal(process.inbox():receive():topic(), "last", "nothing else was delivered")
    "#;
    run(&format!("{UNCOPYABLE}{checks}"));
}

#[test]
fn s2_4_the_same_for_arguments_and_exit_values() {
    let checks = r#"
        local host = "app:processes"
        for _, pair in ipairs(things) do
          for _, start in ipairs({ process.spawn, process.spawn_monitored, process.exec }) do
            refused("INVALID", "cannot send", start("app:child", host, 1, { pair[2] }))
          end
        end
        local value, err = process.exec("app:child", host)
        equal(value, nil, "an exit value that cannot be copied")
        equal(err, nil, "is no failure")
        local event = process.events()
        assert(process.spawn_monitored("app:child", host))
        equal(next(event:receive().result), nil)
    "#;
    run_with(&format!("{UNCOPYABLE}{checks}"), &[("child", "return print")]);
}

#[test]
fn s2_6_to_itself_and_to_names() {
    let main = r#"
        local inbox, name = process.inbox(), "desk"
        assert(process.registry.register(name))
        assert(process.send(name, "own"))
        local r = channel.select({ inbox:case_receive(), default = true })
        equal(r.value and r.value:topic(), "own", "it is in the queue when send returns")
        assert(process.registry.unregister(name))
        refused("NOT_FOUND", "could not resolve", process.send(name, "gone"))
        local events = process.events()
        local pid = assert(process.spawn_monitored("app:child", "app:processes"))
        assert(process.registry.register(name, pid))
        assert(process.send(name, "moved", "to the child"))
        equal(events:receive().result.value, "to the child")
    "#;
    run_with(main, &[("child", "return process.inbox():receive():payload()")]);
}

#[test]
fn s2_6_to_a_dead_pid() {
    let main = r#"
        local pid = assert(process.exec("app:child", "app:processes"))
        for _ = 1, 3 do
          refused("NOT_FOUND", "process not found", process.send(pid, "t", { 1 }))
        end
    "#;
    run_with(main, &[("child", "return process.pid()")]);
}

#[test]
fn s2_7_a_full_mailbox_refuses() {
    let main = r#"
        local pid = process.pid()
        for i = 1, 10 do assert(process.send(pid, "t", i)) end
        for _ = 1, 3 do
          local err = refused("RATE_LIMITED", "mailbox full", process.send(pid, "t", 11))
          equal(err:retryable(), true)
        end
        local inbox = process.inbox()
        refused("RATE_LIMITED", "mailbox full", process.send(pid, "t", 11))
        equal(inbox:receive():payload(), 1, "it counts until Lua has taken it")
        assert(process.send(pid, "t", 11))
        refused("RATE_LIMITED", "mailbox full", process.send(pid, "t", 12))
        for i = 2, 11 do equal(inbox:receive():payload(), i) end
        local events = process.events()
        for i = 1, 10 do assert(process.send(pid, "t", i)) end
        assert(process.spawn_monitored("app:child", "app:processes"))
        equal(events:receive().result.value, "done", "events are never refused")
    "#;
    let app = App::with_host("{ max_mailbox: 10 }").process("main", main);
    app.process("child", "return 'done'").run();
}

#[test]
fn s2_7_depth() {
    run(r#"
        local values = process.listen("t")
        local function nest(depth)
          local t = { "bottom" }
          for _ = 2, depth do t = { t } end
          return t
        end
        for _, depth in ipairs({ 1, 50, 100 }) do
          assert(process.send(process.pid(), "t", nest(depth)))
          local t = values:receive()
          for _ = 2, depth do t = t[1] end
          equal(t[1], "bottom")
        end
        for _, depth in ipairs({ 1000, 200000 }) do
          local deep = "payload nesting too deep"
          refused("INVALID", deep, process.send(process.pid(), "t", nest(depth)))
        end
    "#);
}

#[test]
fn s2_7_bytes_beyond_max_memory_are_refused() {
    let main = r#"
        local events = process.events()
        local pid = assert(process.spawn_monitored("app:sink", "app:small"))
        local text, err = string.rep("x", 100000)
        local accepted = 0
        repeat
          local ok
          ok, err = process.send(pid, "t", text)
          if ok then accepted = accepted + 1 end
        until err or accepted > 1000
        refused("RATE_LIMITED", "", nil, err)
        equal(err:retryable(), true)
        assert(accepted > 0, "something fits")
        assert(process.send(pid, "stop"))
        equal(events:receive().result.value, accepted, "the receiver lives and lost nothing")
    "#;
    let sink = r#"
        time.sleep("50ms")
        local count, inbox = 0, process.inbox()
        while inbox:receive():topic() ~= "stop" do count = count + 1 end
        return count
    "#;
    let app = App::new().host("small", "{ max_memory: 2000000 }");
    app.process("main", main).process("sink", sink).run();
}

/// A receiver that reads its message and ends at once may be gone before its sender is back.
#[test]
fn s2_1_a_message_that_was_read_was_sent() {
    let main = r#"
        local events = process.events()
        for round = 1, 20000 do
          local pid = assert(process.spawn_monitored("app:child", "app:processes"))
          assert(process.send(pid, "return", round))
          local event = events:receive()
          equal(event.from, pid)
          equal(event.result.value, round)
        end
    "#;
    let child = "return process.inbox():receive():payload()";
    App::new().process("main", main).process("child", child).run();
}
