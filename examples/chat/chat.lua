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

local function enter(ws, req)
  ws.room = req.params.room
  ws.name = (req.args.name or ""):gsub("%c", ""):sub(1, 40)
  if not ws.name:find("%S") then
    return ws:close(4000, "a name is needed")
  end
  for _, message in ipairs(kept:get(ws.room) or {}) do
    ws:send(pl.json.encode(message))
  end
  ws:subscribe("chat/" .. ws.room)
  tell(ws.room, { notice = ws.name .. " has come" })
end

-- Five messages in a breath, then one a second.
local function may_speak(ws)
  local now = pl.now()
  ws.breath = math.min(5, (ws.breath or 5) + now - (ws.spoke or now))
  ws.spoke = now
  if ws.breath < 1 then
    return false
  end
  ws.breath = ws.breath - 1
  return true
end

local function say(ws, text)
  if not text:find("%S") then
    return
  elseif may_speak(ws) then
    tell(ws.room, { from = ws.name, text = text })
  else
    ws:send(pl.json.encode { notice = "not so fast" })
  end
end

local function leave(ws)
  tell(ws.room, { notice = ws.name .. " has gone" })
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
