//! Whatever a script passes to whichever function: an ordinary failure at most, and the process
//! goes on. The functions are found at run time, so new ones are tested as soon as they exist.

mod support;

use std::fs;
use std::process::{Command, Stdio};

use moonlet::{Builder, Level, Value};
use support::{App, PATIENCE, exec, run, within};

const PROBER: &str = include_str!("support/hostile.lua");

/// Calls all functions of a family; fails unless there are at least `count`.
fn probe(family: &'static str, count: i64) {
    let value = within(2 * PATIENCE, move || {
        let application = App::new()
            // What a call leaves behind must stay bounded, too.
            .host("bounded", "{ max_memory: 128000000 }")
            .code("hostile", PROBER, "kind: process.lua, modules: [time, logger, ctx, security]")
            .process("child", "return ...")
            .process("sink", "local inbox = process.inbox() while true do inbox:receive() end")
            .load();
        // Calls of the logger would fill the screen.
        let builder = Builder::new().workers(2).log_level(Level::Off);
        let runtime = builder.application(application).start().expect("the runtime starts");
        let value = exec(&runtime, "app:hostile", &[Value::from(family)]);
        runtime.shutdown();
        value
    });
    assert!(value.as_i64() >= Some(count), "{family} has {value:?} functions");
}

#[test]
fn s0_3_functions_of_process_never_raise() {
    probe("process", 20);
    probe("process.registry", 3);
}

#[test]
fn s12_and_s14_functions_of_context_and_security() {
    probe("ctx", 2);
    probe("security", 7);
}

#[test]
fn s8_functions_of_channels_and_coroutines() {
    probe("channel", 2);
    probe("coroutine", 9);
}

#[test]
fn s9_functions_of_time() {
    probe("time", 12);
}

#[test]
fn s15_functions_of_errors() {
    probe("errors", 4);
}

#[test]
fn s18_2_functions_of_the_base_library() {
    probe("base", 20);
}

#[test]
fn s18_2_functions_of_strings() {
    probe("string", 16);
    probe("utf8", 5);
}

#[test]
fn s18_2_functions_of_tables_numbers_and_the_system() {
    probe("table", 7);
    probe("math", 20);
    probe("os", 4);
}

#[test]
fn methods_of_objects_with_any_self() {
    probe("methods", 20);
}

#[test]
fn operators_with_any_operands() {
    probe("operators", 10);
}

