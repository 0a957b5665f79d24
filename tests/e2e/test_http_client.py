"""pl.http against servers of the test's own: what is sent and read, redirects,
cookies, streams both ways, limits, time-outs, and what goes wrong."""

import gzip
import json
import re
import socket
import ssl
import threading
import zlib

import pytest

from harness.certs import Authority
from harness.dns import NameServer
from harness.server import sanitized
from harness.upstream import Upstream, always, raw
from harness.wait import wait_for

HEAD = """
local pl = require "perilune"
local http = pl.http
local URL = os.getenv "URL"
local function refused(code, value, err)
  assert(value == nil and err and err.code == code, tostring(err))
  return err
end
"""


@pytest.fixture
def script(command):
    def run(text, upstream=None, **options):
        env = options.pop("env", {})
        if upstream is not None:
            env = {"URL": upstream.url, **env}
        files = {"script.lua": HEAD + text, **options.pop("files", {})}
        done = command("run", "script.lua", files=files, env=env, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def reflect(talk):
    """Answers with what was asked."""
    while request := talk.request():
        said = {"method": request.method, "target": request.target,
                "body": request.body.decode("latin-1"),
                "fields": {n.lower(): v for n, v in request.headers},
                "connection": talk.number}
        talk.say(json.dumps(said).encode(), "200 OK",
                 "Content-Type: application/json")


# ---- requests --------------------------------------------------------------


def test_get(script):
    answer = always(b"hello", "201 Made", "X-One: 1", "X-Two: a", "x-two: b",
                    "Set-Cookie: a=1", "Set-Cookie: b=2", "X-Empty:")
    with Upstream(answer) as upstream:
        script(
            """
local res = assert(http.get(URL .. "/path?x=1#part"))
assert(res.status == 201 and res.body == "hello" and res.version == "1.1")
assert(res.headers["x-one"] == "1" and res.headers["X-ONE"] == "1")
assert(res.headers["x-two"] == "a, b" and res.headers.nothing == nil)
assert(res.headers["x-empty"] == "")
assert(table.concat(res:values "Set-Cookie", "|") == "a=1|b=2")
assert(#res:values "nothing" == 0)
assert(res.remote == "127.0.0.1" and res.redirects == 0)
assert(res.url == URL .. "/path?x=1", res.url)
assert(res.reused == false)
assert(assert(http.get(URL)).reused == true)
""",
            upstream,
        )
        assert upstream.accepted == 1
        first = upstream.requests[0]
        assert first.line == "GET /path?x=1 HTTP/1.1"
        assert first.header("host") == f"127.0.0.1:{upstream.port}"
        assert first.header("user-agent").startswith("perilune/")
        assert "gzip" in first.header("accept-encoding")
        for name in "expect", "content-type", "content-length":
            assert first.header(name) is None
        assert upstream.requests[1].target == "/"


@pytest.mark.parametrize(
    "call, method, body, kind",
    [
        ('get(URL)', "GET", "", None),
        ('head(URL)', "HEAD", "", None),
        ('delete(URL)', "DELETE", "", None),
        ('options(URL)', "OPTIONS", "", None),
        ('post(URL)', "POST", "", None),
        ('post(URL, "text")', "POST", "text", None),
        ('put(URL, "text", { headers = { ["content-type"] = "a/b" } })', "PUT",
         "text", "a/b"),
        ('patch(URL, { a = 1 })', "PATCH", '{"a":1}', "application/json"),
        ('post(URL, nil, { form = { a = "1 2", b = "&" } })', "POST",
         "a=1+2&b=%26", "application/x-www-form-urlencoded"),
        ('request { url = URL }', "GET", "", None),
        ('request { url = URL, method = "PURGE" }', "PURGE", "", None),
        ('request { url = URL, method = "PROPFIND", body = "<a/>" }',
         "PROPFIND", "<a/>", None),
        ('get(URL, { body = "with one" })', "GET", "with one", None),
        ('post(URL, nil, { json = pl.json.null })', "POST", "null",
         "application/json"),
    ],
)
def test_methods_and_bodies(script, call, method, body, kind):
    with Upstream(reflect) as upstream:
        script(f"local res = assert(http.{call})\n"
               "assert(res.status == 200)", upstream)
        request = upstream.requests[0]
    assert request.method == method and request.body.decode() == body
    assert request.header("content-type") == kind
    length = request.header("content-length")
    has_length = body or method in ("POST", "PUT", "PATCH")
    assert length == (str(len(body)) if has_length else None)
    assert request.header("expect") is None


def test_fields_and_query(script):
    with Upstream(reflect) as upstream:
        script(
            """
local s = http.session { headers = { ["X-Mine"] = "yes", ["X-Other"] = 1,
  Accept = "a/b" } }
assert(s:get(URL .. "/a?b=c#d", {
  query = { x = "1 2", y = { 1, 2 } },
  headers = { ["x-MINE"] = "no", ["X-Other"] = false, ["X-List"] = { "a", "b" },
    ["User-Agent"] = "me" },
}))
assert(s:get(URL, { query = "raw=%20" }))
assert(s:get(URL, { query = {} }))
""",
            upstream,
        )
        request, second, third = upstream.requests
    assert request.target == "/a?b=c&x=1+2&y=1&y=2"
    assert second.target == "/?raw=%20" and third.target == "/"
    assert request.header("x-mine") == "no"
    assert request.header("x-other") is None
    assert request.header("x-list") == "a, b"
    assert request.header("accept") == "a/b"
    assert request.header("user-agent") == "me"


def test_empty_field(script):
    heads = []

    def serve(talk):
        heads.append(talk.until(b"\r\n\r\n"))
        talk.say(b"")

    with Upstream(serve) as upstream:
        script('assert(http.get(URL, { headers = { ["X-Empty"] = "" } }))',
               upstream)
    assert b"\r\nX-Empty:" in heads[0]


def test_parts(script):
    with Upstream(reflect) as upstream:
        script(
            r"""
assert(http.post(URL, nil, { parts = {
  { name = "plain", data = "one" },
  { name = 'q"uo\r\nted', data = 2, filename = "a.txt", type = "text/plain" },
  { name = "file", data = "\0\1\2", filename = "b" },
} }))
""",
            upstream,
        )
        request = upstream.requests[0]
    kind = request.header("content-type")
    assert kind.startswith("multipart/form-data; boundary=")
    mark = "--" + kind.partition("boundary=")[2]
    text = request.body.decode("latin-1")
    first, plain, quoted, file, last = text.split(mark)
    assert (first, last) == ("", "--\r\n")
    assert plain == ('\r\nContent-Disposition: form-data; name="plain"\r\n\r\n'
                     "one\r\n")
    assert 'name="q%22uo%0D%0Ated"; filename="a.txt"\r\n' in quoted
    assert "Content-Type: text/plain\r\n\r\n2\r\n" in quoted
    assert "application/octet-stream\r\n\r\n\0\1\2\r\n" in file


def test_json(script):
    with Upstream(always(b'{"a":[1,2]}')) as upstream:
        script("""
assert(http.get(URL):json().a[2] == 2)
assert(assert(http.get(URL, { stream = true })):json().a[1] == 1)
""", upstream)
    with Upstream(always(b"{")) as upstream:
        script('refused("syntax", http.get(URL):json())', upstream)


def test_codings(script):
    plain = b"x" * 100000
    deflated = zlib.compress(plain)

    def serve(talk):
        while request := talk.request():
            if request.header("accept-encoding") == "identity":
                talk.say(b"plain")
            elif request.target == "/bad":
                talk.say(b"no gzip", "200 OK", "Content-Encoding: gzip")
            elif request.target == "/deflate":
                talk.say(deflated, "200 OK", "Content-Encoding: deflate")
            else:
                talk.say(gzip.compress(plain), "200 OK",
                         "Content-Encoding: gzip")

    with Upstream(serve) as upstream:
        script(
            """
local plain = ("x"):rep(100000)
assert(http.get(URL).body == plain)
assert(http.get(URL .. "/deflate").body == plain)
assert(#http.get(URL, { decode = false }).body < 1000)
assert(http.get(URL, { headers = { ["Accept-Encoding"] = "identity" } }).body
  == "plain")
refused("proto", http.get(URL .. "/bad"))
refused("limit", http.get(URL, { max_body = 99999 }))
assert(http.get(URL, { max_body = 100000 }).body == plain)
""",
            upstream,
        )


# ---- limits and time-outs --------------------------------------------------


def test_body_limit(script):
    with Upstream(always(b"x" * 1000)) as upstream:
        script(
            """
assert(#http.get(URL, { max_body = 1000 }).body == 1000)
local err = refused("limit", http.get(URL, { max_body = "999" }))
assert(err.message:find "longer than 999 bytes", err.message)
assert(#http.get(URL, { max_body = false }).body == 1000)
assert(#http.get(URL).body == 1000)
""",
            upstream,
        )


def test_endless_head(script):
    def serve(talk):
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            talk.send(b"X-More: " + b"x" * 1000 + b"\r\n")

    with Upstream(serve) as upstream:
        script("""
local err = refused("limit", http.get(URL))
assert(err.message:find "head of the response", err.message)
""", upstream)


def silent(talk):
    talk.request()
    talk.more()


def test_timeouts(script):
    """Of all of it; and of a stream that stalls."""

    def stall(talk):
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        talk.more()

    with Upstream(silent) as upstream:
        script('refused("timeout", http.get(URL, { timeout = "50ms" }))',
               upstream)
        upstream.wait_ended(1)
    with Upstream(stall) as upstream:
        script(
            """
refused("timeout", http.get(URL, { timeout = "50ms" }))
refused("timeout", http.get(URL, { timeout = false, idle_timeout = "1s" }))
local res = assert(http.get(URL, { stream = true, timeout = "200ms" }))
assert(res:read() == "12345")
refused("timeout", res:read())
refused("timeout", res:read())
""",
            upstream,
        )


def test_a_name_server_that_does_not_answer(script):
    with NameServer({("x.test", "A"): lambda query: None}) as server:
        script(
            """
local names = pl.dns.resolver { servers = os.getenv "SERVER", timeout = "60s" }
local s = http.session { resolver = names, connect_timeout = "50ms" }
refused("timeout", s:get "http://x.test/")
s = http.session { resolver = names, timeout = "50ms" }
refused("timeout", s:get "http://x.test/")
refused("not_found", s:get "http://nobody.test/")
""",
            env={"SERVER": server.address},
        )


# ---- where to --------------------------------------------------------------


def test_names(script):
    """The addresses are tried until one answers."""
    with Upstream(reflect) as upstream, NameServer({
        ("a.test", "A"): [(60, "127.0.0.1")],
        ("b.test", "A"): [(60, "127.0.0.77"), (60, "127.0.0.1")],
    }) as server:
        script(
            """
local names = pl.dns.resolver { servers = os.getenv "SERVER" }
local s = http.session { resolver = names }
local port = URL:match "%d+$"
local res = assert(s:get("http://a.test:" .. port))
assert(res:json().fields.host == "a.test:" .. port)
assert(res.remote == "127.0.0.1")
assert(assert(s:get("http://A.test:" .. port .. "/x")).reused)
assert(s:get("http://b.test:" .. port))
assert(assert(http.get("http://localhost:" .. port)).status == 200)
""",
            upstream,
            env={"SERVER": server.address},
        )
        assert server.asked("a.test", "A") == 1


@pytest.mark.parametrize(
    "url",
    ["", "/path", "www.test", "ftp://a/", "file:///etc/passwd", "http://",
     "http://a b/", "http://[::g]/", "http://a:99999/", "http:// /",
     "gopher://a/", "http://a\\0b/"],
)
def test_urls_that_are_none(script, url):
    script(f'refused("invalid", http.get("{url}"))')


def test_nobody_there(script):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script(f"""
refused("refused", http.get "http://127.0.0.1:{port}/")
refused("not_found", http.get("http://x/", {{ unix = "no-such.sock" }}))
""")


def test_unix_socket(script, tmp_path):
    with Upstream(reflect, path=tmp_path / "s.sock") as upstream:
        script(
            """
local res = assert(http.get("http://name.invalid/x", { unix = "s.sock" }))
assert(res:json().fields.host == "name.invalid" and res:json().target == "/x")
""",
            upstream,
        )


def test_only_public_addresses(script):
    """Also where a redirect leads to, and on no connection of others."""
    with Upstream(always()) as upstream, NameServer({
        ("in.test", "A"): [(60, "127.0.0.1")],
        ("both.test", "A"): [(60, "8.8.8.8"), (60, "10.0.0.1")],
    }) as server:
        script(
            """
local names = pl.dns.resolver { servers = os.getenv "SERVER" }
local s = http.session { resolver = names, only_public = true }
local port = URL:match "%d+$"
for _, host in ipairs { "127.0.0.1", "localhost", "in.test", "both.test",
  "[::1]", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]" } do
  refused("denied", s:get("http://" .. host .. ":" .. port .. "/"))
end
local open = http.session { resolver = names }
assert(open:get("http://in.test:" .. port))
refused("denied", open:get("http://in.test:" .. port, { only_public = true }))
""",
            upstream,
            env={"SERVER": server.address},
        )
        assert len(upstream.requests) == 1


# ---- redirects -------------------------------------------------------------


def redirecting(talk):
    """/301/... leads to the rest; anything else says what was asked."""
    while request := talk.request():
        status, _, rest = request.target[1:].partition("/")
        if status.isdigit():
            where = rest if rest.startswith("http") else "/" + rest
            talk.say(b"gone", f"{status} Moved", f"Location: {where}")
            continue
        said = {"method": request.method, "target": request.target,
                "body": request.body.decode(),
                "fields": {n.lower(): v for n, v in request.headers}}
        talk.say(json.dumps(said).encode())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_redirects(script, status, method):
    keeps = (status in (307, 308) or method in ("GET", "HEAD")
             or (status != 303 and method != "POST"))
    body = "nil" if method in ("GET", "HEAD", "DELETE") else '"body"'
    with Upstream(redirecting) as upstream:
        script(
            f"""
local res = assert(http.request {{ method = "{method}", body = {body},
  headers = {{ ["Content-Type"] = "a/b" }}, url = URL .. "/{status}/end" }})
assert(res.status == 200 and res.redirects == 1)
assert(res.url == URL .. "/end")
""",
            upstream,
        )
        last = upstream.requests[-1]
        assert last.method == (method if keeps else "GET")
        kept = keeps and body != "nil"
        assert last.body == (b"body" if kept else b"")
        assert (last.header("content-type") == "a/b") == keeps


def test_redirect_limits(script):
    def around(talk):
        while talk.request():
            talk.say(b"", "302 Found", "Location: /again")

    with Upstream(around) as upstream:
        script(
            """
local err = refused("limit", http.get(URL))
assert(err.message == "pl.http.get: too many redirects", err.message)
refused("limit", http.get(URL, { redirects = 1 }))
assert(http.get(URL, { redirects = false }).status == 302)
assert(http.get(URL, { redirects = 0 }).headers.location == "/again")
""",
            upstream,
        )
        assert len(upstream.requests) == 11 + 2 + 1 + 1


def test_secrets_stay_with_their_origin(script):
    with Upstream(redirecting) as upstream, Upstream(redirecting) as other:
        script(
            f"""
local secret = {{ auth = {{ "user", "password" }}, headers = {{
  Cookie = "a=1", ["X-Public"] = "yes" }} }}
local same = http.get(URL .. "/302/end", secret):json().fields
assert(same.authorization == "Basic dXNlcjpwYXNzd29yZA==" and same.cookie)
local there = http.get(URL .. "/302/{other.url}/end", secret):json().fields
assert(not there.authorization and not there.cookie)
assert(there["x-public"] == "yes")
there = http.get(URL .. "/302/{other.url}/end", {{ auth = {{ bearer = "t" }} }})
assert(not there:json().fields.authorization)
assert(http.get(URL .. "/end", {{ auth = {{ bearer = "t" }} }})
  :json().fields.authorization == "Bearer t")
local own = URL:gsub("//", "//me:p%%40ss@") .. "/end"
local res = http.get(own)
assert(res:json().fields.authorization
  == "Basic " .. pl.base64.encode "me:p@ss")
assert(res.url == URL .. "/end")
""",
            upstream,
        )


def test_redirects_that_lead_nowhere(script):
    def serve(talk):
        while request := talk.request():
            where = request.target[1:]
            talk.say(b"here", "302 Found",
                     *([f"Location: {where}"] if where else []))

    with Upstream(serve) as upstream:
        script(
            """
assert(http.get(URL .. "/").body == "here") -- it says not where
refused("invalid", http.get(URL .. "/file:///etc/passwd"))
refused("invalid", http.get(URL .. "/ftp://a.test/"))
refused("refused", http.get(URL .. "/http://127.0.0.1:1/"))
refused("not_found", http.get(URL .. "/http://nobody.invalid/"))
""",
            upstream,
        )


# ---- streams ---------------------------------------------------------------


def test_streamed_response(script):
    """As it comes; the connection is kept."""
    go = threading.Event()

    def serve(talk):
        while request := talk.request():
            if request.target == "/go":
                go.set()
                talk.say(b"")
                continue
            talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"5\r\nfirst\r\n")
            assert go.wait(60)
            talk.send(b"6\r\nsecond\r\n0\r\nX-Trailer: 1\r\n\r\n")

    with Upstream(serve) as upstream:
        script(
            """
local res = assert(http.get(URL, { stream = true }))
assert(res.status == 200 and res.body == nil)
assert(res:read(3) == "fir" and res:read() == "st")
assert(http.get(URL .. "/go"))
local rest = {}
for piece in res:chunks() do rest[#rest + 1] = piece end
assert(table.concat(rest) == "second")
assert(res:read() == nil and select("#", res:read()) == 1)
assert(res.headers["x-trailer"] == nil)
res:close()
res:close()
assert(http.get(URL .. "/go").reused)
""",
            upstream,
        )
        assert upstream.accepted == 2


