//! Cancel asks a process to stop and, with a deadline, makes sure of it.

mod support;

use support::run_with;

/// Sends every CANCEL to its spawner as plain data, and ends when told to.
const WATCHFUL: &str = r#"
    local boss = ...
    local inbox, events = process.inbox(), process.events()
    process.send(boss, "ready")
    while true do
      local r = channel.select({ events:case_receive(), inbox:case_receive() })
      if r.channel == inbox then return "told to" end
      process.send(boss, "event", r.value)
    end
"#;

const SETUP: &str = r#"
    local host, self = "app:processes", process.pid()
    local events, seen, ready = process.events(), process.listen("event"), process.listen("ready")
    local function watchful()
      local pid = assert(process.spawn_monitored("app:watchful", host, self))
      ready:receive()
      return pid
    end
    local function outcome(pid)
      local event = events:receive()
      equal(event.kind, process.event.EXIT)
      equal(event.from, pid)
      return event.result.error or event.result.value
    end
"#;

fn cancelled(checks: &str) {
    run_with(
        &format!("{SETUP}{checks}"),
        &[
            ("watchful", WATCHFUL),
            ("busy", "process.send(..., 'ready') while true do end"),
            ("caught", "process.send(..., 'ready') while true do pcall(error, 1) end"),
            ("idle", "process.send(..., 'ready') channel.new():receive()"),
            (
                "counter",
                r#"
                process.inbox():receive()
                local events, count = process.events(), 0
                while true do
                  local r = channel.select({ events:case_receive(), default = true })
                  if r.default then return count end
                  count = count + 1
                end
            "#,
            ),
            ("late", "process.inbox():receive() return process.events():receive()"),
        ],
    );
}

#[test]
fn s6_1_missing_and_wrong_arguments() {
    cancelled(
        r#"
        local text = "cancel requires at least destination argument"
        refused("INVALID", text, process.cancel())
        refused("INVALID", text, process.cancel(nil, "5s"))
        refused("INVALID", "bad argument #1", process.cancel({}))
        refused("NOT_FOUND", "could not resolve 'nobody'", process.cancel("nobody", "wrong"))
        refused("NOT_FOUND", "process not found", process.cancel("{app:processes|0xfffff}"))
        local gone = "{app:processes|0xfffff}"
        refused("INVALID", "invalid duration format: 5", process.cancel(gone, "5"))
        refused("INVALID", "invalid duration format", process.cancel(self, 0 / 0))
        refused("INVALID", "invalid duration format", process.cancel(self, math.huge))
        for _, wrong in ipairs({ {}, true, print }) do
          refused("INVALID", "deadline must be either a duration string or milliseconds number",
            process.cancel(self, wrong))
        end
        local result = channel.select({ events:case_receive(), default = true })
        equal(result.default, true, "no event was sent")
    "#,
    );
}

#[test]
fn s6_1_the_event() {
    cancelled(
        r#"
        local pid = watchful()
        equal(select('#', process.cancel(pid)), 2)
        local event = seen:receive()
        equal(event.kind, "pid.cancel")
        equal(event.kind, process.event.CANCEL)
        equal(event.from, self)
        equal(event.deadline, nil)
        equal(math.type(event.at), "integer")
        equal(process.cancel(pid, nil), true)
        equal(seen:receive().deadline, nil)
        process.send(pid, "end")
        equal(outcome(pid), "told to")
    "#,
    );
}

#[test]
fn s6_1_the_deadline_is_a_time_stamp() {
    cancelled(
        r#"
        local pid = watchful()
        local before = time.now():unix()
        equal(process.cancel(pid, "1h"), true)
        local text = seen:receive().deadline
        local pattern = "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)(%.?%d*)Z$"
        local y, mo, d, h, mi, s, fraction = text:match(pattern)
        assert(y, text)
        assert(fraction == "" or not fraction:find("0$"), text)
        local stamp = { year = y, month = mo, day = d, hour = h, min = mi, sec = s, isdst = false }
        local utc = os.date("!*t", before)
        utc.isdst = false
        local left = os.time(stamp) - os.time(utc)
        assert(left >= 3599 and left <= 3602, left)
        process.send(pid, "end")
        equal(outcome(pid), "told to")
    "#,
    );
}