/// `io` and `print` have a real output: the command runs them, with nobody behind its pipes.
#[test]
fn s18_5_functions_of_io() {
    let folder = tempfile::tempdir().expect("a folder for the application");
    let main = r#"
        local cyclic, huge = {}, ("x"):rep(100000)
        cyclic[1] = cyclic
        local boom = setmetatable({}, { __tostring = function() error("boom") end })
        local values = { true, 0, 0 / 0, "", "a\0b", "\xff", huge, cyclic, boom, print,
          coroutine.create(print), io, channel.new() }
        local function call(f, ...)
          local ok, err = pcall(f, ...)
          assert(ok or not tostring(err):find("internal error"), tostring(err))
        end
        local functions = { print }
        for _, f in pairs(io) do functions[#functions + 1] = f end
        assert(#functions == 6)
        for _, f in ipairs(functions) do
          call(f)
          call(f, nil)
          call(f, table.unpack(values))
          for _, a in ipairs(values) do
            call(f, a)
            for _, b in ipairs(values) do call(f, a, b) end
            string.gsub("x", "x", function() call(f, a) end)
          end
        end
        return nil, "unharmed"
    "#;
    let index = "namespace: app\nentries:\n- { name: main, kind: process.lua, \
                 source: 'file://main.lua', modules: [io] }\n";
    fs::write(folder.path().join("_index.yaml"), index).expect("the folder can be written");
    fs::write(folder.path().join("main.lua"), format!("return function() {main} end"))
        .expect("the folder can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_moonlet"));
    command.arg("run").arg(folder.path()).args(["-x", "app:main"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let output = within(PATIENCE, move || command.output().expect("the command runs"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("unharmed"), "it ended with: {errors}");
}

#[test]
fn s2_4_strings_of_any_length() {
    run(r#"
        local values, self = process.listen("t"), process.pid()
        for _, length in ipairs({ 0, 1, 39, 40, 41, 1022, 1023, 1024, 1025, 65535, 65536, 10000000 }) do
          local text = ("\0\xffab"):rep(length // 4 + 1):sub(1, length)
          for _ = 1, 3 do
            assert(process.send(self, "t", text, { text, [text] = text }))
            local got = values:receive()
            equal(got[1], text)
            equal(got[2][1], text)
            equal(got[2][text], text)
            text = got[1]
          end
          assert(length == 0 or process.send(self, text, 1), "a topic may be as long")
        end
    "#);
}

#[test]
fn s2_4_tables_of_any_shape() {
    run(r#"
        local values, self = process.listen("t"), process.pid()
        local function copy(value)
          assert(process.send(self, "t", value))
          return values:receive()
        end
        local many = {}
        for i = 1, 100000 do many["key" .. i] = i end
        many = copy(many)
        local count = 0
        for key, value in pairs(many) do
          equal(key, "key" .. value)
          count = count + 1
        end
        equal(count, 100000)
        local list = {}
        for i = 1, 100000 do list[i] = { i } end
        equal(copy(list)[100000][1], 100000)
        local inner, chain = { "key" }, {}
        local odd = copy({ [inner] = inner, [1.5] = "float", [math.huge] = "inf", [-1] = "neg",
          [math.mininteger] = "min", [true] = false, [""] = 0 / 0, [2 ^ 53] = "whole" })
        local key
        for k in pairs(odd) do key = type(k) == "table" and k or key end
        equal(odd[key], key)
        equal(key[1], "key")
        equal(odd[1.5], "float")
        equal(odd[math.huge], "inf")
        equal(odd[math.mininteger], "min")
        equal(odd[2 ^ 53], "whole")
        equal(odd[true], false)
        assert(odd[""] ~= odd[""], "NaN")
        for i = 1, 1000 do chain[i] = { chain, chain[i - 1] } end
        chain = copy(chain)
        equal(chain[1000][1], chain)
        equal(chain[1000][2], chain[999])
        local holes = copy({ nil, nil, 3, [1 << 40] = "far" })
        equal(holes[1], nil)
        equal(holes[3], 3)
        equal(holes[1 << 40], "far")
    "#);
}

#[test]
fn s2_7_depth_200_goes_and_201_does_not() {
    let main = r#"
        local values, self = process.listen("t"), process.pid()
        local function nest(depth, how)
          local t = "bottom"
          for _ = 1, depth do t = how == "key" and { [t] = true } or { t } end
          return t
        end
        for _, how in ipairs({ "value", "key" }) do
          assert(process.send(self, "t", nest(200, how)))
          local t, depth = values:receive(), 0
          while type(t) == "table" do t, depth = how == "key" and next(t) or t[1], depth + 1 end
          equal(depth, 200)
          equal(t, "bottom")
          local deep, host = "payload nesting too deep", "app:processes"
          for _, depth in ipairs({ 201, 1000, 100000 }) do
            refused("INVALID", deep, process.send(self, "t", nest(depth, how)))
            refused("INVALID", deep, process.spawn("app:child", host, nest(depth, how)))
            refused("INVALID", deep, process.exec("app:child", host, nest(depth, how)))
            raises("nesting", errors.new, { message = "m", details = nest(depth, how) })
          end
        end
        equal(process.exec("app:deep", "app:processes"), nil, "an end value that cannot be copied")
    "#;
    let deep = "local t = {} for _ = 1, 300 do t = { t } end return t";
    App::new().process("main", main).process("child", "return 1").process("deep", deep).run();
}

#[test]
fn s16_6_limits_of_one() {
    let main = r#"
        local events, stop = process.events(), process.listen("stop")
        local pid = assert(process.spawn_monitored("app:child", "app:one", process.pid()))
        for _ = 1, 100 do
          local full = "max processes limit exceeded"
          local err = refused("RATE_LIMITED", full, process.spawn("app:child", "app:one"))
          equal(err:retryable(), true)
          refused("RATE_LIMITED", full, process.exec("app:child", "app:one"))
        end
        stop:receive()
        assert(process.send(pid, "t", 1))
        for _ = 1, 100 do
          local err = refused("RATE_LIMITED", "mailbox full", process.send(pid, "t", 2))
          equal(err:retryable(), true)
        end
        assert(process.terminate(pid), "no event is refused")
        equal(events:receive().from, pid)
        for i = 1, 100 do
          local child
          repeat child = process.spawn_monitored("app:once", "app:one", i) until child
          equal(events:receive().result.value, i, "the place was free soon after EXIT")
        end
    "#;
    // Nothing is taken from the mailbox: the inbox is never opened.
    let child = "process.send(..., 'stop') process.listen('never'):receive()";
    App::new()
        .host("one", "{ max_processes: 1, max_mailbox: 1 }")
        .process("main", main)
        .process("child", child)
        .process("once", "return ...")
        .run();
}
