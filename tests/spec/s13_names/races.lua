-- 13.3 Names that change hands while others use them.
local spec = require("spec")
local equal, refused, parts = spec.equal, spec.refused, spec.parts
local registry = process.registry

local cases = {}

-- A sender may remember what a name stands for, but only as long as it does.
function cases.s13_3_a_name_that_changes_hands()
  local answers = process.listen("got")
  local function reaches(pid)
    for i = 1, 3 do
      assert(process.send("name", "number", i))
      equal((answers:receive()), pid .. i)
    end
  end
  local a, b = spec.start_part("answers", process.pid()), spec.start_part("answers", process.pid())
  for _ = 1, 3 do
    for _, pid in ipairs({ a, b }) do
      assert(registry.register("name", pid))
      reaches(pid)
      assert(registry.unregister("name"))
      refused("NOT_FOUND", "could not resolve 'name'", process.send("name", "number", 0))
    end
  end
  for _, pid in ipairs({ a, b }) do
    assert(registry.register("name", pid))
    reaches(pid)
    assert(process.send("name", "number", false))
    spec.result(pid)
    refused("NOT_FOUND", "could not resolve 'name'", process.send("name", "number", 0))
  end
end

function parts.answers(owner)
  local numbers = process.listen("number")
  while true do
    local number = numbers:receive()
    if not number then return end
    process.send(owner, "got", process.pid() .. number)
  end
end

-- Many register and die while others look up and send by name: who resolves a name reaches the
-- process that has it or learns that it is gone, and no name outlives its owner.
function cases.s13_3_a_race_for_few_names()
  local events, live, ended, left = process.events(), {}, 0, 2000
  local function start(part) live[spec.start_part(part)] = part end
  for _ = 1, 4 do start("seeks") end
  for _ = 1, 20 do start("holds") end
  local all = left + 20
  while next(live) do
    local event = events:receive()
    local part = live[event.from]
    live[event.from] = nil
    equal(event.result.error, nil, part)
    for i = 1, 8 do
      assert(registry.lookup("n" .. i) ~= event.from, "a name outlived its owner")
    end
    if part == "holds" then
      ended = ended + 1
      if left > 0 then
        left = left - 1
        start("holds")
      elseif ended == all then
        for pid in pairs(live) do process.send(pid, "stop") end
      end
    end
  end
  for i = 1, 8 do
    assert(registry.register("n" .. i), "free again")
    equal(registry.lookup("n" .. i), process.pid())
  end
end

-- Takes a name if it can, answers what it gets for a moment, and ends.
function parts.holds()
  local inbox = process.inbox()
  for _ = 1, 3 do
    local name = "n" .. math.random(8)
    local ok, err = registry.register(name)
    if ok then
      equal(registry.lookup(name), process.pid())
      if math.random(2) == 1 then equal((registry.unregister(name)), true) end
    else
      refused("ALREADY_EXISTS", name, ok, err)
    end
  end
  for _ = 1, math.random(5) do
    local r = channel.select({ inbox:case_receive(), default = true })
    if r.value then process.send(r.value:from(), "answer", process.pid()) end
  end
end

function parts.seeks()
  local stop, answers = process.listen("stop"), process.listen("answer")
  while spec.is_empty(stop) do
    local name = "n" .. math.random(8)
    local pid, err = registry.lookup(name)
    if not pid then refused("NOT_FOUND", "name not registered", pid, err) end
    local ok, why = process.send(name, "ask")
    if not ok then refused("NOT_FOUND", "", ok, why) end
    if pid then process.send(pid, "ask") end
    while not spec.is_empty(answers) do end
  end
end

return cases
