//! An upgrade gives a process new code and keeps everything that others know of it.

mod support;

use support::{App, run_with};

const SETUP: &str = r#"
    local host, self, events = "app:processes", process.pid(), process.events()
    local function spawn(name, ...)
      return assert(process.spawn_monitored("app:" .. name, host, ...))
    end
    local function outcome(pid)
      local event = events:receive()
      equal(event.kind, process.event.EXIT)
      equal(event.from, pid)
      return event.result.error or event.result.value
    end
"#;

fn upgraded(checks: &str, others: &[(&str, &str)]) {
    run_with(&format!("{SETUP}{checks}"), others);
}

#[test]
fn s11_new_code_under_the_same_pid() {
    upgraded(
        r#"
        local pid = spawn("old")
        local result = outcome(pid)
        equal(result.pid, pid)
        equal(result.id, "app:new")
        equal(result.count, 4)
        equal(result[1] .. tostring(result[2]) .. result[3].x .. tostring(result[4]), "anil2nil")
        equal(result.global, nil, "a fresh environment")
    "#,
        &[
            (
                "old",
                "leftover = 1 process.upgrade('app:new', 'a', nil, { x = 2 }, nil) error('back')",
            ),
            (
                "new",
                r#"
                local n = select('#', ...)
                local result = { pid = process.pid(), count = n, global = leftover, ... }
                result.id = process.id():match("^[^#]+")
                return result
            "#,
            ),
        ],
    );
}

#[test]
fn s11_the_same_definition_again() {
    upgraded(
        r#"
        for _, how in ipairs({ "nil", "empty", "absent" }) do
          equal(outcome(spawn("again", how)), how .. " done")
        end
    "#,
        &[(
            "again",
            r#"
            local how, is_second = ...
            if is_second or how == nil then return (how or "absent") .. " done" end
            if how == "nil" then process.upgrade(nil, how, true) end
            if how == "empty" then process.upgrade("", how, true) end
            process.upgrade()
        "#,
        )],
    );
}

#[test]
fn s11_arguments_that_cannot_be_copied() {
    upgraded(
        "equal(outcome(spawn('old')), 'still old')",
        &[(
            "old",
            r#"
            refused("INVALID", "cannot send a function (at .f)", process.upgrade("app:x", { f = print }))
            for _, wrong in ipairs({ {}, true, print }) do
              refused("INVALID", "bad argument #1", process.upgrade(wrong))
            end
            return "still old"
        "#,
        )],
    );
}

#[test]
fn s11_from_any_depth_and_any_coroutine() {
    upgraded(
        r#"
        local ways = { "pcall", "xpcall", "handler", "spawned", "nested", "sort", "close", "gsub",
          "tostring" }
        for _, way in ipairs(ways) do
          equal(outcome(spawn("deep", way)), way .. " upgraded")
        end
    "#,
        &[(
            "deep",
            r#"
            local way, is_new = ...
            if is_new then return way .. " upgraded" end
            local function go() process.upgrade(nil, way, true) process.send("x", "y") end
            if way == "pcall" then pcall(go) end
            if way == "xpcall" then xpcall(go, print) end
            if way == "handler" then xpcall(error, go) end
            if way == "spawned" then
              coroutine.spawn(function() coroutine.spawn(go) end)
              process.inbox():receive()
            end
            if way == "nested" then
              coroutine.wrap(function() coroutine.resume(coroutine.create(go)) end)()
            end
            if way == "sort" then table.sort({ 3, 2, 1 }, go) end
            if way == "gsub" then string.gsub("abc", ".", go) end
            if way == "tostring" then tostring(setmetatable({}, { __tostring = go })) end
            if way == "close" then
              local co = coroutine.create(function()
                local x <close> = setmetatable({}, { __close = go })
                coroutine.yield()
              end)
              coroutine.resume(co)
              coroutine.close(co)
            end
            return "the old code went on"
        "#,
        )],
    );
}

#[test]
fn s11_unread_messages_and_events_stay_in_order() {
    upgraded(
        r#"
        local pid = spawn("old")
        for i = 1, 10 do
          assert(process.send(pid, "t" .. i % 3, i))
          if i % 5 == 0 then assert(process.cancel(pid)) end
        end
        assert(process.send(pid, "go"))
        local result = outcome(pid)
        equal(table.concat(result.numbers, " "), "1 2 3 4 5 6 7 8 9 10")
        equal(result.cancels, 2)
        equal(result.more, false)
    "#,
        &[
            (
                "old",
                r#"
                local go = process.listen("go")
                go:receive()
                -- Some in a listener, some in the inbox, events in their channel.
                local t1, inbox, events = process.listen("t1"), process.inbox(), process.events()
                process.upgrade("app:new")
            "#,
            ),
            (
                "new",
                r#"
                local inbox, events = process.inbox(), process.events()
                local numbers, cancels = {}, 0
                for i = 1, 10 do numbers[i] = inbox:receive():payload() end
                for _ = 1, 2 do
                  events:receive()
                  cancels = cancels + 1
                end
                local r = channel.select({
                  inbox:case_receive(), events:case_receive(), default = true })
                return { numbers = numbers, cancels = cancels, more = not r.default }
            "#,
            ),
        ],
    );
}

