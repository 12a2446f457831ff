-- What a process can make and drop for ever beside a third of its limit that lives, by name.
local security = require("security")
local time = require("time")

return {
  tables = function(i) return { i, i, i } end,
  closures = function(i) return function() return i end end,
  texts = function(i) return "text " .. i .. string.rep("x", 100) end,
  big_texts = function(i) return string.rep("x", 10000 + i % 7) end,
  packed = function(i) return table.pack(i, i, i) end,
  coroutines = function(i) return coroutine.create(function() return i end) end,
  captures = function(i) return (string.gsub("a b c d e f", "%a", "%0%0" .. i % 3)) end,
  errors = function(i) return errors.new({ message = "e" .. i }) end,
  pcalls = function(i) return pcall(error, { i }) end,
  channels = function() return channel.new(1) end,
  used_channels = function(i)
    local ch = channel.new(2)
    ch:send({ i })
    return ch
  end,
  cases = function() return channel.new(0):case_receive() end,
  afters = function() return time.after("1h") end,
  timers = function() return time.timer("1h") end,
  tickers = function()
    local ticker = time.ticker("1h")
    ticker:stop()
    return ticker
  end,
  selects = function()
    return channel.select({ time.after("1h"):case_receive(), default = true })
  end,
  listeners = function(i)
    local ch = process.listen("topic" .. i % 10)
    process.unlisten(ch)
    return ch
  end,
  inboxes = function() process.unlisten(process.inbox()) end,
  spawners = function(i) return process.with_context({ number = i }) end,
  scopes = function() return security.new_scope() end,
  actors = function(i) return security.new_actor("someone", { i }) end,
  moments = function() return time.now():add("1s") end,
  messages = function(i)
    process.send(process.pid(), "to_self", { i, i })
    return process.listen("to_self"):receive()
  end,
  big_messages = function(i)
    process.send(process.pid(), "to_self", string.rep("x", 5000 + i % 7))
    return process.listen("to_self"):receive()
  end,
}
