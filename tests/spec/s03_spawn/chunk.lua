-- What works while a chunk runs, and what does not.
local function no(name, f, ...)
  local ok, err = pcall(f, ...)
  local text = tostring(err)
  if ok or not string.find(text, "not available while the chunk runs", 1, true) then
    error(name .. ": " .. text)
  end
end

local ch, pid, time = channel.new(1), process.pid(), require("time")
local arguments = {
  send = { pid, "t" }, spawn = { "spec:a_function", "spec:processes" }, listen = { "t" },
  unlisten = { ch }, cancel = { pid }, terminate = { pid }, monitor = { pid }, unmonitor = { pid },
  link = { pid }, unlink = { pid }, set_options = { {} }, with_context = { {} },
}
local available = { pid = true, id = true }
for name, f in pairs(process) do
  if type(f) == "function" and not available[name] then
    no("process." .. name, f, table.unpack(arguments[name] or arguments.spawn))
  end
end
for _, name in ipairs({ "register", "lookup", "unregister" }) do
  no("registry." .. name, process.registry[name], "name")
end
no("ch:send", ch.send, ch, 1)
no("ch:receive", ch.receive, ch)
no("ch:close", ch.close, ch)
no("ch:case_receive", ch.case_receive, ch)
no("ch:case_send", ch.case_send, ch, 1)
no("channel.select", channel.select, { default = true })
for _, name in ipairs({ "sleep", "after", "timer", "ticker" }) do no(name, time[name], "1ms") end
for _, d in ipairs({ 0, "-1h" }) do no("sleep, though it would not wait", time.sleep, d) end
no("coroutine.spawn", coroutine.spawn, function() end)

assert(process.id():find("spec:while_the_chunk_runs#", 1, true))
assert(process.event.EXIT == "pid.exit")
assert(require("errors") == errors and errors.new("x"):message() == "x")
assert(next(require("ctx").all()) == nil)
assert(time.now() and time.monotonic() and time.parse_duration("5s"):seconds() == 5.0)
require("logger"):info("from a chunk", { n = 1 })
table.sort({ 3, 1, 2 }, function(a, b) return a < b end)
assert(coroutine.wrap(function() return math.floor(2.5) end)() == 2)

return function()
  ch:send("made by the chunk")
  return ch:receive()
end