def test_backpressure(script):
    """A server that is not read from has to wait."""
    sent = []

    def serve(talk):
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        piece = bytes(100000)
        for _ in range(1000):
            talk.send(piece)
            sent.append(len(piece))

    with Upstream(serve) as upstream:
        script(
            """
local res = assert(http.get(URL, { stream = true, timeout = false }))
local before = #assert(res:read(1000))
pl.sleep(0.3)
local kib = pl.fs.read("/proc/self/status"):match "VmRSS:%s*(%d+)"
assert(tonumber(kib) < MOST, kib)
for piece in res:chunks() do before = before + #piece end
assert(before == 100000000, before)
""".replace("MOST", "100000" if not sanitized() else "1000000"),
            upstream,
        )
    assert sum(sent) == 100000000


def test_streamed_request(script):
    with Upstream(reflect) as upstream:
        script(
            """
local n = 0
local function body()
  n = n + 1
  if n == 2 then return "" end
  if n == 3 then pl.sleep(0.01) end
  return n <= 4 and ("piece " .. n .. "\\n") or nil
end
assert(http.put(URL, body).status == 200)
n = 0
assert(http.post(URL, body, { length = 24 }).status == 200)
local big = 0
assert(#http.post(URL, function()
  big = big + 1
  return big <= 100 and ("x"):rep(50000) or nil
end):json().body == 5000000)
""",
            upstream,
        )
        first, second, third = upstream.requests
    assert first.header("transfer-encoding") == "chunked"
    assert first.body == second.body == b"piece 1\npiece 3\npiece 4\n"
    assert second.header("content-length") == "24"
    assert len(third.body) == 5000000


