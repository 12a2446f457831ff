return function() return "below" end
