-- Calls each kind of function of the module `text`, which `main.rs` has.
return function(path)
  print("shout:", text.shout("hello"))

  -- A wrong argument, or an error that the function returns, is the second result.
  local _, err = text.shout(5)
  print("error:", err)

  -- Each worker waits half a second for its echo. All of them together do, too.
  for number = 1, 5 do
    process.spawn_monitored("app:worker", "app:processes", number)
  end
  for _ = 1, 5 do
    print("worker:", process.events():receive().result.value)
  end

  -- A file is read on a thread of the pool, so that no process has to wait for the disk.
  local content = assert(text.read(path))

  -- An object: Lua holds it, Rust has the words and their counts.
  local words = text.Words.new()
  local total = words:add(content)
  local word, count = words:most()
  print(("words: %d, most often %q (%d times)"):format(total, word, count))
end
