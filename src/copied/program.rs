//! Random Lua programs: a grammar (`grammar.rs`) turns the choices of a test into text. Fewer and
//! smaller choices give simpler programs, so proptest shrinks the programs.

use std::path::PathBuf;

use super::grammar::{Kind, rules};

/// Maximum nesting of blocks and of expressions.
const DEPTH_MAX: usize = 4;
const STATEMENTS_MAX: u8 = 5;
const LIBRARIES_MAX: u8 = 3;

/// The beginning of each source. Loops and calls have a budget, texts stay short, and values are
/// shown without their address. The prelude mentions few names of the standard library: names that
/// the code mentions are in a template and others are not, and this difference is left to the
/// programs.
const PRELUDE: &str = r#"
local log, budget = "", 3000
local function more(n) budget = budget - n return budget > 0 and n or 0 end
local function call(f, ...) if more(1) == 0 then return 0 end return f(...) end
local function clip(text) return #text > 3000 and text:sub(-2000) or text end
local function short(text)
  return #text > 100 and text:sub(1, 50) .. #text .. text:sub(-50) or text
end
local function show(value, depth)
  local kind = type(value)
  if kind == "number" then return ("%q"):format(value) end
  if kind == "string" then return ("%q"):format(short(value)) end
  if kind == "nil" or kind == "boolean" then return tostring(value) end
  if kind ~= "table" or depth == 0 then return kind end
  local count, others, shown = 0, 0, ""
  for key in next, value do
    local kind = type(key)
    count = count + 1
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then others = others + 1 end
  end
  -- Keys that are hashed by their address come in any order.
  local left = others == 0 and 10 or 0
  for key, item in next, value do
    if left == 0 then break end
    left = left - 1
    shown = shown .. show(key, 0) .. "=" .. show(item, depth - 1) .. ","
  end
  return "{" .. shown .. count .. "," .. others .. "}"
end
local function note(a, b, c)
  if more(1) == 0 then return end
  log = log .. show(a, 2) .. " " .. show(b, 1) .. " " .. show(c, 1) .. "\n"
end
"#;

/// The sources of one definition.
#[derive(Debug)]
pub(super) struct Program {
    /// Names and sources of the imported libraries; each may use the libraries before it.
    pub(super) libraries: Vec<(String, String)>,
    pub(super) main: String,
}

impl Program {
    /// Generates the program that these choices determine.
    pub(super) fn from_choices(choices: &[u8]) -> Program {
        let mut writer = Writer { choices: choices.iter(), ..Writer::default() };
        let count = writer.choose(LIBRARIES_MAX);
        let libraries = (0..count).map(|number| (format!("lib{number}"), writer.library(number)));
        let libraries = libraries.collect();
        let main = writer.main(count);
        Program { libraries, main }
    }

    /// Returns the files of an application with the definition `app:main` and the host `app:host`.
    pub(super) fn files(&self, memory_limit: usize) -> Vec<(PathBuf, Vec<u8>)> {
        let mut index = format!(
            "namespace: app\nentries:\n- {{ name: host, kind: process.host, \
             host: {{ max_memory: {memory_limit} }}, lifecycle: {{ auto_start: true }} }}\n"
        );
        let mut imports = String::new();
        let libraries = self.libraries.iter().map(|library| (library, "library.lua"));
        let main = ("main".to_owned(), self.main.clone());
        let mut files = Vec::new();
        for ((name, source), kind) in libraries.chain([(&main, "process.lua")]) {
            let file = format!("{name}.lua");
            index += &format!(
                "- {{ name: {name}, kind: {kind}, source: 'file://{file}', \
                 imports: {{ {imports} }}, modules: [time, ctx, logger] }}\n"
            );
            imports += &format!("{name}: {name}, ");
            files.push((file.into(), source.as_bytes().to_vec()));
        }
        files.push(("_index.yaml".into(), index.into_bytes()));
        files
    }

    /// Returns all sources, for failure messages.
    pub(super) fn text(&self) -> String {
        let libraries = self.libraries.iter();
        let libraries = libraries.map(|(name, source)| format!("-- {name}\n{source}\n"));
        libraries.chain([format!("-- main\n{}", self.main)]).collect()
    }
}

#[derive(Default)]
struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    /// Variables in scope.
    variables: Vec<(Kind, usize)>,
    uniq: usize,
    depth: usize,
    /// Whether the code belongs to main, which may wait.
    is_main: bool,
}