def test_both_ways(script):
    """The response is read while the request is sent."""

    def serve(talk):
        request = talk.head()
        assert request.header("transfer-encoding") == "chunked"
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(talk.until(b"\r\n"), 16):
            data = talk.exactly(size)
            talk.exactly(2)
            talk.send(b"%x\r\n%s\r\n" % (size, data.upper()))
        talk.until(b"\r\n")
        talk.send(b"0\r\n\r\n")

    with Upstream(serve) as upstream:
        script(
            """
local heard, said = {}, 0
local res
res = assert(http.post(URL, function()
  said = said + 1
  if said == 1 then return "a" end
  if said > 100 then return nil end
  return "a" .. said
end, { stream = true }))
for piece in res:chunks() do heard[#heard + 1] = piece end
local text = table.concat(heard)
assert(text:sub(1, 5) == "AA2A3" and text:sub(-4) == "A100", text)
""",
            upstream,
        )


def test_a_body_that_fails(script):
    with Upstream(lambda talk: talk.more()) as upstream:
        script(
            """
local value, err = http.post(URL, function() return nil, { code = "mine" } end)
assert(value == nil and err.code == "mine")
local ok, why = pcall(http.post, URL, function() error "broken" end)
assert(not ok and tostring(why):find "broken")
ok, why = pcall(http.post, URL, function() return 1 end)
assert(not ok and tostring(why):find "must give strings, not a number")
local said = 0
for _, length in ipairs { 10, 4, 2 } do
  said = 0
  local err = refused("invalid", http.post(URL, function()
    said = said + 1
    return said == 1 and "abc" or nil
  end, { length = length }))
  assert(err.message:find "not as long as was said", err.message)
end
""",
            upstream,
        )


