"""pl.keys, pl.session, pl.csrf: what comes back from browsers."""

import base64
import html
import re
import urllib.parse

import pytest

from harness.wait import wait_for

KEYS = ["k" * 32, "l" * 40]


class Browser:
    """Keeps cookies; on a connection of its own each time."""

    def __init__(self, server):
        self.server, self.cookies = server, {}

    def ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.cookies:
            headers["Cookie"] = "; ".join(
                f"{k}={v}" for k, v in self.cookies.items())
        if isinstance(body, str):
            headers.setdefault("Content-Type",
                               "application/x-www-form-urlencoded")
        response = self.server.request(method, path, headers,
                                       body.encode() if body else None)
        for cookie in response.all("set-cookie"):
            name, value = cookie.split(";")[0].split("=", 1)
            if "Max-Age=0" in cookie:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return response

    def get(self, path, headers=None):
        return self.ask("GET", path, None, headers)

    def post(self, path, body="", headers=None):
        return self.ask("POST", path, body or "x=1", headers)


SITE = """
local pl = require "perilune"
pl.keys { %s }
pl.use(pl.session { %s })
pl.get("/", function(req) return req.session end)
pl.get("/set", function(req)
  for name, value in pairs(req.args) do req.session[name] = value end
end)
pl.get("/clear/:name", function(req) req.session[req.params.name] = nil end)
pl.get("/count", function(req)
  req.session.n = (req.session.n or 0) + 1
  return tostring(req.session.n)
end)
pl.get("/nested", function(req)
  local s = req.session
  s.cart = s.cart or { items = {} }
  table.insert(s.cart.items, { id = #s.cart.items + 1, price = 1.5 })
  return s
end)
pl.get("/flash", function(req) req.session:flash("notice", "saved") end)
pl.get("/show", function(req)
  return req.session:flash "notice" or "nothing"
end)
pl.get("/new", function(req) req.session:regenerate() return "new" end)
pl.get("/end", function(req) req.session:destroy() return "gone" end)
pl.get("/untouched", function() return "x" end)
pl.get("/fail", function(req) req.session.n = 99 error "broken" end)
pl.get("/stream", function(req, res)
  req.session.n = 7
  res:write("a") res:write("b")
end)
pl.get("/events", function(req, res)
  req.session.n = 8
  res:events():send("x")
end)
pl.get("/late", function(req, res)
  res:write("a")
  req.session.n = 9
end)
pl.get("/large", function(req)
  req.session.text = pl.hex.encode(pl.crypto.random(req:arg "n" / 2))
end)
pl.get("/bad", function(req) req.session.f = print end)
pl.get("/reserved", function(req) req.session.flash = 1 end)
"""

STORES = {
    "cookie": "",
    "shared": "store = 'shared'",
    "table": """store = (function()
      local dict = pl.shared "mine"
      return { get = function(_, id) pl.sleep(0.001) return dict:get(id) end,
        set = function(_, id, text, s) pl.sleep(0.001)
          return dict:set(id, text, s) end,
        delete = function(_, id) pl.sleep(0.001) dict:delete(id) end }
    end)()""",
}


def site(keys=KEYS[:1], options=""):
    return SITE % (", ".join(f'"{key}"' for key in keys), options)


@pytest.fixture(params=STORES)
def server(request, serve):
    return serve(site(options=STORES[request.param]), workers=2)


def test_a_session(server):
    browser = Browser(server)
    assert browser.get("/").json() in ({}, [])
    assert not browser.cookies  # nothing to keep
    for n in range(1, 6):  # on either worker
        assert browser.get("/count").text == str(n)
    browser.get("/set?name=sally")
    assert browser.get("/").json() == {"n": 5, "name": "sally"}
    assert Browser(server).get("/").json() in ({}, [])
    browser.get("/clear/n")
    assert browser.get("/").json() == {"name": "sally"}


def test_a_change_deep_inside_is_seen(server):
    browser = Browser(server)
    for n in range(1, 4):
        items = browser.get("/nested").json()["cart"]["items"]
        assert items == [{"id": i + 1, "price": 1.5} for i in range(n)]


