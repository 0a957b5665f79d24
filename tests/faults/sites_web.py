"""Sites of pages and templates, of filters, and of the proxy."""

import base64
from urllib.parse import quote

from ask import BODY, HEAD, Site, chunked, get, send

# ---- dynamic pages: whole, long, streamed, in parallel, wrong ----

PAGES = """
pl.set { max_per_address = 100000 }
pl.get("/", function() return "hello" end)
pl.pages("/p", { root = "pages", check = 0, files = true })
"""
PAGE_FILES = {
    "pages/a.lsp": "<?include part.priv.lsp ?><%= req.path, 1.5, '<' %>",
    "pages/part.priv.lsp": "part",
    "pages/long.lsp": "<% for i = 1, 3000 do %><%= ('<'):rep(99) %><% end %>",
    "pages/stream.lsp": "<% for i = 1, 9 do %><%= ('x'):rep(9999) %>"
    "<% flush() end %>",
    "pages/both.dyn.html": "#! parallel\n<?lu write(1) ?><?lua pl.spawn("
    "function() pl.sleep(0) write(2) done() end) ?>",
    "pages/wrong.lsp": "text <% error('wrong page', 0) %>",
    "pages/file.txt": "file",
}
PAGE_TARGETS = "a long stream both wrong file.txt none".split()
PAGE_WANTS = {
    get("/p/a"): b"part/p/a1.5&lt;",
    get("/p/long"): b"&lt;" * 99 * 3000,
    get("/p/stream"): b"x" * 9999 * 9,
    get("/p/both"): b"12",
    get("/p/file.txt"): b"file",
}

# ---- a folder of pages, and what is made of templates and Markdown ----

CONTENT_FILES = {
    "site/main.lua": """
local pl = require "perilune"
pl.set { max_per_address = 100000, templates = "views" }
pl.set { error_pages = "views/error.mustache" }
aio:set_master_key "0123456789abcdef"
function on_before_http(_, _, session) session.name = "<Selene>" end
function on_after_http(_, _, _, _, res) res:header("x-after", "yes") end
pl.get("/view/:name", function(req, res)
  return res:render("page.mustache", { title = "<moon>",
    part = req.params.name, rows = { 1, 2, 3 } })
end)
pl.get("/mail", function()
  return pl.mustache.file("page.mustache", { title = "a" })
end)
pl.get("/marked", function() return pl.markdown "# moon" end)
pl.markdown.pages("/docs", { root = "docs", layout = "layout.mustache" })
pl.static("/list", { root = "docs", listing = "views/list.mustache" })
""",
    "site/views/page.mustache": "<h1>{{title}}</h1>{{#rows}}<p>{{.}}{{/rows}}"
    "{{>foot}}{{>*part}}",
    "site/views/foot.mustache": "foot",
    "site/views/list.mustache": "{{#entries}}{{name}} {{/entries}}",
    "site/views/error.mustache": "error {{status}}",
    "site/views/layout.mustache": "<title>{{title}}</title>{{{content}}}",
    "site/docs/tides.md": "---\ntitle: High\n---\n# tides\n",
    "site/public_html/index.dyn.html": "<?include top.priv.html ?>"
    '<?lu write("%s", query.name or "nobody") ?>',
    "site/public_html/top.priv.html": "top ",
    "site/public_html/who.dyn.html": "<?lu | #[[session.name]] ?>",
    "site/public_html/later.dyn.html": "<?lua aio:async(function() "
    'pl.sleep(0) write("later") done() end) ?>',
    "site/public_html/p.dyn.html": '<?lu write("%s", query.e.id or "none") ?>',
    "site/public_html/post.form.dyn.html": "<?lu local form = "
    'aio:parse_query(body) write("saved %s", form.item) ?>',
    "site/public_html/wrong.dyn.html": "<?lu error('wrong page', 0) ?>",
    "site/public_html/about.html": "about",
    "site/public_html/static/a.txt": "text",
}
# to_url("/p", { id = 5, z = "a b" }), as 80s makes it.
LINK = quote(
    "+9mIg6rSn4Logdh7KUXY1z9z3dObNfAt96F3p77b9YoMAAAAfgPOnrKhYbYG55h3EvjnjA==",
    safe="",
)
CONTENT_WANTS = {
    get("/"): b"top nobody",
    get("/?name=%3Cx%3E"): b"top &lt;x&gt;",
    get("/who"): b"&lt;Selene&gt;",
    get("/later"): b"later",
    get(f"/p?e={LINK}"): b"5",
    get(f"/p?e={LINK}&id=7"): b"5",
    get(f"/p?e=A{LINK}"): b"none",
    send("POST /form", b"item=a%26b"): b"saved a&amp;b",
    get("/about"): b"about",
    get("/static/a.txt"): b"text",
    get("/view/foot"): b"<h1>&lt;moon&gt;</h1><p>1<p>2<p>3footfoot",
    get("/mail"): b"<h1>a</h1>foot",
    get("/docs/tides"): b"<title>High</title><h1>tides</h1>\n",
}
CONTENT_REQUESTS = [
    *CONTENT_WANTS,
    get("/marked"),
    get("/list/"),  # what cannot be looked at is not in it
    get("/wrong"),
    get("/none", "Accept: text/html"),
]