def test_a_server_that_answers_early(script):
    """It has read enough: what it says counts."""

    def serve(talk):
        talk.head()
        talk.say(b"too much", "413 Content Too Large", "Connection: close")
        talk.upstream.wait_requests(1)

    with Upstream(serve) as upstream:
        script(
            """
local res = http.post(URL, function()
  pl.sleep(0.001)
  return ("x"):rep(1000)
end)
assert(res == nil or res.status == 413)
""",
            upstream,
        )


@pytest.mark.parametrize(
    "answer, code",
    [
        (b"", "closed"),
        (b"nonsense\r\n\r\n", "proto"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", "closed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
         "closed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
         "closed"),
        (b"HTTP/1.1 200 OK\r\nX: 1", "closed"),
    ],
)
def test_bad_answers(script, answer, code):
    with Upstream(raw(answer)) as upstream:
        script(f'refused("{code}", http.get(URL))', upstream)


def test_interim_responses(script):
    answer = (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
              b"Link: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
              b"X-Last: 1\r\n\r\nok")
    with Upstream(raw(answer)) as upstream:
        script(
            """
local res = assert(http.get(URL))
assert(res.status == 200 and res.body == "ok" and res.headers["x-last"] == "1")
assert(res.headers.link == nil)
""",
            upstream,
        )