impl Writer<'_> {
    /// Returns a number below `bound`, or 0 once all choices are used up.
    fn choose(&mut self, bound: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % bound)
    }

    fn pick<T>(&mut self, among: &'static [T]) -> &'static T {
        if self.depth > DEPTH_MAX {
            return &among[0];
        }
        let index = self.choose(u8::try_from(among.len()).expect("a short list"));
        &among[usize::from(index)]
    }

    fn library(&mut self, number: u8) -> String {
        let body = format!("{}{}", self.requires(number), self.statements(2));
        let export = self.expand("return { number = $n, text = $s, table = $t, get = $F }");
        self.variables.clear();
        format!("{PRELUDE}{body}{export}")
    }

    fn main(&mut self, libraries: u8) -> String {
        let chunk = format!("{}{}", self.requires(libraries), self.statements(2));
        self.is_main = true;
        let body = self.statements(6);
        let end = self.pick(&["log", "log", "nil, log", "$t", "error(log)"]);
        let end = self.expand(end);
        format!("{PRELUDE}{chunk}return function()\n{body}return {end}\nend")
    }

    fn requires(&mut self, count: u8) -> String {
        let mut text = String::new();
        for number in 0..count {
            let id = self.fresh();
            let name = format!("lib{number}");
            text += &match self.choose(3) {
                0 => format!("local v{id} = require('{name}').table\n"),
                1 => format!("local v{id} = {name}.table note({name}.number, {name}.text)\n"),
                _ => format!("local v{id} = {name} note(call({name}.get, 1, 'a'))\n"),
            };
            self.variables.push((Kind::Table, id));
        }
        text
    }

    /// Generates statements in `blocks` groups.
    fn statements(&mut self, blocks: u8) -> String {
        let mut text = String::new();
        for _ in 0..blocks {
            for _ in 0..=self.choose(STATEMENTS_MAX) {
                text += &self.statement();
            }
        }
        text
    }

    fn block(&mut self) -> String {
        let outer = self.variables.len();
        let text = self.statements(1);
        self.variables.truncate(outer);
        // Without the semicolon, a parenthesis at the beginning would call the value before it.
        format!("; {text}")
    }

    fn statement(&mut self) -> String {
        let is_for_main = self.is_main && self.choose(6) == 1;
        let rule = self.pick(rules(if is_for_main { "main" } else { "statement" }));
        let id = self.fresh();
        let text = self.expand(&rule.text.replace("$u", &id.to_string()));
        // In scope only from here on: the statement's own text cannot use the variable.
        self.variables.extend(rule.leaves.map(|kind| (kind, id)));
        text + ";\n"
    }

    fn fresh(&mut self) -> usize {
        self.uniq += 1;
        self.uniq
    }

    /// Fills in a template; `grammar.rs` defines the letters.
    fn expand(&mut self, template: &str) -> String {
        let mut parts = template.split('$');
        let mut text = parts.next().unwrap_or_default().to_owned();
        self.depth += 1;
        for part in parts {
            let (letter, rest) = part.split_at(1);
            text += &self.part(letter);
            text += rest;
        }
        self.depth -= 1;
        text
    }

    fn part(&mut self, letter: &str) -> String {
        let section = match letter {
            "a" => self.pick(&["n", "s", "t", "b"]),
            "i" => return self.choose(10).to_string(),
            "l" => return format!("more({})", 1 + self.choose(4)),
            "B" => return self.block(),
            "N" => return self.variable(Kind::Number, "0"),
            "S" => return self.variable(Kind::Text, "''"),
            "T" => return self.variable(Kind::Table, "{}"),
            "F" => return self.variable(Kind::Function, "function(a) return a end"),
            section => section,
        };
        let rule = self.pick(rules(section));
        self.expand(&rule.text)
    }

    /// Returns a variable in scope, or `other` if there is none.
    fn variable(&mut self, kind: Kind, other: &str) -> String {
        let known = self.variables.iter().filter(|(known, _)| *known == kind);
        let known: Vec<usize> = known.map(|(_, id)| *id).collect();
        if known.is_empty() {
            return format!("({other})");
        }
        // Counted back from the latest variable.
        let back = usize::from(self.choose(u8::MAX)) % known.len();
        format!("v{}", known[known.len() - 1 - back])
    }
}
