---@meta _
-- filters.lua - filters that are there: pl.compress, pl.cors,
-- pl.security_headers, pl.request_id, pl.limit.

---@class pl
local pl = {}

---@class pl.CompressOptions
---@field types? string|string[]|false "text/html", "text/*", "*+json"
---@field min? string|number|false ["1k"]
---@field encodings? string|string[]|false [{ "br", "zstd", "gzip" }]
---@field level? integer|false 1 (fast) to 9 (small)
---@field requests? boolean [true] bodies of requests may be coded

---@param options? pl.CompressOptions|false
---@return pl.NativeFilter
function pl.compress(options) end

---@class pl.CorsOptions
---@field origins string|string[] "https://a.example", "*"
---@field methods? string|string[]|false
---@field headers? string|string[]|false "*": those that are asked for
---@field expose? string|string[]|false
---@field credentials? boolean not with origins = "*"
---@field max_age? string|number|false

---@param options pl.CorsOptions
---@return pl.NativeFilter
function pl.cors(options) end

---@class pl.SecurityOptions
---@field nosniff? boolean [true]
---@field frame_ancestors? string|string[]|false ["self"]
---@field referrer_policy? string|false
---@field csp? string|false "{nonce}": a number, res:nonce()
---@field csp_report_only? boolean
---@field permissions_policy? string|false
---@field coop? string|false ["same-origin"]
---@field corp? string|false ["same-origin"]
---@field coep? string|false

---@param options? pl.SecurityOptions
---@return pl.NativeFilter
function pl.security_headers(options) end

---@param header? string ["X-Request-Id"]
---@return pl.NativeFilter
function pl.request_id(header) end

---@class pl.LimitOptions
---@field rate? string|number "10/s", "5/m", "100/15m"; a number: in a second
---@field burst? integer [as many as rate names] requests that may come at once
---@field delay? string|number|false who comes too early waits so long at most
---@field concurrent? integer requests at a time
---@field key? string|fun(req: pl.Request): string|number|nil ["address"]
---"user", "all", "header:NAME"
---@field ipv4? integer [32] bits of an address that count
---@field ipv6? integer [64]
---@field allow? string|string[] addresses without limits
---@field status? integer [429]
---@field message? string on the page of the error
---@field name? string limits of one name count together
---@field clients? integer [65536] that are remembered

---@class pl.Limit: pl.NativeFilter
local limit = {}

--- A token for key: true, after waiting if there is a delay; or false and the
--- seconds until there is one.
---@param key string|number
---@return boolean passed, number? seconds
function limit:take(key) end

--- Whoever key names has used nothing.
---@param key string|number
function limit:forget(key) end

---@param options pl.LimitOptions|string|number "10/s"
---@return pl.Limit
function pl.limit(options) end
