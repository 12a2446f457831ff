-- Counts primes by trial division, slowly on purpose: the workers shall have something to do.
local M = {}

local function is_prime(n)
  if n < 2 then return false end
  for divisor = 2, math.floor(math.sqrt(n)) do
    if n % divisor == 0 then return false end
  end
  return true
end

function M.count(from, to)
  local count = 0
  for n = from, to do
    if is_prime(n) then count = count + 1 end
  end
  return count
end

return M
