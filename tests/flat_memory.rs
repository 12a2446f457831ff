//! What a process makes and drops for ever leaves the memory of the program flat, without a limit.
//!
//! One test alone in its program, since it looks at the resident memory of the whole.

#![cfg(target_os = "linux")]

mod support;

use support::{App, PATIENCE, exec, within};

use moonlet::{Builder, Value};

const FEW: i64 = 50_000;
const MANY: i64 = 20 * FEW;

const MAKES: &str = r#"
    local makes = {
      channels = function() channel.new(1) end,
      cases = function() channel.new(1):case_receive() end,
      afters = function() time.after("1h") end,
      timers = function() time.timer("1h") end,
      tickers = function() time.ticker("1h") end,
      listeners = function() process.unlisten(process.listen("topic")) end,
      inboxes = function() process.unlisten(process.inbox()) end,
      spawners = function() process.with_context({}) end,
      scopes = function() security.new_scope() end,
      actors = function() security.new_actor("someone") end,
      zones = function() time.fixed_zone("zone", 3600) end,
    }
    local name, count = ...
    local make = makes[name]
    for _ = 1, count do make() end
"#;

const NAMES: [&str; 11] = [
    "channels",
    "cases",
    "afters",
    "timers",
    "tickers",
    "listeners",
    "inboxes",
    "spawners",
    "scopes",
    "actors",
    "zones",
];

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the system says");
    let pages: usize = text.split(' ').nth(1).unwrap().parse().expect("a number of pages");
    pages * 4096
}

#[test]
fn what_is_dropped_is_gone() {
    within(4 * PATIENCE, || {
        let app = App::new().process_using("time, security", "make", MAKES);
        let application = app.load();
        let runtime = Builder::new().workers(1).application(application).start().unwrap();
        let make = |name: &str, count: i64| {
            exec(&runtime, "app:make", &[Value::from(name), Value::from(count)]);
            resident()
        };
        for name in NAMES {
            let few = make(name, FEW);
            let many = make(name, MANY);
            assert!(many <= 2 * few, "{name}: {few} bytes after {FEW}, {many} after {MANY}");
        }
        runtime.shutdown();
    });
}
