-- chat.lua - the rooms. What somebody says is published, and reaches all
-- sockets of the room, whichever worker they are with.

local pl = require "perilune"

local KEEP = 20 -- of each room, for those who come later
local kept = pl.shared("chat", { max = "1m", evict = true })

-- Tells the room, and keeps what was said.
local function tell(room, message)
  kept:update(room, function(list)
    list = list or {}
    list[#list + 1] = message
    if #list > KEEP then
      table.remove(list, 1)
    end
    return list
  end)
  pl.publish("chat/" .. room, pl.json.encode(message))
end

-- What a socket has in its state stays with it when the site is reloaded:
-- change a line here, ask for a reload, and everybody talks on.
local function enter(ws, req)
  local name = (req.args.name or ""):gsub("%c", ""):sub(1, 40)
  ws.state = { room = req.params.room, name = name }
  if not name:find("%S") then
    return ws:close(4000, "a name is needed")
  end
  for _, message in ipairs(kept:get(ws.state.room) or {}) do
    ws:send(pl.json.encode(message))
  end
  ws:subscribe("chat/" .. ws.state.room)
  tell(ws.state.room, { notice = name .. " has come" })
end

-- Five messages in a breath, then one a second.
local function may_speak(state)
  local now = pl.now()
  state.breath = math.min(5, (state.breath or 5) + now - (state.spoke or now))
  state.spoke = now
  if state.breath < 1 then
    return false
  end
  state.breath = state.breath - 1
  return true
end

local function say(ws, text)
  if not text:find("%S") then
    return
  elseif may_speak(ws.state) then
    tell(ws.state.room, { from = ws.state.name, text = text })
  else
    ws:send(pl.json.encode { notice = "not so fast" })
  end
end

local function leave(ws)
  tell(ws.state.room, { notice = ws.state.name .. " has gone" })
end

-- The rooms below prefix, and the page for them, whose files are in folder.
return function(prefix, folder)
  pl.group(prefix, function()
    pl.use(function(_, res, next)
      res:header("content-security-policy",
        "default-src 'self'; frame-ancestors 'self'")
      next()
    end)
    pl.websocket("/rooms/:room", {
      open = enter, message = say, close = leave, max_message = "2k",
    })
    pl.static("/", { root = folder })
  end)
end
