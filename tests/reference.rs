//! The reference of the Lua API says what is there: every public function has an entry, every entry
//! stands for something that exists, and every example runs.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use moonlet::Value;
use support::{App, exec, within};

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

/// The application that the reference shows for trying examples, around one that has this source.
fn app(example: &str) -> App {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lua/README.md");
    let text = fs::read_to_string(path).expect("there is an index of the reference");
    let definitions = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let definitions = definitions.expect("it has the definitions");
    App::new().file("definitions.yaml", definitions).file("example.lua", example)
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
        let runtime = app(list).start();
        exec(&runtime, "app:example", &[])
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
        let runtime = app(&check).start();
        exec(&runtime, "app:example", &arguments)
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
                let runtime = app(&source).start();
                let result = runtime.exec("app:example", ()).block();
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

/// The ids in quotes that a text has, but for the host.
fn ids(text: &str) -> BTreeSet<&str> {
    let quoted = text.split(['"', '\'']).filter(|text| text.starts_with("app:"));
    quoted.filter(|id| *id != "app:processes").collect()
}

#[test]
fn pages_say_which_definitions_their_examples_use() {
    let mut count = 0;
    for page in pages().iter().filter(|page| page.name != "README.md") {
        let used = page.examples.iter().flat_map(|example| ids(example)).collect::<BTreeSet<_>>();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lua").join(&page.name);
        let text = fs::read_to_string(path).expect("the page can be read");
        let note = text.split("\n\n").find(|paragraph| paragraph.starts_with("Definitions:"));
        let note = note.unwrap_or_default();
        let said = note.split('`').filter(|id| id.starts_with("app:")).collect::<BTreeSet<_>>();
        assert_eq!(said, used, "{}", page.name);
        assert_eq!(note.contains("(README.md#"), !used.is_empty(), "{}", page.name);
        count += used.len();
    }
    assert!(count > 5, "too few definitions: {count}");
}