# ---- sessions --------------------------------------------------------------


def test_session_base_and_defaults(script):
    with Upstream(reflect) as upstream:
        script(
            """
local s = http.session { base = URL .. "/api/", headers = { ["X-A"] = "1" },
  auth = { "u", "p" } }
local said = s:get("users?x=1"):json()
assert(said.target == "/api/users?x=1" and said.fields["x-a"] == "1")
assert(said.fields.authorization)
assert(s:get("/top"):json().target == "/top")
assert(s:get("../up"):json().target == "/up")
assert(not s:get("/", { auth = false }):json().fields.authorization)
""",
            upstream,
        )


def test_cookies(script):
    def serve(talk):
        while request := talk.request():
            fields = []
            if request.target == "/set":
                fields = ["Set-Cookie: a=1; Path=/",
                          "Set-Cookie: b=2; HttpOnly",
                          "Set-Cookie: far=1; Domain=other.test"]
            elif request.target == "/redirect":
                talk.say(b"", "302 Found", "Location: /show",
                         "Set-Cookie: c=3; Path=/")
                continue
            talk.say((request.header("cookie") or "none").encode(), "200 OK",
                     *fields)

    with Upstream(serve) as upstream:
        script(
            """
local s = http.session { cookies = true }
local other = http.session { cookies = true }
assert(s:get(URL .. "/show").body == "none")
s:get(URL .. "/set")
local both = s:get(URL .. "/show").body
assert(both == "a=1; b=2" or both == "b=2; a=1", both)
assert(other:get(URL .. "/show").body == "none")
assert(http.get(URL .. "/show").body == "none")
assert(s:get(URL .. "/redirect").body:find "c=3")
local list = s:cookies()
table.sort(list, function(a, b) return a.name < b.name end)
assert(#list == 3 and list[1].name == "a" and list[1].value == "1")
assert(list[1].path == "/" and list[1].domain == "127.0.0.1")
assert(not list[1].http_only and list[2].http_only and not list[1].secure)
s:clear_cookies()
assert(#s:cookies() == 0 and s:get(URL .. "/show").body == "none")
s:set_cookie "mine=x; domain=127.0.0.1; path=/"
assert(s:get(URL .. "/show").body == "mine=x")
""",
            upstream,
        )


