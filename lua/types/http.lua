---@meta _
-- http.lua - requests to others, and names.

---@class pl
local pl = {}

---@class pl.HttpTls
---@field verify? boolean false: believes whoever answers
---@field ca? string a file
---@field cert? string a file
---@field key? string a file

---@class pl.HttpAuth
---@field [1]? string user
---@field [2]? string password
---@field bearer? string a token

---@class pl.HttpPart
---@field name string
---@field data string|number
---@field filename? string
---@field type? string

---@class pl.HttpCommon
---@field headers? table<string, string|number|string[]|false>
---@field auth? pl.HttpAuth|false
---@field timeout? number|string|false of all: 60 s
---@field connect_timeout? number|string|false 10 s
---@field idle_timeout? number|string|false 60 s
---@field max_body? number|string|false 16 MiB
---@field redirects? integer|false 10
---@field proxy? string|false "http://host:port"
---@field unix? string|false a path
---@field tls? pl.HttpTls|false
---@field version? "1.1"|"2"
---@field decode? boolean true
---@field only_public? boolean

---@class pl.HttpOptions: pl.HttpCommon
---@field query? table|string
---@field body? string|fun(): string?, any
---@field json? any
---@field form? table
---@field parts? pl.HttpPart[]
---@field length? integer of a function body
---@field stream? boolean

---@class pl.HttpRequest: pl.HttpOptions
---@field url string
---@field method? string "GET"

---@class pl.HttpSessionOptions: pl.HttpCommon
---@field base? string
---@field cookies? boolean
---@field resolver? pl.Resolver
---@field connections? integer 256
---@field per_host? integer 32
---@field kept? integer 64

---@class pl.HttpResponse
---@field status integer
---@field version "1.0"|"1.1"|"2"
---@field headers table<string, string>
---@field body? string
---@field url string
---@field redirects integer
---@field remote? string
---@field reused boolean
local Response = {}

---@param name string
---@return string[]
function Response:values(name) end

---@async
---@return any value, pl.Error? err
function Response:json() end

--- Of a stream: nil at the end.
---@async
---@param n? integer 64 KiB
---@return string?, pl.Error? err
function Response:read(n) end

---@async
---@return fun(): string?
function Response:chunks() end

---@async
---@param max? number|string 16 MiB
---@return string?, pl.Error? err
function Response:read_all(max) end

function Response:close() end

---@class pl.HttpCookie
---@field name string
---@field value string
---@field domain string
---@field path string
---@field secure boolean
---@field http_only boolean
---@field subdomains boolean
---@field expires? number seconds since 1970

---@class pl.HttpSession
local Session = {}

---@async
---@param options pl.HttpRequest
---@return pl.HttpResponse?, pl.Error? err
function Session:request(options) end

---@async
---@param url string
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function Session:get(url, options) end

---@async
---@param url string
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function Session:head(url, options) end

---@async
---@param url string
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function Session:delete(url, options) end

---@async
---@param url string
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function Session:options(url, options) end

---@async
---@param url string
---@param body? string|table|fun(): string?, any
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function Session:post(url, body, options) end

---@async
---@param url string
---@param body? string|table|fun(): string?, any
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function Session:put(url, body, options) end

---@async
---@param url string
---@param body? string|table|fun(): string?, any
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function Session:patch(url, body, options) end

---@return pl.HttpCookie[]
function Session:cookies() end

---@param text string "name=value; domain=example.com"
function Session:set_cookie(text) end

function Session:clear_cookies() end

---@class pl.http
pl.http = {}

---@async
---@param options pl.HttpRequest
---@return pl.HttpResponse?, pl.Error? err
function pl.http.request(options) end

---@async
---@param url string
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function pl.http.get(url, options) end

---@async
---@param url string
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function pl.http.head(url, options) end

---@async
---@param url string
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function pl.http.delete(url, options) end

---@async
---@param url string
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function pl.http.options(url, options) end

---@async
---@param url string
---@param body? string|table|fun(): string?, any
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function pl.http.post(url, body, options) end

---@async
---@param url string
---@param body? string|table|fun(): string?, any
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function pl.http.put(url, body, options) end

---@async
---@param url string
---@param body? string|table|fun(): string?, any
---@param options? pl.HttpOptions
---@return pl.HttpResponse?, pl.Error? err
function pl.http.patch(url, body, options) end

---@param options? pl.HttpSessionOptions
---@return pl.HttpSession
function pl.http.session(options) end

---@alias pl.DnsType "A"|"AAAA"|"CNAME"|"MX"|"NS"|"PTR"|"SRV"|"TXT"

---@class pl.DnsRecord
---@field type pl.DnsType
---@field ttl integer
---@field address? string of A, AAAA
---@field host? string of CNAME, MX, NS, PTR, SRV
---@field priority? integer of MX, SRV
---@field weight? integer of SRV
---@field port? integer of SRV
---@field text? string of TXT

---@class pl.DnsOptions
---@field timeout? number|string 15 s

---@class pl.ResolverOptions
---@field servers? string|string[]
---@field config? string a file
---@field timeout? number|string of the first try: 2 s
---@field tries? integer 3

---@class pl.Resolver
local Resolver = {}

---@async
---@param host string
---@param options? pl.DnsOptions
---@return string[]?, pl.Error? err
function Resolver:lookup(host, options) end

---@async
---@param name string
---@param type? pl.DnsType "A"
---@param options? pl.DnsOptions
---@return pl.DnsRecord[]?, pl.Error? err
function Resolver:query(name, type, options) end

---@class pl.dns
pl.dns = {}

---@async
---@param host string
---@param options? pl.DnsOptions
---@return string[]?, pl.Error? err
function pl.dns.lookup(host, options) end

---@async
---@param name string
---@param type? pl.DnsType "A"
---@param options? pl.DnsOptions
---@return pl.DnsRecord[]?, pl.Error? err
function pl.dns.query(name, type, options) end

---@param options? pl.ResolverOptions
---@return pl.Resolver
function pl.dns.resolver(options) end

---@param address string
---@return boolean
function pl.dns.is_public(address) end
