-- 18.1 and 18.4. Results and error texts of the language and of its library.
local spec = require("spec")
local equal, raises = spec.equal, spec.raises

local cases = {}

function cases.s18_1_integers_and_floats()
  equal(math.type(1), "integer")
  equal(math.type(1.0), "float")
  equal(7 // 2, 3)
  equal(7.0 // 2, 3.0)
  equal(7 / 2, 3.5)
  equal(2 ^ 10, 1024.0)
  equal(math.maxinteger + 1, math.mininteger)
  equal(5 & 3 | 8, 9)
  equal(1 << 63 >> 63, 1)
  equal(~0, -1)
  equal(tostring(2.0), "2.0")
  equal("10" + 5, 15)
  equal(tostring(1e15), "1e+15")
  equal(5 & 3 | 8 ~ 1, 5 & 3 | (8 ~ 1))
  equal(#"\u{20ac}", 3)
  equal(select(-1, 1, 2, 3), 3)
end

function cases.s18_4_results_of_the_library()
  equal(string.format("%5.2f|%d|%s|%q", 1.5, 3, nil, "a\nb"), ' 1.50|3|nil|"a\\\nb"')
  equal(table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ","), "1,1,2,3")
  equal(string.unpack("<i4", string.pack("<i4", -7)), -7)
  equal(utf8.char(8364), "\u{20ac}")
  equal(("x"):rep(3, ","), "x,x,x")
  assert(not pcall(string.rep, "x", 1 << 62))
  raises("bad argument #1 to 'rep'", function() string.rep() end)
end

function cases.s18_4_pcall_and_xpcall()
  equal(select("#", pcall(function() end)), 1)
  equal(select(3, pcall(function(...) return ... end, 1, 2)), 2)
  equal(select("#", pcall(error)), 2)
  assert(not pcall(pcall), "without a function it raises")
  equal((pcall(5)), false)
  local function fails() error("x", 0) end
  equal(spec.show(xpcall(fails, function(m) return m .. " handled" end)), "false, x handled")
  equal(select(2, xpcall(function(...) return select("#", ...) end, error, 1, nil, nil)), 3)
  equal(select(2, pcall(pcall, error, "e")), false)
  equal((xpcall(error, function() error("again") end)), false)
  local depth = 0
  local function deep() depth = depth + 1; return 1 + deep() end
  raises("stack overflow", deep)
  assert(depth > 10000, "deep recursion is possible: " .. depth)
end

function cases.s18_4_patterns()
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
  equal(("a\0b"):match("%z"), "\0")
  equal(select("#", ("abc"):match("()b()")), 2)
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
end

-- Texts inside Lua are those of stock Lua; where an error leaves it, what may have been meant is
-- said, too.
function cases.s18_4_what_may_have_been_meant()
  local _, inside = pcall(function() process.sned() end)
  assert(inside:find("^language.lua:%d+: attempt to call a nil value %(field 'sned'%)$"), inside)
  equal(spec.run("slip").error,
    "spec:slip:1: attempt to call a nil value (global 'sleep'); did you mean time.sleep?")
  local _, err = process.exec("spec:returned_slip", spec.host)
  equal(err:message(), "attempt to call a nil value (field 'sned')")
end

function cases.s18_1_goto_const_and_close()
  local sum = 0
  for i = 1, 4 do
    if i == 2 then goto continue end
    sum = sum + i
    ::continue::
  end
  equal(sum, 8)
  local constant <const> = 5
  equal(constant, 5)
  local order = ""
  do
    local first <close> = setmetatable({}, { __close = function() order = order .. "a" end })
    local second <close> = setmetatable({}, { __close = function() order = order .. "b" end })
    assert(first and second)
  end
  equal(order, "ba")
end

return cases
