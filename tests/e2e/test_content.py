"""A folder of pages and files: the content server by 80s' rules."""

import base64
import gzip
import hashlib
import hmac
import os
import re
import urllib.parse
from pathlib import Path

import pytest

from harness.certs import Authority
from harness.server import Server, program
from harness.wait import wait_for

KEY = "0123456789abcdef"
VECTOR = (
    "/p?e=%2B9mIg6rSn4Logdh7KUXY1z9z3dObNfAt96F3p77b9YoMAAAAfgPOnrKhYbYG55h3Ev"
    "jnjA%3D%3D"
)
IMMUTABLE = "public, max-age=604800, immutable"
CRYPTO = any(program().parent.rglob("perilune-crypto.so"))
needs_crypto = pytest.mark.skipif(not CRYPTO, reason="no crypto plug-in")

# The site of the acceptance scripts, unchanged.
ACCEPTANCE = {
    "main.lua": 'TITLE = "Acceptance"\n',
    "public_html/top.priv.html": '<title><?lu write("%s", TITLE) ?></title>\n',
    "public_html/index.dyn.html": """<?include top.priv.html ?>
<?lu
  local who = query.name or "nobody"
  locals.n = #who
  | <p>Hello #[[who]]</p>
?>
<?lua
  local resolve, later = aio:prepare_promise()
  resolve("<ready>")
  local text = await(later)
  ```
  <b>#[[text]]</b>
  <i>#[[locals.n]]</i>
  ```
  done()
?>
""",
    "public_html/post.form.dyn.html": """<?lu
  local form = aio:parse_query(body)
  if not form.item then
    status("400 Bad Request")
    write("no item")
    return
  end
  status("303 See Other")
  header("Location", to_url("/", {name = form.item}))
  write("saved %s", form.item)
?>
""",
    "public_html/data.dyn.json": "<?lu write({count = 2}) ?>\n",
    "public_html/par.dyn.html": """#! parallel
<?lua write("one") done() ?>,<?lua write("two") done() ?>
""",
    "public_html/static/raw.dyn.html": 'S <?lu write("no") ?>\n',
    "public_html/i.skip/x.html": "skipped\n",
}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def acceptance(serve_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("acceptance")
    files = {folder / name: text for name, text in ACCEPTANCE.items()}
    return serve_module(folder, files=files)


# ---- seed-scripts, 1.5: each row of its table ----


def page(who: str, n: int) -> str:
    return (
        f"<title>Acceptance</title>\n\n<p>Hello {who}</p>\n"
        f"<b>&lt;ready&gt;</b><i>{n}</i>\n"
    )


@pytest.mark.parametrize("target, who, n", [
    ("/", "nobody", 6),
    ("/?name=<b>", "&lt;b&gt;", 3),
    ("/?name=%3Cb%3E", "&lt;b&gt;", 3),
])
def test_a_page_with_an_include_and_blocks(acceptance, target, who, n):
    got = acceptance.get(target.replace("<", "%3C").replace(">", "%3E"))
    assert got.status == 200
    assert got.header("content-type").startswith("text/html")
    assert got.text == page(who, n)


def test_a_form(acceptance):
    got = acceptance.request("POST", "/form", FORM, b"item=a%26b")
    assert (got.status, got.text) == (303, "saved a&amp;b\n")
    assert got.header("location") == "/?name=a%26b"
    got = acceptance.request("POST", "/form", FORM, b"x=1")
    assert (got.status, got.text) == (400, "no item\n")


def test_a_page_of_json(acceptance):
    got = acceptance.get("/data.json")
    assert got.header("content-type") == "application/json; charset=utf-8"
    assert got.text == '{"count":2}\n'


def test_blocks_at_the_same_time(acceptance):
    assert acceptance.get("/par").text == "one,two\n"


def test_static_is_never_dynamic(acceptance):
    got = acceptance.get("/static/raw")
    assert got.text == 'S <?lu write("no") ?>\n'
    assert got.header("cache-control") == IMMUTABLE
    assert got.header("content-type").startswith("text/html")


@pytest.mark.parametrize("path", ["/top.priv", "/index", "/form", "/i.skip/x"])
def test_what_has_no_url(acceptance, path):
    assert acceptance.get(path).status == 404


# ---- the same, with a master key ----

SECRETS = {
    "public_html/link.dyn.html":
        '<?lu write("%s", to_url("/p", {id = 5, z = "a b"})) ?>',
    "public_html/plain.dyn.html":
        '<?lu write("%s", to_url("/p", {id = 5, e = false})) ?>',
    "public_html/fresh.dyn.html":
        '<?lu write("%s", to_url("/url", {id = 5, iv = true})) ?>',
    "public_html/nine.dyn.html":
        '<?lu write("%s", to_url("/url", {id = 9})) ?>',
    "public_html/url.dyn.html":
        "<?lu write({id = query.id or 'none', e = query.e.id or 'none'}) ?>",
}


@pytest.fixture(scope="module")
def secrets(serve_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets")
    files = {folder / name: text for name, text in SECRETS.items()}
    return serve_module(folder, files=files, env={"MASTER_KEY": KEY})


def link(server, path: str) -> str:
    return server.get(path).text.strip().replace("&amp;", "&")


def forged(key: str, text: bytes) -> bytes:
    """The value of e for a text, with a MAC that is right."""
    folded = bytearray(16)
    for i, byte in enumerate(key.encode()):
        folded[i % 16] ^= byte
    return hmac.new(bytes(folded), text, hashlib.sha256).digest() + text


@needs_crypto
def test_a_link_is_encrypted(secrets):
    assert link(secrets, "/link") == VECTOR
    assert link(secrets, "/link") == VECTOR, "always the same"
    assert link(secrets, "/plain") == "/p?id=5"
    assert link(secrets, "/fresh") != link(secrets, "/fresh")


@needs_crypto
def test_an_encrypted_query_wins(secrets):
    for path in ("/nine", "/fresh"):
        want = "9" if path == "/nine" else "5"
        got = secrets.get(link(secrets, path) + "&id=77")
        assert got.text.strip() == f'{{"id":"{want}","e":"{want}"}}' or \
            got.text.strip() == f'{{"e":"{want}","id":"{want}"}}'


def damages(sealed: bytes) -> list[bytes]:
    """Each part of it changed, cut and lengthened."""
    flips = [
        sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1:]
        for at in (0, 31, 32, 35, 36, len(sealed) - 1)
    ]
    return flips + [sealed[:-1], sealed[:-16], sealed[:36], sealed + b"\0" * 16,
                    b"", b"x"]


@needs_crypto
def test_a_damaged_query_is_ignored(secrets):
    query = urllib.parse.urlsplit(link(secrets, "/nine")).query
    sealed = base64.b64decode(urllib.parse.parse_qs(query)["e"][0])
    values = [base64.b64encode(bad) for bad in damages(sealed)] + [b"!?", b"%"]
    values += [
        base64.b64encode(forged(KEY + "/url", length + bytes(size)))
        for length in (b"\0\0\0\0", b"\x10\0\0\0", b"\xff\xff\xff\xff")
        for size in (16, 32, 48)
    ]
    for value in values:
        got = secrets.get("/url?id=77&e=" + urllib.parse.quote(value))
        assert got.status == 200
        assert '"id":"77"' in got.text and '"e":"none"' in got.text, value


@needs_crypto
def test_a_link_to_another_page_is_ignored(secrets):
    query = link(secrets, "/link").partition("?")[2]
    assert '"id":"none"' in secrets.get("/url?" + query).text


def test_a_bad_master_key_is_told(command, tmp_path):
    files = {"public_html/index.html": "x"}
    for key, words in {
        "short": "MASTER_KEY: the key must have at least 16 bytes, not 5",
        "b64:###": "base64",
    }.items():
        done = command("check", ".", files=files, env={"MASTER_KEY": key})
        assert done.returncode == 3, done.stderr
        assert words in done.stderr and "MASTER_KEY" in done.stderr


# ---- names ----

NAMES = {
    "public_html/index.html": "home",
    "public_html/about.html": "about",
    "public_html/about/index.html": "about the folder",
    "public_html/a.css": "a {}",
    "public_html/LICENSE": "license",
    "public_html/v1.2.html": "version",
    "public_html/docs/index.dyn.html": "<?lu write('docs') ?>",
    "public_html/docs/note.txt": "note",
    "public_html/a.priv.txt": "private",
    "public_html/.hidden": "hidden",
    "public_html/.git/config": "hidden",
    "public_html/i.parts/a.css": "ignored",
    "public_html/docs/i.x/y/z.txt": "ignored",
    "public_html/tool.lua": "script",
    "public_html/put.thing.dyn.txt": "<?lu write('put ' .. body) ?>",
    "public_html/delete.thing.dyn.txt": "<?lu write('gone') ?>",
    "public_html/thing.dyn.txt": "<?lu write('got') ?>",
    "public_html/post.note.txt": "a file for POST",
    "public_html/post.html": "not a method",
    "public_html/with space.dyn.html": "<?lu write('space') ?>",
    "public_html/:id.dyn.html": "<?lu write('colon') ?>",
    "public_html/icon.ico": "icon",
    "public_html/static/app.js": "js",
    "public_html/static/post.js.txt": "asset",
    "public_html/static/x.dyn.js": "<?lu no ?>",
    "public_html/static/lib.lua": "an asset",
    "public_html/static/a.priv.js": "private",
    "public_html/deep/static/b.css": "css",
    "main.lua": "",
    "other.lua": "error 'never run'",
    "secret.txt": "secret",
}


@pytest.fixture(scope="module")
def names(serve_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    files = {folder / name: text for name, text in NAMES.items()}
    return serve_module(folder, files=files)


@pytest.mark.parametrize("path, body", {
    "/": "home",
    "/about": "about",
    "/about/": "about the folder",
    "/a.css": "a {}",
    "/LICENSE": "license",
    "/v1.2": "version",
    "/docs/": "docs",
    "/docs/note.txt": "note",
    "/thing.txt": "got",
    "/post": "not a method",
    "/with%20space": "space",
    "/:id": "colon",
    "/static/app.js": "js",
    "/static/post.js.txt": "asset",
    "/static/x.js": "<?lu no ?>",
    "/static/lib.lua": "an asset",
    "/deep/static/b.css": "css",
}.items())
def test_what_a_url_means(names, path, body):
    got = names.get(path)
    assert (got.status, got.text) == (200, body)


@pytest.mark.parametrize("path", [
    "/index", "/index.html", "/about.html", "/about.htm", "/a", "/nothing",
    "/docs/index", "/docs/index.dyn", "/docs/index.dyn.html", "/thing",
    "/thing.dyn.txt", "/a.priv.txt", "/a.priv", "/.hidden", "/.git/config",
    "/i.parts/a.css", "/docs/i.x/y/z.txt", "/tool.lua", "/note.txt",
    "/post.note.txt", "/put.thing.txt", "/put.thing.dyn.txt", "/main.lua",
    "/secret.txt", "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt",
    "/docs//note.txt", "/anything", "/static/x.dyn.js", "/static/a.priv.js",
    "/post.html", "/a.css/", "/a.css/x", "/nothing/", "/x%00y", "/" + "x" * 300,
])
def test_what_a_url_does_not_mean(names, path):
    assert names.get(path).status in (404, 400)


def test_methods(names):
    ask = names.request
    assert ask("PUT", "/thing.txt", {}, b"x").text == "put x"
    assert ask("DELETE", "/thing.txt").text == "gone"
    assert ask("POST", "/note.txt", {}, b"").text == "a file for POST"
    assert ask("HEAD", "/thing.txt").status == 200
    got = ask("POST", "/thing.txt", {}, b"")
    assert got.status == 405
    assert set(re.split(", *", got.header("allow"))) >= {
        "GET", "HEAD", "PUT", "DELETE"}
    assert ask("POST", "/nothing", {}, b"").status == 404
    assert ask("DELETE", "/docs/").status == 405
    got = ask("POST", "/a.css", {}, b"")
    assert (got.status, got.header("allow")) == (405, "GET, HEAD")
    assert ask("POST", "/a.priv.txt", {}, b"").status == 404


def test_a_folder_gets_its_slash(names):
    got = names.get("/docs?q=1")
    assert (got.status, got.header("location")) == (301, "/docs/?q=1")


def test_what_may_be_kept(names):
    def kept(path):
        return names.get(path).header("cache-control")

    assert kept("/static/app.js") == kept("/icon.ico") == IMMUTABLE
    assert kept("/deep/static/b.css") == kept("/static/x.js") == IMMUTABLE
    assert kept("/a.css") is kept("/") is kept("/static/nothing") is None


def test_files_are_those_of_static(names):
    first = names.get("/static/app.js")
    again = names.get("/static/app.js", {"if-none-match": first.header("etag")})
    assert again.status == 304
    part = names.get("/LICENSE", {"range": "bytes=0-2"})
    assert (part.status, part.text) == (206, "lic")


def test_check_lists_the_pages(command):
    done = command("check", ".", files=NAMES)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^route +PUT +/thing\.txt +\(.*put\.thing\.dyn\.txt\)$",
                     done.stdout, re.MULTILINE)
    assert re.search(r"^route +GET,HEAD +/\* +\(content, .*public_html\)$",
                     done.stdout, re.MULTILINE)


def test_check_names_a_page_that_does_not_compile(command):
    files = {"public_html/a.dyn.html": "fine\n<?lu\n local x = = 1 ?>",
             "public_html/b/c.dyn.html": "<?include nowhere.html ?>",
             "public_html/i.x/d.dyn.html": "<?lu = ?>"}
    done = command("check", ".", files=files)
    assert done.returncode == 3
    assert "public_html/a.dyn.html:3: " in done.stderr
    assert "(and 1 more)" in done.stderr


def test_two_files_of_one_url(serve, tmp_path):
    server = serve(tmp_path, workers=1, files={
        "public_html/a.dyn.b.txt": "<?lu write('first') ?>",
        "public_html/a.b.dyn.txt": "<?lu write('by name') ?>",
        "public_html/c.dyn.html": "<?lu write('page') ?>",
        "public_html/c.html": "file",
    })
    assert server.get("/a.b.txt").text == "by name"
    server.wait_log(r"a\.dyn\.b\.txt is not served: it has the URL of a\.b\.")
    assert server.get("/c").text == "page"


# ---- compressed ----


def test_gz_is_negotiated(serve, tmp_path):
    packed, both = gzip.compress(b"only packed"), gzip.compress(b"both")
    server = serve(tmp_path, files={
        "public_html/only.txt.gz": packed,
        "public_html/page.html.gz": packed,
        "public_html/docs/index.html.gz": packed,
        "public_html/both.txt": "both",
        "public_html/both.txt.gz": both,
        "public_html/a.tar.gz": packed,
    })
    gz = {"accept-encoding": "gzip"}
    for path, kind in {"/only.txt": "text/plain", "/page": "text/html",
                       "/docs/": "text/html"}.items():
        for headers in ({}, gz, {"accept-encoding": "br, *;q=0.5"}):
            got = server.get(path, headers)
            assert got.status == 200 and got.body == packed, path
            assert got.header("content-encoding") == "gzip"
            assert got.header("vary").lower() == "accept-encoding"
            assert got.header("content-type").startswith(kind)
        for refusing in ("identity", "gzip;q=0", "br"):
            got = server.get(path, {"accept-encoding": refusing})
            assert got.status == 406, refusing
            assert got.header("vary").lower() == "accept-encoding"
    etag = server.get("/only.txt", gz).header("etag")
    assert server.get("/only.txt", {**gz, "if-none-match": etag}).status == 304
    assert server.get("/both.txt", gz).body == both
    assert server.get("/both.txt").body == b"both"
    got = server.get("/a.tar.gz")
    assert got.body == packed and got.header("content-encoding") is None


# ---- a site that changes ----


def test_pages_and_files_that_come_and_go(serve, tmp_path):
    root = tmp_path / "public_html"
    server = serve(tmp_path, files={"public_html/index.html": "home"})
    assert server.get("/new").status == 404
    (root / "new.dyn.html").write_text("<?lu write('new') ?>")
    wait_for(lambda: server.get("/new").text == "new", "new")
    wait_for(lambda: server.request("POST", "/new", {}, b"").status == 405,
             "405")
    (root / "post.new.dyn.html").write_text("<?lu write('posted') ?>")
    wait_for(lambda: server.request("POST", "/new", {}, b"").text == "posted",
             "posted")
    (root / "new.dyn.html").write_text("<?lu write('newer') ?>")
    wait_for(lambda: server.get("/new").text == "newer", "newer")
    (root / "new.dyn.html").unlink()
    wait_for(lambda: server.get("/new").status == 404, "404")
    (root / "x.css").write_text("x {}")
    wait_for(lambda: server.get("/x.css").text == "x {}", "x {}")


def write_main(folder, text):
    """Whole at once: a reload never sees half a file."""
    new = folder / "main.new"
    new.write_text(text)
    new.rename(folder / "main.lua")


def test_reload_in_the_environment(serve, tmp_path):
    files = {"main.lua": "WORD = 'one'",
             "public_html/index.dyn.html": "<?lu write(WORD) ?>"}
    server = serve(tmp_path, files=files, env={"RELOAD": "true"})
    assert server.get("/").text == "one"
    write_main(tmp_path, "WORD = 'two'")
    wait_for(lambda: server.get("/").text == "two", "two")
    write_main(tmp_path, "WORD = ")
    server.wait_log(r"main\.lua:1: ")
    assert server.get("/").text == "two"


def test_no_static(serve, tmp_path):
    files = {"public_html/static/a.js": "a", "public_html/b.js": "b",
             "public_html/static/x.dyn.js": "x"}
    server = serve(tmp_path, files=files, env={"NO_STATIC": "true"})
    assert server.get("/b.js").text == "b"
    assert server.get("/static/a.js").status == 404
    assert server.get("/static/x.js").status == 404


def test_sizes(serve, tmp_path):
    files = {"public_html/post.size.dyn.txt": "<?lu write(tostring(#body)) ?>",
             "public_html/a.txt": "a"}
    server = serve(tmp_path, files=files, env={
        "HTTP_MAX_BODY_SIZE": "100", "HTTP_MAX_HEADER_SIZE": "1000"})
    post = server.request
    assert post("POST", "/size.txt", {}, b"x" * 100).text == "100"
    assert post("POST", "/size.txt", {}, b"x" * 101).status == 413
    assert server.get("/a.txt", {"x-long": "x" * 2000}).status == 431


def test_a_query_of_too_many_names(serve, tmp_path):
    server = serve(tmp_path, files={
        "public_html/index.dyn.html": "<?lu write(query.a1 or 'none') ?>"})
    query = "&".join(f"a{n}=x" for n in range(1000))
    assert server.get("/?" + query).text == "x"
    assert server.get("/?" + query + "&b=1").status == 413


def test_a_variable_that_means_nothing_is_told(command):
    files = {"public_html/index.html": "x"}
    for name, value in {"HTTP_MAX_BODY_SIZE": "much", "TLS": "true",
                        "NO_STATIC": "perhaps"}.items():
        done = command("check", ".", files=files, env={name: value})
        assert done.returncode == 3 and name in done.stderr, done.stderr


def test_tls_in_the_environment(serve, tmp_path):
    ca = Authority(tmp_path)
    cert, key = ca.sign("site", ["localhost"])
    files = {"public_html/index.dyn.html": "<?lu write(scheme) ?>",
             "main.lua": "function on_before_http(_, _, _, req)"
                         " scheme = req.scheme end"}
    server = serve(tmp_path, files=files, env={
        "TLS": "true", "TLS_PUBKEY": str(cert), "TLS_PRIVKEY": str(key)})
    with server.connect() as wire:
        wire.socket = ca.context().wrap_socket(
            wire.socket, server_hostname="localhost")
        assert wire.request("GET", "/").text == "https"
    assert "https://" in server.log()


def test_in_the_sandbox(serve, tmp_path):
    files = {"main.lua": "require 'perilune'.set { sandbox = true }",
             "public_html/index.dyn.html": "<?include a.priv.html ?>",
             "public_html/a.priv.html": "one",
             "public_html/b.html": "b"}
    server = serve(tmp_path, files=files)
    assert server.get("/").text == "one"
    (tmp_path / "public_html/a.priv.html").write_text("two")
    wait_for(lambda: server.get("/").text == "two", "two")
    (tmp_path / "public_html/new.dyn.html").write_text("new")
    wait_for(lambda: server.get("/new").text == "new", "new")
    assert server.get("/b").text == "b"


# ---- where the folder is ----


def test_without_an_argument(tmp_path):
    for name, text in ACCEPTANCE.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    words = [program(), "--no-supervisor", "-h", "127.0.0.1", "-p", "0"]
    server = Server(words, tmp_path, {"PUBLIC_HTML": "site/"})
    try:
        assert server.get("/").text == page("nobody", 6)
    finally:
        faults = server.finish()
    assert faults == []


def test_public_html_in_the_environment(command):
    files = {"site/main.lua": "WORD = 'here'",
             "site/public_html/index.dyn.html": "<?lu write(WORD) ?>"}
    for value in ("site/", "site"):
        done = command("check", files=files, env={"PUBLIC_HTML": value})
        assert done.returncode == 0, done.stderr
        assert "index.dyn.html" in done.stdout


def test_the_folder_itself_may_be_named(serve, tmp_path):
    files = {"main.lua": "WORD = 'above'",
             "public_html/index.dyn.html": "<?lu write(WORD) ?>"}
    server = serve(tmp_path / "public_html", files=files)
    assert server.get("/").text == "above"


def test_the_routes_of_main_lua_come_first(serve, tmp_path):
    files = {
        "main.lua": """
local pl = require "perilune"
pl.use(function(_, res, next) next() res:header("x-filter", "yes") end)
pl.get("/", function() return "route" end)
pl.get("/api/:id", function(req) return req.params.id end)
""",
        "public_html/index.dyn.html": "page",
        "public_html/a.txt": "file",
    }
    server = serve(tmp_path, files=files)
    assert server.get("/").text == "route"
    assert server.get("/api/7").text == "7"
    got = server.get("/a.txt")
    assert got.text == "file" and got.header("x-filter") == "yes"


def test_a_main_lua_that_comes_later(serve, tmp_path):
    files = {"public_html/index.dyn.html": "<?lu write(WORD or 'none') ?>"}
    server = serve(Path("."), "--watch", files=files)
    assert server.get("/").text == "none"
    (tmp_path / "main.lua").write_text("WORD = 'here'")
    wait_for(lambda: server.get("/").text == "here", "here")


def test_a_main_lua_that_cannot_be_read_is_told(command, tmp_path):
    (tmp_path / "main.lua").mkdir()
    done = command("check", ".", files={"public_html/index.html": "x"})
    assert done.returncode == 3 and "main.lua" in done.stderr


def test_a_main_lua_that_fails_is_told(command):
    files = {"main.lua": "local x = 1\nerror 'no luck'",
             "public_html/index.html": "x"}
    done = command("check", ".", files=files)
    assert done.returncode == 3 and "main.lua:2: no luck" in done.stderr


def test_entry_script_of_80s(serve, tmp_path):
    files = {**{"site/" + name: text for name, text in ACCEPTANCE.items()},
             "start.lua": """
require("aio.aio")
local httpd = require("aio.lib.httpd")
httpd:initialize({root = "site/", body_size = 100, no_static = true})
httpd:enable_live_reload()
"""}
    server = serve(tmp_path / "start.lua", files=files)
    assert server.get("/").text == page("nobody", 6)
    assert server.get("/static/raw").status == 404
    assert server.request("POST", "/form", FORM, b"x" * 101).status == 413


def test_a_folder_below_a_prefix(serve, tmp_path):
    files = {"site.lua": """
local pl = require "perilune"
pl.get("/", function() return "mine" end)
pl.content("/blog", { root = "blog" })
""", "blog/index.dyn.html": "<?lu write(endpoint) ?>",
             "blog/post.add.dyn.html": "<?lu write(method) ?>",
             "blog/a.css": "css"}
    server = serve(tmp_path / "site.lua", files=files)
    assert server.get("/").text == "mine"
    assert server.get("/blog").header("location") == "/blog/"
    assert server.get("/blog/").text == "/blog/"
    assert server.get("/blog/a.css").text == "css"
    assert server.request("POST", "/blog/add", {}, b"").text == "POST"


# ---- hooks ----

HOOKS = """
log = {}
function on_before_http(method, endpoint, session)
  if endpoint == "/closed" then error("keep out") end
  session.before = method .. " " .. endpoint
end
function on_after_http(method, endpoint, session, req, res)
  log[#log + 1] = session.before
  if res then res:header("x-after", session.seen or "not seen") end
  if endpoint == "/noisy" then error("an after that fails") end
end
"""


def test_hooks(serve, tmp_path):
    server = serve(tmp_path, files={
        "main.lua": HOOKS,
        "public_html/a.dyn.html":
            "<?lu session.seen = 'seen' write('%s', session.before) ?>",
        "public_html/closed.dyn.html": "<?lu write('open') ?>",
        "public_html/noisy.dyn.html": "<?lu write('fine') ?>",
        "public_html/broken.dyn.html": "<?lu error('broken') ?>",
        "public_html/log.dyn.json": "<?lu write(log) ?>",
        "public_html/file.txt": "file",
    }, workers=1)
    got = server.get("/a")
    assert got.text == "GET /a" and got.header("x-after") == "seen"
    assert server.get("/noisy").text == "fine"
    server.wait_log("an after that fails")
    assert server.get("/closed").status == 500
    server.wait_log("keep out")
    assert server.get("/broken").status == 500
    assert server.get("/file.txt").header("x-after") is None
    assert "GET /broken" in server.get("/log.json").text


# ---- faults ----


def test_a_page_that_fails_names_its_line(serve, tmp_path):
    server = serve(tmp_path, files={
        "public_html/bad.dyn.html": "fine\n<?lu\n local x = = 1 ?>",
        "public_html/raises.dyn.html": "fine\n\n<?lu\n error('kaboom') ?>",
        "public_html/good.dyn.html": "good",
    })
    got = server.get("/bad")
    assert got.status == 500 and "local x" not in got.text
    server.wait_log(r"bad\.dyn\.html:3: ")
    got = server.get("/raises")
    assert got.status == 500 and "kaboom" not in got.text
    server.wait_log(r"raises\.dyn\.html:4: kaboom")
    assert server.get("/good").text == "good"


def test_with_dev_the_browser_is_told(serve, tmp_path):
    server = serve(Path("."), "--dev", files={
        "public_html/bad.dyn.html": "fine\n<?lu\n local x = = 1 ?>"})
    got = server.get("/bad", {"accept": "text/html"})
    assert got.status == 500 and "bad.dyn.html" in got.text
    assert "local x" in got.text


def test_links_do_not_lead_outside(serve, tmp_path):
    files = {"public_html/index.html": "home", "secret.txt": "secret"}
    server = serve(tmp_path, files=files)
    os.symlink(tmp_path / "secret.txt", tmp_path / "public_html/out.txt")
    assert server.get("/out.txt").status == 404
