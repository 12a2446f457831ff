-- 8. Channels, select, coroutines: the cases of all three.
local cases = {}
for _, name in ipairs({ "coroutines", "channels", "selects" }) do
  for case, f in pairs(require(name)) do
    assert(not cases[case], case)
    cases[case] = f
  end
end
return cases