def test_saved_only_when_changed(server):
    browser = Browser(server)
    first = browser.get("/set?a=1")
    assert len(first.all("set-cookie")) == 1
    for path in ("/", "/set?a=1", "/untouched"):
        assert not browser.get(path).all("set-cookie"), path
    assert browser.get("/set?a=2").all("set-cookie")


def test_caches_are_told(server):
    browser = Browser(server)
    assert browser.get("/untouched").header("vary") is None
    assert browser.get("/").header("vary") == "Cookie"


def test_flash(server):
    browser = Browser(server)
    assert browser.get("/show").text == "nothing"
    browser.get("/flash")
    browser.get("/untouched")
    assert browser.get("/show").text == "saved"
    assert browser.get("/show").text == "nothing"


def test_an_end(server):
    browser = Browser(server)
    browser.get("/set?a=1")
    old = dict(browser.cookies)
    gone = browser.get("/end")
    assert "Max-Age=0" in gone.header("set-cookie")
    assert not browser.cookies
    assert browser.get("/").json() in ({}, [])
    browser.cookies = old
    known = browser.get("/").json()
    assert (known == {"a": "1"}) == ("store" not in server_options(server))


def server_options(server):
    return (server.folder / "site.lua").read_text().split("pl.session")[1][:99]


def test_regenerate(server):
    browser = Browser(server)
    browser.get("/set?a=1")
    old = dict(browser.cookies)
    assert browser.get("/new").text == "new"
    assert browser.cookies != old
    assert browser.get("/").json() == {"a": "1"}
    browser.cookies = old  # whoever has fixed the session
    known = browser.get("/").json()
    assert (known == {"a": "1"}) == ("store" not in server_options(server))


def test_attributes(serve):
    server = serve(site(options="name = 'sid', domain = 'a.example', "
                                "path = '/', persistent = true, "
                                "same_site = 'strict', secure = true, "
                                "ttl = '1h'"))
    cookie = Browser(server).get("/set?a=1").header("set-cookie")
    name, *rest = cookie.split("; ")
    assert name.startswith("sid=")
    assert rest == ["Path=/", "Domain=a.example", "Max-Age=3600",
                    "SameSite=Strict", "Secure", "HttpOnly"]
    plain = serve(site())
    cookie = Browser(plain).get("/set?a=1").header("set-cookie")
    name, *rest = cookie.split("; ")
    assert rest == ["Path=/", "SameSite=Lax", "HttpOnly"]


def test_secure_by_itself_over_tls(serve):
    server = serve(site() + 'pl.listen { "127.0.0.1:0", tls = "dev" }\n'
                            'pl.set { trusted = "127.0.0.1" }\n')
    cookie = server.get("/set?a=1", {"X-Forwarded-Proto": "https",
                                     "X-Forwarded-For": "1.2.3.4"})
    assert "; Secure" in cookie.header("set-cookie")


def test_expiry_renewal_and_lifetime(serve):
    # Times of less than a second round down to now.
    server = serve(site(options="ttl = '1s', renewal = '1ms'"))
    browser = Browser(server)
    browser.get("/set?a=1")
    kept = dict(browser.cookies)

    def gone():
        browser.cookies = dict(kept)
        return browser.get("/").json() in ({}, [])

    wait_for(gone, "the end of the session")
    lifetime = serve(site(options="ttl = '1h', lifetime = '1s', "
                                  "renewal = '1ms'"))
    browser = Browser(lifetime)
    browser.get("/set?a=1")

    def over():
        return browser.get("/").json() in ({}, [])

    wait_for(over, "the end of the session's life")


def test_renewal(serve):
    server = serve(site(options="ttl = '1h', renewal = '1s', "
                                "store = 'shared'"))
    browser = Browser(server)
    browser.get("/set?a=1")
    wait_for(lambda: browser.get("/").all("set-cookie"), "a new cookie")
    assert browser.get("/").json() == {"a": "1"}


def test_rotation_of_keys(serve):
    old = serve(site([KEYS[0]]))
    browser = Browser(old)
    browser.get("/set?a=1")
    both = serve(site([KEYS[1], KEYS[0]]))
    browser.server = both
    assert browser.get("/").json() == {"a": "1"}
    browser.get("/set?b=2")  # sealed by the new one from here on
    new = serve(site([KEYS[1]]))
    browser.server = new
    assert browser.get("/").json() == {"a": "1", "b": "2"}
    browser.server = old
    assert browser.get("/").json() in ({}, [])


