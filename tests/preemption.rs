//! A process that computes cannot tell that it was interrupted; that it was, the metrics say.

mod support;

use moonlet::Value;
use support::{App, PATIENCE, exec, within};

/// More than there are workers, so that without preemption nobody else would ever run.
const BUSY: usize = 4;

/// Ways to compute: name, and the body of a function that returns a checksum. Each takes several
/// time slices.
const COMPUTATIONS: &[(&str, &str)] = &[
    ("loop", "local sum = 0 for i = 1, 3000000 do sum = (sum * 31 + i) % 1000003 end return sum"),
    (
        "pcall",
        r#"local sum = 0
        for i = 1, 100000 do
          local ok, err = pcall(function() if i % 3 == 0 then error(i, 0) end return i end)
          sum = sum + (ok and err or -err)
        end
        return sum"#,
    ),
    (
        "xpcall",
        r#"local sum = 0
        for i = 1, 100000 do
          local _, value = xpcall(error, function(err) return err * 2 end, i)
          sum = sum + value
        end
        return sum"#,
    ),
    (
        "coroutines",
        r#"local function numbers(n)
          return coroutine.wrap(function()
            local inner = coroutine.create(function()
              for i = 1, n do coroutine.yield(i) end
            end)
            while true do
              local _, i = coroutine.resume(inner)
              if not i then return end
              coroutine.yield(i * 3)
            end
          end)
        end
        local sum = 0
        for i in numbers(100000) do sum = (sum * 7 + i) % 1000003 end
        return sum"#,
    ),
    (
        "inside a coroutine",
        r#"local outer = coroutine.wrap(function()
          local inner = coroutine.wrap(function()
            local sum = 0
            for i = 1, 2000000 do sum = (sum * 31 + i) % 1000003 end
            return sum
          end)
          return inner() + 1
        end)
        return outer()"#,
    ),
    (
        "recursion",
        r#"local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
        local function deep(n) if n == 0 then return 0 end return 1 + deep(n - 1) end
        local sum = fib(26)
        for _ = 1, 20 do sum = sum + deep(10000) end
        return sum"#,
    ),
    (
        "strings",
        r#"local text, hash = "", 0
        for i = 1, 5000 do text = text .. i end
        local parts = {}
        for i = 1, 50000 do parts[i] = ("%d:%s"):format(i, tostring(i):rep(2)) end
        for c in table.concat(parts):gmatch("%d%d%d") do hash = (hash * 31 + c) % 1000003 end
        return hash .. "/" .. #text"#,
    ),
    (
        "sort",
        r#"local values, seed = {}, 1
        for i = 1, 50000 do seed = seed * 16807 % 2147483647 values[i] = seed end
        table.sort(values, function(a, b) return a < b end)
        local hash = 0
        for _, value in ipairs(values) do hash = (hash * 31 + value) % 1000003 end
        return hash"#,
    ),
    (
        "patterns",
        r#"local text, hash = ("key=value; "):rep(2000), 0
        for _ = 1, 5 do
          local changed = text:gsub("(%w+)=(%w+)", function(k, v) return v .. k end)
          local _, count = changed:gsub("valuekey", "%0%0")
          hash = hash + count + #changed
          for at in changed:gmatch("()%s") do hash = (hash * 31 + at) % 1000003 end
        end
        return hash .. "/" .. tostring(text:find(("a?"):rep(9) .. "=valuE"))"#,
    ),
    (
        "metamethods",
        r#"local mt = {}
        mt.__add = function(a, b) return setmetatable({ n = (a.n + b.n) % 1000003 }, mt) end
        mt.__index = function(_, key) return key * 2 end
        mt.__close = function(self) self.n = self.n + 1 end
        mt.__lt = function(a, b) return a.n < b.n end
        local sum, step, less = setmetatable({ n = 0 }, mt), setmetatable({ n = 7 }, mt), 0
        for i = 1, 100000 do
          local guard <close> = sum
          sum = sum + step
          if sum < step or sum[i] ~= i * 2 then less = less + 1 end
        end
        return sum.n .. "/" .. less"#,
    ),
];

#[test]
fn s18_6_results_do_not_change() {
    let bodies: Vec<String> = COMPUTATIONS
        .iter()
        .map(|(name, body)| format!("[ [[{name}]] ] = function() {body} end,"))
        .collect();
    let compute = format!("local bodies = {{ {} }} return bodies[...]()", bodies.join("\n"));
    let app = App::new().process("compute", &compute).process("busy", "while true do end");
    within(PATIENCE * 2, move || {
        let runtime = app.start();
        let sum = |name: &str| exec(&runtime, "app:compute", &[Value::from(name)]);
        let alone: Vec<Value> = COMPUTATIONS.iter().map(|(name, _)| sum(name)).collect();
        for _ in 0..BUSY {
            runtime.process("app:busy").spawn().block().expect("a busy process starts");
        }
        for ((name, _), alone) in COMPUTATIONS.iter().zip(alone) {
            let before = runtime.metrics().preemptions;
            assert_eq!(sum(name), alone, "{name}");
            assert!(runtime.metrics().preemptions > before, "{name} ran beside busy processes");
        }
    });
}
