-- Fails in a function of `coroutine.wrap`, by a fault or by an error object.
local function fails(how)
  if how == "text" then local t = nil; return t.field end
  error(errors.new("an object"))
end

return function(how)
  local wrapped = coroutine.wrap(function() fails(how) return 1 end)
  wrapped()
end
