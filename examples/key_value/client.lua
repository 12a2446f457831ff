-- Calls the store from any process: a request, then the wait for its reply or for a timeout.
local time = require("time")

local M = {}

local LIMIT = 200 * time.MILLISECOND
local last_request = 0

-- Each request has a reply topic of its own. So several coroutines may call at the same time, and
-- a reply that comes too late is never taken for that of a later request.
local function call(operation, request)
  last_request = last_request + 1
  request.reply_to = "store.reply." .. last_request
  local reply, timeout = process.listen(request.reply_to), time.after(LIMIT)
  local sent, err = process.send("store", operation, request)
  if not sent then
    process.unlisten(reply)
    return nil, err
  end
  local ready = channel.select({ reply:case_receive(), timeout:case_receive() })
  process.unlisten(reply)
  if ready.channel == timeout then
    return nil, errors.new({
      message = "the store did not answer to " .. operation,
      kind = errors.TIMEOUT,
      retryable = true,
    })
  end
  return ready.value
end

function M.get(key)
  return call("get", { key = key })
end

function M.set(key, value)
  return call("set", { key = key, value = value })
end

function M.count()
  return call("count", {})
end

-- Something the store does not know, to show what a missing answer looks like.
function M.shuffle()
  return call("shuffle", {})
end

return M
