-- 8. Channels, select, coroutines: the cases of all files.
local cases = {}
for _, name in ipairs({ "coroutines", "waiting", "channels", "selects" }) do
  for case, f in pairs(require(name)) do
    assert(not cases[case], case)
    cases[case] = f
  end
end
return cases
