---@meta perilune
-- perilune.lua - the types of `pl` for lua-language-server. Never loaded;
-- docs/lua-api.md says more. Add this folder to workspace.library.

---What a script can expect to go wrong, as in `local value, err = ...`.
---@class pl.Error
---@field code string `"timeout"`, `"closed"`, `"canceled"`, `"not_found"`, ...
---@field message string
---@field status? integer what a client is answered that has caused it

---@class pl.Task
local Task = {}

---Waits until the task is over. Gives its results, or raises its error.
---@async
---@return any ...
function Task:join() end

---Asks the task to end: its waits fail from now on.
function Task:cancel() end

---@return "pending"|"running"|"done"|"failed"|"canceled"
function Task:status() end

---@class pl.Timer
local Timer = {}

function Timer:cancel() end

-- ---- requests --------------------------------------------------------------

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
---@field id string 16 hexadecimal digits, also in the log
---@field tls? pl.RequestTls nil: in the clear
---@field trailers? table<string, string> behind a body that was read
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

-- ---- responses -------------------------------------------------------------

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

---The response becomes a stream of server-sent events.
---@param options? pl.EventsOptions
---@return pl.Events
function Response:events(options) end

---@class pl.EventOptions
---@field event? string its type ["message"]
---@field id? string|integer
---@field retry? number seconds

---@class pl.Events
---@field last_id? string what the client has seen last
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

-- ---- the site --------------------------------------------------------------

---@class pl
---@field version string
local pl = {}

---@class pl.RouteOptions
---@field expires? string|number|false "1h", or seconds
---@field cache_control? string|false
---@field max_body? string|number|false "1m", or bytes; 0: no limit
---@field budget? pl.Budget|false
---@field max_upload? string|number|false
---@field max_form_fields? integer|false
---@field max_parts? integer|false
---@field body_spool? string|number|false
---@field body_rate? string|number|false

---What it returns is the response: body; status; status, body; status, body,
---headers; nil, err.
---@alias pl.Handler async fun(req: pl.Request, res: pl.Response): ...
---@alias pl.Next async fun()
---@alias pl.Filter
---| async fun(req: pl.Request, res: pl.Response, next: pl.Next): ...

---@param path string "/about", "/user/:id", "/files/*rest"
---@param options pl.RouteOptions
---@param fn pl.Handler
---@overload fun(path: string, fn: pl.Handler)
function pl.get(path, options, fn) end

pl.post, pl.put, pl.patch = pl.get, pl.get, pl.get
pl.delete, pl.head, pl.options, pl.any = pl.get, pl.get, pl.get, pl.get

---@param methods string "GET POST"
---@param path string
---@param options pl.RouteOptions
---@param fn pl.Handler
---@overload fun(methods: string, path: string, fn: pl.Handler)
function pl.route(methods, path, options, fn) end

---@param fn pl.Filter
function pl.use(fn) end

---@param prefix string
---@param options pl.RouteOptions
---@param fn fun()
---@overload fun(prefix: string, fn: fun())
function pl.group(prefix, options, fn) end

---@param name string "a.example", "*.example"
---@param options pl.RouteOptions
---@param fn fun()
---@overload fun(name: string, fn: fun())
function pl.host(name, options, fn) end

---@class pl.StaticOptions
---@field root string
---@field index? string|string[]|false ["index.html"]
---@field fallback? string|false below root: for pages that are not there
---@field not_found? string|false below root: what a 404 shows
---@field precompressed? boolean [true] a.js.br, a.js.zst, a.js.gz
---@field cache? string|number|false ["1s"] a look at the disk is good so long
---@field preload? boolean|string|number [false] all files are read at load
---@field symlinks? "inside"|"owner"|"none"|"all"|false ["inside"]
---@field listing? boolean|string [false] a Mustache template
---@field dot_files? boolean
---@field expires? string|number|false
---@field cache_control? string|false

