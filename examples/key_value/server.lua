-- A store of values by key. The state is a local variable: only this process can reach it, and it
-- handles one request after the other, so nothing needs a lock.
local values, count = {}, 0

local operations = {}

function operations.get(request)
  return values[request.key]
end

-- Returns the value that was there before.
function operations.set(request)
  local before = values[request.key]
  values[request.key] = request.value
  if before == nil and request.value ~= nil then count = count + 1 end
  if before ~= nil and request.value == nil then count = count - 1 end
  return before
end

function operations.count()
  return count
end

local function main(owner)
  local inbox, events = process.inbox(), process.events()
  assert(process.registry.register("store"))
  process.send(owner, "ready")
  while true do
    local ready = channel.select({ events:case_receive(), inbox:case_receive() })
    if ready.channel == events then
      if ready.value.kind == process.event.CANCEL then return count end
    elseif ready.value:topic() == "stop" then
      return count
    else
      local message = ready.value
      local request, operation = message:payload(), operations[message:topic()]
      -- What is not understood gets no answer; its sender runs into its timeout.
      if operation then
        process.send(message:from(), request.reply_to, operation(request))
      end
    end
  end
end

return { main = main }
