"""Content codings of responses and of requests, read and written by other
libraries."""

import os
import shutil
import subprocess
import time
from urllib.parse import quote

import pytest
from harness.codings import ENCODE, decode, decoder
from harness.h2wire import H2Wire, block, frame, settings
from harness.wait import wait_for

CODINGS = ["gzip", "br", "zstd"]
TEXT = "some words that come again, some words that come again\n" * 400
SCRIPT = "function add(a, b) { return a + b; } // a line of a script\n" * 300
LARGE = "".join(f"line {i} of a long answer, {i * i}\n" for i in range(40000))
BIG_FILE = LARGE[: 300 * 1024]

SITE = """
local pl = require "perilune"
pl.set { compress = true, file_cache = "4m", max_body = "100k" }
pl.set { access_log = "-" }
local words = "some words that come again"
local text = (words .. ", " .. words .. "\\n"):rep(400)
local large = {}
for i = 0, 39999 do
  large[#large + 1] = ("line %d of a long answer, %.0f\\n"):format(i, i * i)
end
large = table.concat(large)

pl.get("/text", function() return text end)
pl.get("/large", function() return large end)
pl.get("/short", function() return ("a"):rep(1023) end)
pl.get("/least", function() return ("a"):rep(1024) end)
pl.get("/json", function()
  return { list = { text } }
end)
pl.get("/typed", function(req, res)
  res:header("content-type", req.args.type)
  return text
end)
pl.get("/fields", function(req, res)
  for name, value in pairs(req.args) do res:header(name, value) end
  return text
end)
pl.get("/status/:code", function(req)
  return tonumber(req.params.code), text
end)
pl.get("/noise", function(_, res)
  res:header("content-type", "text/plain")
  return pl.crypto.random(5000)
end)
pl.get("/stream", function(req, res)
  res:header("content-type", req.args.type or "text/plain")
  for i = 1, 3 do
    res:write(("piece %d\\n"):format(i))
    if req.args.wait then pl.shared("go"):incr("written", 1, 0) end
    while req.args.wait and (pl.shared("go"):get("go") or 0) < i do
      pl.sleep(0.001)
    end
  end
end)
pl.post("/go", function() return tostring(pl.shared("go"):incr("go", 1, 0)) end)
pl.get("/pieces", function(_, res)
  res:header("content-type", "text/plain")
  for i = 1, 3 do res:write(large) end
end)
pl.get("/promised", function(_, res)
  res:header("content-type", "text/plain")
  res:header("content-length", tostring(#text))
  res:write(text)
end)
pl.get("/broken", function(_, res)
  res:header("content-type", "text/plain")
  res:write(text)
  error "on the way"
end)
pl.get("/events", { compress = { types = "text/event-stream" } },
  function(_, res)
    local events = res:events()
    for i = 1, 3 do
      events:send("event " .. i)
      while (pl.shared("go"):get("go") or 0) < i do pl.sleep(0.001) end
    end
  end)
pl.get("/off", { compress = false }, function() return text end)
pl.group("/best", { compress = { encodings = "gzip", level = 9, min = "10" } },
  function()
    pl.get("/text", function() return ("abc "):rep(20) end)
    pl.get("/off", { compress = false }, function() return text end)
  end)
pl.static("/files", { root = "public" })
pl.static("/tree", { root = "public", preload = true })
pl.post("/echo", function(req) return req:body() end)
pl.post("/length", function(req)
  local n = 0
  for chunk in req:chunks() do n = n + #chunk end
  return tostring(n)
end)
pl.post("/fields", function(req)
  return tostring(req.headers["content-encoding"])
    .. " " .. tostring(req.headers["content-length"])
end)
pl.post("/unread", function() return "fine" end)
"""


@pytest.fixture(scope="module")
def site(serve_module):
    return serve_module(
        SITE,
        files={
            "public/a.js": SCRIPT,
            "public/page.html": "<!doctype html>" + SCRIPT,
            "public/big.txt": BIG_FILE,
            "public/tiny.txt": "tiny",
            "public/picture.png": "\x89PNG" + SCRIPT,
            "public/drawing.svg": "<svg>" + SCRIPT,
            "public/made.css": SCRIPT,
            "public/made.css.gz": ENCODE["gzip"](b"made before"),
        },
        workers=1,
    )


