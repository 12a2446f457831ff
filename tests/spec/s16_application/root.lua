return function() return "root" end
