//! Whatever a script passes to whichever function: an ordinary failure at most, and the process
//! goes on. The functions are found at run time, so new ones are tested as soon as they exist.

mod support;

use std::fs;
use std::process::{Command, Stdio};

use moonlet::{Builder, Level, Value};
use support::{App, PATIENCE, exec, within};

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
