-- time.lua - pl.time: what time it is, and how that is written.

local core, pl, c = ...
local fail, failure, SYNTAX = core.fail, core.failure, core.SYNTAX
local wall, now, utc, from_utc = c.wall, c.now, c.utc, c.from_utc
local abs, floor = math.abs, math.floor
local setmetatable, tonumber, type = setmetatable, tonumber, type

local time = {
  now = now, monotonic = c.monotonic, http = c.http, parse_http = c.parse_http,
  utc = utc, zoned = c.zoned, from_utc = from_utc, from_zoned = c.from_zoned,
}

local function zone_of(offset)
  if offset == 0 then
    return "Z"
  end
  local minutes = floor(abs(offset) / 60)
  return ("%s%02d:%02d"):format(offset < 0 and "-" or "+",
    floor(minutes / 60), minutes % 60)
end

local known = { digits = "count", offset = "number" }

--- "2026-11-22T10:07:33Z" (RFC 3339). options: digits of the fraction (0 to 9),
--- offset from UTC in seconds.
function time.iso(seconds, options)
  options = core.check_options("pl.time.iso", known, options)
  local digits, offset = options.digits or 0, options.offset or 0
  if digits > 9 then
    fail("pl.time.iso: option 'digits' must be from 0 to 9")
  elseif offset % 60 ~= 0 or abs(offset) >= 86400 then
    fail("pl.time.iso: option 'offset' must be whole minutes, less than a day")
  end
  seconds = seconds or now()
  local t = utc(type(seconds) == "number" and seconds + offset or seconds)
  local text = ("%04d-%02d-%02dT%02d:%02d:%02d"):format(t.year, t.month, t.day,
    t.hour, t.min, t.sec)
  if digits > 0 then -- cut, not rounded: it may not become the next second
    local fraction = floor((seconds - floor(seconds)) * 10 ^ digits)
    text = text .. ("." .. ("%0" .. digits .. "d"):format(fraction))
  end
  return text .. zone_of(offset)
end

local function days_in(month, year)
  return utc(from_utc { year = year, month = month + 1, day = 0 }).day
end

local function is_date(year, month, day)
  return month >= 1 and month <= 12 and day >= 1 and day <= days_in(month, year)
end

-- "Z", "+01:00" -> seconds, or nil
local function parse_zone(zone)
  if zone == "Z" or zone == "z" then
    return 0
  end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):(%d%d)$")
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then
    return nil
  end
  local offset = hours * 3600 + minutes * 60
  return sign == "-" and -offset or offset
end

local date_pattern = "^(%d%d%d%d)%-(%d%d)%-(%d%d)"

local function parse_iso(text)
  local year, month, day = text:match(date_pattern)
  if not year then
    return nil
  end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not is_date(year, month, day) then
    return nil
  elseif #text == 10 then
    return from_utc { year = year, month = month, day = day }, 0
  end
  local hour, min, sec, fraction, zone =
    text:match("^[Tt ](%d%d):(%d%d):(%d%d)(%.?%d*)([Zz+-].*)$", 11)
  local offset = zone and parse_zone(zone)
  hour, min, sec = tonumber(hour), tonumber(min), tonumber(sec)
  if not offset or hour > 23 or min > 59 or sec > 60
    or fraction == "." or fraction:find("^%d") then
    return nil
  end
  local seconds = from_utc {
    year = year, month = month, day = day, hour = hour, min = min, sec = sec,
  } - offset
  return fraction == "" and seconds or seconds + tonumber("0" .. fraction),
    offset
end

--- Seconds since 1970 and the offset of RFC 3339's date-times, and of dates
--- alone (midnight in UTC); or nil, err.
function time.parse_iso(text)
  core.check_string("pl.time.parse_iso", "the text", text)
  local seconds, offset = parse_iso(text)
  if not seconds then
    return nil, failure(SYNTAX, "pl.time.parse_iso",
      "not a date and time of RFC 3339")
  end
  return seconds, offset
end

pl.time = setmetatable(time, {
  __call = function()
    return wall()
  end,
})