---@param prefix string
---@param options pl.StaticOptions
function pl.static(prefix, options) end

---@class pl.Addresses
---@field [integer] string ":8080", "127.0.0.1:8080", "unix:/run/site.sock"
---@field backlog? integer
---@field reuseport? integer
---@field mode? string octal, of a UNIX socket's file
---@field owner? string of that file: a name or a number
---@field group? string
---@field v6only? boolean
---@field defer_accept? boolean
---@field protocol? "http"|"http/1.1"|"h2"|"auto"
---@field proxy_protocol? boolean|"required"|"optional"
---@field trusted? string|string[] addresses like "10.0.0.0/8", "::1", "unix:"
---@field forwarded? string|string[]|false names of fields
---@field tls? "dev"|pl.ListenTls
---@field redirect? string "https", "https:8443": clients are sent there

---@class pl.ListenTls
---@field cert? string PEM, a chain
---@field key? string PEM; in the file of cert, if not given
---@field ocsp? string DER
---@field certs? (string|string[]|pl.TlsPair)[] more of them
---@field min_version? "1.2"|"1.3"
---@field ciphers? string of TLS 1.2
---@field ciphersuites? string of TLS 1.3
---@field curves? string
---@field verify? "none"|"optional"|"required"|"any"
---@field verify_depth? integer
---@field ca? string PEM
---@field session_tickets? boolean
---@field session_timeout? string|number
---@field ticket_key_rotation? string|number
---@field hsts? boolean|string
---@field redirect? boolean HTTP in the clear is sent to https

---@class pl.TlsPair
---@field cert string
---@field key? string
---@field ocsp? string

---@param addresses string|pl.Addresses
function pl.listen(addresses) end

---@class pl.Settings
---@field workers? integer
---@field stop_timeout? string|number
---@field user? string|false
---@field group? string|false
---@field pid_file? string|false
---@field trusted? string|string[]|false
---@field forwarded? string|string[]
---@field error_log? string
---@field access_log? string|false
---@field log_level? "debug"|"info"|"notice"|"warn"|"error"
---@field dev? boolean
---@field error_pages? string|false a Mustache template
---@field max_line? string|number
---@field max_head? string|number
---@field max_headers? integer
---@field max_body? string|number
---@field max_upload? string|number
---@field max_form_fields? integer
---@field max_parts? integer
---@field body_spool? string|number
---@field temp_folder? string|false
---@field request_memory? string|number
---@field file_cache? string|number ["16m"]
---@field header_timeout? string|number
---@field idle_timeout? string|number
---@field http2? boolean
---@field http2_streams? integer
---@field http2_resets? integer
---@field http2_controls? integer
---@field body_rate? string|number
---@field body_grace? string|number
---@field server? string|false
---@field headers? table<string, string|number>
---@field max_connections? integer
---@field conn_memory? string|number
---@field output_high? string|number
---@field output_low? string|number
---@field write_timeout? string|number
---@field linger? string|number

---@field budget? pl.Budget
---@field budget_wall? string|number
---@field budget_cpu? string|number
---@field budget_memory? string|number
---@field access_usage? boolean
---@field watchdog? boolean|pl.WatchdogSettings
---@field watchdog_warn? string|number
---@field watchdog_abort? string|number
---@field watchdog_kill? boolean

---@class pl.Budget
---@field wall? string|number|false
---@field cpu? string|number|false
---@field memory? string|number|false

---@class pl.WatchdogSettings
---@field warn? string|number
---@field abort? string|number
---@field kill? boolean

---@class pl.TurnStats
---@field turns integer
---@field seconds number
---@field longest number
---@field held integer
---@field aborted integer
---@field histogram { below: number, turns: integer }[]

---@class pl.Watchdog
---@field stats fun(): pl.TurnStats how long the turns of this worker were
pl.watchdog = {}

---@param settings pl.Settings
function pl.set(settings) end

-- ---- tasks -----------------------------------------------------------------

