return function(number)
  return text.echo("I am number " .. number, 500)
end
