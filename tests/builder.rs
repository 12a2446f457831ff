//! The spawn builder: context values, names, first messages, each in an immutable plan.

mod support;

use support::{App, run_with};

const SETUP: &str = r#"
    local host, self, events = "app:processes", process.pid(), process.events()
    local answers = process.listen("answer")
    local function outcome(pid)
      local event = events:receive()
      equal(event.from, pid)
      return event.result.error or event.result.value
    end
"#;

/// Returns what its context says.
const CONTEXT: &str = r#"
    local ctx = require("ctx")
    local all = ctx.all()
    local n = 0
    for _ in pairs(all) do n = n + 1 end
    return { all = all, count = n }
"#;

/// Answers each message with its topic, its payload and who sent it.
const ECHO: &str = r#"
    local inbox = process.inbox()
    while true do
      local m = inbox:receive()
      if m:topic() == "end" then return "ended" end
      process.send(m:from(), "answer", { m:topic(), m:payload(), process.pid() })
    end
"#;

fn app(main: &str) -> App {
    let modules = "kind: process.lua, modules: [ctx, time]";
    let body = |text: &str| format!("return function(...) {text}\nend");
    App::new()
        .process("main", &format!("{SETUP}{main}"))
        .code("context", &body(CONTEXT), modules)
        .code(
            "parent",
            &body(&format!(
                "return {{ own = (function() {CONTEXT} end)(), \
                 child = process.exec('app:context', 'app:processes') }}"
            )),
            modules,
        )
        .process("echo", ECHO)
}

