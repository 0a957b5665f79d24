---@meta _
-- filters.lua - filters that are there: pl.compress, pl.cors,
-- pl.security_headers, pl.request_id.

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

