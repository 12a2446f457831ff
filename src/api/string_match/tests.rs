//! Our functions against stock Lua: the same calls in two states, one with our functions in its
//! `string` table.
#![allow(unsafe_code)]

use mlua::{Function, Lua, Value};
use proptest::prelude::*;

use super::*;
use crate::vm::lua::Vm;

/// Runs one call under `pcall` and renders everything that it returns or raises.
const PROBE: &str = r##"
local probes = {}
local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  return type(value) .. " " .. tostring(value)
end
local function render(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = show(parts[i]) end
  return table.concat(parts, ", ")
end
function probes.find(s, p, init, plain)
  return render(pcall(function() return string.find(s, p, init, plain) end))
end
function probes.match(s, p, init) return render(pcall(function() return (s):match(p, init) end)) end
function probes.gmatch(s, p, init)
  local seen = {}
  local ok, err = pcall(function()
    for a, b, c in string.gmatch(s, p, init) do
      seen[#seen + 1] = render(a, b, c)
      if #seen > 50 then break end
    end
  end)
  return table.concat(seen, "; ") .. render(ok, err)
end
function probes.gsub(s, p, r, n)
  return render(pcall(function() return string.gsub(s, p, r, n) end))
end
function probes.gsub_table(s, p, n)
  local replacements = setmetatable({ a = "<a>", ab = 7, b = false }, { __index = function(_, key)
    if key == 1 then return 2.5 elseif key == "c" then return {} end
  end })
  return render(pcall(function() return string.gsub(s, p, replacements, n) end))
end
function probes.gsub_function(s, p, n)
  local calls = {}
  local function replace(...)
    calls[#calls + 1] = render(...)
    if #calls % 3 == 0 then return nil elseif #calls % 7 == 0 then error("stop") end
    return #calls % 2 == 0 and #calls or select("#", ...) .. "!"
  end
  local result = render(pcall(function() return string.gsub(s, p, replace, n) end))
  return result .. table.concat(calls, "; ")
end
function probes.run(text) return render(pcall(load(text, "=probe"))) end
return probes
"##;

struct Pair {
    stock: Lua,
    ours: Lua,
}

/// A state of one of our VMs with the stock libraries: our functions look for the VM's control
/// block. The VM is leaked, because a handle on its state is handed out.
fn our_state() -> Lua {
    let vm: &'static Vm = Box::leak(Box::new(Vm::new(0, 0).unwrap()));
    // SAFETY: the state is that of a VM which was leaked, so it lives for ever. Opening libraries
    // raises for memory only, and the arena refuses nothing but while `resume` runs.
    unsafe { ffi::luaL_openlibs(vm.main_state()) };
    // SAFETY: the state lives for ever, and only the returned value uses it from now on.
    unsafe { Lua::get_or_init_from_ptr(vm.main_state()) }.clone()
}

impl Pair {
    fn new() -> Pair {
        let (stock, ours) = (Lua::new(), our_state());
        let string: mlua::Table = ours.globals().get("string").unwrap();
        for (name, function) in functions() {
            // SAFETY: the functions are C functions that keep Lua's stack discipline; only Lua
            // calls them.
            let function = unsafe { ours.create_c_function(function) }.unwrap();
            string.set(name, function).unwrap();
        }
        for lua in [&stock, &ours] {
            let probes: mlua::Table = lua.load(PROBE).set_name("=probe").eval().unwrap();
            lua.globals().set("probes", probes).unwrap();
        }
        Pair { stock, ours }
    }

    /// Runs one probe in both states; the renderings must be equal.
    fn check(&self, probe: &str, arguments: &[Argument]) {
        let [stock, ours] = [&self.stock, &self.ours].map(|lua| {
            let probes: mlua::Table = lua.globals().get("probes").unwrap();
            let function: Function = probes.get(probe).unwrap();
            let arguments: mlua::Variadic<Value> =
                arguments.iter().map(|argument| argument.value(lua)).collect();
            let shown: mlua::LuaString = function.call(arguments).unwrap();
            String::from_utf8_lossy(&shown.as_bytes()).into_owned()
        });
        assert_eq!(stock, ours, "{probe} {arguments:?}: stock Lua left, ours right");
    }
}

fn functions() -> [(&'static str, ffi::lua_CFunction); 4] {
    [("find", find), ("match", match_), ("gmatch", gmatch), ("gsub", gsub)]
}

#[derive(Debug, Clone)]
enum Argument {
    Nil,
    Number(i64),
    Text(Vec<u8>),
}

impl Argument {
    fn value(&self, lua: &Lua) -> Value {
        match self {
            Argument::Nil => Value::Nil,
            Argument::Number(number) => Value::Integer(*number),
            Argument::Text(text) => Value::String(lua.create_string(text).unwrap()),
        }
    }
}

fn text(text: impl AsRef<[u8]>) -> Argument {
    Argument::Text(text.as_ref().to_vec())
}

/// Subject and pattern; each goes through every function, from several starts.
const CASES: &[(&str, &str)] = &[
    ("hello world", "o"),
    ("hello world", "o w"),
    ("hello world", ""),
    ("", ""),
    ("", "^"),
    ("", "$"),
    ("", "^$"),
    ("", "a*"),
    ("aaa", "a-"),
    ("aaa", "^a-$"),
    ("aaab", "a-b"),
    ("abc", "^b"),
    ("a^b$c", "^b"),
    ("a^b$c", "b$c"),
    ("a^b$c", "[%^$]"),
    ("key = value", "^(%w+)%s*=%s*(%w+)$"),
    ("2026-03-01", "(%d+)-(%d+)-(%d+)"),
    ("x(y(z))w)", "%b()"),
    ("x(y(z)w", "%b()"),
    ("xxyxx", "%bxx"),
    ("x", "%b"),
    ("x", "%bx"),
    ("THE (quick) fox", "%f[%a]%a+%f[%A]"),
    ("THE (quick) fox", "%f[%z]"),
    ("a\0b", "%f[\0]"),
    ("a\0b", "[\0a]+"),
    ("a\0b\0", "%z"),
    ("a\0b", "a\0b"),
    ("x", "%f"),
    ("x", "%fa"),
    ("x", "%f["),
    ("abab", "(ab)%1"),
    ("abab", "(a)(b)%1%2"),
    ("abab", "()%1"),
    ("abab", "%1"),
    ("abab", "%0"),
    ("abab", "(a%1)"),
    ("abab", "(a)%2"),
    ("abc", "()b()"),
    ("abc", "((a)(b))"),
    ("abc", "(()a())"),
    ("abc", "(a"),
    ("abc", "((a)"),
    ("abc", "a)"),
    ("abc", ")"),
    ("abc", "("),
    ("abc", "()"),
    ("abc", "%"),
    ("abc", "a%"),
    ("abc", "["),
    ("abc", "[a"),
    ("abc", "[^"),
    ("abc", "[^]"),
    ("abc", "[]"),
    ("abc", "[]]"),
    ("a]c", "[]]"),
    ("a]c", "[^]]"),
    ("a]c", "[%]]"),
    ("a]c", "[%"),
    ("a]c", "[%]"),
    ("a-c", "[a-]"),
    ("a-c", "[-c]"),
    ("a-c", "[a%-c]+"),
    ("a+%&-]", "[+-%%]"),
    ("a+%&-]", "[+-%a]"),
    ("a+%&-]", "[+-%]"),
    ("a+%&-]", "[%a-%]"),
    ("a+%&-]", "[a-%z]*"),
    ("a+%&-]", "[z-a]"),
    ("^a", "[a^]+"),
    ("^a", "[^a^]"),
    ("abc", "*"),
    ("a*c", "a**"),
    ("a+c", "+"),
    ("a?c", "a??"),
    ("a-c", "-"),
    ("abc", "^*"),
    ("^^^", "^^+"),
    ("abc", ".-"),
    ("abc", ".*"),
    ("abc", ".+c"),
    ("abc", ".?b?c?d?"),
    ("a.b", "%."),
    ("\u{e4}\u{f6}", "[\u{e4}-\u{f6}]+"),
    ("\t\n\u{b}\u{c}\r x", "%s*"),
    ("aB1_ \n\u{7f}", "%a%A%d%D"),
    ("aB1_ \n\u{7f}", "%l%u%w%W%s%c%c"),
    ("fF0g", "%x+%X"),
    ("a!~ ", "%g+%G"),
    ("a!~ ", "%p+%P?"),
    ("\n\n", "%c%c%C"),
    ("$x", "$x"),
    ("x$", "x$$"),
    ("a b  c", "%S+"),
    ("a,b,,c", "([^,]*)"),
    ("abc", "(a)(b)(c)(d?)(e-)()"),
];

#[test]
fn agrees_with_stock_lua_on_the_table_of_cases() {
    let pair = Pair::new();
    for (subject, pattern) in CASES {
        for start in [-100, -2, -1, 0, 1, 2, 3, 4, 100, i64::MIN, i64::MAX] {
            let arguments = [text(subject), text(pattern), Argument::Number(start)];
            for probe in ["find", "match", "gmatch", "gsub_table", "gsub_function"] {
                pair.check(probe, &arguments);
            }
            let arguments = [text(subject), text(pattern), Argument::Nil];
            pair.check("gsub_table", &arguments);
            pair.check("gsub_function", &arguments);
        }
        for plain in [Argument::Nil, Argument::Number(1)] {
            pair.check("find", &[text(subject), text(pattern), Argument::Nil, plain]);
        }
        for replacement in ["", "x", "<%0>", "%1", "%2", "%9", "%%", "%", "%x", "a%1b%0c%%d"] {
            for count in [Argument::Nil, Argument::Number(0), Argument::Number(1)] {
                let arguments = [text(subject), text(pattern), text(replacement), count];
                pair.check("gsub", &arguments);
            }
        }
    }
}

#[test]
fn agrees_with_stock_lua_on_limits() {
    let pair = Pair::new();
    let long = "a".repeat(5000);
    let patterns = [
        "()".repeat(32),
        "()".repeat(33),
        "(a)".repeat(32),
        "a?".repeat(199),
        "a?".repeat(200),
        "(".repeat(33),
        "a".repeat(1000),
        ".-b".to_owned(),
        "(.-)%1$".to_owned(),
    ];
    for pattern in &patterns {
        for probe in ["find", "match", "gmatch"] {
            pair.check(probe, &[text(&long), text(pattern)]);
        }
        pair.check("gsub", &[text(&long), text(pattern), text("[%0]")]);
        pair.check("gsub_function", &[text(&long), text(pattern)]);
    }
}

#[test]
fn agrees_with_stock_lua_on_arguments() {
    let pair = Pair::new();
    for line in [
        "return string.find()",
        "return string.find('a')",
        "return string.find(nil, 'a')",
        "return string.find({}, 'a')",
        "return string.find(print, 'a')",
        "return string.find(io.stdout, 'a')",
        "return ('a'):find()",
        "return ('a'):find({})",
        "return ('a'):find('a', 'x')",
        "return ('a'):find('a', 1.5)",
        "return ('a'):find('a', '1')",
        "return string.find(1234, 23)",
        "return string.find(12.5, '.', 1, true)",
        "return string.find('a.b', '.', 1, true)",
        "return string.find('abc', 'b', nil, nil)",
        "return string.match(1234, '%d%d')",
        "return string.match()",
        "return string.gmatch('a')",
        "return string.gmatch('a', {})",
        "return string.gmatch(12, 1)()",
        "return string.gmatch('abc', 'b', {})",
        "return string.gsub('a')",
        "return string.gsub('a', 'b')",
        "return string.gsub('a', 'b', nil)",
        "return string.gsub('a', 'b', true)",
        "return string.gsub('a', 'b', io.stdout)",
        "return string.gsub('a', 'b', coroutine.create(print))",
        "return string.gsub('a', 'b', 'c', {})",
        "return string.gsub('a', 'b', true, {})",
        "return string.gsub('aaa', 'a', 7)",
        "return string.gsub('aaa', 'a', 7.5, 2)",
        "return string.gsub('aaa', 'a', 'b', -1)",
        "return string.gsub('aaa', 'a', 'b', '2')",
        "return string.gsub('aaa', 'a', {a = true})",
        "return string.gsub('aaa', 'a', function() return {} end)",
        "return string.gsub('aaa', 'a', function() return print end)",
        "return string.gsub('abc', '%w', '%%%0', 2)",
        "return string.gsub('abc', '(b)()', '%2')",
        "return string.gsub('hello', '', '-')",
        "return string.gsub('abc', '^a', 'x', 5)",
        "return string.gsub('aaa', '^a', 'x')",
        "return string.gsub(('x'):rep(3000), '.', '%0%0%0')",
        "return string.gsub(('x'):rep(3000), '.', function(c) return c:rep(5) end)",
        "return #string.gsub(('x'):rep(3000), '()', {})",
        "return string.gsub('abc', '.', function(c) return (c:gsub('.', c .. c)) end)",
        "local f = coroutine.wrap(function(c) while true do c = coroutine.yield(c .. c) end end) \
         return string.gsub('ab', '.', function(c) return f(c) end)",
        "return pcall(string.gsub('ab', '.', coroutine.yield))",
        "local f = string.gmatch('ab', '.') return f(), f(), f(), f()",
        "local t = {} \
         for k, v in string.gmatch('a=1, b=2', '(%w+)=(%w+)') do t[#t + 1] = k .. v end \
         return t[1], t[2]",
    ] {
        pair.check("run", &[text(line)]);
    }
}

#[test]
fn an_error_object_is_searched_by_its_message() {
    let pair = Pair::new();
    let lua = &pair.ours;
    let table: mlua::Table = lua.create_table().unwrap();
    let message = lua.create_function(|_, _: Value| Ok("pid not found here"));
    table.set("__tostring", message.unwrap()).unwrap();
    for (name, expected) in [
        ("moonlet.error", "5-7 found, here pid was found here"),
        ("other", "bad argument #1 to 'find' (string expected, got other)"),
    ] {
        table.set("__name", name).unwrap();
        // SAFETY: makes one userdata with a metatable; the stack is left with the userdata alone,
        // as asked.
        let object: Value = unsafe {
            lua.exec_raw(table.clone(), |lua| {
                ffi::lua_newuserdatauv(lua, 0, 0);
                ffi::lua_insert(lua, 1);
                ffi::lua_setmetatable(lua, 1);
            })
        }
        .unwrap();
        lua.globals().set("object", object).unwrap();
        let code = r#"
            local ok, from, to = pcall(string.find, object, "not", 1, true)
            if not ok then return (from:gsub("string%.", "")) end
            return from .. "-" .. to .. " " .. string.match(object, "found") .. ", "
              .. string.gmatch(object, "here")() .. " " .. string.gsub(object, "not", "was", 1)
        "#;
        let shown: String = lua.load(code).eval().unwrap();
        assert_eq!(shown, expected);
    }
}

#[test]
fn an_abandoned_match_raises_its_text() {
    unsafe extern "C-unwind" fn abandon(lua: *mut lua_State) -> c_int {
        // SAFETY: Lua alone calls this, with the running state, and the frame holds nothing.
        unsafe { raise(lua, MatchError::Abandoned) }
    }
    let lua = our_state();
    // SAFETY: the function is a C function that only raises.
    let abandon = unsafe { lua.create_c_function(abandon) }.unwrap();
    let caught: (bool, String) = lua.load("return pcall(...)").call(abandon).unwrap();
    assert_eq!(caught, (false, "interrupted".to_owned()));
}

/// The pieces of generated patterns.
const PIECES: &[&str] = &[
    "a", "b", "c", ".", "1", " ", "%a", "%d", "%s", "%W", "%", "%%", "[", "]", "[ab]", "[^a]",
    "[a-c]", "[%d-]", "-", "^", "$", "*", "+", "?", "(", ")", "(a)", "(.-)", "()", "%b()", "%bab",
    "%b", "%f[a]", "%f[%W]", "%f", "%1", "%2", "%0", "\0",
];

fn joined(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pieces), 0..most).prop_map(|chosen| chosen.concat())
}

thread_local! {
    static PAIR: Pair = Pair::new();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn agrees_with_stock_lua_on_generated_patterns(
        subject in joined(&["a", "b", "c", "(", ")", " ", "1", "\0"], 12),
        pattern in joined(PIECES, 7),
        replacement in joined(&["x", "%0", "%1", "%2", "%%", "%"], 4),
        start in -14_i64..14,
    ) {
        PAIR.with(|pair| {
            let [subject, pattern] = [text(subject), text(pattern)];
            let start = Argument::Number(start);
            for probe in ["find", "match", "gmatch", "gsub_table", "gsub_function"] {
                pair.check(probe, &[subject.clone(), pattern.clone(), start.clone()]);
            }
            pair.check("gsub", &[subject, pattern, text(replacement)]);
        });
    }
}
