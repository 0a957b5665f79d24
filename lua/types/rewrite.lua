---@meta _
-- rewrite.lua - other paths, other places: rules, redirects, fixed responses.

---@class pl
local pl = {}

---@alias pl.Captures table<integer, string|integer> [0]: the whole match
---@alias pl.Matches table<string, string|boolean> true: is there

---@class pl.RewriteStat
---@field path string relative to the site; `%1` may stand in it
---@field exists? boolean
---@field is_file? boolean
---@field is_dir? boolean

---@class pl.RewriteConditions
---@field cookie? pl.Matches
---@field query? pl.Matches
---@field post? pl.Matches
---@field header? pl.Matches
---@field environment? pl.Matches
---@field backref? table<integer|string, string|boolean>
---@field stat? pl.RewriteStat
---@field encoding? string|string[]|table<string, boolean>
---@field method? string|string[]
---@field https? boolean
---@field ["http_1.0"]? boolean
---@field has_query_string? boolean
---@field proxied? boolean
---@field lua? async fun(req: pl.Request, captures: pl.Captures): any

---@alias pl.RewriteFunction
---| async fun(req: pl.Request, captures: pl.Captures): string?, integer?

---@class pl.RewriteRule
---@field [1]? string the pattern, in a list of rules
---@field to string|pl.RewriteFunction `"/new/%1"`
---@field redirect? boolean|301|302|303|307|308 true: 301
---@field last? boolean no rule is asked about the new path
---@field when? pl.RewriteConditions
---@field if? pl.RewriteConditions

---@class pl.RedirectOptions
---@field to string
---@field status? 301|302|303|307|308 301
---@field rest? boolean what follows the prefix is appended
---@field query? boolean the query string is appended

---@class pl.ResponseOptions
---@field status? integer 200
---@field body? string|table a table is sent as JSON
---@field type? string
---@field headers? table<string, string|number|string[]>

---@class pl.MaintenanceOptions
---@field file? string it is on while something is there
---@field shared? string ... or while a key of this dictionary is set
---@field key? string "maintenance"
---@field retry_after? string|number
---@field allow? string|string[] addresses that pass
---@field message? string

---@param options pl.MaintenanceOptions|string
---@return any filter
function pl.maintenance(options) end

---@class pl.CacheRule
---@field [1] string a pattern of Lua for the path
---@field [2]? string
---@field cache_control? string
---@field expires? string|number

---@param rules pl.CacheRule[]
---@return any filter
function pl.cache_control(rules) end

---@overload fun(prefix: string, rules: pl.RewriteRule[])
---@param pattern string
---@param rule pl.RewriteRule|pl.RewriteFunction|string
function pl.rewrite(pattern, rule) end

---@param prefix string
---@param options pl.RedirectOptions|string
function pl.redirect(prefix, options) end

---@param path string
---@param options pl.ResponseOptions
function pl.response(path, options) end