def test_every_byte_counts(serve, tmp_path):
    path = tmp_path / "admin"
    server = serve(site(), "--admin", path, workers=1)
    browser = Browser(server)
    browser.get("/set?a=1")
    token = browser.cookies["session"]
    tries = [token[:i] + ("A" if c != "A" else "B") + token[i + 1:]
             for i, c in enumerate(token)]
    tries += [token[:n] for n in range(0, len(token), 7)]
    tries += [token + "A", token + token, "A" * len(token), "=", "!"]
    with server.connect() as wire:
        for changed in tries:
            wire.send(f"GET / HTTP/1.1\r\nHost: a\r\nCookie: session={changed}"
                      "\r\n\r\n".encode())
            assert wire.response().json() in ({}, []), changed
        wire.send(f"GET / HTTP/1.1\r\nHost: a\r\nCookie: session={token}"
                  "\r\n\r\n".encode())
        assert wire.response().json() == {"a": "1"}
    # Neither another name nor another use of the same keys will do.
    browser.cookies = {"session": token}
    other = serve(site(options="name = 'sid'"))
    browser.server, browser.cookies = other, {"sid": token}
    assert browser.get("/").json() in ({}, [])


def test_before_the_head(server):
    for path, want in (("/stream", 7), ("/events", 8)):
        browser = Browser(server)
        with server.connect() as wire:
            wire.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            head = wire.read_until(b"\r\n\r\n").decode()
        cookie = re.search(r"Set-Cookie: session=([^;]+)", head)
        browser.cookies["session"] = cookie[1]
        assert browser.get("/").json() == {"n": want}
    browser = Browser(server)
    assert browser.get("/late").text == "a"
    server.wait_log("req.session was changed when the response had begun")


def test_what_failed_is_not_kept(server):
    browser = Browser(server)
    browser.get("/set?n=1")
    assert browser.get("/fail").status == 500
    assert browser.get("/").json() == {"n": "1"}


def test_too_large(serve):
    server = serve(site())
    assert Browser(server).get("/large?n=2600").status == 200
    assert Browser(server).get("/large?n=4000").status == 500
    server.wait_log(r"this session takes a cookie of \d+ bytes, and browsers "
                    r'keep 4096: .* store = "shared"')
    shared = serve(site(options="store = 'shared'"))
    browser = Browser(shared)
    assert browser.get("/large?n=100000").status == 200
    assert len(browser.get("/").json()["text"]) == 100000


def test_what_cannot_be_kept(serve):
    server = serve(site())
    assert server.get("/bad").status == 500
    server.wait_log("req.session: .*function")
    assert server.get("/reserved").status == 500
    server.wait_log("req.session.flash cannot be set")


@pytest.mark.parametrize(
    "text, wrong",
    [
        ("pl.use(pl.session {})", "pl.session: there are no keys: say pl.keys"),
        ("pl.keys { 'short' }", "pl.keys: key 1 has 5 bytes; 32 are needed"),
        ("pl.keys {}", "pl.keys: 1 to 8 keys are needed"),
        ("pl.keys(5)", "pl.keys: a list of keys is needed, not a number"),
        ("pl.keys { 5 }", "pl.keys: key 1 must be a string"),
        ("pl.session { keys = 'k', ttl = 'x' }", "option 'ttl' is no time"),
        ("pl.session { keys = 'k', stor = 'x' }", "did you mean 'store'?"),
        ("pl.session { keys = 'k', store = 'x' }", "must be \"cookie\""),
        ("pl.session { keys = 'k', store = {} }", "store': get: a function"),
        ("pl.csrf {}", "pl.csrf: there are no keys"),
        ("pl.csrf { keys = ('k'):rep(32), origins = '' }", "is no origin"),
    ],
)
def test_misuse(command, text, wrong):
    done = command("check", "site.lua", files={
        "site.lua": f'local pl = require "perilune"\n{text}\n'})
    said = done.stderr + done.stdout
    assert done.returncode != 0 and wrong in said, said
    assert "site.lua:2: " in said


