---@meta _
-- response.lua - pl.Response: what is answered, at once or in a stream.

---@class pl.CookieOptions
---@field path? string ["/"]
---@field domain? string
---@field max_age? number seconds
---@field expires? number seconds since 1970
---@field secure? boolean [false]
---@field http_only? boolean [true]
---@field same_site? "lax"|"strict"|"none"
---@field partitioned? boolean

---@class pl.Response
local Response = {}

---The number of the response's Content-Security-Policy.
---@return string?
function Response:nonce() end

---@return integer
function Response:status() end

---@param status integer 200 to 999
function Response:status(status) end

---@param name string
---@return string?
function Response:header(name) end

---@param name string
---@param value string|number|string[]|false|nil several; false, nil: none
function Response:header(name, value) end

---@param name string
---@param value string|number
function Response:add_header(name, value) end

---@param name string
---@param value string
---@param options? pl.CookieOptions
function Response:cookie(name, value, options) end

---The client can read it, but not change it: pl.keys.
---@param name string
---@param value string
---@param options? pl.CookieOptions
function Response:signed_cookie(name, value, options) end

---Nor can it read it.
---@param name string
---@param value string
---@param options? pl.CookieOptions
function Response:encrypted_cookie(name, value, options) end

---@param location string
---@param status? integer [302]
function Response:redirect(location, status) end

---The whole body.
---@param body string|number|table a table: as JSON
function Response:send(body) end

---@param value any
function Response:json(value) end

---@param path string
---@param root? string a folder that path cannot leave
---@return true?, pl.Error? err
function Response:send_file(path, root) end

---What a template's file makes of data becomes the body (docs/templates.md).
---@async
---@param name string below the folder of templates
---@param data? any
---@return true
function Response:render(name, data) end

---A piece of the body; the first sends the head.
---@async
---@param ... string|number
---@return true?, pl.Error? err
function Response:write(...) end

function Response:flush() end

-- ---- streams ---------------------------------------------------------------

---An informational response (102 to 199), before the one that follows.
---@param status integer
---@param fields table<string, string|string[]>
---@return true?, pl.Error? err
function Response:inform(status, fields) end

---A 103: { link = { "</a.css>; rel=preload; as=style" } }
---@param fields table<string, string|string[]>
---@return true?, pl.Error? err
function Response:early_hints(fields) end

---A field behind a stream's body; announced if the head has not left.
---@param name string
---@param value? string|number
function Response:trailer(name, value) end

---@class pl.EventsOptions
---@field retry? string|number "3s", or seconds
---@field ping? string|number|false "15s"
---@field headers? table<string, string|string[]>
---@field handover? boolean subscribe() may end the handler after a reload

---The response becomes a stream of server-sent events.
---@param options? pl.EventsOptions
---@return pl.Events
function Response:events(options) end

---@class pl.EventOptions
---@field event? string its type ["message"]
---@field id? string|integer
---@field retry? number seconds

---@class pl.Events
---@field last_id? string what the client has seen, or was sent, last
---@field moved? boolean an older generation's handler has left it
---@field state? pl.Plain the site's own; goes over with events:handover()
local Events = {}

---@async
---@param data? string|number|table a table: as JSON
---@param options? pl.EventOptions
---@return true?, pl.Error? err
function Events:send(data, options) end

---@async
---@param text? string
---@return true?, pl.Error? err
function Events:comment(text) end

---After a reload, now or within seconds, the handler of the new site goes on
---and this one ends; else false.
---@async
---@param seconds? number
---@return false?, pl.Error?
function Events:handover(seconds) end

---@class pl.EventsSubscribeOptions: pl.SubscribeOptions
---@field event? string their type
---@field history? boolean all that is remembered, to who has seen nothing

---Sends what is published, until the client leaves.
---@async
---@param topic string a name or a pattern
---@param options? pl.EventsSubscribeOptions
---@param fn? fun(value: pl.Plain, topic: string, number?: integer): ...
---@return nil, pl.Error err
function Events:subscribe(topic, options, fn) end
