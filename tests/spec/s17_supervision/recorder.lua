-- Keeps what services report, by their names, and answers a question for so many reports of one
-- of them once they are there.
local KEPT <const> = 20

local function main()
  assert(process.registry.register("recorder"))
  local inbox, reports, counts, questions = process.inbox(), {}, {}, {}
  local function answer(name)
    for pid, question in pairs(questions) do
      if question.name == name and (counts[name] or 0) >= question.count then
        process.send(pid, "reports", { count = counts[name] or 0, list = reports[name] or {} })
        questions[pid] = nil
      end
    end
  end
  while true do
    local m = inbox:receive()
    local payload = m:payload()
    local name = payload.name
    if m:topic() == "report" then
      reports[name], counts[name] = reports[name] or {}, (counts[name] or 0) + 1
      payload.pid = m:from()
      if #reports[name] < KEPT then table.insert(reports[name], payload) end
    else
      questions[m:from()] = payload
    end
    answer(name)
  end
end

return { main = main }
