//! The reference of the Lua API says what is there: every public function has an entry, every entry
//! stands for something that exists, and every example runs.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use moonlet::Value;
use support::{App, exec, within};

const MODULES: &str = "kind: process.lua, modules: [time, ctx, security, logger, io]";

/// Objects that entries of methods are about, by the word in front of the colon.
const OBJECTS: &str = r#"
    local time, security = require("time"), require("security")
    process.send(process.pid(), "x")
    local objects = {
      message = process.inbox():receive(), builder = process.with_context({}),
      channel = channel.new(), error = errors.new("x"), timer = time.timer("1h"),
      ticker = time.ticker("1h"), time = time.now(), duration = time.parse_duration("1s"),
      logger = require("logger"), actor = security.new_actor("a"), scope = security.new_scope(),
      policy = assert(security.policy("app:may_send")),
    }
"#;

/// A page of the reference: its file name, the signatures of its entries, its examples.
struct Page {
    name: String,
    entries: Vec<String>,
    examples: Vec<String>,
}

fn pages() -> Vec<Page> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lua");
    let files = fs::read_dir(folder).expect("there is a reference");
    files.map(|file| page(&file.expect("the folder can be listed").path())).collect()
}

fn page(path: &Path) -> Page {
    let text = fs::read_to_string(path).expect("the page can be read");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
    let heading = |line: &str| {
        let entry = line.strip_prefix("### `")?.strip_suffix('`')?;
        Some(entry.to_owned())
    };
    let examples = text.split("```lua\n").skip(1);
    let examples = examples.map(|rest| rest.split("```").next().unwrap_or_default().to_owned());
    Page { name, entries: text.lines().filter_map(heading).collect(), examples: examples.collect() }
}

/// The definitions that examples use.
fn app() -> App {
    App::new()
        .process(
            "echo",
            "local inbox = process.inbox() \
             while true do local m = inbox:receive() \
             if m:from() then process.send(m:from(), m:topic(), m:payload()) end end",
        )
        .process("adder", "local a, b = ... return a + b")
        .process("failing", "return nil, 'broken'")
        .process("raising", "error('broken')")
        .process("upgrading", "process.upgrade('app:upgraded')")
        .process("upgraded", "return 'new code of ' .. process.pid()")
        .code("tenant", "return function() return (require('ctx').get('tenant')) end", MODULES)
        .entry(
            "name: may_send, kind: security.policy, groups: [senders], \
             policy: { actions: process.send, resources: '*', effect: allow }",
        )
}

/// The names of a list of texts that a process returned.
fn names(value: &Value) -> BTreeSet<String> {
    let pairs = value.as_table().expect("a list");
    pairs.iter().filter_map(|(_, name)| name.as_str().map(str::to_owned)).collect()
}

fn documented() -> BTreeSet<String> {
    let entries = pages().into_iter().flat_map(|page| page.entries);
    entries.map(|entry| entry.split('(').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_public_function_is_documented() {
    let list = r#"
        return function()
          local found = {}
          local function add(prefix, holder)
            for name, value in pairs(holder) do
              if type(value) == "function" then found[#found + 1] = prefix .. "." .. name end
            end
          end
          add("process", process)
          add("process.registry", process.registry)
          add("channel", channel)
          add("errors", errors)
          for _, name in ipairs({ "time", "ctx", "security", "io" }) do add(name, require(name)) end
          return found
        end
    "#;
    let found = within(support::PATIENCE, move || {
        let runtime = app().code("list", list, MODULES).start();
        exec(&runtime, "app:list", &[])
    });
    let (found, documented) = (names(&found), documented());
    assert!(found.len() > 40, "too few functions: {found:?}");
    let missing: Vec<_> = found.difference(&documented).collect();
    assert!(missing.is_empty(), "not documented: {missing:?}");
}

#[test]
fn every_entry_stands_for_something() {
    let check = format!(
        r#"
        return function(...)
          {OBJECTS}
          local wrong = {{}}
          for _, name in ipairs({{ ... }}) do
            local object, method = name:match("^(%a+):(.+)$")
            local value
            if object then
              local ok, found = pcall(function() return objects[object][method] end)
              value = ok and found or nil
            else
              local holder = _G
              for part in name:gmatch("[^.]+") do holder = holder and holder[part] end
              value = holder
            end
            if type(value) ~= "function" then wrong[#wrong + 1] = name end
          end
          return wrong
        end
    "#
    );
    let arguments: Vec<Value> =
        documented().iter().map(|name| Value::from(name.as_str())).collect();
    let wrong = within(support::PATIENCE, move || {
        let runtime = app().code("check", &check, MODULES).start();
        exec(&runtime, "app:check", &arguments)
    });
    assert_eq!(names(&wrong), BTreeSet::new(), "documented, but not there");
}

#[test]
fn every_example_runs() {
    let mut count = 0;
    for page in pages() {
        for (number, example) in page.examples.iter().enumerate() {
            let source = format!("return function()\n{example}\nend");
            let name = format!("{}, example {}", page.name, number + 1);
            within(support::PATIENCE, move || {
                let runtime = app().code("example", &source, MODULES).start();
                let result = runtime.exec("app:example", "app:processes", &[]);
                assert!(result.is_ok(), "{name}: {result:?}");
            });
            count += 1;
        }
    }
    assert!(count > 80, "too few examples: {count}");
}

#[test]
fn entries_have_an_example_and_pages_are_listed() {
    let readme = pages().into_iter().find(|page| page.name == "README.md");
    assert!(readme.is_some());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lua");
    let index = fs::read_to_string(folder.join("README.md")).expect("the index can be read");
    for page in pages().iter().filter(|page| page.name != "README.md") {
        assert!(index.contains(&format!("({})", page.name)), "{} is not listed", page.name);
        // Four functions of the logger share one.
        let shared = if page.name == "logger.md" { 3 } else { 0 };
        assert_eq!(page.examples.len() + shared, page.entries.len(), "{}", page.name);
    }
}
