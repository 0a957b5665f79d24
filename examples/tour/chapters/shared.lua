-- shared.lua - chapter: what workers have together.

local pl = require "perilune"

-- example: dictionary
local landings = pl.shared("landings", { max = "1m", evict = true })

pl.post("/shared/land", function(req, res)
  local site = req:form().site or "Tranquillity"
  landings:incr(site:sub(1, 40), 1, 0, 3600)
  res:redirect("/shared/landings", 303)
end)

pl.get("/shared/landings", function()
  local list = {}
  for _, site in ipairs(landings:keys(20)) do
    list[#list + 1] = ("%s: %d"):format(site, landings:get(site) or 0)
  end
  table.sort(list)
  return table.concat(list, "\n") .. "\n"
end)
-- end

-- example: topics
pl.get("/shared/radio", function(req, res)
  res:header("content-type", "text/event-stream")
  res:flush()
  local radio = pl.subscribe("radio", { queue = 16 })
  for _ = 1, tonumber(req.args.n) or 10 do
    local words = radio:receive(10)
    if not words then
      return
    end
    res:write("data: " .. words .. "\n\n")
    res:flush()
  end
end)

pl.get("/shared/say", function(req)
  local words = req.args.words or "Houston?"
  return { receivers = pl.publish("radio", (words:gsub("%c", " "))) }
end)
-- end

-- example: messages
local heard = {}

pl.on("message", function(value, from)
  heard[#heard + 1] = { from = from, value = value }
  if #heard > 5 then
    table.remove(heard, 1)
  end
end)

pl.get("/shared/roll", function()
  pl.workers.send("all", { time = pl.time() })
  pl.sleep(0.05)
  return { worker = pl.workers.id, heard = heard }
end)
-- end

return {
  title = "Many workers",
  summary = "Dictionaries, topics and messages for all workers, without "
    .. "locks.",
  sections = {
    {
      title = "A dictionary",
      text = [[
<p>Each worker has a Lua state of its own. <code>pl.shared</code> is what they
have together: numbers are counted in place, values expire, and the memory it
may take is never passed: here what was not used for long goes first.</p>]],
      example = "dictionary",
      form = {
        action = "/shared/land", button = "Land",
        fields = [[
<label>Where <input name="site" value="Tranquillity" required></label>]],
      },
      links = { "/shared/landings" },
    },
    {
      title = "Topics",
      text = [[
<p>Who subscribes gets what is published, in whatever worker. The subscription
ends with its task: a client that leaves is no receiver any more.</p>]],
      example = "topics",
      links = { "/shared/say" },
      shell = [[
$ curl -s @origin@/shared/say
{"receivers":0}]],
    },
    {
      title = "Messages",
      text = [[
<p>From one worker to another, or to all of them, this one included; in order,
and none is lost.</p>]],
      example = "messages",
      links = { "/shared/roll" },
    },
  },
}
