-- 9. Time: the cases of durations and waiting and those of the calendar.
local cases = {}
for _, name in ipairs({ "waiting", "calendar" }) do
  for case, f in pairs(require(name)) do
    assert(not cases[case], case)
    cases[case] = f
  end
end
return cases
