---@meta _
-- site.lua - routes, filters, hosts, listeners and settings.

---@class pl
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
---@field request_id? pl.NativeFilter|string|boolean
---@field compress? pl.NativeFilter|pl.CompressOptions|boolean
---@field security_headers? pl.NativeFilter|pl.SecurityOptions|boolean
---@field cors? pl.NativeFilter|pl.CorsOptions|false
---@field auth? pl.AnyFilter pl.basic, pl.jwt
---@field limit? pl.AnyFilter
---@field session? pl.AnyFilter
---@field csrf? pl.AnyFilter
---@field use? pl.AnyFilter|pl.AnyFilter[]

---What it returns is the response: body; status; status, body; status, body,
---headers; nil, err.
---@alias pl.Handler
---| async fun(req: pl.Request, res: pl.Response): ...
---| pl.NativeHandler
---@alias pl.Next async fun()
---@alias pl.Filter
---| async fun(req: pl.Request, res: pl.Response, next: pl.Next): ...

---@alias pl.AnyFilter pl.Filter|pl.NativeFilter

---What pl.handler gives, for pl.get and so on.
---@class pl.NativeHandler

---Loads a native module: a shared object. Only while the site is loaded.
---@async
---@param path string relative to the folder of the site
---@param options? table<string, string|number|boolean> for the module
---@return table<string, function> functions of the module
function pl.module(path, options) end

---A handler in C of a module that is loaded.
---@param name string
---@return pl.NativeHandler
function pl.handler(name) end

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

---@param fn pl.AnyFilter
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
---@field compress? pl.NativeFilter|pl.CompressOptions|boolean
---@field cors? pl.NativeFilter|pl.CorsOptions|false
---@field auth? pl.AnyFilter and the other filters of routes
---@field use? pl.AnyFilter|pl.AnyFilter[]
---@field expires? string|number|false
---@field cache_control? string|false

---@param prefix string
---@param options pl.StaticOptions
function pl.static(prefix, options) end

---@class pl.ProxyServer
---@field url string "http://host:port", "https://host/path", "unix:/path"
---@field weight? integer its share, 1 to 100
---@field backup? boolean only when none of the others can be asked

---@class pl.ProxyCheck
---@field path? string "/"
---@field host? string
---@field interval? number|string 10 s
---@field timeout? number|string 2 s
---@field status? integer|string that is well: 200, "200-399"
---@field rises? integer equal results that are believed
---@field falls? integer

---@class pl.UpstreamTls
---@field ca? string a file of those who are believed
---@field cert? string our own
---@field key? string
---@field name? string in the server's certificate
---@field insecure? boolean

---@class pl.ProxyOptions
---@field to string|(string|pl.ProxyServer)[]
---@field balance? "round_robin"|"least_connections"|"hash"
---@field hash? string|fun(req: pl.Request): any
---@field strip? boolean the prefix is taken off the path
---@field path? string ... and this put in its place
---@field host? string "keep", "upstream", or a host
---@field forwarded? "x-forwarded"|"forwarded"|"both"|false
---@field via? boolean|string
---@field request_headers? table<string, string|number|false>
---@field response_headers? table<string, string|number|false>
---@field rewrite_location? boolean
---@field rewrite_cookies? boolean
---@field cookie_domain? string|false
---@field websocket? boolean
---@field max_connections? integer of a server and worker
---@field queue? integer|false
---@field queue_timeout? number|string|false
---@field keepalive? integer|false
---@field keepalive_timeout? number|string
---@field connect_timeout? number|string|false
---@field first_byte_timeout? number|string|false
---@field read_timeout? number|string|false
---@field total_timeout? number|string|false
---@field websocket_timeout? number|string|false
---@field retries? integer|false
---@field max_failures? integer|false
---@field pause? number|string
---@field check? string|pl.ProxyCheck
---@field tls? pl.UpstreamTls for https

--- All requests below prefix are sent on to other servers (docs/upstream.md).
---@param prefix string
---@param options string|pl.ProxyOptions
function pl.proxy(prefix, options) end

---@class pl.FastcgiOptions: pl.RouteOptions
---@field to string|(string|pl.ProxyServer)[] "unix:/path", "host:port"
---@field root? string the folder of the scripts
---@field script_root? string what the programs call it
---@field remote? boolean it is on the programs' machine
---@field suffixes? string|string[] ".php"
---@field index? string|string[] "index.php"
---@field fallback? string the script for what is not there
---@field static? boolean serve files that are no scripts
---@field no_scripts? string|string[] folders in which nothing is a script
---@field symlinks? "inside"|"owner"|"none"|"all"
---@field params? table<string, string|number|false> variables
---@field buffer? boolean read bodies as a whole first
---@field sendfile? string a folder of which scripts may name files
---@field sendfile_prefix? string ... as a path that begins with this
---@field response_headers? table<string, string|number|false>
---@field balance? "round_robin"|"least_connections"|"hash"
---@field hash? string
---@field max_connections? integer of a program and worker
---@field queue? integer|false
---@field queue_timeout? number|string|false
---@field keepalive? integer|false connections that are kept: 0
---@field keepalive_timeout? number|string
---@field connect_timeout? number|string|false
---@field first_byte_timeout? number|string|false
---@field read_timeout? number|string|false
---@field total_timeout? number|string|false
---@field retries? integer|false
---@field max_failures? integer|false
---@field pause? number|string

