---@meta _
-- websocket.lua - WebSockets, by callbacks or in straight lines.

---@class pl
local pl = {}

---@class pl.WebSocketOptions
---@field max_message? string|number `"1m"`
---@field ping? string|number|false `"30s"`
---@field timeout? string|number `"30s"`
---@field idle? string|number|false
---@field close_timeout? string|number `"10s"`
---@field protocols? string|string[] the best first
---@field origins? string|string[] `"https://a.example"`, `"*.example"`, `"*"`
---@field compress? boolean|"context" false
---@field compress_min? string|number 512
---@field window_bits? integer 12

---@class pl.WebSocketStraightOptions: pl.WebSocketOptions
---@field handover? boolean receive() may end the handler after a reload

---@class pl.WebSocketCallbacks: pl.WebSocketOptions
---@field open? async fun(ws: pl.WebSocket, req: pl.Request)
---@field message? async fun(ws: pl.WebSocket, data: string, kind: string)
---@field close? async fun(ws: pl.WebSocket, code: integer, reason: string)
---@field moved? async fun(ws: pl.WebSocket) a reload has brought new code

---@param path string
---@param callbacks pl.WebSocketCallbacks
function pl.websocket(path, callbacks) end

---@class pl.WebSocket
---@field subprotocol? string what was chosen of the option protocols
---@field moved? boolean an older generation's handler has left it
---@field state? pl.Plain the site's own; goes over to the new code of a reload
---@field [any] any the site's own
local WebSocket = {}

---Waits while the peer reads more slowly.
---@async
---@param data string
---@param kind? "text"|"binary"
---@return true?, pl.Error?
function WebSocket:send(data, kind) end

---False: the peer has enough to read already, and nothing was sent.
---@param data string
---@param kind? "text"|"binary"
---@return boolean?, pl.Error?
function WebSocket:try_send(data, kind) end

---@async
---@param timeout? number seconds
---@return string? data, "text"|"binary"|pl.Error
function WebSocket:receive(timeout) end

---@async
---@return fun(): string?, "text"|"binary"?
function WebSocket:messages() end

---@param code? integer 1000
---@param reason? string
---@return true?, pl.Error?
function WebSocket:close(code, reason) end

---What is published to the topic is sent to the socket. full: what becomes of
---one that reads too slowly, "close" unless said.
---@param topic string
---@param options? { full?: "close"|"drop" }
---@return true?, pl.Error?
function WebSocket:subscribe(topic, options) end

---@param topic string
---@return boolean was it subscribed?
function WebSocket:unsubscribe(topic) end

---After a reload, now or within seconds, the handler of the new site goes on
---and this one ends; else false.
---@async
---@param seconds? number
---@return false?, pl.Error?
function WebSocket:handover(seconds) end

---@return integer? code, string? reason nil while it is open
function WebSocket:closed() end

---@return boolean?, pl.Error?
function WebSocket:ping() end