---@async
---@param seconds number
function pl.sleep(seconds) end

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

---@async
---@return pl.Socket?, pl.Error? err
function Request:hijack() end

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

---@alias pl.Events "r"|"w"|"rw"
---@alias pl.Descriptor integer|{ getfd: fun(self): integer }
---@alias pl.WaitItem pl.Descriptor|{ [1]: pl.Descriptor, [2]: pl.Events? }
---@alias pl.Waits pl.WaitItem[]|{ timeout?: number|string }

---Until it is ready: what for.
---@async
---@param what pl.Descriptor
---@param events? pl.Events "r"
---@param seconds? number
---@return pl.Events?, pl.Error? err
function pl.wait(what, events, seconds) end

---Until one is ready: which, and what for.
---@async
---@param things pl.Waits
---@return integer?, pl.Events|pl.Error?
function pl.wait_any(things) end

---Until each has been ready.
---@async
---@param things pl.Waits
---@return true?, pl.Error? err
function pl.wait_all(things) end

---@param fn async fun(...)
---@param ... any
---@return pl.Task
function pl.spawn(fn, ...) end

---The first result of each, in their order.
---@async
---@param fns (async fun(): any)[]
---@return any ...
function pl.all(fns) end

---@async
---@param fns (async fun(): ...)[]
---@return integer index, any ...
function pl.race(fns) end

---@async
---@param seconds number
---@param fn async fun(...): ...
---@param ... any
---@return any ... the results of fn, or nil and an error
function pl.timeout(seconds, fn, ...) end

---@param fn async fun()
function pl.defer(fn) end

---@class pl.EveryOptions
---@field name? string
---@field each_worker? boolean

---@param seconds number
---@param fn async fun()
---@param options? pl.EveryOptions
---@return pl.Timer
function pl.every(seconds, fn, options) end

---@param event "start"|"stop"|"reload"|"message"
---@param fn async fun(...)
function pl.on(event, fn) end

---@param status? integer
function pl.stop(status) end

---Has the server begun to stop? With seconds: waits for that, so long at most.
---@async
---@param seconds? number
---@return boolean
function pl.stopping(seconds) end

-- ---- the rest --------------------------------------------------------------

---Seconds that only go forwards.
---@return number
function pl.now() end

-- ---- the library (docs/lua-library.md) -------------------------------------

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

---@alias pl.TextForm "hex"|"base64"|"base64url"

---@class pl.Crypto
pl.crypto = {}

---@param n integer
---@return string bytes
function pl.crypto.random(n) end

---@param low integer
---@param high integer
---@return integer
function pl.crypto.random_int(low, high) end

---@param n? integer bytes of randomness
---@return string
function pl.crypto.token(n) end

---@param a string
---@param b string
---@return boolean
function pl.crypto.equal(a, b) end

---@param name string `"sha256"`, ...
---@param data string
---@param form? pl.TextForm
---@return string
function pl.crypto.hash(name, data, form) end

---@param name string
---@param key string
---@param data string
---@param form? pl.TextForm
---@return string
function pl.crypto.hmac(name, key, data, form) end

---@class pl.Hash
local Hash = {}

---@param data string
---@return pl.Hash
function Hash:update(data) end

---@param form? pl.TextForm
---@return string
function Hash:final(form) end

---@param name string
---@return pl.Hash
function pl.crypto.hash_new(name) end

---@param name string
---@param key string
---@return pl.Hash
function pl.crypto.hmac_new(name, key) end

---@class pl.SealOptions
---@field nonce? string
---@field aad? string

---@alias pl.Cipher "aes-256-gcm"|"chacha20-poly1305"

---@param cipher pl.Cipher
---@param key string 32 bytes
---@param text string
---@param options? pl.SealOptions
---@return string bytes
function pl.crypto.encrypt(cipher, key, text, options) end