--- Requests below prefix are sent on to PHP, and other programs that speak
--- FastCGI (docs/fastcgi-client.md).
---@param prefix string
---@param options string|pl.FastcgiOptions
function pl.fastcgi(prefix, options) end

---@class pl.LuafcgidOptions: pl.RouteOptions
---@field root string the folder of scripts
---@field index? string|string[] ["index.lua index.html"] of folders, by HTTP
---@field states? integer [5] the most states of all scripts, in the process
---@field clones? integer [3] the most states of one script
---@field sweep? number|string ["1s"] between two heartbeats
---@field wait? number|string ["30s"] for a state; then 503
---@field show_errors? boolean [false] pages that say what went wrong
---@field buffering? boolean [true] false: what is said leaves at once
---@field headers? table<string, string> [{ ["X-Powered-By"] = "Lua" }]
---@field handler? string ["main"] the function that answers
---@field status? string ["200"] of responses that say none
---@field type? string ["text/html"] likewise
---@field max_body? integer|string ["1m"]

--- Scripts of luafcgid's below a folder (docs/luafcgid.md). Waits.
---@param prefix string
---@param options pl.LuafcgidOptions
function pl.luafcgid(prefix, options) end

--- Addresses, settings and routes of a configuration of Lwan's (docs/lwan.md).
---@param path string
function pl.lwan(path) end

---@class pl.MagnetOptions: pl.RouteOptions
---@field root string the folder
---@field index? string|string[] [{ "index.lua", "index.html" }]
---@field suffixes? string|string[] [".lua"] ends of names of scripts
---@field files? boolean [false] other files are served, too
---@field check? string|number [0] a look at a script is good so long
---@field methods? string ["any"]

--- The scripts of a folder, in the manner of magnet (docs/magnet.md).
---@async
---@param prefix string
---@param options pl.MagnetOptions
function pl.magnet(prefix, options) end

---The global of those scripts.
---@class magnet
---@field cache table<string, magnet.Entry> by their paths
magnet = {}

---@class magnet.Entry
---@field script function
---@field mtime number seconds since 1970
---@field hits number uses since it was compiled

---@return pl.Request? # that the script answers
function magnet.request() end

---@return pl.Response?
function magnet.response() end

---@class pl.PagesOptions: pl.RouteOptions
---@field root string the folder
---@field index? string|string[] ["index.lsp", "index.lp", "index.dyn.html"]
---@field dialects? string|string[] [{ "lsp", "80s" }]
---@field escape? boolean [true] what <%= %> does
---@field layout? string below root: a page around all pages
---@field environment? table<string, any> further names for code of pages
---@field check? string|number|false ["1s"] a look at a file is good so long
---@field files? boolean [false] other files are served, too
---@field methods? string ["GET POST"]

---@param prefix string
---@param options pl.PagesOptions
function pl.pages(prefix, options) end

---@class pl.Addresses
---@field [integer] string ":8080", "127.0.0.1:8080", "unix:/run/site.sock"
---@field backlog? integer
---@field reuseport? integer
---@field mode? string octal, of a UNIX socket's file
---@field owner? string of that file: a name or a number
---@field group? string
---@field v6only? boolean
---@field defer_accept? boolean
---@field protocol? "http"|"http/1.1"|"h2"|"auto"|"fastcgi"
---@field sendfile? "x-sendfile"|string of FastCGI: who sends files
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
---@field reload_drain? string|number [30s] what is left of the old generation
---@field user? string|false
---@field group? string|false
---@field pid_file? string|false
---@field admin? string|false the admin socket: docs/admin.md
---@field trusted? string|string[]|false
---@field forwarded? string|string[]
---@field error_log? string
---@field access_log? string|false
---@field log_level? "debug"|"info"|"notice"|"warn"|"error"
---@field dev? boolean
---@field error_pages? string|false a Mustache template
---@field templates? string the folder of templates
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
---@field compress? pl.CompressOptions|boolean
---@field server? string|false
---@field headers? table<string, string|number>
---@field max_connections? integer
---@field max_per_address? integer
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
---@field sandbox? boolean|pl.SandboxSettings what the process gives up
---@field sandbox_chroot? string|false
---@field sandbox_drop_capabilities? boolean
---@field sandbox_landlock? boolean
---@field sandbox_no_new_privs? boolean
---@field sandbox_processes? boolean
---@field sandbox_seccomp? "refuse"|"kill"|"log"|false
---@field sandbox_strict? boolean

---@class pl.SandboxSettings
---@field read? string|string[] paths that may be read
---@field write? string|string[] ... and written
---@field processes? boolean|string[] programs that may be run; true: any
---@field seccomp? boolean|"refuse"|"kill"|"log" what becomes of other calls
---@field landlock? boolean
---@field drop_capabilities? boolean
---@field no_new_privs? boolean
---@field chroot? string|false a folder that is the root of all paths
---@field strict? boolean no start without all of it

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
