-- Sends one kind of content to all receivers in turn; each message is answered when it has been
-- checked. So many messages may be without an answer that nobody waits for lack of them.
local crew, content, time = require("crew"), require("content"), require("time")

local send, variant = process.send, content.variant

local UNANSWERED_MIN <const> = 32

local function main(fields, bytes, receiver_count, count)
  crew.limit_time()
  local self, answers, receivers, answered_by = process.pid(), process.listen("answer"), {}, {}
  for index = 1, receiver_count do
    local share = (count + receiver_count - index) // receiver_count
    local id = "loadgen.payload:receiver"
    receivers[index] = crew.start(id, self, index, fields, bytes, share)
    answered_by[index] = 0
  end
  local bodies = {}
  for number = 1, content.VARIANTS do bodies[number] = content.make(fields, bytes, number) end
  crew.gather("ready", receiver_count)
  crew.watch()

  local unanswered_max = math.max(receiver_count, UNANSWERED_MIN)
  local started, sent, answered = time.monotonic(), 0, 0
  while answered < count do
    while sent < count and sent - answered < unanswered_max do
      local index, number = sent % receiver_count + 1, sent // receiver_count + 1
      local ok, err = send(receivers[index], "item", bodies[variant(index, number)])
      if not ok then
        -- A receiver that failed says more about it; the watch hears that meanwhile.
        time.sleep(time.SECOND)
        return nil, "payload: " .. tostring(err)
      end
      sent = sent + 1
    end
    local answer = answers:receive()
    if type(answer) == "string" then return nil, "payload: " .. answer end
    local index, number = answer >> 32, answer & 0xffffffff
    if number ~= answered_by[index] + 1 then
      local text = "payload: receiver %d: expected answer %d, got %d"
      return nil, text:format(index, answered_by[index] + 1, number)
    end
    answered_by[index], answered = number, answered + 1
  end
  local ns = time.monotonic() - started

  crew.gather("checked", receiver_count)
  crew.expect_empty("payload", answers)
  return { ns = ns, count = count, bytes = content.bytes(bodies[1]) }
end

return { main = main }
