-- What a service is, told to whoever asks.
local security = require("security")

return function(name)
  local inbox = process.inbox()
  assert(process.registry.register(name))
  while true do
    local asker = inbox:receive():from()
    local actor, scope = security.actor(), security.scope()
    local link, err = process.link(process.pid())
    process.send(asker, "identity", { name = name, id = actor and actor:id(),
      team = actor and actor:meta().team, policies = scope and #scope:policies(),
      may_link = link == true, denied = err and err:kind(),
      child = process.exec("spec:subject", "spec:processes", "identity") })
  end
end