def test_pool_limits(script):
    """Who finds no place waits; the limit of time counts there, too."""
    gate = threading.Event()

    def serve(talk):
        while talk.request():
            assert gate.wait(60)
            talk.say(b"ok")

    with Upstream(serve) as upstream:
        def open_gate():
            upstream.wait_requests(2)
            gate.set()

        opener = threading.Thread(target=open_gate)
        opener.start()
        script(
            """
local s = http.session { per_host = 2 }
local late = 0
local calls = {}
for i = 1, 6 do
  calls[i] = function() assert(s:get(URL).body == "ok") end
end
calls[7] = function()
  local res, err = s:get(URL, { timeout = "1ms" })
  late = (not res and err.code == "timeout") and 1 or 0
end
pl.all(calls)
""",
            upstream,
        )
        opener.join()
        assert upstream.accepted <= 3


def test_many_at_once(script):
    with Upstream(reflect) as upstream:
        script(
            """
local calls = {}
for i = 1, 200 do
  calls[i] = function() return http.get(URL .. "/" .. i):json().target end
end
local results = { pl.all(calls) }
for i = 1, 200 do assert(results[i] == "/" .. i) end
""",
            upstream,
        )
        assert upstream.accepted <= 32


# ---- TLS, proxies, HTTP/2 --------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def context_of(authority, name, names, alpn=()):
    cert, key = authority.sign(name, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def test_tls(script, authority):
    context = context_of(authority, "here", ["127.0.0.1"])
    with Upstream(reflect, context=context) as upstream:
        script(
            f"""
local ca = {{ ca = "{authority.cert}" }}
local err = refused("proto", http.get(URL))
assert(err.message:lower():find "certificate", err.message)
assert(http.get(URL, {{ tls = ca }}).status == 200)
assert(http.get(URL, {{ tls = {{ verify = false }} }}).status == 200)
refused("proto", http.get(URL)) -- no connection of those is his
refused("proto", http.get((URL:gsub("127.0.0.1", "localhost")), {{ tls = ca }}))
refused("invalid", http.get(URL, {{ tls = {{ ca = "no-such-file" }} }}))
""",
            upstream,
        )


def test_client_certificate(script, authority):
    context = context_of(authority, "asks", ["127.0.0.1"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.cert)
    cert, key = authority.sign("me", ["me.test"])
    with Upstream(reflect, context=context) as upstream:
        script(
            f"""
local tls = {{ ca = "{authority.cert}" }}
assert(not http.get(URL, {{ tls = tls }}))
tls.cert, tls.key = "{cert}", "{key}"
assert(http.get(URL, {{ tls = tls }}).status == 200)
""",
            upstream,
        )


def test_proxy(script):
    """The proxy is asked for whole URLs, and looks up the name; what the
    environment says is not asked."""
    with Upstream(reflect) as proxy:
        script(
            """
local res = assert(http.get("http://far.invalid/x", { proxy = URL }))
assert(res:json().target == "http://far.invalid/x")
res = assert(http.get("http://far.invalid/x",
  { proxy = (URL:gsub("//", "//u:p@")) }))
assert(res:json().fields["proxy-authorization"] == "Basic dTpw")
refused("not_found", http.get "http://far.invalid/")
refused("refused", http.get("http://x/", { proxy = "http://127.0.0.1:1" }))
""",
            proxy,
            env={"http_proxy": proxy.url, "all_proxy": proxy.url},
        )


def test_tunnel(script, authority):
    """Through a proxy to a server with TLS (CONNECT)."""
    context = context_of(authority, "behind", ["behind.test"])

    def proxy(talk):
        request = talk.head()
        assert request.line == f"CONNECT behind.test:{target.port} HTTP/1.1"
        assert request.header("authorization") is None
        with socket.create_connection(("127.0.0.1", target.port)) as onward:
            talk.send(b"HTTP/1.1 200 Fine\r\nX-Proxy: 1\r\n\r\n")

            def back():
                while data := onward.recv(65536):
                    talk.send(data)

            threading.Thread(target=back, daemon=True).start()
            while talk.more():
                onward.sendall(talk.buffer)
                talk.buffer = b""

    with Upstream(reflect, context=context) as target, Upstream(proxy) as way:
        script(
            f"""
local res = assert(http.get("https://behind.test:{target.port}/",
  {{ proxy = URL, tls = {{ ca = "{authority.cert}" }},
    auth = {{ "a", "b" }} }}))
assert(res.status == 200 and not res.headers["x-proxy"])
""",
            way,
        )


def test_http2(serve, script, authority):
    """Against perilune itself: over TLS by ALPN, and without by prior
    knowledge; many requests on one connection."""
    cert, key = authority.sign("second", ["localhost", "127.0.0.1"])
    site = f"""
local pl = require "perilune"
pl.listen {{ "127.0.0.1:0" }}
pl.listen {{ "127.0.0.1:0", tls = {{ cert = "{cert}", key = "{key}" }} }}
pl.any("/*path", function(req)
  return {{ version = req.version, body = req:body(), path = req.path }}
end)
"""
    server = serve(site, listen=False)
    plain, secure = (url for url in urls_of(server))
    script(
        f"""
local tls = {{ ca = "{authority.cert}" }}
local res = assert(http.get("{secure}/", {{ tls = tls }}))
assert(res.version == "2" and res:json().version:find "^2", res.version)
res = assert(http.get("{secure}/", {{ tls = tls, version = "1.1" }}))
assert(res.version == "1.1")
res = assert(http.get("{plain}/"))
assert(res.version == "1.1")
res = assert(http.post("{plain}/", "text", {{ version = "2" }}))
assert(res.version == "2" and res:json().body == "text")
local n = 0
res = assert(http.post("{plain}/", function()
  n = n + 1
  return n <= 10 and ("x"):rep(10000) or nil
end, {{ version = "2" }}))
assert(#res:json().body == 100000)
for _, case in ipairs {{ {{ "{plain}/", {{ version = "2" }} }},
  {{ "{secure}/", {{ tls = tls }} }} }} do
  local calls = {{}}
  for i = 1, 100 do
    calls[i] = function()
      return assert(http.get(case[1] .. i, case[2])):json().path
    end
  end
  local results = {{ pl.all(calls) }}
  for i = 1, 100 do assert(results[i] == "/" .. i) end
end
assert(http.get("{secure}/", {{ tls = tls }}).reused)
assert(http.get("{secure}/", {{ tls = tls, version = "2" }}).reused)
"""
    )


def urls_of(server):
    wait_for(lambda: server.log().count("listening on") >= 2, "two addresses")
    found = re.findall(r"listening on (https?://[^/\s]+)", server.log())
    return sorted(found)


# ---- inside a server -------------------------------------------------------


def test_handlers_that_leave(serve):
    """A handler whose client goes away gives its request up."""
    with Upstream(silent) as upstream:
        site = """
local pl = require "perilune"
local http = pl.http
pl.get("/ask", function() return http.get(os.getenv "URL").body end)
pl.get("/stream", function()
  local res = http.get(os.getenv "URL", { stream = true })
  return res.body
end)
pl.get("/left", function()
  local res = http.get(os.getenv "OTHER", { stream = true })
  return res:read(3)
end)
pl.get("/ok", function() return "ok" end)
"""
        with Upstream(always(b"x" * 1000000)) as other:
            server = serve(site, env={"URL": upstream.url, "OTHER": other.url},
                           workers=1)
            for count, path in enumerate((b"/ask", b"/stream"), 1):
                with server.connect() as wire:
                    wire.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                    upstream.wait_requests(count)
                    wire.reset()
            upstream.wait_ended(2)
            assert server.get("/left").body == b"xxx"
            other.wait_ended(1)  # its end closes what was not read
            assert server.get("/ok").body == b"ok"


def test_reload_and_stop(serve):
    """A generation that goes takes its connections with it."""
    with Upstream(always()) as upstream:
        site = """
local pl = require "perilune"
local http = pl.http
pl.get("/ask", function() return http.get(os.getenv "URL").body end)
pl.get("/reload", function()
  pl.spawn(function() pl.reload() end)
  return "ok"
end)
"""
        server = serve(site, env={"URL": upstream.url}, workers=1)
        assert server.get("/ask").body == b"hello"
        assert upstream.accepted == 1
        server.get("/reload")
        upstream.wait_ended(1)
        assert server.get("/ask").body == b"hello"
        assert server.stop() == 0
        upstream.wait_ended(2)


def test_inside_the_sandbox(serve, authority):
    """With each system call that is not on the list being the end, and files
    read that nobody has named."""
    context = context_of(authority, "sandboxed", ["localhost"])
    with Upstream(always(), context=context) as upstream:
        site = f"""
local pl = require "perilune"
pl.set {{ sandbox = {{ seccomp = "kill", read = "{authority.cert}" }} }}
pl.get("/ask", function()
  local url = os.getenv("URL"):gsub("127.0.0.1", "localhost")
  local tls = {{ ca = "{authority.cert}" }}
  return assert(pl.http.get(url, {{ tls = tls }})).body
end)
pl.get("/system", function()
  local _, err = pl.http.get((os.getenv "URL"), {{ timeout = "10s" }})
  return err.code
end)
pl.get("/name", function()
  local _, err = pl.dns.lookup("nobody.invalid", {{ timeout = "1ms" }})
  return err.code
end)
"""
        server = serve(site, env={"URL": upstream.url}, workers=1)
        assert server.get("/ask").body == b"hello"
        assert server.get("/system").body == b"proto"
        assert server.get("/name").status == 200


def test_descriptors_come_back(serve):
    with Upstream(always(b"x", "200 OK", "Connection: close")) as upstream:
        site = """
local pl = require "perilune"
pl.get("/ask", function() return pl.http.get(os.getenv "URL").body end)
"""
        server = serve(site, env={"URL": upstream.url}, workers=1)
        server.get("/ask")
        before = server.proc.fds()
        for _ in range(50):
            assert server.get("/ask").body == b"x"
        wait_for(lambda: server.proc.fds() <= before, "descriptors")


@pytest.mark.parametrize(
    "call, message",
    [
        ("get()", "pl.http.get: the URL must be a string"),
        ("request {}", "pl.http.request: option 'url' must be a string"),
        ("request(1)", "pl.http.request: options must be a table"),
        ('get("http://a", { nothing = 1 })', "pl.http.get: "),
        ('get("http://a", { timeout = "x" })', "option 'timeout'"),
        ('get("http://a", { max_body = "x" })', "option 'max_body'"),
        ('get("http://a", { headers = { ["a b"] = 1 } })',
         "no name of a field"),
        ('get("http://a", { headers = { a = "1\\r\\nb: 2" } })',
         "line of text"),
        ('get("http://a", { headers = { ["Content-Length"] = 1 } })',
         "is set by the client itself"),
        ('get("http://a", { query = 1 })', "option 'query'"),
        ('get("http://a", { auth = "x" })', "option 'auth'"),
        ('get("http://a", { proxy = "x" })', "option 'proxy'"),
        ('get("http://a", { version = "3" })', "option 'version'"),
        ('get("http://a", { tls = true })', "option 'tls'"),
        ('get("http://a", { tls = { no = 1 } })', "pl.http.get: TLS"),
        ('get("http://a", { unix = "a", only_public = true })', "only_public"),
        ('post("http://a", 1)', "option 'body'"),
        ('post("http://a", "a", { json = 1 })', "exclude each other"),
        ('post("http://a", "a", { length = 1 })', "option 'length'"),
        ('post("http://a", nil, { form = 1 })', "option 'form'"),
        ('post("http://a", nil, { parts = {} })', "option 'parts'"),
        ('post("http://a", nil, { parts = { { data = "a" } } })',
         "needs a name"),
        ('head("http://a", { body = "a" })', "HEAD request has no body"),
        ('request { url = "http://a", method = "A B" }', "is no method"),
        ('request { url = "http://a", method = "CONNECT" }', "is no method"),
        ("session { base = 'x' }", "option 'base'"),
        ("session { resolver = 1 }", "option 'resolver'"),
        ("session { headers = { [1] = 1 } }", "no name of a field"),
        ("session {}:cookies()", "without cookies = true"),
        ("session { cookies = true }:set_cookie 'a=1'", "name its domain"),
    ],
)
def test_misuse(command, call, message):
    text = f'local pl = require "perilune"\npl.http.{call}\n'
    done = command("run", "s.lua", files={"s.lua": text})
    assert done.returncode == 1
    assert message in done.stderr and "s.lua:2: " in done.stderr, done.stderr


def test_outside_of_a_task(command):
    text = """
local pl = require "perilune"
local ok, err = pcall(string.gsub, "a", "a", function()
  pl.http.get "http://127.0.0.1/"
end)
assert(not ok and tostring(err):find "pl.http.get: cannot wait", err)
"""
    done = command("run", "s.lua", files={"s.lua": text})
    assert done.returncode == 0, done.stderr
