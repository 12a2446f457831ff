-- What is sent and how it is recognised. There are a few variants of every content, so that one
-- message cannot pass for the next; within a content no two parts are alike, so that no part can
-- pass for another. Sender and receivers make their contents independently.
local content = { VARIANTS = 4 }

local BLOCK <const> = 64
local LETTERS <const> = ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123"):rep(2)

-- Longer strings are compared in so many places, shorter ones as a whole: a hundred receivers with
-- a megabyte for each variant would be about the memory, not about messages.
local WHOLE_BYTES_MAX <const> = 65536
local PLACES <const> = 64

-- Fields of a table that are compared, others with each message.
local SAMPLED_FIELDS <const> = 8
-- Every so many messages all fields are compared.
local WHOLE_TABLE_EVERY <const> = 16

-- Part number `index` of a string: the number and letters that depend on the variant.
local function block(variant, index)
  return ("%08d"):format(index) .. LETTERS:sub(variant, variant + BLOCK - 9)
end

local function text(bytes, variant)
  local blocks = {}
  for index = 0, (bytes - 1) // BLOCK do blocks[index + 1] = block(variant, index) end
  return table.concat(blocks):sub(1, bytes)
end

-- Integers, floats, strings and booleans in equal parts.
local function field(variant, index)
  local kind = index % 4
  if kind == 0 then return index * 1000003 + variant end
  if kind == 1 then return index + variant / 8 end
  if kind == 2 then return ("text %d of %d"):format(index, variant) end
  return (index + variant) % 2 == 0
end

local function keys(count)
  local names = {}
  for index = 1, count do names[index] = "field" .. index end
  return names
end

local function fields(count, variant)
  local made = {}
  for index, key in ipairs(keys(count)) do made[key] = field(variant, index) end
  return made
end

-- The bytes that a content holds: strings and keys as they are, 8 for a number, 1 for a boolean.
function content.bytes(body)
  if type(body) == "string" then return #body end
  local sum = 0
  for key, value in pairs(body) do
    local kind = type(value)
    sum = sum + #key + (kind == "string" and #value or kind == "boolean" and 1 or 8)
  end
  return sum
end

-- A table of so many fields or, with none, a string of so many bytes.
function content.make(field_count, bytes, variant)
  if field_count > 0 then return fields(field_count, variant) end
  return text(bytes, variant)
end

local function table_checker(count)
  local names, expected = keys(count), {}
  for variant = 1, content.VARIANTS do expected[variant] = fields(count, variant) end

  local function all(body, right)
    local left = count
    for key, value in pairs(body) do
      if right[key] ~= value then return ("%s is %s"):format(key, tostring(value)) end
      left = left - 1
    end
    if left ~= 0 then return ("%d fields are missing"):format(left) end
  end

  return function(body, variant, number)
    if type(body) ~= "table" then return "got a " .. type(body) end
    local right = expected[variant]
    if number % WHOLE_TABLE_EVERY == 1 then return all(body, right) end
    for place = number, number + SAMPLED_FIELDS - 1 do
      local key = names[place * 7 % count + 1]
      if body[key] ~= right[key] then return ("%s is %s"):format(key, tostring(body[key])) end
    end
  end
end

local function whole_checker(bytes)
  local expected = {}
  for variant = 1, content.VARIANTS do expected[variant] = text(bytes, variant) end
  return function(body, variant)
    if body ~= expected[variant] then return "another string" end
  end
end

local function place_checker(bytes)
  local last = bytes // BLOCK - 1
  return function(body, variant, number)
    if type(body) ~= "string" then return "got a " .. type(body) end
    if #body ~= bytes then return ("%d bytes instead of %d"):format(#body, bytes) end
    for place = 0, PLACES - 1 do
      -- The first and the last one always.
      local index = place == 0 and 0 or place == 1 and last or (number * 7919 + place * 1031) % last
      local at = index * BLOCK
      if body:sub(at + 1, at + BLOCK) ~= block(variant, index) then
        return ("wrong bytes from %d on"):format(at)
      end
    end
  end
end

-- Returns a function that says what is wrong with the message of that variant and number, if
-- something is.
function content.checker(field_count, bytes)
  if field_count > 0 then return table_checker(field_count) end
  if bytes <= WHOLE_BYTES_MAX then return whole_checker(bytes) end
  return place_checker(bytes)
end

-- The variant that a receiver gets as its message of that number.
function content.variant(receiver, number)
  return (receiver + number) % content.VARIANTS + 1
end

return content