# ---- who may enter, what is remembered of them, what goes around handlers ----

HASH = "$2y$05$4DoJbGcHPiOY5ULMBmhl7.t5GqbuwnaNuBJZotThjQ9G/aR/9jdyW"


def login(password: str) -> str:
    pair = base64.b64encode(b"sally:" + password.encode()).decode()
    return f"Authorization: Basic {pair}"


FILTERS = """
local key = ("secret of the site "):rep(3)
pl.keys { key }
pl.set { max_per_address = 100000 }
pl.get("/", function() return "hello" end)
pl.rewrite("^/old/(%w+)$", { to = "/%1" })
pl.rewrite("^/made/(%w+)$", function(_, captures)
  pl.sleep(0)
  return "/" .. captures[1]
end)
pl.rewrite("^/is/(%w+)$", { to = "/there", when = {
  stat = { path = "files/%1.txt", is_file = true } } })
pl.rewrite("^/form/(%w+)$", { to = "/there", when = {
  post = { word = "%1" }, method = "POST" } })
pl.get("/there", function() return "there" end)
pl.post("/there", function(req) return "there " .. req:form().word end)
pl.redirect("/away", { to = "/there", status = 308 })
pl.response("/teapot", { status = 418, body = "short" })
local function let_in(req)
  same("Authorization: " .. req.headers.authorization, "GOOD", "password")
  same(req.user, "sally", "user")
  return "for " .. req.user
end
pl.get("/file", { auth = pl.basic { file = "users" } }, let_in)
pl.get("/list", { auth = pl.basic { users = { sally = "HASH" } } }, let_in)
pl.get("/fn", { auth = pl.basic { check = function(user, password)
  return pl.crypto.password.verify(password, "HASH") and user
end } }, let_in)
pl.get("/token", function()
  local token = assert(pl.jwt.sign({ sub = "sally" }, { key = key }))
  same(assert(pl.jwt.verify(token, { key = key })).sub, "sally", "token")
  same(pl.jwt.verify(token .. "A", { key = key }), nil, "a forged token")
  return "signed"
end)
pl.group("/kept", function()
  pl.use(pl.session { store = "shared", name = "kept" })
  pl.get("/", function(req)
    req.session.n = (req.session.n or 0) + 1
    return "kept"
  end)
end)
pl.group("/sealed", function()
  pl.use(pl.session { name = "sealed" })
  pl.use(pl.csrf {})
  pl.get("/", function(req)
    req.session.user = "sally"
    return req:csrf_token() and "sealed"
  end)
  pl.get("/who", function(req)
    same(req.session.user or "sally", "sally", "session")
    req.session:regenerate()
    return "who"
  end)
  pl.post("/", function() same("let in", "refused", "form") end)
end)
pl.get("/cached", function()
  return pl.cached("texts", "key", "1ms", function()
    pl.sleep(0)
    return "made"
  end)
end)
pl.group("/closed", function()
  pl.use(pl.maintenance { file = "users", retry_after = "1s" })
  pl.get("/", function() same("open", "closed", "maintenance") end)
end)
pl.group("/fields", function()
  pl.use(pl.request_id())
  pl.use(pl.cors { origins = "https://a.example", credentials = true })
  pl.use(pl.security_headers { csp = "script-src 'nonce-{nonce}'" })
  pl.use(pl.cache_control { { "fields", "no-store" } })
  pl.get("/", function(_, res) return #res:nonce() > 0 and "fields" end)
end)
for _, coding in ipairs { "br", "zstd" } do
  local compress = { encodings = coding, min = 1 }
  pl.group("/" .. coding, { compress = compress }, function()
    pl.get("/whole", function() return ("abcdefgh "):rep(3000) end)
    pl.get("/slices", function() return ("abcdefgh "):rep(20000) end)
    pl.get("/stream", function(_, res)
      res:header("content-type", "text/plain")
      for i = 1, 20 do res:write(("x"):rep(10000)) end
    end)
    pl.post("/body", function(req) return req:body() end)
    pl.static("/files", { root = "files", cache = 0 })
  end)
end
""".replace("GOOD", login("moon")).replace("HASH", HASH)
FILTER_WANTS = {
    get("/old/there"): b"there",
    get("/made/there"): b"there",
    get("/is/a"): b"there",
    send(
        "POST /form/moon",
        b"word=moon",
        "Content-Type: application/x-www-form-urlencoded",
    ): b"there moon",
    get("/file", login("moon")): b"for sally",
    get("/list", login("moon")): b"for sally",
    get("/fn", login("moon")): b"for sally",
    get("/token"): b"signed",
    get("/kept/"): b"kept",
    get("/sealed/"): b"sealed",
    get("/sealed/who", "Cookie: COOKIE"): b"who",
    get("/kept/", "Cookie: COOKIE"): b"kept",
    get("/cached"): b"made",
    get("/fields/", "Origin: https://a.example"): b"fields",
}
for coding in ("br", "zstd"):
    accepts = f"Accept-Encoding: {coding}"
    FILTER_WANTS |= {
        get(f"/{coding}/whole", accepts): b"abcdefgh " * 3000,
        get(f"/{coding}/slices", accepts): b"abcdefgh " * 20000,
        get(f"/{coding}/stream", accepts): b"x" * 200_000,
        get(f"/{coding}/files/large.txt", accepts): b"l" * 300_000,
    }
