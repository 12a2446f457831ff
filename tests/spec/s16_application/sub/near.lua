return function() return "near, with " .. own.who end
