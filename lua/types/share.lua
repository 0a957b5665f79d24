---@meta _
-- share.lua - what workers share: dictionaries, topics, channels, each other.

---@class pl
local pl = {}

---Booleans, numbers, strings, json.null, and tables of these.
---@alias pl.Plain any

---@class pl.Shared
local Shared = {}

---@param key string
---@return pl.Plain?
function Shared:get(key) end

---@param key string
---@param value pl.Plain
---@param ttl? number seconds; 0: for ever
---@return true?, pl.Error?
function Shared:set(key, value, ttl) end

---Only if there is none: else `"exists"`.
---@param key string
---@param value pl.Plain
---@param ttl? number
---@return true?, pl.Error?
function Shared:add(key, value, ttl) end

---Only if there is one: else `"not_found"`.
---@param key string
---@param value pl.Plain
---@param ttl? number
---@return true?, pl.Error?
function Shared:replace(key, value, ttl) end

---@param key string
---@param by? number 1
---@param init? number if there is none
---@param ttl? number of what is put then
---@return number?, pl.Error?
function Shared:incr(key, by, init, ttl) end

---nil stands for no value. false: something else is there.
---@param key string
---@param old? boolean|number|string
---@param new? pl.Plain
---@return boolean?, pl.Error?
function Shared:cas(key, old, new) end

---@param key string
---@param fn fun(value: pl.Plain?): pl.Plain?
---@return pl.Plain?, pl.Error?
function Shared:update(key, fn) end

---@param key string
---@return boolean
function Shared:delete(key) end

---@param key string
---@return number? seconds math.huge: it does not expire
function Shared:ttl(key) end

---@param key string
---@param ttl number
---@return true?, pl.Error?
function Shared:expire(key, ttl) end

---@param limit? integer 1000
---@return string[] keys, boolean more
function Shared:keys(limit) end

function Shared:flush() end

---@return { keys: integer, used: integer, max: integer, hits: integer,
---  misses: integer, evicted: integer, expired: integer, refused: integer }
function Shared:stats() end

---@class pl.SharedOptions
---@field max? string|number `"10m"`: all its memory
---@field evict? boolean when it is full: drop what was not used for long
---@field ttl? string|number

---@param name string
---@param options? pl.SharedOptions
---@return pl.Shared
function pl.shared(name, options) end

---What fn() gives, kept for ttl in pl.shared(name). One task makes it for all.
---@async
---@param name string
---@param key string
---@param ttl number|string
---@param fn async fun(): any, any
---@return any value, any err
function pl.cached(name, key, ttl, fn) end

---@class pl.Subscription
local Subscription = {}

---@async
---@param timeout? number seconds
---@return pl.Plain? value, string|pl.Error? topic, integer? number
function Subscription:receive(timeout) end

function Subscription:cancel() end

---@return integer messages that were lost
function Subscription:dropped() end

---@class pl.SubscribeOptions
---@field queue? integer 256
---@field queue_bytes? string|integer no limit
---@field full? "drop"|"close"
---@field since? integer of a channel: first what is remembered behind it
---@field through_stop? boolean goes on while the server stops: for an answer

---@param topic string
---@param value pl.Plain
---@return integer? receivers, pl.Error|integer? number
function pl.publish(topic, value) end

---@param topic string
---@param fn? async fun(value: pl.Plain, topic: string, number?: integer)
---@param options? pl.SubscribeOptions
---@return pl.Subscription?, pl.Error?
---@overload fun(topic: string, options: pl.SubscribeOptions): pl.Subscription?
function pl.subscribe(topic, fn, options) end

---@async
---@param topic string
---@param options? pl.SubscribeOptions
---@return fun(): pl.Plain?, string?, integer?
function pl.messages(topic, options) end

---@class pl.ChannelOptions
---@field history? integer messages that it remembers [0]
---@field history_age? string|number "1h"
---@field history_bytes? string|integer "1m"
---@field presence? boolean tells name .. ".presence" who joins and leaves

---@class pl.Channel
---@field name string
local Channel = {}

---@param value pl.Plain
---@return integer? receivers, pl.Error|integer? number
function Channel:publish(value) end

---@param fn? async fun(value: pl.Plain, topic: string, number: integer)
---@param options? pl.SubscribeOptions
---@return pl.Subscription?, pl.Error?
---@overload fun(self, options: pl.SubscribeOptions): pl.Subscription?
function Channel:subscribe(fn, options) end

---@async
---@param options? pl.SubscribeOptions
---@return fun(): pl.Plain?, string?, integer?
function Channel:messages(options) end

---@param options? { since: integer?, limit: integer? }
---@return { value: pl.Plain, number: integer, time: number }[]?, pl.Error?
function Channel:history(options) end

---@class pl.Presence
---@field id integer
---@field name string
local Presence = {}

function Presence:leave() end

---The task is in the channel until it ends.
---@param name string
---@param info? pl.Plain
---@return pl.Presence?, pl.Error?
function Channel:join(name, info) end

---@return { id: integer, name: string, info: pl.Plain?, worker: integer }[]?
---@return pl.Error?
function Channel:members() end

---@param name string
---@param options? pl.ChannelOptions
---@return pl.Channel?, pl.Error?
function pl.channel(name, options) end

---@class pl.Workers
---@field id integer this worker, from 0
---@field count integer
pl.workers = {}

---@param to integer|"all"
---@param value pl.Plain
---@return true?, pl.Error?
function pl.workers.send(to, value) end

---What this worker has counted since its start.
---@return { connections: table<string, integer>,
---  requests: table<string, integer>, tls: table<string, integer> }
function pl.workers.stats() end
