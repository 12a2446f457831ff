-- Raises an error object in line 3, from a function that main calls.
local function inner(err)
  error(err)
end

return function()
  inner(errors.new({ message = "raised", kind = errors.INVALID }))
end
