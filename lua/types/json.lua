---@meta _
-- json.lua - pl.json.

---@class pl
local pl = {}

---@class pl.JsonEncodeOptions
---@field depth? integer
---@field size? integer
---@field indent? integer
---@field pretty? boolean
---@field sort_keys? boolean
---@field html_safe? boolean
---@field invalid_utf8? "replace"|"error"
---@field empty_table? "object"|"array"
---@field tables? "strict"|"convert"
---@field nan? "error"|"null"

---@class pl.JsonDecodeOptions
---@field depth? integer
---@field size? integer
---@field int64? "number"|"string"
---@field invalid_utf8? "error"|"replace"
---@field mark_arrays? boolean

---@class pl.Json
---@field null lightuserdata
---@field empty_array lightuserdata
pl.json = {}

---@param value any
---@param options? pl.JsonEncodeOptions
---@return string
function pl.json.encode(value, options) end

---@param text string
---@param options? pl.JsonDecodeOptions
---@return any value, string? message, integer? byte
function pl.json.decode(text, options) end

---@generic T: table
---@param t? T
---@return T
function pl.json.array(t) end

---@generic T: table
---@param t? T
---@return T
function pl.json.object(t) end