---@param cipher pl.Cipher
---@param key string 32 bytes
---@param bytes string
---@param options? pl.SealOptions
---@return string? text, pl.Error? err
function pl.crypto.decrypt(cipher, key, bytes, options) end

---@param hash string
---@param secret string
---@param length integer
---@param options? { salt?: string, info?: string }
---@return string bytes
function pl.crypto.hkdf(hash, secret, length, options) end

---@async
---@param hash string
---@param password string
---@param salt string
---@param iterations integer
---@param length integer
---@return string? bytes, pl.Error? err
function pl.crypto.pbkdf2(hash, password, salt, iterations, length) end

---@async
---@param password string
---@param salt string
---@param length integer
---@param options? { n?: integer, r?: integer, p?: integer }
---@return string? bytes, pl.Error? err
function pl.crypto.scrypt(password, salt, length, options) end

---@class pl.SignOptions
---@field hash? string
---@field padding? "pss"|"pkcs1"
---@field format? "der"|"raw"

---@class pl.Key
local Key = {}

---@return "ed25519"|"ec"|"rsa"
function Key:kind() end

---@return integer
function Key:bits() end

---@return boolean
function Key:is_private() end

---@return string
function Key:private_pem() end

---@return string
function Key:public_pem() end

---@param data string
---@param options? pl.SignOptions
---@return string? signature, pl.Error? err
function Key:sign(data, options) end

---@param data string
---@param signature string
---@param options? pl.SignOptions
---@return boolean
function Key:verify(data, signature, options) end

---@param pem string
---@param password? string
---@return pl.Key? key, pl.Error? err
function pl.crypto.key(pem, password) end

---Waits for "rsa".
---@async
---@param kind "ed25519"|"p-256"|"p-384"|"rsa"
---@param options? { bits?: integer }
---@return pl.Key? key, pl.Error? err
function pl.crypto.generate_key(kind, options) end

---@param key pl.Key|string
---@param data string
---@param options? pl.SignOptions
---@return string? signature, pl.Error? err
function pl.crypto.sign(key, data, options) end

---@param key pl.Key|string
---@param data string
---@param signature string
---@param options? pl.SignOptions
---@return boolean
function pl.crypto.verify(key, data, signature, options) end

---@class pl.PasswordOptions
---@field memory? string|integer
---@field iterations? integer
---@field parallelism? integer

pl.crypto.password = {}

---@async
---@param text string
---@param options? pl.PasswordOptions
---@return string? hash, pl.Error? err
function pl.crypto.password.hash(text, options) end

---@async
---@param text string
---@param hash string
---@return boolean? good, pl.Error? err
function pl.crypto.password.verify(text, hash) end

---@param hash string
---@param options? pl.PasswordOptions
---@return boolean
function pl.crypto.password.needs_rehash(hash, options) end

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

-- ---- what workers share -----------------------------------------------------

---Booleans, numbers, strings, json.null, and tables of these.
---@alias pl.Plain any

---@class pl.Shared
local Shared = {}

---@param key string
---@return pl.Plain?
function Shared:get(key) end

---@param key string
---@param value pl.Plain
---@param ttl? number seconds; 0: for ever
---@return true?, pl.Error?
function Shared:set(key, value, ttl) end

---Only if there is none: else `"exists"`.
---@param key string
---@param value pl.Plain
---@param ttl? number
---@return true?, pl.Error?
function Shared:add(key, value, ttl) end

---Only if there is one: else `"not_found"`.
---@param key string
---@param value pl.Plain
---@param ttl? number
---@return true?, pl.Error?
function Shared:replace(key, value, ttl) end

---@param key string
---@param by? number 1
---@param init? number if there is none
---@param ttl? number of what is put then
---@return number?, pl.Error?
function Shared:incr(key, by, init, ttl) end

---nil stands for no value. false: something else is there.
---@param key string
---@param old? boolean|number|string
---@param new? pl.Plain
---@return boolean?, pl.Error?
function Shared:cas(key, old, new) end