COOKIES = """
local pl = require "perilune"
pl.keys { ("k"):rep(32) }
pl.get("/set", function(req, res)
  res:signed_cookie("s", req:arg "v" or "", { max_age = 60 })
  res:encrypted_cookie("e", req:arg "v" or "", { path = "/get" })
  res:signed_cookie("old", "x", { expires = os.time() - 5 })
end)
pl.get("/get", function(req)
  return { s = req:signed_cookie "s", e = req:encrypted_cookie "e",
    old = req:signed_cookie "old", none = req:signed_cookie "none" }
end)
pl.get("/misuse", function(req, res) res:signed_cookie("a", 5) end)
pl.get("/stats", function() return pl.workers.stats().auth end)
"""


@pytest.mark.parametrize("value", ["", "a", "one two", "ü; \"x\", \\", "%00"])
def test_signed_and_encrypted_cookies(serve, value):
    server = serve(COOKIES, workers=2)
    browser = Browser(server)
    quoted = value if value == "%00" else urllib.parse.quote(value)
    plain = "\0" if value == "%00" else value
    browser.get("/set?v=" + quoted)
    assert set(browser.cookies) == {"s", "e", "old"}
    assert browser.get("/get").json() == {"s": plain, "e": plain}
    text = browser.cookies["s"].split(".")[0]
    padded = text + "=" * (-len(text) % 4)
    assert base64.urlsafe_b64decode(padded).decode() == plain
    for name in ("s", "e"):
        token = browser.cookies[name]
        with server.connect() as wire:
            for i, c in enumerate(token):
                bad = token[:i] + ("0" if c != "0" else "1") + token[i + 1:]
                wire.send(f"GET /get HTTP/1.1\r\nHost: a\r\n"
                          f"Cookie: {name}={bad}\r\n\r\n".encode())
                assert name not in wire.response().json(), (name, i)
    browser.cookies = {"s": browser.cookies["e"], "e": browser.cookies["s"]}
    assert browser.get("/get").json() in ({}, [])
    assert server.get("/misuse").status == 500
    server.wait_log("res:signed_cookie: the value must be a string")


CSRF = """
local pl = require "perilune"
pl.keys { ("k"):rep(32) }
%s
pl.use(pl.csrf { origins = { "https://friend.example", "*.ours.example" } %s })
pl.get("/form", function(req) return "<form>" .. req:csrf_field() end)
pl.get("/token", function(req) return req:csrf_token() end)
pl.post("/send", function(req)
  local form = req:form() or {}
  return { a = form.a, _csrf = form._csrf, f = form.f and form.f.filename }
end)
pl.put("/send", function(req) return "put" end)
%s
"""


@pytest.fixture(params=["cookie", "session", "store"])
def csrf(request, serve):
    use = {"cookie": "", "session": "pl.use(pl.session {})",
           "store": "pl.use(pl.session { store = 'shared' })"}
    more = "" if request.param == "cookie" else """
      pl.get("/login", function(req) req.session:regenerate() end)"""
    return serve(CSRF % (use[request.param], "", more), workers=2)


def token_of(browser):
    found = re.search(r'name="_csrf" value="([^"]+)"',
                      browser.get("/form").text)
    return html.unescape(found[1])


def test_a_form_with_a_token(csrf):
    browser = Browser(csrf)
    tokens = [token_of(browser) for _ in range(3)]
    assert len(set(tokens)) == 3  # different each time, and all are good
    for token in tokens:
        sent = browser.post("/send", f"a=1&_csrf={token}")
        assert sent.status == 200
        assert sent.json() == {"a": "1", "_csrf": token}
        assert browser.post("/send", "a=1",
                            {"X-CSRF-Token": token}).status == 200
        assert browser.ask("PUT", "/send", None,
                           {"X-CSRF-Token": token}).text == "put"
        part = (f'--b\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n'
                f'{token}\r\n--b\r\nContent-Disposition: form-data; name="f"'
                f'; filename="f"\r\n\r\nx\r\n--b--\r\n')
        sent = browser.post("/send", part, {
            "Content-Type": "multipart/form-data; boundary=b"})
        assert sent.json() == {"_csrf": token, "f": "f"}


