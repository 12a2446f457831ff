local function show(...)
  local parts = {}
  for i = 1, select('#', ...) do parts[i] = tostring((select(i, ...))) end
  return table.concat(parts, ", ")
end
local function equal(got, wanted, what)
  if got ~= wanted or math.type(got) ~= math.type(wanted) then
    error((what or "value") .. ": got " .. show(got) .. ", wanted " .. show(wanted), 2)
  end
end
local function refused(kind, text, ...)
  local first, err = ...
  if first ~= nil and first ~= false then error("not refused: " .. show(...), 2) end
  if not errors.is(err, errors[kind]) then error("wanted " .. kind .. ", got " .. show(...), 2) end
  if not string.find(tostring(err), text, 1, true) then
    error("wanted '" .. text .. "', got: " .. show(...), 2)
  end
  return err
end
local function raises(text, f, ...)
  local ok, err = pcall(f, ...)
  if ok then error("did not raise", 2) end
  if not string.find(tostring(err), text, 1, true) then
    error("wanted '" .. text .. "', raised: " .. tostring(err), 2)
  end
  return err
end
