---@meta _
-- request.lua - pl.Request: what a client asks, its body and what was uploaded.

---What a PROXY header said; the items 0xe0 to 0xff by their numbers.
---@class pl.Proxy
---@field version integer
---@field address string where the client has connected to
---@field port integer
---@field alpn? string
---@field authority? string
---@field unique_id? string
---@field netns? string
---@field tls? pl.ProxyTls nil: the client came without
---@field [integer] string

---@class pl.ProxyTls
---@field version? string
---@field cipher? string
---@field cn? string
---@field signature? string
---@field key? string
---@field certificate boolean the client has shown one
---@field verified boolean the proxy has found it good

---@class pl.Request
---@field method string `"GET"`
---@field path string decoded and normalised
---@field raw_path string as it came
---@field query? string raw, without "?"
---@field args table<string, string> decoded query, the first of each name
---@field params table<string, string> of the route's pattern
---@field headers table<string, string> by name, in any case
---@field cookies table<string, string>
---@field host? string without port
---@field rest? string below a mount: what follows its prefix
---@field scheme "http"|"https"
---@field version string `"1.1"`, `"2"`
---@field remote string address of the client; "" for UNIX sockets
---@field proxy? pl.Proxy what a PROXY header said
---@field remote_port integer
---@field env table<string, string> the variables of CGI (docs/fastcgi.md)
---@field id string 16 hexadecimal digits, also in the log
---@field tls? pl.RequestTls nil: in the clear
---@field trailers? table<string, string> behind a body that was read
---@field user any who has logged in: a name, unless a filter says more
---@field claims? table of a token
---@field session? pl.Session
---@field [any] any what filters have set
local Request = {}

---@class pl.RequestTls
---@field version string `"TLSv1.3"`
---@field cipher string
---@field sni? string the name that was asked for
---@field alpn? string
---@field resumed boolean
---@field client? pl.ClientCertificate nil: it has shown none

---@class pl.ClientCertificate
---@field verified boolean
---@field error? string why not
---@field subject string
---@field issuer string
---@field serial string hexadecimal
---@field fingerprint string SHA-256, hexadecimal
---@field not_before number seconds since 1970
---@field not_after number

---@param name string in any case
---@return string?
function Request:header(name) end

---The first value of that name in the query, decoded.
---@param name string
---@return string?
function Request:arg(name) end

---All values of that name in the query, decoded.
---@param name string
---@return string[]
function Request:all(name) end

---@param name string
---@return string?
function Request:param(name) end

---@param name string
---@return string?
function Request:cookie(name) end

---The whole body, at most max_body. Raises an error that answers 413, 400 or
---408 when it does not arrive.
---@async
---@return string
function Request:body() end

---The next bytes of the body as they arrive, nil at the end.
---@async
---@param n? integer at most so many [65536]
---@return string?
function Request:read(n) end

---An iterator over read(n).
---@async
---@param n? integer
---@return fun(): string?
function Request:chunks(n) end

---@async
---@return any value, pl.Error? err
function Request:json() end

---Fields by name, the first of each; those that are files are tables.
---@async
---@return table<string, string|pl.FormFile>? fields, pl.Error? err
function Request:form() end

---The rest of the body becomes a file, as a whole or not at all.
---@async
---@param path string
---@param options? pl.SaveOptions
---@return integer? bytes, pl.Error? err
function Request:save(path, options) end

---The rest of the body goes nowhere.
---@async
---@return integer bytes of all of it
function Request:discard() end

---@class pl.PartsOptions
---@field max_parts? integer [the route's]
---@field max_size? string|number of each part
---@field max_total? string|number of the body

---The parts of multipart/form-data as they come.
---@async
---@param options? pl.PartsOptions
---@return fun(): pl.Part?
function Request:parts(options) end

---@class pl.SaveOptions
---@field mode? string octal ["644"]
---@field exclusive? boolean do not replace a file
---@field sync? boolean return when it is on the disk
---@field max? string|number more is answered by 413

---@class pl.Part
---@field name string
---@field filename? string safe to use as a name
---@field raw_filename? string as the client says it
---@field type? string
---@field headers table<string, string> by name, in any case
local Part = {}

---@async
---@param n? integer at most so many [65536]
---@return string?
function Part:read(n) end

---@async
---@param n? integer
---@return fun(): string?
function Part:chunks(n) end

---@async
---@param limit? string|number [max_body]
---@return string
function Part:text(limit) end

---@async
---@param path string
---@param options? pl.SaveOptions
---@return integer? bytes, pl.Error? err
function Part:save(path, options) end

---@async
function Part:skip() end

---@class pl.FormFile
---@field name string
---@field filename string safe to use as a name
---@field raw_filename string as the client says it
---@field type? string
---@field size integer
---@field data? string nil if it is in a temporary file
local FormFile = {}

---@async
---@return string
function FormFile:text() end

---@async
---@param n? integer [65536]
---@return fun(): string?
function FormFile:chunks(n) end

---@async
---@param path string
---@param options? pl.SaveOptions
---@return integer? bytes, pl.Error? err
function FormFile:save(path, options) end

---@async
---@return pl.Socket?, pl.Error? err
function Request:hijack() end

---@async
---@param options? pl.WebSocketStraightOptions
---@return pl.WebSocket
function Request:websocket(options) end

---The field of a form against forged ones: pl.csrf.
---@return string html
function Request:csrf_field() end

---@return string token
function Request:csrf_token() end

---@param name string
---@return string?
function Request:signed_cookie(name) end

---@param name string
---@return string?
function Request:encrypted_cookie(name) end
