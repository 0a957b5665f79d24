-- wrk.lua - what wrk is told, and how it answers: one line for load.py.
--
--     wrk -s wrk.lua URL -- [depth=16] [post=BYTES]
--
-- depth: so many requests are sent at once, in one burst. post: the size of a
-- body. Without depth the request is made once and wrk never comes back here
-- until the end.

local burst

local function options(args)
  local found = {}
  for _, word in ipairs(args) do
    local name, value = word:match("^(%l+)=(%d+)$")
    found[assert(name, word)] = tonumber(value)
  end
  return found
end

local function send_burst()
  return burst
end

-- called by wrk.init, before it makes its one request
function init(args)
  local given = options(args)
  if given.post then
    wrk.method = "POST"
    wrk.body = ("x"):rep(given.post)
  end
  if given.depth then
    burst = wrk.format():rep(given.depth)
    request = send_burst -- a global that exists makes each burst a call
  end
end

function done(summary, latency)
  local errors = summary.errors
  local fields = {
    requests = summary.requests,
    us = summary.duration,
    p50 = latency:percentile(50),
    p99 = latency:percentile(99),
    deviation = latency.stdev,
    connect = errors.connect,
    broken = errors.read + errors.write,
    status = errors.status,
    timeout = errors.timeout,
  }
  local words = {}
  for name, value in pairs(fields) do
    words[#words + 1] = ("%s=%.1f"):format(name, value)
  end
  print("wrk: " .. table.concat(words, " "))
end
