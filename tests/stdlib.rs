//! Scripts have the standard library that is promised and nothing that leads out of the process.

mod support;

use support::{App, PATIENCE, exec, run, run_with, within};

#[test]
fn s18_2_present() {
    run(r#"
        local present = {
          base = "assert error getmetatable ipairs next pairs pcall print rawequal rawget " ..
            "rawlen rawset select setmetatable tonumber tostring type xpcall require unpack",
          table = "concat insert move pack remove sort unpack",
          string = "byte char find format gmatch gsub len lower match pack packsize rep reverse " ..
            "sub unpack upper",
          math = "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad random " ..
            "randomseed sin sqrt tan tointeger type ult",
          utf8 = "char codes codepoint len offset",
          coroutine = "create resume yield status wrap running isyieldable close spawn",
          os = "time date clock difftime",
          channel = "new select",
          errors = "new wrap is call_stack",
          process = "pid id send spawn spawn_monitored exec inbox events listen unlisten " ..
            "monitor unmonitor terminate",
        }
        for name, functions in pairs(present) do
          local t = name == "base" and _G or _G[name]
          equal(type(t), "table", name)
          for f in functions:gmatch("%S+") do equal(type(t[f]), "function", name .. "." .. f) end
          if name ~= "base" then equal(require(name), t) end
        end
        equal(_G._G, _G)
        equal(type(_VERSION), "string")
        equal(unpack, table.unpack)
        equal(math.maxinteger, 9223372036854775807)
        equal(math.mininteger, -9223372036854775807 - 1)
        equal(math.huge, 1 / 0)
        assert(math.pi > 3.14159 and math.pi < 3.1416)
        equal(type(utf8.charpattern), "string")
    "#);
}

#[test]
fn s18_3_absent() {
    run(r#"
        for _, name in ipairs({ "load", "loadstring", "loadfile", "dofile", "io",
          "setfenv", "getfenv", "module", "newproxy", "jit", "ffi", "ctx", "security" }) do
          equal(_G[name], nil, name)
          equal(rawget(_G, name), nil, name)
        end
        for _, name in ipairs({ "execute", "exit", "getenv", "remove", "rename", "setlocale",
          "tmpname" }) do
          equal(os[name], nil, "os." .. name)
        end
        equal(string.dump, nil)
        for name in pairs(debug) do equal(name, "traceback") end
        if package ~= nil then
          for _, name in ipairs({ "path", "cpath", "loadlib", "loaders", "searchers", "searchpath",
            "preload" }) do
            equal(package[name], nil, "package." .. name)
          end
        end
        if collectgarbage ~= nil then
          for _, what in ipairs({ "stop", "restart", "generational", "incremental", "step" }) do
            assert(not pcall(collectgarbage, what), what)
          end
        end
        assert(not pcall(function() return load("return 1") end), "calling it raises")
    "#);
}

#[test]
fn s16_5_require() {
    let source = r#"
        local text = "module '%s' not found"
        return function()
          for _, name in ipairs({ "nothing", "io", "package", "os.path", "lib2", "main",
            "", "app:lib", "ctx", "security", "./lib", "lib.lua", "_G2", "file://lib.lua" }) do
            local ok, err = pcall(require, name)
            assert(not ok, name)
            assert(tostring(err):find(text:format(name), 1, true), tostring(err))
          end
          for _, wrong in ipairs({ {}, true, print }) do assert(not pcall(require, wrong)) end
          assert(not pcall(require))
          assert(require("lib") == lib and require("lib") == require("lib"))
          assert(lib.name == "lib" and lib.inner.name == "inner")
          assert(not pcall(require, "inner"), "an import of an import is no import")
          assert(not pcall(require, "time"), "the modules of a library are its own")
          assert(lib.sleep("1ms") == nil)
          assert(require("logger") == logger)
          assert(lib.runs() == 1 and value == "any value")
          lib.inner.changed = true
          assert(lib.other() == true, "one copy per process")
        end
    "#;
    let lib = r#"
        local M, count = { name = "lib", inner = require("inner") }, 0
        runs_of_lib = (runs_of_lib or 0) + 1
        function M.sleep(d) return require("time").sleep(d) end
        function M.runs() return runs_of_lib end
        function M.other() return inner.changed end
        return M
    "#;
    let fields = "kind: process.lua, modules: [logger], imports: { lib: lib, value: 'app:value' }";
    App::new()
        .code("main", source, fields)
        .code("lib", lib, "kind: library.lua, modules: [time], imports: { inner: inner }")
        .code("inner", "return { name = 'inner' }", "kind: library.lua")
        .code("value", "return 'any value'", "kind: library.lua")
        .run();
}

#[test]
fn s18_1_language() {
    run(r#"
        equal(7 // 2, 3)
        equal(7.0 // 2, 3.0)
        equal(7 / 2, 3.5)
        equal(2^10, 1024.0)
        equal(5 & 3 | 8 ~ 1, 5 & 3 | (8 ~ 1))
        equal(~0, -1)
        equal(1 << 63 >> 63, 1)
        equal(math.maxinteger + 1, math.mininteger)
        equal("10" + 5, 15)
        equal(tostring(1e15), "1e+15")
        equal(tostring(2.0), "2.0")
        equal(#"\u{20ac}", 3)
        for i = 1, 3 do
          if i == 2 then goto continue end
          assert(i ~= 2)
          ::continue::
        end
        local constant <const> = 5
        equal(constant, 5)
        local order = ""
        do
          local a <close> = setmetatable({}, { __close = function() order = order .. "a" end })
          local b <close> = setmetatable({}, { __close = function() order = order .. "b" end })
        end
        equal(order, "ba")
        equal(select(-1, 1, 2, 3), 3)
        equal(string.format("%5.2f|%d|%s|%q", 1.5, 3, nil, "a\nb"), " 1.50|3|nil|\"a\\\nb\"")
        equal(table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ","), "1,1,2,3")
        equal(string.unpack("<i4", string.pack("<i4", -7)), -7)
        equal(utf8.char(8364), "\u{20ac}")
    "#);
}

#[test]
fn s18_1_tables_of_libraries_are_private() {
    let main = r#"
        for _, t in ipairs({ string, table, math, utf8, coroutine, os, channel, errors }) do
          pcall(function() t.own = "changed" end)
          pcall(rawset, t, "own2", "changed")
        end
        pcall(function() string.upper = string.lower end)
        pcall(rawset, process, "send", nil)
        equal(assert(process.exec("app:child", "app:processes")), "untouched")
    "#;
    let child = r#"
        for _, t in ipairs({ string, table, math, utf8, coroutine, os, channel, errors }) do
          assert(t.own == nil and t.own2 == nil)
        end
        assert(("x"):upper() == "X" and process.send)
        return "untouched"
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s18_4_globals_behave_like_a_table() {
    run(r#"
        local seen = {}
        for name in pairs(_G) do seen[name] = true end
        for _, name in ipairs({ "string", "table", "print", "pcall", "process", "channel", "errors",
          "time", "logger" }) do
          assert(seen[name], "pairs shows " .. name)
        end
        equal(getmetatable(_G), nil)
        equal(rawget(_G, "string"), string)
        assert(next(_G) ~= nil)
        local strict = setmetatable(_G, {
          __index = function(_, name) error("undefined " .. name, 2) end,
          __newindex = function(_, name) error("assigned " .. name, 2) end,
        })
        equal(strict, _G)
        raises("undefined missing", function() return missing end)
        raises("assigned missing", function() missing = 1 end)
        equal(type(utf8.char), "function")
        equal(type(os.time), "function")
    "#);
    run(r#"
        setmetatable(_G, { __index = function(_, name) return "default " .. name end })
        equal(nothing, "default nothing")
        equal(type(math.floor), "function")
        string = nil
        equal(("x"):upper(), "X", "methods do not depend on the global")
        print = 5
        equal(print, 5)
    "#);
}

#[test]
fn s18_4_metatables_are_protected() {
    run(r#"
        local things = { "", process.inbox(), channel.new(), errors.new("x"), time.now(),
          time.timer("1h"), time.ticker("1h"), channel.new():case_receive() }
        for i, v in ipairs(things) do
          local meta = getmetatable(v)
          assert(meta == false or type(meta) == "string", i .. ": a name or false")
          assert(not pcall(setmetatable, v, {}), i .. ": setmetatable raises")
        end
        equal(getmetatable("abc"), getmetatable(""))
    "#);
}

#[test]
fn s18_4_finalizers_have_no_effect() {
    run(r#"
        local ran = 0
        for _ = 1, 10000 do
          setmetatable({ string.rep("x", 100) }, { __gc = function() ran = ran + 1 end })
        end
        local late = {}
        local t = setmetatable({}, late)
        late.__gc = function() ran = ran + 1 end
        t = nil
        for _ = 1, 10000 do local _ = { string.rep("y", 100) } end
        equal(ran, 0)
        local mt = { __gc = print, __index = { x = 1 } }
        local object = setmetatable({}, mt)
        equal(object.x, 1)
        equal(getmetatable(object), mt, "the metatable is the script's own")
        equal(mt.__gc, print)
        local weak = setmetatable({}, { __mode = "k" })
        for _ = 1, 1000 do weak[{}] = string.rep("z", 1000) end
        for _ = 1, 5000 do local _ = { string.rep("y", 1000) .. _ } end
        local left = 0
        for _ in pairs(weak) do left = left + 1 end
        assert(left < 1000, "weak tables work")
    "#);
}

#[test]
fn s18_4_pcall_and_xpcall() {
    run(r#"
        equal(select('#', pcall(function() end)), 1)
        equal(select(3, pcall(function(...) return ... end, 1, 2)), 2)
        equal(select('#', pcall(error)), 2)
        assert(not pcall(pcall), "pcall without a function raises")
        equal(pcall(5), false)
        local function fails() error("x", 0) end
        local ok, trace = xpcall(fails, function(m) return m .. " handled" end)
        equal(ok, false)
        equal(trace, "x handled")
        equal(select(2, xpcall(function(...) return select('#', ...) end, error, 1, nil, nil)), 3)
        local depth = 0
        local function deep() depth = depth + 1; return 1 + deep() end
        local fine, err = pcall(deep)
        equal(fine, false)
        assert(tostring(err):find("stack overflow", 1, true), tostring(err))
        assert(depth > 10000, "deep recursion is possible: " .. depth)
        equal(select(2, pcall(pcall, error, "e")), false)
        local handler_fails = { xpcall(error, function() error("again") end) }
        equal(handler_fails[1], false)
        raises("bad argument #1 to 'rep'", function() string.rep() end)
    "#);
}

#[test]
fn s18_4_random_and_clock() {
    run(r#"
        math.randomseed(7)
        local a, b = math.random(1000000), math.random(1000000)
        math.randomseed(7)
        equal(math.random(1000000), a)
        equal(math.random(1000000), b)
        assert(math.random() < 1)
        assert(os.time() > 1600000000 and os.clock() >= 0)
        equal(os.time({ year = 2000, month = 1, day = 1, hour = 12 }) -
          os.time({ year = 2000, month = 1, day = 1, hour = 11 }), 3600)
        equal(os.date("!%Y-%m-%d", 0), "1970-01-01")
        equal(os.date("!*t", 0).year, 1970)
        equal(os.difftime(5, 3), 2.0)
    "#);
}

#[test]
fn s18_4_string_patterns_are_those_of_lua() {
    run(r#"
        equal(("hello world"):find("o w"), 5)
        equal(("hello"):match("^(h)(.-)o$"), "h")
        equal(("key = value"):match("^(%w+)%s*=%s*(%w+)$"), "key")
        equal((("abc"):gsub("%w", "%0%0")), "aabbcc")
        equal((("hello"):gsub("l", { l = "L" })), "heLLo")
        equal((("hello"):gsub("", "-")), "-h-e-l-l-o-")
        equal((("abc"):gsub("b", "%%")), "a%c")
        equal(select(2, ("aaa"):gsub("a", "b", 2)), 2)
        equal(("[x[y]]"):match("%b[]"), "[x[y]]")
        equal(("THE (quick) fox"):find("%((%a+)%)"), 5)
        equal(("f(a,b)"):match("%f[%a]%a+"), "f")
        equal(("a.b"):find(".", 1, true), 2)
        equal(("x"):rep(3, ","), "x,x,x")
        equal(("a\0b"):match("%z"), "\0")
        equal(select('#', ("abc"):match("()b()")), 2)
        local words = {}
        for w in ("one two  three"):gmatch("%a+") do words[#words + 1] = w end
        equal(table.concat(words, "|"), "one|two|three")
        for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do words[k] = v end
        equal(words.b, "2")
        for _, bad in ipairs({ "[", "%", "(", "%b", "%f", "[a-", "%1" }) do
          assert(not pcall(string.find, "text", bad), "malformed: " .. bad)
        end
        assert(not pcall(string.match, "text", ")"))
        assert(not pcall(string.gsub, "x", "x", "%2"))
        assert(not pcall(string.rep, "x", 1 << 62))
    "#);
}

#[test]
fn s18_5_logger() {
    run(r#"
        equal(require("logger"), logger)
        for _, level in ipairs({ "debug", "info", "warn", "error" }) do
          logger[level](logger, "message")
          logger[level](logger, "message", { n = 1, text = "x\n\0", list = { 1 }, [5] = print })
        end
        local derived = logger:with({ user = "u1" }):named("sub")
        derived:info("from the derived one")
        derived:with({}):named("deeper"):debug("x")
    "#);
}

#[test]
fn s18_4_print_takes_anything() {
    run(r#"
        equal(select('#', print()), 0)
        print(nil, true, 1, 2.5, "a\tb\0\xff", {}, print, channel.new(), errors.new("e"))
        print(setmetatable({}, { __tostring = function() return "shown" end }))
        assert(not pcall(print, setmetatable({}, { __tostring = function() return {} end })))
        raises("own", print, setmetatable({}, { __tostring = function() error("own") end }))
        for i = 1, 1000 do print(i, string.rep("x", 100)) end
    "#);
}

/// However many names an entry has, all are globals.
#[test]
fn s16_5_any_number_of_imports_is_preset() {
    const COUNT: usize = 200;
    let mut app = App::new();
    let mut imports = Vec::new();
    for number in 0..COUNT {
        app = app.code(&format!("lib{number}"), &format!("return {number}"), "kind: library.lua");
        imports.push(format!("alias{number}: lib{number}"));
    }
    let fields = format!("kind: process.lua, imports: {{ {} }}", imports.join(", "));
    let main = format!(
        "return function() \
         for i = 0, {COUNT} - 1 do assert(_ENV['alias' .. i] == i, i) end \
         return string.rep('x', 3) end"
    );
    let value = within(PATIENCE, move || {
        let runtime = app.code("main", &main, &fields).start();
        exec(&runtime, "app:main", &[])
    });
    assert_eq!(value.as_str(), Some("xxx"));
}
