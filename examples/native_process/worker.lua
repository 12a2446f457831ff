-- Asks for a permit. An error that is returned is the error with which the process ends.
return function()
  local is_granted, err = process.request("limiter", "permit", "1s")
  if err then return nil, err end
  if not is_granted then return nil, "no permit is left" end
  return true
end
