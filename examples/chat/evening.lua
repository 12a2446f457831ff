-- An evening in the chat, told by its host, who may do everything: guests come with the actor and
-- the scope of guests, a room burns down and is opened again, everybody leaves.
local client, security = require("client"), require("security")

local HOST = "app:processes"

local function main()
  local events, tried, heard = process.events(), process.listen("tried"), {}
  for _, topic in ipairs({ "joined", "left", "said" }) do heard[topic] = process.listen(topic) end

  -- Prints the next thing of its kind that a room tells.
  local function tell(topic, form)
    local room, who, line = table.unpack(heard[topic]:receive(), 1, 3)
    print((form:gsub("%a+", { WHO = who, ROOM = room, LINE = line })))
  end
  local function joined() tell("joined", "WHO joins the ROOM") end
  local function left() tell("left", "WHO leaves the ROOM") end
  local function said() tell("said", "WHO in the ROOM: LINE") end

  -- The scope of the group and an actor make a guest; the child inherits nothing of ours.
  local scope = assert(security.named_scope("app:guests"))
  local function invite(nickname, room, ...)
    local guest = security.new_actor(nickname, { kind = "guest" })
    local plan = process.with_context({ nickname = nickname, room = room })
    return assert(plan:with_actor(guest):with_scope(scope)
      :spawn_monitored("app:user", HOST, process.pid(), { ... }))
  end

  client.join("lobby", "host")
  joined()
  local ann = invite("ann", "lobby", "hello", "nice place")
  joined()
  said()
  said()
  local result = tried:receive()
  print(result[1] .. " may not close the room: " .. tostring(result[2]))

  local kitchen = client.join("kitchen", "host")
  joined()
  process.send(kitchen, "burn")
  print("the kitchen burns: " .. events:receive().result.error)
  local again = client.join("kitchen", "host")
  joined()
  print("the kitchen is open again: " .. tostring(again ~= kitchen))

  process.send(ann, "go home")
  events:receive()
  left()
end

return { main = main }