---@param key string
---@param fn fun(value: pl.Plain?): pl.Plain?
---@return pl.Plain?, pl.Error?
function Shared:update(key, fn) end

---@param key string
---@return boolean
function Shared:delete(key) end

---@param key string
---@return number? seconds math.huge: it does not expire
function Shared:ttl(key) end

---@param key string
---@param ttl number
---@return true?, pl.Error?
function Shared:expire(key, ttl) end

---@param limit? integer 1000
---@return string[] keys, boolean more
function Shared:keys(limit) end

function Shared:flush() end

---@return { keys: integer, used: integer, max: integer, hits: integer,
---  misses: integer, evicted: integer, expired: integer, refused: integer }
function Shared:stats() end

---@class pl.SharedOptions
---@field max? string|number `"10m"`: all its memory
---@field evict? boolean when it is full: drop what was not used for long
---@field ttl? string|number

---@param name string
---@param options? pl.SharedOptions
---@return pl.Shared
function pl.shared(name, options) end

---@class pl.Subscription
local Subscription = {}

---@async
---@param timeout? number seconds
---@return pl.Plain? value, string|pl.Error? topic, integer? number
function Subscription:receive(timeout) end

function Subscription:cancel() end

---@return integer messages that were lost
function Subscription:dropped() end

---@class pl.SubscribeOptions
---@field queue? integer 256
---@field queue_bytes? string|integer no limit
---@field full? "drop"|"close"
---@field since? integer of a channel: first what is remembered behind it
---@field through_stop? boolean goes on while the server stops: for an answer

---@param topic string
---@param value pl.Plain
---@return integer? receivers, pl.Error|integer? number
function pl.publish(topic, value) end

---@param topic string
---@param fn? async fun(value: pl.Plain, topic: string, number?: integer)
---@param options? pl.SubscribeOptions
---@return pl.Subscription?, pl.Error?
---@overload fun(topic: string, options: pl.SubscribeOptions): pl.Subscription?
function pl.subscribe(topic, fn, options) end

---@async
---@param topic string
---@param options? pl.SubscribeOptions
---@return fun(): pl.Plain?, string?, integer?
function pl.messages(topic, options) end

---@class pl.ChannelOptions
---@field history? integer messages that it remembers [0]
---@field history_age? string|number "1h"
---@field history_bytes? string|integer "1m"
---@field presence? boolean tells name .. ".presence" who joins and leaves

---@class pl.Channel
---@field name string
local Channel = {}

---@param value pl.Plain
---@return integer? receivers, pl.Error|integer? number
function Channel:publish(value) end

---@param fn? async fun(value: pl.Plain, topic: string, number: integer)
---@param options? pl.SubscribeOptions
---@return pl.Subscription?, pl.Error?
---@overload fun(self, options: pl.SubscribeOptions): pl.Subscription?
function Channel:subscribe(fn, options) end

---@async
---@param options? pl.SubscribeOptions
---@return fun(): pl.Plain?, string?, integer?
function Channel:messages(options) end

---@param options? { since: integer?, limit: integer? }
---@return { value: pl.Plain, number: integer, time: number }[]?, pl.Error?
function Channel:history(options) end

---@class pl.Presence
---@field id integer
---@field name string
local Presence = {}

function Presence:leave() end

---The task is in the channel until it ends.
---@param name string
---@param info? pl.Plain
---@return pl.Presence?, pl.Error?
function Channel:join(name, info) end

---@return { id: integer, name: string, info: pl.Plain?, worker: integer }[]?
---@return pl.Error?
function Channel:members() end

---@param name string
---@param options? pl.ChannelOptions
---@return pl.Channel?, pl.Error?
function pl.channel(name, options) end

-- ---- WebSockets -------------------------------------------------------------

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

