-- The slow way to a Fibonacci number.
local function fib(n)
  if n < 2 then return n end
  return fib(n - 1) + fib(n - 2)
end

return { main = fib }
