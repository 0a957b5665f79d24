---@meta _
-- library.lua - texts, times, names of types, logs (docs/lua-library.md).

---@class pl
local pl = {}

---@class pl.Escape
---@overload fun(text: string|number|boolean): string
pl.escape = {}

---For element content and attributes in quotes.
---@param text string|number|boolean
---@return string
function pl.escape.html(text) end

---For the inside of a string in JavaScript.
---@param text string|number|boolean
---@return string
function pl.escape.js(text) end

---@class pl.Base64Options
---@field lenient? boolean

pl.base64 = {}

---@param bytes string
---@return string
function pl.base64.encode(bytes) end

---With - and _, without padding.
---@param bytes string
---@return string
function pl.base64.encode_url(bytes) end

---@param text string
---@param options? pl.Base64Options
---@return string? bytes, pl.Error? err
function pl.base64.decode(text, options) end

---@param text string
---@param options? pl.Base64Options
---@return string? bytes, pl.Error? err
function pl.base64.decode_url(text, options) end

pl.hex = {}

---@param bytes string
---@return string
function pl.hex.encode(bytes) end

---@param text string
---@return string? bytes, pl.Error? err
function pl.hex.decode(text) end

---@class pl.UrlParts
---@field scheme? string
---@field user? string
---@field host? string
---@field port? integer
---@field path? string
---@field query? string|table
---@field fragment? string

pl.url = {}

---@param text string
---@return pl.UrlParts? parts, pl.Error? err
function pl.url.parse(text) end

---@param parts pl.UrlParts
---@return string
function pl.url.build(parts) end

---@param base string
---@param reference string
---@return string? url, pl.Error? err
function pl.url.resolve(base, reference) end

---@param text string
---@return string? url, pl.Error? err
function pl.url.normalize(text) end

---@param text string
---@return string
function pl.url.encode(text) end

---@param text string
---@return string
function pl.url.encode_path(text) end

---@param text string
---@return string
function pl.url.decode(text) end

---@param args table name = value, and a list of { name, value }
---@return string
function pl.url.encode_query(args) end

---@param text string
---@param max? integer
---@return table<string, string>? args, string[][]|pl.Error pairs
function pl.url.decode_query(text, max) end

---@class pl.Uuid
---@overload fun(): string
pl.uuid = {}

---@return string
function pl.uuid.v4() end

---@return string
function pl.uuid.v7() end

---@param text string
---@return string? bytes, pl.Error? err
function pl.uuid.parse(text) end

---@param bytes string
---@return string
function pl.uuid.format(bytes) end

---@param value any
---@return boolean
function pl.uuid.valid(value) end

---@param value any
---@return integer?
function pl.uuid.version(value) end

---@param value any
---@return number? seconds
function pl.uuid.time(value) end

---@class pl.TimeFields
---@field year integer
---@field month integer
---@field day integer
---@field hour? integer
---@field min? integer
---@field sec? integer
---@field wday? integer
---@field yday? integer
---@field isdst? boolean
---@field offset? integer
---@field zone? string

---@class pl.IsoOptions
---@field digits? integer
---@field offset? integer

---@class pl.Time
---@overload fun(): integer
pl.time = {}

---@return number
function pl.time.now() end

---@return number
function pl.time.monotonic() end

---@param seconds? number
---@return string
function pl.time.http(seconds) end

---@param text string
---@return number? seconds, pl.Error? err
function pl.time.parse_http(text) end

---@param seconds? number
---@param options? pl.IsoOptions
---@return string
function pl.time.iso(seconds, options) end

---@param text string
---@return number? seconds, integer|pl.Error offset
function pl.time.parse_iso(text) end

---@param seconds? number
---@return pl.TimeFields
function pl.time.utc(seconds) end

---@param seconds? number
---@return pl.TimeFields
function pl.time.zoned(seconds) end

---@param fields pl.TimeFields
---@return number seconds
function pl.time.from_utc(fields) end

---@param fields pl.TimeFields
---@return number seconds
function pl.time.from_zoned(fields) end

---@class pl.Mime
---@overload fun(name: string): string
pl.mime = {}

---@param type string
---@return string?
function pl.mime.extension(type) end

---@param content_type string
---@return string type, table<string, string> params
function pl.mime.parse(content_type) end

---@param content_type string
---@return string?
function pl.mime.charset(content_type) end

---@param field? string
---@param offers string[]
---@return string?
function pl.mime.accept(field, offers) end

---@param field? string
---@param offers string[]
---@return string?
function pl.mime.accept_encoding(field, offers) end

---@param field? string
---@param offers string[]
---@return string?
function pl.mime.accept_language(field, offers) end

---Without a default an undefined variable is an error.
---@class pl.Env
---@overload fun(name: string, default?: any): any
---@field number fun(name: string, default?: any): any
---@field boolean fun(name: string, default?: any): any
---@field duration fun(name: string, default?: any): any seconds
---@field size fun(name: string, default?: any): any bytes
pl.env = {}

---@alias pl.LogLevel "debug"|"info"|"notice"|"warn"|"error"

---@class pl.Log
---@overload fun(...: any)
---@field debug fun(...: any)
---@field info fun(...: any)
---@field notice fun(...: any)
---@field warn fun(...: any)
---@field error fun(...: any)
pl.log = {}

---@return pl.LogLevel
function pl.log.level() end

---@param level pl.LogLevel
---@return boolean
function pl.log.enabled(level) end
