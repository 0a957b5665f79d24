-- main.lua - a chat for terminals: people connect with `nc 127.0.0.1 7070`, say
-- who they are, and talk to all others, on every worker.

local pl = require "perilune"

pl.listen { "127.0.0.1:8080" }

local function clean(text)
  return (text:gsub("%c", ""):sub(1, 200))
end

-- What others say, until the connection ends.
local function listen(socket, name)
  for said in pl.messages "chat" do
    if said.name ~= name and not socket:write(said.name, ": ", said.text, "\n")
    then
      return
    end
  end
end

pl.tcp("127.0.0.1:7070", { timeout = "10m" }, function(socket)
  socket:write("Who are you? ")
  local name = clean(socket:read_line(100) or "")
  if name == "" then
    return
  end
  socket:write("Hello, ", name, "!\n")
  pl.publish("chat", { name = name, text = "(has come)" })
  pl.race {
    function()
      for line in socket:lines(1000) do
        pl.publish("chat", { name = name, text = clean(line) })
      end
    end,
    function() listen(socket, name) end,
  }
  pl.publish("chat", { name = name, text = "(has gone)" })
end)

-- The browser can say something, too.
pl.post("/say", function(req)
  local text = clean(req:form().text or "")
  return { heard_by = pl.publish("chat", { name = "web", text = text }) }
end)
