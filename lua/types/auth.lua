---@meta _
-- auth.lua - who a request is from, and what comes back: pl.basic, pl.jwt,
-- pl.keys, pl.session, pl.csrf.

---@class pl
local pl = {}

---What pl.basic and its like give: for pl.use and the options of routes.
---@class pl.NativeFilter

---@class pl.BasicOptions one of file, users, check
---@field file? string "name:hash" or "name = password" in lines
---@field users? table<string, string> name = hash
---@field check? async fun(user: string, password: string, req: pl.Request): ...
---@field realm? string ["perilune"]
---@field cache? string|number|false ["5m"]

---@param options pl.BasicOptions
---@return pl.NativeFilter|pl.Filter
function pl.basic(options) end

---@alias pl.JwtKey string|pl.Key a secret, PEM text, or a key

---@class pl.JwtRules one of key, keys, jwks
---@field key? pl.JwtKey
---@field keys? table<string|integer, pl.JwtKey> by kid, or a list
---@field jwks? table { keys = { ... } }
---@field algorithms? string|string[]
---@field audience? string|string[]
---@field issuer? string|string[]
---@field leeway? string|number [0]

---@class pl.JwtOptions : pl.JwtRules
---@field realm? string ["perilune"]
---@field cookie? string
---@field optional? boolean
---@field check? async fun(claims: table, req: pl.Request): any

---@class pl.JwtSigning
---@field key pl.JwtKey
---@field algorithm? string
---@field kid? string
---@field expires? string|number "1h"

---@class pl.Jwt
---@overload fun(options: pl.JwtOptions): pl.Filter
pl.jwt = {}

---@param token string
---@param options pl.JwtRules
---@return table? claims
---@return pl.Error? err
function pl.jwt.verify(token, options) end

---@param claims table
---@param options pl.JwtSigning
---@return string? token
---@return pl.Error? err
function pl.jwt.sign(claims, options) end

---The keys of the site, the newest first, each at least 32 bytes; or
---"temporary": random ones of the process.
---@param keys string[]|string
function pl.keys(keys) end

---@class pl.SessionStore
---@field get async fun(store: any, id: string): ...
---@field set async fun(store: any, id: string, text: string, ttl: number): ...
---@field delete async fun(store: any, id: string)

---@class pl.SessionOptions
---@field store? "cookie"|"shared"|pl.SessionStore ["cookie"]
---@field ttl? string|number ["1d"]
---@field renewal? string|number [ttl / 4]
---@field lifetime? string|number
---@field keys? string|string[]
---@field name? string ["session"]
---@field path? string ["/"]
---@field domain? string
---@field secure? boolean
---@field same_site? "lax"|"strict"|"none"
---@field persistent? boolean

---@param options pl.SessionOptions
---@return pl.Filter
function pl.session(options) end

---@class pl.Session
---@field [string] any plain values
local Session = {}

---The same session under another name: when somebody logs in.
function Session:regenerate() end

function Session:destroy() end

---Keeps a value until it is asked for; without one, gives it, once.
---@param name string
---@param value? any
---@return any
function Session:flash(name, value) end

---@class pl.CsrfOptions
---@field origins? string|string[]
---@field field? string ["_csrf"]
---@field header? string ["x-csrf-token"]
---@field cookie? string ["csrf"]
---@field ttl? string|number ["1d"]
---@field keys? string|string[]

---@param options pl.CsrfOptions
---@return pl.Filter
function pl.csrf(options) end
