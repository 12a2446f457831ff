-- Computes without end and without a yield point; only preemption lets others run.
local function main()
  local x = 0
  while true do x = x + 1 end
end

return { main = main }
