---@meta _
-- socket.lua - connections without HTTP, datagrams, descriptors of others.

---@class pl
local pl = {}

---@class pl.Socket
---@field open boolean
---@field truncated boolean it has ended without the goodbye of TLS
---@field remote? string
---@field remote_port? integer
---@field local_address? string
---@field local_port? integer
---@field tls? { version: string, cipher: string, verified: boolean }
local Socket = {}

---The next bytes as they come; nil at the end.
---@async
---@param n? integer
---@return string?, pl.Error? err
function Socket:read(n) end

---@async
---@param n integer
---@return string?, pl.Error? err
function Socket:read_exactly(n) end

---@async
---@param delimiter string
---@param max? integer|string 64 KiB
---@return string?, pl.Error? err
function Socket:read_until(delimiter, max) end

---@async
---@param max? integer|string 64 KiB
---@return string?, pl.Error? err
function Socket:read_line(max) end

---@async
---@param max? integer|string 1 MiB
---@return string?, pl.Error? err
function Socket:read_all(max) end

---@async
---@param max? integer|string 64 KiB
---@return async fun(): string?
function Socket:lines(max) end

---@async
---@param ... string|number
---@return true?, pl.Error? err
function Socket:write(...) end

function Socket:flush() end
function Socket:shutdown() end
function Socket:close() end

---@return pl.Socket
function Socket:keep() end

---@param seconds number|string|false
function Socket:timeout(seconds) end

---Of pl.tcp: after a reload, now or within seconds, the function of the new
---site goes on and this one ends; else false. It finds socket.moved, and the
---plain data of socket.state.
---@async
---@param seconds? number
---@return false?, pl.Error?
function Socket:handover(seconds) end

---@param on? boolean
---@return true?, pl.Error? err
function Socket:nodelay(on) end

---@param seconds integer|false
---@return true?, pl.Error? err
function Socket:keepalive(seconds) end

---@class pl.ClientTls
---@field verify? boolean
---@field server_name? string
---@field ca? string
---@field cert? string
---@field key? string
---@field alpn? string|string[]

---@class pl.ServerTls
---@field server true
---@field cert string
---@field key? string
---@field ca? string
---@field alpn? string|string[]

---@async
---@param options? pl.ClientTls|pl.ServerTls
---@return true?, pl.Error? err
function Socket:start_tls(options) end

---@class pl.ConnectOptions
---@field tls? true|pl.ClientTls
---@field connect_timeout? number|string|false 10 s
---@field timeout? number|string|false of each read and write: 60 s
---@field bind? string

---@async
---@param address string "host:port", "tcp://host:port", "unix:/path"
---@param options? pl.ConnectOptions
---@return pl.Socket?, pl.Error? err
function pl.connect(address, options) end

---@class pl.Udp
---@field local_address? string
---@field local_port? integer
local Udp = {}

---@async
---@param data string
---@return true?, pl.Error? err
function Udp:send(data) end

---@async
---@param data string
---@param address string
---@param port? integer
---@return true?, pl.Error? err
function Udp:send_to(data, address, port) end

---@async
---@return string? data, string|pl.Error? address, integer? port
function Udp:receive_from() end

---@async
---@return string? data, string|pl.Error? address, integer? port
function Udp:receive() end

function Udp:close() end

---@return pl.Udp
function Udp:keep() end

---@param seconds number|string|false
function Udp:timeout(seconds) end

---@class pl.UdpOptions
---@field timeout? number|string|false
---@field bind? string
---@field broadcast? boolean
---@field multicast? string
---@field ttl? integer
---@field buffer? integer|string
---@field max? integer

---@alias pl.UdpServer async fun(udp: pl.Udp, data: string, ...: string|integer)

---@async
---@param address string?
---@param options? pl.UdpOptions|pl.UdpServer
---@param fn? pl.UdpServer
---@return pl.Udp?, pl.Error? err
function pl.udp(address, options, fn) end

---@class pl.TcpOptions
---@field tls? table
---@field timeout? number|string|false

---@param address string|string[]
---@param options? pl.TcpOptions
---@param fn async fun(socket: pl.Socket)
---@overload fun(address: string|string[], fn: async fun(socket: pl.Socket))
function pl.tcp(address, options, fn) end

---@alias pl.Ready "r"|"w"|"rw"
---@alias pl.Descriptor integer|{ getfd: fun(self): integer }
---@alias pl.WaitItem pl.Descriptor|{ [1]: pl.Descriptor, [2]: pl.Ready? }
---@alias pl.Waits pl.WaitItem[]|{ timeout?: number|string }

---Until it is ready: what for.
---@async
---@param what pl.Descriptor
---@param events? pl.Ready "r"
---@param seconds? number
---@return pl.Ready?, pl.Error? err
function pl.wait(what, events, seconds) end

---Until one is ready: which, and what for.
---@async
---@param things pl.Waits
---@return integer?, pl.Ready|pl.Error?
function pl.wait_any(things) end

---Until each has been ready.
---@async
---@param things pl.Waits
---@return true?, pl.Error? err
function pl.wait_all(things) end
