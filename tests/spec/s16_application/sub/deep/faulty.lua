-- Fails in line 4.
return function()
  local nothing
  return nothing.field
end
