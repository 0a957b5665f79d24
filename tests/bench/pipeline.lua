-- pipeline.lua - makes wrk send requests 16 deep: wrk -s pipeline.lua URL
local depth = 16
local burst

function init()
  burst = wrk.format():rep(depth)
end

function request()
  return burst
end
