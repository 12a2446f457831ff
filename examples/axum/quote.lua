-- Computes the price of some items.
local prices = { tea = 3.5, coffee = 4 }
return function(item, count)
  local price = prices[item]
  if not price then
    return nil, errors.new({ message = "there is no " .. item, kind = errors.NOT_FOUND })
  end
  return { item = item, total = price * count }
end