#[test]
fn s6_1_numbers_are_milliseconds() {
    cancelled(
        r#"
        local pid = watchful()
        local begin = time.monotonic()
        equal(process.cancel(pid, 30.9), true)
        equal(outcome(pid), "process terminated")
        local ms = (time.monotonic() - begin) / 1e6
        assert(ms >= 30 and ms < 10000, ms)
    "#,
    );
}

#[test]
fn s6_1_cancel_is_cooperative() {
    cancelled(
        r#"
        local pid = assert(process.spawn_monitored("app:late", host))
        equal(process.cancel(pid), true)
        time.sleep("20ms")
        process.send(pid, "go on")
        local event = events:receive()
        equal(event.result.value.kind, process.event.CANCEL, "the event waited")
        equal(event.result.value.from, self)
    "#,
    );
}

#[test]
fn s6_1_the_deadline_is_enforced() {
    cancelled(
        r#"
        for _, name in ipairs({ "busy", "caught", "idle" }) do
          local pid = assert(process.spawn_monitored("app:" .. name, host, self))
          ready:receive()
          equal(process.cancel(pid, "20ms"), true)
          equal(outcome(pid), "process terminated", name)
        end
    "#,
    );
}

#[test]
fn s6_1_the_earliest_deadline_counts() {
    cancelled(
        r#"
        local pid = watchful()
        equal(process.cancel(pid, "1h"), true)
        equal(process.cancel(pid, "20ms"), true)
        equal(process.cancel(pid, "2h"), true)
        equal(outcome(pid), "process terminated")
    "#,
    );
}

#[test]
fn s6_1_cancelling_itself() {
    cancelled(
        r#"
        equal(process.cancel(self), true)
        local event = events:receive()
        equal(event.kind, process.event.CANCEL)
        equal(event.from, self)
    "#,
    );
}

#[test]
fn s6_open_zero_and_negative_deadlines() {
    cancelled(
        r#"
        for _, deadline in ipairs({ 0, -5, "0", "-1h" }) do
          local pid = assert(process.spawn_monitored("app:idle", host, self))
          ready:receive()
          equal(process.cancel(pid, deadline), true)
          equal(outcome(pid), "process terminated")
        end
    "#,
    );
}

#[test]
fn s2_7_so_many_cancels_wait() {
    cancelled(
        r#"
        local pid = assert(process.spawn_monitored("app:counter", host))
        for _ = 1, 1500 do equal(process.cancel(pid), true) end
        process.send(pid, "count")
        equal(outcome(pid), 1024)
        pid = assert(process.spawn_monitored("app:counter", host))
        for _ = 1, 1500 do equal(process.cancel(pid), true) end
        equal(process.cancel(pid, "10ms"), true)
        equal(outcome(pid), "process terminated", "the deadline still counts")
    "#,
    );
}

#[test]
fn s6_2_terminate() {
    cancelled(
        r#"
        refused("INVALID", "terminate requires a destination argument", process.terminate())
        local gone = "{app:processes|0xfffff}"
        refused("NOT_FOUND", "process not found", process.terminate(gone))
        for _, name in ipairs({ "busy", "caught", "idle" }) do
          local pid = assert(process.spawn_monitored("app:" .. name, host, self))
          assert(process.registry.register("victim", pid))
          ready:receive()
          equal(process.terminate("victim"), true)
          local again = process.terminate(pid)
          assert(again == true or again == nil)
          equal(outcome(pid), "process terminated")
          refused("NOT_FOUND", "name not registered", process.registry.lookup("victim"))
        end
    "#,
    );
}