FILTER_REQUESTS = [
    *FILTER_WANTS,
    *(get(f"/{t}", login("mars")) for t in ("file", "list", "fn")),
    get("/file"),
    send("POST /sealed/", b"word=moon"),
    get("/sealed/who", "Cookie: sealed=forged; csrf=forged"),
    get("/closed/"),
    get("/away/from/here"),
    get("/teapot"),
]

# ---- a server before itself: what fails, fails on either side ----

PROXY = """
local back = pl.env("RUN") .. ".sock"
pl.listen { "127.0.0.1:0" }
pl.listen { "unix:" .. back }
pl.set { max_per_address = 100000, body_rate = 0 }
pl.get("/", function() return "hello" end)
pl.get("/back/short", function() return "short" end)
pl.get("/back/stream", function(_, res)
  for i = 1, 20 do res:write(("x"):rep(10000)) end
end)
pl.post("/back/body", function(req) return req:body() end)
pl.put("/back/chunks", function(req, res)
  for chunk in req:chunks() do res:write(chunk) end
end)
pl.get("/back/fails", function() error("wrong page", 0) end)
pl.get("/back/leaves", function(_, res)
  res:write "half"
  error("half of it", 0)
end)
pl.static("/back/files", { root = "files" })
pl.websocket("/back/ws", { message = function(ws, data) ws:send(data) end })
local to = "unix:" .. back
pl.proxy("/up", { to = { to, { url = to .. ".none", backup = true } },
  strip = true, path = "/back", retries = 1,
  check = { path = "/back/short", interval = "20ms" } })
pl.proxy("/hash", { to = { to, to .. ".none" }, balance = "hash",
  hash = "path", strip = true, path = "/back", max_connections = 1,
  keepalive = 1, via = true, forwarded = "both" })
pl.proxy("/none", { to = to .. ".none", connect_timeout = 1 })
"""
PROXY_WANTS = {
    get("/up/short"): b"short",
    get("/up/stream"): b"x" * 200_000,
    send("POST /up/body", BODY): BODY,
    chunked("PUT /up/chunks", BODY): BODY,
    get("/up/files/large.bin"): b"l" * 300_000,
    get("/hash/short"): b"short",
    get("/hash/files/a.txt"): b"file",
}
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
PROXY_REQUESTS = [
    *PROXY_WANTS,
    get("/up/fails"),
    get("/up/leaves"),
    get("/up/none"),
    get("/up/ws", *UPGRADE),
    get("/none/at/all"),
]

WEB_FILES = {**PAGE_FILES, **CONTENT_FILES, "users": f"sally:{HASH}\n"}
WEB_SITES = {
    "pages": Site(
        HEAD + PAGES,
        [get(f"/p/{t}") for t in PAGE_TARGETS],
        never="wrong: ",
        wants=PAGE_WANTS,
    ),
    "content": Site(
        None,
        CONTENT_REQUESTS,
        never="wrong: ",
        folder="site",
        wants=CONTENT_WANTS,
    ),
    "filters": Site(
        HEAD + FILTERS, FILTER_REQUESTS, never="wrong: ", wants=FILTER_WANTS
    ),
    "proxy": Site(
        HEAD + PROXY,
        PROXY_REQUESTS,
        never="wrong: ",
        listens=True,
        wants=PROXY_WANTS,
    ),
}