---@class pl.WebSocketCallbacks: pl.WebSocketOptions
---@field open? async fun(ws: pl.WebSocket, req: pl.Request)
---@field message? async fun(ws: pl.WebSocket, data: string, kind: string)
---@field close? async fun(ws: pl.WebSocket, code: integer, reason: string)

---@param path string
---@param callbacks pl.WebSocketCallbacks
function pl.websocket(path, callbacks) end

---@async
---@param options? pl.WebSocketOptions
---@return pl.WebSocket
function Request:websocket(options) end

---@class pl.WebSocket
---@field subprotocol? string what was chosen of the option protocols
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

---@return integer? code, string? reason nil while it is open
function WebSocket:closed() end

---@return boolean?, pl.Error?
function WebSocket:ping() end

---@class pl.Workers
---@field id integer this worker, from 0
---@field count integer
pl.workers = {}

---@param to integer|"all"
---@param value pl.Plain
---@return true?, pl.Error?
function pl.workers.send(to, value) end

---What this worker has counted since its start.
---@return { connections: table<string, integer>,
---  requests: table<string, integer>, tls: table<string, integer> }
function pl.workers.stats() end

-- ---- files and processes ----------------------------------------------------

---@class pl.FileReadOptions
---@field offset? integer
---@field length? integer|string
---@field max? integer|string more is an error; pl.fs.max_read unless said

---@class pl.FileWriteOptions
---@field mode? string `"644"`
---@field sync? boolean it is on the disk
---@field exclusive? boolean an error if it is there
---@field append? boolean
---@field atomic? boolean false: the file itself is overwritten

---@class pl.FileStat
---@field type "file"|"directory"|"link"|"pipe"|"socket"|"other"
---@field size integer
---@field mode string `"644"`
---@field mtime number
---@field atime number
---@field ctime number
---@field uid integer
---@field gid integer
---@field links integer
---@field inode integer
---@field device integer

---@class pl.File
local File = {}

---@async
---@param n? integer
---@return string? data, pl.Error? err
function File:read(n) end

---@async
---@param data string
---@return true? ok, pl.Error? err
function File:write(data) end

---@async
---@param origin? "set"|"cur"|"end"
---@param offset? integer
---@return integer? position, pl.Error? err
function File:seek(origin, offset) end

---@param options? { max?: integer|string }
---@return fun(): string?
function File:lines(options) end

---@async
---@return pl.FileStat? stat, pl.Error? err
function File:stat() end

---@async
---@return true? ok, pl.Error? err
function File:sync() end

---@async
---@return true? ok, pl.Error? err
function File:close() end

---@class pl.WatchEvent
---@field type "create"|"write"|"remove"|"rename"|"overflow"
---@field path? string below what is watched
---@field from? string
---@field directory? true

---@class pl.Watcher
---@overload fun(): pl.WatchEvent?
local Watcher = {}

---@async
---@return pl.WatchEvent?
function Watcher:next() end

function Watcher:close() end

---@class pl.Fs
---@field max_read integer|string
pl.fs = {}

---@async
---@param path string
---@param options? pl.FileReadOptions
---@return string? data, pl.Error? err
function pl.fs.read(path, options) end

---@async
---@param path string
---@param data string
---@param options? pl.FileWriteOptions
---@return true? ok, pl.Error? err
function pl.fs.write(path, data, options) end

---@async
---@param path string
---@param data string
---@param options? pl.FileWriteOptions
---@return true? ok, pl.Error? err
function pl.fs.append(path, data, options) end

---@async
---@param from string
---@param to string
---@param options? { mode?: string, sync?: boolean, exclusive?: boolean }
---@return true? ok, pl.Error? err
function pl.fs.copy(from, to, options) end

---@async
---@param options? { directory?: boolean, folder?: string }
---@return string? path, pl.Error? err
function pl.fs.temp(options) end

---@async
---@param path string
---@param options? { link?: boolean }
---@return pl.FileStat? stat, pl.Error? err
function pl.fs.stat(path, options) end