def test_forms_without_a_good_token(csrf):
    browser, other = Browser(csrf), Browser(csrf)
    good, foreign = token_of(browser), token_of(other)
    for body in ("a=1", "_csrf=", f"_csrf={foreign}", f"_csrf={good[:-1]}",
                 f"_csrf={good}A", "_csrf=" + good.replace(".", ".1", 1)):
        assert browser.post("/send", body).status == 403, body
    assert Browser(csrf).post("/send", f"_csrf={good}").status == 403
    assert browser.post("/send", '{"_csrf": "x"}',
                        {"Content-Type": "application/json"}).status == 403
    assert browser.ask("PUT", "/send").status == 403
    assert browser.post("/send", f"_csrf={good}").status == 200


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://friend.example"}, 200),
        ({"Origin": "http://friend.example"}, 403),
        ({"Origin": "https://www.ours.example"}, 200),
        ({"Origin": "https://ours.example.evil"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Referer": "http://localhost/form"}, 200),
        ({"Referer": "https://evil.example/http://localhost/"}, 403),
        ({"Referer": "rubbish"}, 403),
    ],
)
def test_where_a_form_comes_from(csrf, headers, status):
    browser = Browser(csrf)
    token = token_of(browser)
    sent = browser.post("/send", f"_csrf={token}", headers)
    assert sent.status == status, sent.text


def test_a_login_makes_tokens_old(serve):
    server = serve(CSRF % ("pl.use(pl.session {})", "", """
      pl.get("/login", function(req) req.session:regenerate() end)"""))
    browser = Browser(server)
    token = token_of(browser)
    browser.get("/login")
    assert browser.post("/send", f"_csrf={token}").status == 403
    assert browser.post("/send", f"_csrf={token_of(browser)}").status == 200


def test_counts(serve):
    server = serve(COOKIES, workers=1)
    browser = Browser(server)
    browser.cookies = {"s": "forged", "e": "forged"}
    browser.get("/get")
    assert server.get("/stats").json() == {"denied": 0, "forged": 2}


# ---- with other parts ----

PAGES = """
local pl = require "perilune"
pl.keys "temporary"
pl.use(pl.session {})
pl.pages("/pages", { root = "pages" })
pl.content("/content", { root = "content" })
function on_before_http(_, _, session)
  session.before = (session.before or 0) + 1
end
"""
COUNT = "session.n = (session.n or 0) + 1"


@pytest.mark.parametrize(
    "page", ["/pages/lsp", "/pages/old", "/pages/long", "/content/page"]
)
def test_pages_have_it(serve, page):
    browser = Browser(serve(PAGES, files={
        "pages/lsp.lsp": f"<% {COUNT} %><%= session.n %>",
        "pages/old.dyn.html": f"<?lu {COUNT} write('%s', session.n) ?>",
        "pages/long.lsp": f"<% {COUNT} %><%= session.n %><% flush() %>",
        "content/page.dyn.html":
            f"<?lu {COUNT} write('%s', session.before) ?>",
    }))  # fmt: skip
    assert [browser.get(page).text for _ in range(3)] == ["1", "2", "3"]


LARGE = ("application/x-www-form-urlencoded", "a=" + "x" * 3000)
PARTS = (
    "multipart/form-data; boundary=B",
    "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n"
    + "x" * 3000 + "\r\n--B--\r\n",
)  # fmt: skip
CUT = ("multipart/form-data; boundary=B", "--B\r\nrubbish")


@pytest.mark.parametrize(
    ("form", "status"), [(LARGE, 413), (PARTS, 413), (CUT, 400)]
)
def test_forms_that_cannot_be_read_say_so(serve, form, status):
    """They are not 'too old'."""
    limit = 'pl.set { max_body = "1k" }'
    server = serve(CSRF % (f"pl.use(pl.session {{}}) {limit}", "", ""))
    browser = Browser(server)
    token_of(browser)
    sent = browser.post("/send", form[1], {"Content-Type": form[0]})
    assert sent.status == status, sent.text
