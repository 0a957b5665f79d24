---@meta _
-- aio.lua - folders of pages, and what their pages use: promises, queries.

---@class pl
local pl = {}

---@class pl.ContentOptions
---@field root string the folder, relative to that of the site
---@field no_static? boolean folders called "static" are not served

---The pages and files of a folder, by the rules for their names.
---@param prefix string "/", "/blog"
---@param options pl.ContentOptions
function pl.content(prefix, options) end

---Takes a callback for the values, or a coroutine to be resumed with them.
---@alias pl.Promise fun(taker: function|thread)

---What require "perilune.aio" gives.
---@class pl.aio
pl.aio = {}

---@return fun(...) resolve, pl.Promise promise
function pl.aio:prepare_promise() end

---@param ... pl.Promise
---@return pl.Promise
function pl.aio:gather(...) end

---@param first pl.Promise
---@param ... fun(...): ... gives values, or a promise
---@return pl.Promise
function pl.aio:chain(first, ...) end

---As scripts of 80s have them: texts, hashes.
---@type table<string, function>
pl.aio.codec = {}

---@type table<string, function>
pl.aio.crypto = {}

---@async
---@param promise pl.Promise|pl.Task
---@return any ...
function pl.aio:await(promise) end

---@param fn async fun(): ...
---@param on_error? fun(err: any)
---@return pl.Task, true
function pl.aio:async(fn, on_error) end

---@generic T, U
---@param array T[]
---@param fn fun(item: T, ...): U
---@param ... any
---@return U[]
function pl.aio:map(array, fn, ...) end

---@param cache any its name
---@param key any
---@param producer fun(): ...
---@param condition? boolean|number false: nothing is kept; a number: seconds
---@param seconds? number
---@return any ...
function pl.aio:cached(cache, key, producer, condition, seconds) end

---@param n integer keys of each cache
function pl.aio:set_max_cache_size(n) end

---@param value any
---@return boolean
function pl.aio.iserror(value) end

---@param text any
---@return { error: string }
function pl.aio.make_error(text) end

---@param key? string at least 16 bytes; "b64:..."; nil: none
function pl.aio:set_master_key(key) end

---@param private string
---@return string?
function pl.aio:create_key(private) end

---@param text? string
---@param key? string
---@return table<string, any> args, and e: those that were encrypted
function pl.aio:parse_query(text, key) end

---@param params table<string, string|number|boolean>
---@param key? string
---@param ordered? boolean
---@param iv? boolean
---@return string
function pl.aio:create_query(params, key, ordered, iv) end

---@param endpoint string
---@param params? table<string, string|number|boolean>
---@param hash? string
---@return string
function pl.aio:to_url(endpoint, params, hash) end

---@param data string
---@param key string
---@param iv? boolean
---@param raw? boolean
---@return string?, pl.Error?
function pl.aio:encrypt(data, key, iv, raw) end

---@param data string
---@param key string
---@param raw? boolean
---@return string?, pl.Error?
function pl.aio:decrypt(data, key, raw) end

return pl