---@async
---@param path string
---@return boolean? there, pl.Error? err
function pl.fs.exists(path) end

---@async
---@param path string
---@param options? { recursive?: boolean, match?: string, max?: integer }
---@return { name: string, type: string }[]? entries, pl.Error? err
function pl.fs.list(path, options) end

---@async
---@param path string
---@param options? { parents?: boolean, mode?: string }
---@return true? ok, pl.Error? err
function pl.fs.mkdir(path, options) end

---@async
---@param path string
---@param options? { recursive?: boolean }
---@return true? ok, pl.Error? err
function pl.fs.remove(path, options) end

---@async
---@param from string
---@param to string
---@return true? ok, pl.Error? err
function pl.fs.rename(from, to) end

---@async
---@param path string
---@param name string
---@return true? ok, pl.Error? err
function pl.fs.link(path, name) end

---@async
---@param target string
---@param name string
---@return true? ok, pl.Error? err
function pl.fs.symlink(target, name) end

---@async
---@param path string
---@return string? target, pl.Error? err
function pl.fs.readlink(path) end

---@async
---@param path string
---@return string? path, pl.Error? err
function pl.fs.realpath(path) end

---@async
---@param path string
---@param mode string `"644"`
---@return true? ok, pl.Error? err
function pl.fs.chmod(path, mode) end

---@async
---@param path string
---@param time? number
---@return true? ok, pl.Error? err
function pl.fs.touch(path, time) end

---@async
---@param path string
---@param options? { max?: integer|string }
---@return fun(): string?
function pl.fs.lines(path, options) end

---@async
---@param path string
---@param mode? "r"|"r+"|"w"|"w+"|"wx"|"a"|"a+"
---@param options? { mode?: string }
---@return pl.File? file, pl.Error? err
function pl.fs.open(path, mode, options) end

---@async
---@param path string
---@param options? { recursive?: boolean, debounce?: number|string }
---@return pl.Watcher? watcher, pl.Error? err
function pl.fs.watch(path, options) end

---@class pl.FsPath
---@field join fun(...: string): string
---@field basename fun(path: string): string
---@field dirname fun(path: string): string
---@field extension fun(path: string): string
---@field is_absolute fun(path: string): boolean
---@field normalize fun(path: string): string
pl.fs.path = {}

---@class pl.ProcessOptions
---@field [integer] string|number the program and its arguments
---@field shell? string
---@field cwd? string
---@field env? table<string, string|number|false>
---@field clear_env? boolean
---@field stdin? string run: what it reads; spawn: "capture", "null", "inherit"
---@field stdout? "capture"|"null"|"inherit"
---@field stderr? "capture"|"null"|"inherit"|"merge"
---@field grace? number|string
---@field timeout? number|string of run
---@field max_output? integer|string of run

---@class pl.ProcessResult
---@field status integer
---@field signal? string|integer
---@field stdout string
---@field stderr string

---@class pl.Process
---@field pid integer
local Process = {}

---@async
---@param data string
---@return true? ok, pl.Error? err
function Process:write(data) end

function Process:close_stdin() end

---@async
---@param n? integer
---@return string? data, pl.Error? err
function Process:read(n) end

---@async
---@param n? integer
---@return string? data, pl.Error? err
function Process:read_error(n) end

---@param options? { max?: integer|string }
---@return fun(): string?
function Process:lines(options) end

---@async
---@return { status: integer, signal?: string|integer }? ended, pl.Error? err
function Process:wait() end

---@param signal? string|integer
---@return true? ok, pl.Error? err
function Process:kill(signal) end

function Process:close() end

pl.process = {}

---@async
---@param what pl.ProcessOptions
---@return pl.ProcessResult? result, pl.Error? err
function pl.process.run(what) end

---@async
---@param what pl.ProcessOptions
---@return pl.Process? process, pl.Error? err
function pl.process.spawn(what) end

return pl