@pytest.fixture(scope="module")
def old(site):
    """Files that were changed just now are not kept: this waits until they
    were not."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        etag = site.get("/files/a.js", {"Accept-Encoding": "gzip"})
        if etag.header("content-length") is not None:
            return site
    raise AssertionError("never kept")


def get(site, target, coding="gzip", headers=None):
    return site.get(target, {"Accept-Encoding": coding, **(headers or {})})


def text_of(response) -> str:
    return decode(response.header("content-encoding"), response.body).decode()


# ---- what is sent ----


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "target, want, framing",
    [
        ("/text", TEXT, "length"),
        ("/large", LARGE, "chunked"),
        ("/stream", "piece 1\npiece 2\npiece 3\n", "chunked"),
        ("/pieces", LARGE * 3, "chunked"),
        ("/promised", TEXT, "chunked"),
        ("/files/a.js", SCRIPT, "length"),
        ("/files/big.txt", BIG_FILE, "length"),
        ("/tree/a.js", SCRIPT, "length"),
        ("/status/404", TEXT, "length"),
    ],
)
def test_each_coding_of_each_content(old, coding, target, want, framing):
    response = get(old, target, coding)
    assert response.header("content-encoding") == coding
    assert response.header("vary") == "Accept-Encoding"
    assert response.framing == framing
    assert text_of(response) == want
    assert len(response.body) < len(want) or len(want) < 100


@pytest.mark.parametrize(
    "accept, coding",
    [
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("zstd;q=0.9, br;q=0.8", "zstd"),
        ("*", "br"),
        ("br;q=0, *", "zstd"),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0, gzip;q=0.001", "gzip"),
        ("identity;q=0", None),
        ("deflate", None),
        ("", None),
        (None, None),
    ],
)
def test_what_the_client_likes_best(site, accept, coding):
    headers = {} if accept is None else {"Accept-Encoding": accept}
    response = site.get("/text", headers)
    assert response.status == 200
    assert response.header("content-encoding") == coding
    assert response.header("vary") == "Accept-Encoding"  # in any case
    assert text_of(response) == TEXT


@pytest.mark.parametrize("target", ["/short", "/files/tiny.txt", "/unknown"])
def test_what_is_short_stays(site, target):
    response = get(site, target)
    assert response.header("content-encoding") is None
    assert response.header("vary") is None


def test_min_is_the_least_that_is_compressed(site):
    assert get(site, "/least").header("content-encoding") == "gzip"


@pytest.mark.parametrize(
    "kind, coded",
    [
        ("text/html; charset=utf-8", True),
        ("TEXT/CSS", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("image/svg+xml", True),
        ("application/wasm", True),
        ("font/ttf", True),
        ("image/png", False),
        ("video/mp4", False),
        ("application/zip", False),
        ("font/woff2", False),
        ("application/octet-stream", False),
        ("text/event-stream", False),
    ],
)
def test_types(site, kind, coded):
    response = get(site, "/typed?type=" + quote(kind))
    assert (response.header("content-encoding") == "gzip") == coded
    assert (response.header("vary") is not None) == coded
    assert text_of(response) == TEXT


@pytest.mark.parametrize(
    "fields",
    [
        "cache-control=public,%20no-transform",
        "content-encoding=identity",
        "repr-digest=sha-256=:AA==:",
    ],
)
def test_what_may_not_be_touched(site, fields):
    response = get(site, "/fields?" + fields)
    assert response.header("vary") is None
    assert response.text == TEXT


def test_vary_is_one_field(site):
    response = get(site, "/fields?vary=Origin")
    assert response.all("vary") == ["Origin, Accept-Encoding"]
    response = get(site, "/fields?vary=*")
    assert response.all("vary") == ["*"]


def test_what_becomes_no_smaller_is_sent_as_it_is(site):
    response = get(site, "/noise")
    assert response.header("content-encoding") is None
    assert response.header("vary") == "Accept-Encoding"
    assert len(response.body) == 5000


def test_routes_and_groups_have_their_own(site):
    for target in ["/off", "/best/off"]:
        response = get(site, target)
        assert response.header("content-encoding") is None
        assert response.header("vary") is None
        assert response.text == TEXT
    response = get(site, "/best/text", "br, gzip")
    assert response.header("content-encoding") == "gzip"
    assert text_of(response) == "abc " * 20


def test_json_and_other_bodies_of_lua(site):
    response = get(site, "/json")
    assert response.header("content-type").startswith("application/json")
    assert TEXT.split("\n")[0] in text_of(response)


# ---- validators, ranges, HEAD ----


@pytest.mark.parametrize("target", ["/files/a.js", "/tree/a.js"])
def test_validators_are_weak_and_ranges_ignored(old, target):
    plain = old.get(target)
    assert plain.header("etag").startswith('"')
    assert plain.header("accept-ranges") == "bytes"
    assert plain.header("vary") == "Accept-Encoding"
    coded = get(old, target)
    assert coded.header("etag") == "W/" + plain.header("etag")
    assert coded.header("accept-ranges") is None
    ranged = get(old, target, headers={"Range": "bytes=0-9"})
    assert ranged.status == 200
    assert text_of(ranged) == SCRIPT
    part = old.get(target, {"Range": "bytes=0-9"})
    assert (part.status, part.text) == (206, SCRIPT[:10])


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_not_modified_has_the_same_fields(old, coding):
    first = get(old, "/files/a.js", coding)
    for field, name in [
        ("If-None-Match", "etag"),
        ("If-Modified-Since", "last-modified"),
    ]:
        again = get(old, "/files/a.js", coding, {field: first.header(name)})
        assert (again.status, again.body) == (304, b"")
        assert again.header("etag") == first.header("etag")
        assert again.header("vary") == "Accept-Encoding"
    tag = {"If-None-Match": old.get("/files/a.js").header("etag")}
    assert get(old, "/files/a.js", coding, tag).status == 304


@pytest.mark.parametrize(
    "target", ["/text", "/files/a.js", "/files/big.txt", "/large", "/stream"]
)
@pytest.mark.parametrize("coding", ["br", "identity"])
def test_head_has_the_fields_of_get(old, target, coding):
    want = get(old, target, coding)
    response = old.request("HEAD", target, {"Accept-Encoding": coding})
    assert response.body == b""
    for name in ["content-encoding", "vary", "etag", "content-type",
                 "accept-ranges"]:
        assert response.header(name) == want.header(name), name
    if want.framing == "length":
        assert response.header("content-length") == want.header(
            "content-length"
        )


def test_precompressed_siblings_win(site):
    response = get(site, "/files/made.css", "br, gzip;q=0.1")
    assert response.header("content-encoding") == "gzip"
    assert response.header("etag").startswith('"')
    assert text_of(response) == "made before"
    # ... where the client takes them
    response = get(site, "/files/made.css", "br")
    assert response.header("content-encoding") == "br"
    assert response.header("vary") == "Accept-Encoding"
    assert text_of(response) == SCRIPT


def test_pictures_stay_and_keep_their_ranges(site):
    response = get(site, "/files/picture.png", headers={"Range": "bytes=0-3"})
    assert response.status == 206
    response = get(site, "/files/drawing.svg")
    assert response.header("content-encoding") == "gzip"


def test_a_changed_file_is_made_anew(serve, tmp_path):
    site = serve(
        """
        local pl = require "perilune"
        pl.set { compress = true }
        pl.static("/", { root = "public", cache = false })
        """,
        files={"public/a.txt": TEXT},
        workers=1,
    )
    path = tmp_path / "public" / "a.txt"
    for i in range(3):
        path.write_text(TEXT + str(i))
        for _ in range(20):
            assert text_of(get(site, "/a.txt")) == TEXT + str(i)
    long_ago = time.time() - 1000
    path.write_text(TEXT + "old")
    os.utime(path, (long_ago, long_ago))
    assert text_of(get(site, "/a.txt", "br")) == TEXT + "old"


def test_many_ask_for_a_file_that_is_being_made(old):
    wires = [old.connect() for _ in range(20)]
    for wire in wires:
        wire.send(
            b"GET /files/big.txt?x HTTP/1.1\r\nHost: a\r\n"
            b"Accept-Encoding: zstd\r\n\r\n"
        )
    for wire in wires:
        assert text_of(wire.response()) == BIG_FILE
        wire.close()


# ---- streams ----


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("target", ["/stream?wait=1", "/events"])
def test_what_is_written_arrives(serve, coding, target):
    site = serve(SITE, files={"public/x": ""}, workers=1)
    unpack, seen = decoder(coding), b""
    with site.connect() as wire:
        wire.send(
            f"GET {target} HTTP/1.1\r\nHost: a\r\n"
            f"Accept-Encoding: {coding}\r\n\r\n".encode()
        )
        head = wire.read_until(b"\r\n\r\n").lower()
        assert b"content-encoding: " + coding.encode() in head
        for i in range(1, 4):
            want = f"piece {i}\n" if "stream" in target else f"event {i}\n"
            while want.encode() not in seen:
                seen += unpack(read_chunk(wire))
            assert site.request("POST", "/go").status == 200


def read_chunk(wire) -> bytes:
    size = int(wire.read_until(b"\r\n"), 16)
    return wire.read_exactly(size + 2)[:-2]


def test_an_error_on_the_way_is_seen(site):
    with site.connect() as wire:
        wire.send(
            b"GET /broken HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
        )
        assert not wire.read_to_end().endswith(b"0\r\n\r\n")


def test_a_slow_reader_gets_all(site):
    with site.connect() as wire:
        wire.send(
            b"GET /pieces HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd\r\n\r\n"
        )
        assert get(site, "/text").status == 200  # others are not held up
        assert text_of(wire.response()) == LARGE * 3


def test_a_client_that_goes_is_forgotten(site):
    for target in ["/large", "/pieces", "/stream", "/files/big.txt"]:
        for _ in range(10):
            with site.connect() as wire:
                wire.send(
                    f"GET {target} HTTP/1.1\r\nHost: a\r\n"
                    "Accept-Encoding: br\r\n\r\n".encode()
                )
    assert text_of(get(site, "/large", "br")) == LARGE


def test_http_1_0_reads_to_the_end(site):
    with site.connect() as wire:
        wire.send(b"GET /large HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
        response = wire.response()
        assert response.framing == "close"
        assert text_of(response) == LARGE


def test_pipelined(site):
    with site.connect() as wire:
        targets = ["/large", "/text", "/stream", "/large"]
        for target in targets:
            wire.send(
                f"GET {target} HTTP/1.1\r\nHost: a\r\n"
                "Accept-Encoding: gzip\r\n\r\n".encode()
            )
        for target in targets:
            assert len(text_of(wire.response())) in (len(LARGE), len(TEXT), 24)


@pytest.mark.parametrize("coding", CODINGS)
def test_over_http2(site, coding):
    targets = ["/text", "/large", "/stream", "/files/big.txt", "/pieces"]
    with H2Wire(site.addresses()[0]) as wire:
        wire.greet(settings(INITIAL_WINDOW_SIZE=1 << 24), window_all())
        for i, target in enumerate(targets):
            head = block(
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "a"),
                (":path", target),
                ("accept-encoding", coding),
            )
            wire.send(frame(1, 5, 2 * i + 1, head))
        for i, target in enumerate(targets):
            answer = wire.answer(2 * i + 1)
            assert answer.header("content-encoding") == coding, target
            text = decode(coding, answer.body).decode()
            assert text[:6] in (LARGE[:6], TEXT[:6], "piece ", BIG_FILE[:6])
            assert answer.code is None


def window_all():
    return frame(8, 0, 0, (1 << 24).to_bytes(4, "big"))


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_curl_compressed(site):
    done = subprocess.run(
        ["curl", "-sS", "--compressed", site.url("/large")],
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == LARGE


def test_the_access_log_has_the_bytes_that_were_sent(site):
    response = get(site, "/stream?log")
    sent = len(response.body)
    assert int(site.wait_log(r'/stream\?log HTTP/1.1" 200 (\d+)')[0][1]) == sent


# ---- requests ----


def post(site, target, body, coding, **more):
    headers = {"Content-Encoding": coding, **more}
    return site.request("POST", target, headers, body)


@pytest.mark.parametrize("coding", [*ENCODE, "x-gzip", "GZIP", "identity"])
def test_bodies_of_requests(site, coding):
    pack = ENCODE.get(coding.lower().removeprefix("x-"), bytes)
    for body in [b"", b"a", TEXT.encode(), os.urandom(70000)]:
        response = post(site, "/echo", pack(body), coding)
        assert (response.status, response.body) == (200, body)


@pytest.mark.parametrize("coding", ENCODE)
def test_bodies_byte_by_byte(site, coding):
    body = ENCODE[coding](LARGE[:2000].encode())
    head = (
        f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: {coding}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with site.connect() as wire:
        wire.send(head.encode() + body, "bytewise")
        assert wire.response().text == LARGE[:2000]


@pytest.mark.parametrize("coding", ENCODE)
def test_bodies_in_chunks(site, coding):
    body = ENCODE[coding](LARGE[:90000].encode())
    pieces = [body[i : i + 777] for i in range(0, len(body), 777)]
    with site.connect() as wire:
        wire.send(
            b"POST /echo HTTP/1.1\r\nHost: a\r\n"
            b"Transfer-Encoding: chunked\r\n"
            + f"Content-Encoding: {coding}\r\n\r\n".encode()
            + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
            + b"0\r\n\r\n"
        )
        assert wire.response().text == LARGE[:90000]


def test_several_members_of_gzip_are_one_body(site):
    pack = ENCODE["gzip"]
    response = post(site, "/echo", pack(b"one ") + pack(b"two"), "gzip")
    assert response.text == "one two"


def test_fields_of_the_coding_are_not_seen(site):
    response = post(site, "/fields", ENCODE["gzip"](b"abc"), "gzip")
    assert response.text == "nil nil"


@pytest.mark.parametrize("coding", ENCODE)
def test_bombs_are_too_large(site, coding):
    bomb = ENCODE[coding](bytes(50 << 20))
    assert len(bomb) < 100 * 1024
    assert post(site, "/echo", bomb, coding).status == 413
    response = post(site, "/length", bomb, coding)  # a stream has no limit
    assert (response.status, response.text) == (200, str(50 << 20))


def test_the_limit_is_of_decoded_bytes(site):
    pack = ENCODE["zstd"]
    assert post(site, "/echo", pack(bytes(100 * 1024)), "zstd").status == 200
    too_long = pack(bytes(100 * 1024 + 1))
    assert post(site, "/echo", too_long, "zstd").status == 413


@pytest.mark.parametrize("coding", ENCODE)
def test_broken_bodies(site, coding):
    whole = ENCODE[coding](TEXT.encode())
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0x55
    for body in [whole[:-1], whole[:1], b"rubbish", whole + b"rubbish"]:
        assert post(site, "/echo", body, coding).status == 400
    assert post(site, "/echo", bytes(damaged), coding).status in (200, 400, 413)
    response = post(site, "/unread", b"rubbish", coding)
    assert (response.status, response.text) == (200, "fine")


@pytest.mark.parametrize(
    "coding", ["lzma", "compress", "gzip, br", "gzip, gzip"]
)
def test_codings_that_are_not_known(site, coding):
    response = post(site, "/echo", b"abc", coding)
    assert response.status == 415
    names = response.header("accept-encoding").split(", ")
    assert sorted(names) == ["br", "deflate", "gzip", "zstd"]


def test_without_the_filter_a_body_is_what_came(serve):
    site = serve(
        """
        local pl = require "perilune"
        pl.post("/", function(req)
          return req.headers["content-encoding"] .. #req:body()
        end)
        pl.group("/raw", { compress = { requests = false } }, function()
          pl.post("/", function(req) return tostring(#req:body()) end)
        end)
        """
    )
    body = ENCODE["gzip"](TEXT.encode())
    assert post(site, "/", body, "gzip").text == f"gzip{len(body)}"
    assert post(site, "/raw/", body, "gzip").text == str(len(body))


# ---- what is wrong with a site ----


@pytest.mark.parametrize(
    "options, why",
    [
        ('{ encodings = { "lzma" } }', "'lzma' is none of br, zstd, gzip"),
        ('{ level = 10 }', "level: 1 to 9 is possible"),
        ('{ min = "much" }', "'much' is no size"),
        ('{ typse = "text/html" }', "did you mean 'types'"),
        ("7", "options must be a table"),
    ],
)
def test_wrong_options(serve, options, why):
    site = serve(
        'local pl = require "perilune"\npl.set { compress = %s }\n' % options,
        announced=False,
    )
    assert site.wait() != 0
    assert why in site.log()
    assert "site.lua:2" in site.log()


# ---- the limit of memory ----

CROWD = """
local pl = require "perilune"
pl.set { compress = { encodings = "CODING", level = LEVEL } }
local seen = pl.shared "seen"
pl.get("/", function(_, res)
  res:header("content-type", "text/plain")
  for i = 1, 40 do
    res:write(("line %d of %d\\n"):format(i * i * 7919, i):rep(30))
  end
  seen:incr("open", 1, 0)
  while not seen:get "go" do pl.sleep(0.01) end
  res:write "the end"
end)
pl.get("/open", { compress = false }, function()
  return tostring(seen:get "open" or 0)
end)
pl.get("/go", { compress = false }, function() seen:set("go", true) end)
"""


@pytest.mark.parametrize(
    ("coding", "level"), [("br", 4), ("br", 9), ("zstd", 9), ("gzip", 9)]
)
def test_a_crowd_of_streams_is_answered(serve, coding, level):
    """Beyond the limit as it is: what has begun in a coding goes on in it."""
    site = CROWD.replace("CODING", coding).replace("LEVEL", str(level))
    server, crowd = serve(site, workers=1), []
    text = "".join(f"line {i * i * 7919} of {i}\n" * 30 for i in range(1, 41))
    try:
        for _ in range(280):
            crowd.append(server.connect())
            crowd[-1].send(
                b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %b\r\n\r\n"
                % coding.encode()
            )
        wait_for(lambda: server.get("/open").text == "280", "all are open")
        server.get("/go")
        answers = [wire.response() for wire in crowd]
    finally:
        for wire in crowd:
            wire.close()
    codings = [answer.header("content-encoding") for answer in answers]
    assert 1 <= codings.count(coding) < 280
    for used, answer in zip(codings, answers):
        assert decode(used, answer.body).decode() == text + "the end"
