-- aio.lua - promises, and the queries of pages.

local pl = require "perilune"
local check = require "check"
local aio = require "perilune.aio"
local equal, yes, raises = check.equal, check.yes, check.raises

yes(aio == pl.aio)
yes(require "aio.aio" == aio and _G.aio == aio)

-- ---- promises ----

local resolve, promise = aio:prepare_promise()
local got = {}
promise(function(...) got[#got + 1] = { ... } end)
equal(0, #got, "not yet")
resolve(1, nil, 3)
resolve(2)
promise(function(...) got[#got + 1] = { select("#", ...), ... } end)
equal({ { 1, nil, 3 }, { 3, 1, nil, 3 } }, got, "early and late")

-- a coroutine is resumed
resolve, promise = aio:prepare_promise()
local co = coroutine.create(function()
  got = { coroutine.yield() }
end)
coroutine.resume(co)
promise(co)
resolve("a", "b")
equal({ "a", "b" }, got)

-- an error of one who waits does not keep the others from it, and is told
resolve, promise = aio:prepare_promise()
promise(function() error "told in the log" end)
promise(function(value) got = value end)
resolve "still"
equal("still", got)
promise(coroutine.create(function() error "told, too" end))

-- ---- gather and chain ----

local r1, p1 = aio:prepare_promise()
local r2, p2 = aio:prepare_promise()
aio:gather(p1, p2)(function(a, b) got = a .. "+" .. b end)
r2("two", "ignored")
equal("still", got)
r1 "one"
equal("one+two", got)
aio:gather()(function(...) got = select("#", ...) end)
equal(0, got)
equal({ nil, 2 }, { aio:await(aio:gather(
  function(cb) cb(nil) end, function(cb) cb(2) end)) })

local start, first = aio:prepare_promise()
local chained = aio:chain(first, function(x) return x * 2 end, function(x)
  local go, p = aio:prepare_promise()
  go(x + 1, "more")
  return p
end, function(x, more) return x, more end)
start(20)
equal({ 41, "more" }, { aio:await(chained) })
equal("kept", aio:await(aio:chain(function(cb) cb "kept" end)))

-- a step that raises: nobody waits for ever
local failed = aio:await(aio:chain(function(cb) cb(1) end, function()
  error "a step fails"
end, function() got = "never" end))
yes(aio.iserror(failed) and failed.error:find "a step fails")
yes(got ~= "never")

-- ---- await and async ----

local seen = {}
local slow = function(cb)
  aio:async(function()
    pl.sleep(0.01)
    cb("slept", 2)
  end)
end
local task, ok = aio:async(function()
  seen[#seen + 1] = aio:await(slow)
  return "done", "twice"
end)
equal(true, ok)
seen[#seen + 1] = "first"
equal({ "done", "twice" }, { aio:await(task) })
equal({ "first", "slept" }, seen)

task = aio:async(function() error { code = "mine" } end)
local _, err = pcall(aio.await, aio, task)
equal("mine", err.code, "who awaits gets the error")
task = aio:async(function() error "told to on_error" end, function(e)
  got = e
end)
aio:await(task)
yes(got:find "told to on_error")

-- a coroutine of the user's inside
local inside = coroutine.wrap(function()
  coroutine.yield(aio:await(slow))
end)
equal("slept", inside())

-- one task cancelled while it waits leaves the promise to others
local never, later = aio:prepare_promise()
task = aio:async(function() aio:await(later) end)
pl.sleep(0)
task:cancel()
yes(not pcall(aio.await, aio, task))
never "now"
equal("now", aio:await(later))

equal({ 2, 4 }, aio:map({ 1, 2 }, function(x, y) return x * y end, 2))

-- ---- cached ----

local count = 0
local function produce() count = count + 1 return count end
equal(1, aio:cached("c", "k", produce))
equal(1, aio:cached("c", "k", produce))
equal(2, aio:cached("c", "other", produce))
equal(3, aio:cached("d", "k", produce))
equal(4, aio:cached("c", "k", produce, false), "bypassed")
equal(1, aio:cached("c", "k", produce), "and not kept")
equal(5, aio:cached("short", "k", produce, 0.001))
pl.sleep(0.01)
equal(6, aio:cached("short", "k", produce, 0.001))
equal(7, aio:cached("both", "k", produce, true, 0.001))

-- many ask while one computes
count = 0
local function long() count = count + 1 pl.sleep(0.01) return "long", count end
local function ask() return aio:cached("flight", "k", long) end
equal({ "long", "long", "long" }, { pl.all { ask, ask, ask } })
equal({ "long", 1 }, { ask() })
-- ... and one promise is for all
local function promised()
  count = count + 1
  return slow
end
local q1, q2 = aio:cached("p", "k", promised), aio:cached("p", "k", promised)
equal({ "slept", 2 }, { aio:await(q1) })
equal({ "slept", 2 }, { aio:await(q2) })
equal({ "slept", 2 }, { aio:await(aio:cached("p", "k", promised)) })
equal(2, count)
-- errors are not kept
local tries = 0
local function unlucky()
  tries = tries + 1
  if tries == 1 then error "no luck" end
  return tries == 2 and { error = "none" } or "luck"
end
yes(not pcall(aio.cached, aio, "u", "k", unlucky))
yes(aio.iserror(aio:cached("u", "k", unlucky)))
equal("luck", aio:cached("u", "k", unlucky))
-- room for so many
aio:set_max_cache_size(3)
count = 0
for i = 1, 10 do aio:cached("room", i, produce) end
equal(10, count)
equal(10, aio:cached("room", 10, produce), "the last one is there")
local kept = 0
for i = 1, 10 do
  local before = count
  aio:cached("room2", i, produce)
  kept = kept + (count == before and 1 or 0)
end
equal(0, kept)

-- ---- misuse ----

raises({ "aio:await: a promise" }, aio.await, aio, 1)
raises({ "aio:gather: argument 2 must be a promise" }, aio.gather, aio, p1, 1)
raises({ "aio:chain: argument 1" }, aio.chain, aio)
raises({ "aio:async: a function" }, aio.async, aio, 1)
raises({ "aio:cached" }, aio.cached, aio, "c", nil, produce)
raises({ "promise: a function" }, promise, 1)

-- ---- queries ----

equal({ a = "1 x", b = "", e = {} }, aio:parse_query "a=1+x&b&a=2")
equal({ e = {} }, aio:parse_query(nil))
equal({ e = {} }, aio:parse_query "e=whatever")
equal("/p?id=5&z=a%20b", aio:to_url("/p", { z = "a b", id = 5 }))
equal("/p", aio:to_url("/p"))
equal("/p", aio:to_url("/p", {}))
equal("/p?a=true#top%2F", aio:to_url("/p", { a = true }, "top/"))
equal("a=%26&b=2", aio:create_query { b = 2, a = "&" })
raises({ "aio:to_url: names and values" }, aio.to_url, aio, "/p",
  { a = {} })
local many = {}
for i = 1, 1001 do many[i] = "a" .. i end
local _, limit = pcall(aio.parse_query, aio, table.concat(many, "&"))
equal(413, limit.status)

-- ---- encryption ----

if not pcall(function() return pl.crypto.hash end) then
  return -- no plug-in
end
raises({ "at least 16 bytes, not 15" }, aio.set_master_key, aio, ("x"):rep(15))
raises({ "not base64" }, aio.set_master_key, aio, "b64:***")
equal(nil, aio:create_key "/p")
aio:set_master_key "0123456789abcdef"
local vector = "/p?e=%2B9mIg6rSn4Logdh7KUXY1z9z3dObNfAt96F3p77b9YoMAAAAfgPOnr"
  .. "KhYbYG55h3EvjnjA%3D%3D"
local params = { id = 5, z = "a b" }
equal(vector, aio:to_url("/p", params))
equal(vector, aio:to_url("/p", params), "again")
aio:set_master_key("b64:" .. pl.base64.encode "0123456789abcdef")
equal(vector, aio:to_url("/p", params), "the same key")
equal("/p?id=5", aio:to_url("/p", { id = 5, e = false }))
yes(aio:to_url("/p", { id = 5, iv = true })
  ~= aio:to_url("/p", { id = 5, iv = true }), "a random beginning")

local key = aio:create_key "/p"
equal("0123456789abcdef/p", key)
for _, iv in ipairs { true, false } do
  for _, text in ipairs { "", "x", ("x"):rep(15), ("x"):rep(16),
    ("x"):rep(17), "\0\255", ("y"):rep(100000) } do
    equal(text, aio:decrypt(aio:encrypt(text, key, iv), key), #text)
    equal(text, aio:decrypt(aio:encrypt(text, key, iv, true), key, true))
  end
end
local sealed = aio:encrypt("secret", key, false, true)
for i = 1, #sealed do
  local bad = sealed:sub(1, i - 1)
    .. string.char((sealed:byte(i) + 1) % 256) .. sealed:sub(i + 1)
  local text, why = aio:decrypt(bad, key, true)
  yes(text == nil and why.code == "denied", i)
  yes(aio:decrypt(sealed:sub(1, i - 1), key, true) == nil, "cut at " .. i)
end
yes(aio:decrypt(sealed, "another key of enough", true) == nil)
yes(aio:decrypt("no base64!", key) == nil)
yes(aio:encrypt("x", "short") == nil)

local query = aio:to_url("/p", { id = 9 }):match "%?(.*)" .. "&id=77&x=1"
equal({ id = "9", x = "1", e = { id = "9" } }, aio:parse_query(query, key))
equal({ id = "77", x = "1", e = {} }, aio:parse_query(query,
  aio:create_key "/other"))
equal({ id = "77", x = "1", e = {} }, aio:parse_query(query))
aio:set_master_key(nil)
equal("/p?id=9", aio:to_url("/p", { id = 9 }))
