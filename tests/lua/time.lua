-- time.lua - pl.time. Run with TZ=Europe/Vienna.

local pl = require "perilune"
local check = require "check"
local equal, fails, raises, yes =
  check.equal, check.fails, check.raises, check.yes
local time = pl.time

yes(math.abs(time() - os.time()) <= 2 and time() % 1 == 0, "whole seconds")
yes(math.abs(time.now() - os.time()) <= 2, "with a fraction")
local began = time.monotonic()
yes(time.monotonic() >= began, "forwards")

-- RFC 9110, 5.6.7: one moment in three forms
equal("Sun, 06 Nov 1994 08:49:37 GMT", time.http(784111777))
equal("Sun, 06 Nov 1994 08:49:37 GMT", time.http(784111777.9))
for _, text in ipairs { "Sun, 06 Nov 1994 08:49:37 GMT",
  "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" } do
  equal(784111777, time.parse_http(text))
end
fails("syntax", time.parse_http, "yesterday")
yes(time.parse_http(time.http()), "now")

-- RFC 3339, 5.8
local moments = {
  ["1985-04-12T23:20:50.52Z"] = { 482196050.52, 0 },
  ["1996-12-19T16:39:57-08:00"] = { 851042397, -28800 },
  ["1990-12-31T23:59:60Z"] = { 662688000, 0 },
  ["1937-01-01T12:00:27.87+00:20"] = { -1041337172.13, 1200 },
  ["2024-02-29t00:00:00z"] = { 1709164800, 0 },
  ["2024-02-29 00:00:00+00:00"] = { 1709164800, 0 },
  ["2026-11-22"] = { 1795305600, 0 },
  ["0000-01-01T00:00:00Z"] = { -62167219200, 0 },
}
for text, want in pairs(moments) do
  local seconds, offset = time.parse_iso(text)
  yes(seconds, text)
  yes(math.abs(want[1] - seconds) < 1e-6, text)
  equal(want[2], offset, text)
end
for _, bad in ipairs { "", "2026-02-29", "2026-13-01", "2026-00-01",
  "2026-01-00", "2026-1-1", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
  "2026-01-01T00:00:61Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+1:00",
  "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00Z",
  "2026-01-01T00:00:00Zx", "2026-01-01T00:00:001Z", "12026-01-01",
  "2026-01-01x00:00:00Z" } do
  fails("syntax", time.parse_iso, bad)
end
equal("1985-04-12T23:20:50Z", time.iso(482196050.52))
equal("1985-04-12T23:20:50.5Z", time.iso(482196050.52, { digits = 1 }))
equal("1996-12-19T16:39:57-08:00", time.iso(851042397, { offset = -28800 }))
equal("1999-12-31T23:59:59.999Z", time.iso(946684799.9999, { digits = 3 }))
equal("1970-01-01T05:30:00+05:30", time.iso(0, { offset = 19800 }))
equal("1969-12-31T23:59:59.5Z", time.iso(-0.5, { digits = 1 }))
yes(math.abs(time.parse_iso(time.iso()) - os.time()) <= 2, "now")
raises({ "time.lua:", "whole minutes" },
  function() return (time.iso(0, { offset = 1 })) end)
raises({ "'digits' must be from 0 to 9" }, time.iso, 0, { digits = 10 })
raises({ "unknown option 'digit'; did you mean 'digits'?" }, time.iso, 0,
  { digit = 1 })
raises({ "the seconds must be in the years 0 to 9999" }, time.iso, 1e15)
raises({ "a finite number" }, time.http, 0 / 0)
raises({ "the seconds must be a finite number, not a table" }, time.iso, {})

-- fields
local t = time.utc(1795341600)
equal({ year = 2026, month = 11, day = 22, hour = 10, min = 0, sec = 0,
  wday = 1, yday = 326, isdst = false, offset = 0, zone = "GMT" }, t)
equal(1795341600, time.from_utc(t))
equal(os.date("!%Y-%m-%d %H:%M:%S", 1795341600), "2026-11-22 10:00:00")
equal(time.from_utc { year = 2026, month = 3, day = 1 },
  time.from_utc { year = 2026, month = 2, day = 29 }, "carried over")
local summer = time.zoned(1782900000) -- 2026-07-01 10:00 UTC
equal({ 12, 7200, true, "CEST" },
  { summer.hour, summer.offset, summer.isdst, summer.zone })
equal(1782900000, time.from_zoned(summer))
local twice = { year = 2026, month = 10, day = 25, hour = 2, min = 30,
  isdst = true }
local first = time.from_zoned(twice)
twice.isdst = false
equal(3600, time.from_zoned(twice) - first, "the hour that comes twice")
raises({ "pl.time.from_utc: year must be a number, not nil" }, time.from_utc,
  {})
raises({ "a table of fields is needed" }, time.from_utc, 5)
raises({ "the years 0 to 9999" }, time.from_utc,
  { year = 10000, month = 1, day = 1 })