#[test]
fn s12_1_values_reach_children_and_theirs() {
    app(r#"
        local base = process.with_context({ tenant = "t-9", trace = { id = 77, list = { 1, 2 } } })
        local result = outcome(assert(base:spawn_monitored("app:context", host)))
        equal(result.count, 2)
        equal(result.all.tenant, "t-9")
        equal(result.all.trace.id, 77)
        result = outcome(assert(base:spawn_monitored("app:parent", host)))
        equal(result.own.all.tenant, "t-9")
        equal(result.child.all.trace.list[2], 2, "exec inherits, too")
        result = outcome(assert(process.spawn_monitored("app:context", host)))
        equal(result.count, 0, "nobody else sees them")
    "#)
    .run();
}

#[test]
fn s12_2_the_module() {
    App::new()
        .process(
            "main",
            r#"
        local pid = process.with_context({ a = { 1 }, b = false })
          :spawn_monitored("app:child", "app:processes")
        local event = process.events():receive()
        equal(event.result.error, nil)
    "#,
        )
        .code(
            "child",
            r#"
            local ctx = require("ctx")
            return function()
              local v, err = ctx.get("a")
              assert(v[1] == 1 and err == nil)
              v[1] = 2
              assert(ctx.get("a")[1] == 1, "a fresh copy")
              assert(select('#', ctx.get("b")) == 2 and ctx.get("b") == false)
              local function refused(kind, text, v, err)
                assert(v == nil and errors.is(err, kind) and tostring(err) == text, tostring(err))
              end
              refused(errors.NOT_FOUND, "key not found: nothing", ctx.get("nothing"))
              refused(errors.INVALID, "empty key", ctx.get(""))
              refused(errors.INVALID, "empty key", ctx.get())
              refused(errors.INVALID, "empty key", ctx.get(7))
              local all = ctx.all()
              all.a[1] = 3
              assert(ctx.all().a[1] == 1)
            end
        "#,
            "kind: process.lua, modules: [ctx]",
        )
        .run();
}

#[test]
fn s12_4_arguments_raise() {
    app(r#"
        local function raised(kind, text, f, ...)
          local ok, err = pcall(f, ...)
          equal(ok, false)
          if not errors.is(err, errors[kind]) then error(tostring(err), 2) end
          if not string.find(err, text, 1, true) then error(tostring(err), 2) end
        end
        for _, wrong in ipairs({ 1, "x", true, print }) do
          raised("INVALID", "table", process.with_context, wrong)
        end
        raised("INVALID", "table", process.with_context)
        raised("INVALID", "context keys must be strings", process.with_context, { "x" })
        raised("INVALID", "context keys cannot be empty", process.with_context, { [""] = 1 })
        raised("INVALID", "cannot send a function", process.with_context, { f = print })
        raised("INVALID", "cannot send an error", process.with_context, { e = { errors.new("x") } })
        local b = process.with_context({})
        equal(type(b), "userdata")
        raised("INVALID", "name cannot be empty", b.with_name, b, "")
        raised("INVALID", "name cannot be empty", b.with_name, b)
        raised("INVALID", "name cannot be empty", b.with_name, b, 5)
        raised("INVALID", "topic", b.with_message, b)
        raised("INVALID", "topic cannot be empty", b.with_message, b, "")
        raised("INVALID", "cannot send to @ topics", b.with_message, b, "@x")
        raised("INVALID", "cannot send a function", b.with_message, b, "x", print)
        raised("INVALID", "actor cannot be nil", b.with_actor, b)
        raised("INVALID", "actor expected", b.with_actor, b, {})
        raised("INVALID", "scope cannot be nil", b.with_scope, b, nil)
        raised("INVALID", "scope expected", b.with_scope, b, b)
        raises("spawner expected", b.with_name, {}, "x")
        raises("spawner expected", b.spawn, events, "app:echo", host)
        refused("INVALID", "cannot send a spawner", process.send(self, "x", b))
        refused("INVALID", "spawn requires at least id and host", b:spawn())
        refused("INVALID", "spawn_linked requires at least id and host", b:spawn_linked("app:echo"))
        refused("NOT_FOUND", "host not found", b:spawn("app:echo", "app:nowhere"))
        refused("NOT_FOUND", "process definition not found", b:spawn("app:none", host))
    "#)
    .run();
}

#[test]
fn s12_4_builders_are_immutable() {
    app(r#"
        local base = process.with_context({ a = 1, b = 1 })
        local more = base:with_context({ b = 2, c = 3 })
        local result = outcome(assert(base:spawn_monitored("app:context", host)))
        equal(result.all.b, 1)
        equal(result.all.c, nil)
        result = outcome(assert(more:spawn_monitored("app:context", host)))
        equal(result.all.a + result.all.b + result.all.c, 6)
        local loud = base:with_message("hello", 1):with_message("hello", 2, 3)
        local quiet = assert(base:spawn_monitored("app:echo", host))
        process.send(quiet, "end")
        equal(outcome(quiet), "ended")
        for _ = 1, 2 do
          local pid = assert(loud:spawn("app:echo", host))
          process.send(pid, "later")
          local first, second, third = answers:receive(), answers:receive(), answers:receive()
          equal(first[1] .. first[2] .. first[3], "hello1" .. pid)
          equal(second[2][1] + second[2][2], 5)
          equal(third[1], "later", "before anything the spawner sends afterwards")
        end
    "#)
    .run();
}

#[test]
fn s12_5_a_free_name_is_there_at_once() {
    app(r#"
        local base = process.with_context({}):with_name("desk")
        local pid = assert(base:spawn_monitored("app:echo", host))
        equal(process.registry.lookup("desk"), pid)
        equal(base:spawn("app:echo", host), pid, "get or start")
        equal(base:spawn("app:none", host), pid, "nothing is started")
        refused("ALREADY_EXISTS", "name already registered", process.registry.register("desk"))
        process.send("desk", "end")
        equal(outcome(pid), "ended")
        local next = assert(base:spawn_monitored("app:echo", host))
        assert(next ~= pid)
        local other = base:with_name("other")
        local third = assert(other:spawn("app:echo", host))
        assert(third ~= next, "the later name wins")
        equal(process.registry.lookup("other"), third)
    "#)
    .run();
}

#[test]
fn s12_5_a_taken_name_is_joined() {
    app(r#"
        process.set_options({ trap_links = true })
        local pid = assert(process.spawn("app:echo", host))
        assert(process.registry.register("desk", pid))
        local plan = process.with_context({}):with_name("desk"):with_message("hi", 1)
        equal(plan:spawn_linked_monitored("app:echo", host), pid)
        equal(plan:spawn_monitored("app:echo", host), pid, "monitored already is no error")
        equal(answers:receive()[1], "hi")
        equal(answers:receive()[1], "hi")
        process.terminate(pid)
        equal(events:receive().kind, process.event.EXIT)
        equal(events:receive().kind, process.event.LINK_DOWN)
    "#)
    .run();
}

#[test]
fn s12_5_a_full_mailbox_refuses_all() {
    App::with_host("{ max_mailbox: 2 }")
        .process(
            "main",
            r#"
        local pid = assert(process.spawn("app:late", "app:processes", process.pid()))
        assert(process.registry.register("desk", pid))
        assert(process.send(pid, "x"))
        local plan = process.with_context({}):with_name("desk")
        local two = plan:with_message("a"):with_message("b")
        local err = refused("RATE_LIMITED", "mailbox full", two:spawn("app:late", "app:processes"))
        equal(err:retryable(), true)
        equal(plan:with_message("c"):spawn("app:late", "app:processes"), pid, "one has room")
        local three = two:with_message("c"):with_name("fresh")
        refused("RATE_LIMITED", "mailbox full", three:spawn("app:late", "app:processes"))
        refused("NOT_FOUND", "name not registered", process.registry.lookup("fresh"))
    "#,
        )
        .process("late", "channel.new():receive()")
        .run();
}

#[test]
fn s12_5_a_failing_chunk_frees_the_name() {
    app(r#"
        local plan = process.with_context({}):with_name("desk")
        for _ = 1, 3 do
          refused("INTERNAL", "failed to execute script", plan:spawn("app:broken", host))
          refused("NOT_FOUND", "process definition not found", plan:spawn("app:none", host))
          refused("NOT_FOUND", "name not registered", process.registry.lookup("desk"))
        end
        assert(process.registry.register("desk"))
    "#)
    .chunk("broken", "error('no')")
    .run();
}

/// Many start the same name at once while its chunk takes several time slices: one is started.
#[test]
fn s12_5_a_name_is_reserved_while_its_chunk_runs() {
    let starter = r#"
        local boss = ...
        local plan = process.with_context({}):with_name("single")
        process.send(boss, "answer", (assert(plan:spawn("app:slow", "app:processes"))))
    "#;
    app(r#"
        for _ = 1, 20 do assert(process.spawn("app:starter", host, self)) end
        local pid = answers:receive()
        for _ = 2, 20 do equal(answers:receive(), pid) end
        equal(process.registry.lookup("single"), pid)
    "#)
    .process("starter", starter)
    .chunk("slow", "for i = 1, 2000000 do end return function() process.inbox():receive() end")
    .run();
}

#[test]
fn s12_6_messages_are_copied_when_they_are_added() {
    run_with(
        r#"
        local t = { 1 }
        local plan = process.with_context({}):with_message("t", t)
        t[1] = 2
        local pid = assert(plan:spawn_monitored("app:child", "app:processes"))
        equal(process.events():receive().result.value, 1)
    "#,
        &[("child", "return process.inbox():receive():payload()[1]")],
    );
}

#[test]
fn s16_6_what_a_builder_holds_counts_as_memory() {
    // A table of numbers, since long strings are shared and counted by themselves.
    let holder = r#"
        local keeps = ...
        local values, kept = {}, {}
        for i = 1, 20000 do values[i] = i + 0.5 end
        for i = 1, 200 do
          local plan = process.with_context({ values = values }):with_message("t", values)
          if keeps then kept[i] = plan end
        end
        return "done"
    "#;
    let main = r#"
        equal(process.exec("app:holder", "app:small", false), "done")
        local value, err = process.exec("app:holder", "app:small", true)
        equal(value, nil)
        assert(tostring(err):find("memory limit", 1, true), tostring(err))
    "#;
    let app = App::new().host("small", "{ max_memory: 8000000 }");
    app.process("main", main).process("holder", holder).run();
}