#[test]
fn s11_what_a_coroutine_was_woken_with_is_not_lost() {
    upgraded(
        r#"
        local pid = spawn("old", self)
        process.listen("waiting"):receive()
        process.send(pid, "x", "first")
        process.send(pid, "x", "second")
        assert(process.registry.register("sent"))
        local both = outcome(pid)
        equal(both[1], "first")
        equal(both[2], "second")
    "#,
        &[
            (
                "old",
                r#"
                local inbox = process.inbox()
                local function wait() inbox:receive() error("took it") end
                coroutine.spawn(wait)
                coroutine.spawn(wait)
                process.send(..., "waiting")
                while not process.registry.lookup("sent") do end
                -- This looks at what has arrived, so both are ready; neither runs any more.
                process.unlisten(process.listen("other"))
                process.upgrade("app:new")
            "#,
            ),
            (
                "new",
                r#"
                local inbox = process.inbox()
                return { inbox:receive():payload(), inbox:receive():payload() }
            "#,
            ),
        ],
    );
}

#[test]
fn s11_what_is_kept() {
    upgraded(
        r#"
        local pid = spawn("old", self)
        local told = process.listen("told")
        local state = told:receive()
        equal(state.trap_links, true)
        equal(process.registry.lookup("kept"), pid)
        equal(state.is_owner, true)
        -- Its monitor and its link on the helper stand: it hears of both.
        process.send(state.helper, "fail")
        local heard = told:receive()
        equal(heard[1], process.event.EXIT)
        equal(heard[2], process.event.LINK_DOWN)
        equal(outcome(pid), "done")
        refused("NOT_FOUND", "name not registered", process.registry.lookup("kept"))
    "#,
        &[
            (
                "old",
                r#"
                local boss = ...
                process.set_options({ trap_links = true })
                local helper = assert(process.spawn_linked_monitored("app:helper", "app:processes"))
                assert(process.registry.register("kept"))
                local never = time.after("10ms")
                process.upgrade("app:new", boss, helper)
            "#,
            ),
            (
                "new",
                r#"
                local boss, helper = ...
                local events = process.events()
                process.send(boss, "told", {
                  trap_links = process.get_options().trap_links, helper = helper,
                  is_owner = process.registry.lookup("kept") == process.pid() })
                process.send(boss, "told", { events:receive().kind, events:receive().kind })
                return "done"
            "#,
            ),
            ("helper", "process.inbox():receive() return nil, 'broken'"),
        ],
    );
}

#[test]
fn s11_a_pending_termination_stays_in_force() {
    upgraded(
        r#"
        local pid = spawn("loop")
        equal(process.cancel(pid, "50ms"), true)
        equal(outcome(pid), "process terminated")
        pid = spawn("loop")
        equal(process.terminate(pid), true)
        equal(outcome(pid), "process terminated")
    "#,
        &[("loop", "process.upgrade()")],
    );
}

#[test]
fn s11_2_failures() {
    let app = App::new()
        .process(
            "main",
            &format!(
                r#"{SETUP}
        local function fails(id, text, kind)
          local pid = spawn("old", id)
          assert(process.link(pid))
          local event = events:receive()
          equal(event.from, pid)
          local wanted = "upgrade: " .. text
          if event.result.error:sub(1, #wanted) ~= wanted then error(event.result.error) end
          equal(event.result.kind, errors[kind])
          equal(events:receive().kind, process.event.LINK_DOWN)
          local _, err = process.exec("app:old", host, id)
          equal(err:kind(), errors[kind])
          equal(err:retryable(), nil)
        end
        process.set_options({{ trap_links = true }})
        fails("app:nothing", "process definition not found", "NOT_FOUND")
        fails("app:processes", "process definition not found", "NOT_FOUND")
        fails("nothing", "process definition not found", "NOT_FOUND")
        fails("app:raises", "failed to execute script: raises.lua:1: broken", "INTERNAL")
        fails("app:waits", "failed to execute script:", "INTERNAL")
        fails("app:nomain", 'method "main" not found in module', "NOT_FOUND")
    "#
            ),
        )
        .process("old", "time.sleep('5ms') pcall(process.upgrade, ...) return 'went on'")
        .chunk("raises", "error('broken')")
        .chunk("waits", "process.inbox()")
        .chunk("nomain", "return {}");
    app.run();
}

#[test]
fn s11_ten_thousand_upgrades_while_messages_stream_in_lose_none() {
    upgraded(
        r#"
        local count = 20000
        local pid = spawn("server", self, count, 0, 0)
        for i = 1, count do
          local ok, err = process.send(pid, i % 2 == 0 and "even" or "odd", i)
          if not ok then error(err) end
        end
        local result = outcome(pid)
        equal(result.last, count)
        equal(result.upgrades, 10000)
    "#,
        &[(
            "server",
            r#"
            local boss, count, last, upgrades = ...
            local inbox = process.inbox()
            for _ = 1, 2 do
              local number = inbox:receive():payload()
              if number ~= last + 1 then
                return nil, ("expected %d, got %d"):format(last + 1, number)
              end
              last = number
            end
            if last == count then return { last = last, upgrades = upgrades + 1 } end
            -- Half of what waits now lies in a listener when the old code goes.
            process.listen("odd")
            process.upgrade(nil, boss, count, last, upgrades + 1)
        "#,
        )],
    );
}
