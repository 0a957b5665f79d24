"""pl.proxy: requests sent on to servers that behave, and to others. Choosing
servers, their health and connections: test_upstream_pool.py."""

import socket
import threading
from contextlib import contextmanager

import pytest

from harness.certs import Authority
from harness.codings import ENCODE, decode
from harness.h2wire import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    DATA,
    H2Wire,
    block,
    frame,
    window,
)
from harness.reload import GONE
from harness.server import sanitized
from harness.upstream import Upstream, always, raw
from harness.wire import Closed

MANY = 8_000_000
OK = b"HTTP/1.1 200 OK\r\n"
POST_100 = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"


def site(upstream, options="", prefix="/", before=""):
    return f"""
local pl = require "perilune"
{before}
pl.proxy("{prefix}", {{ to = "{upstream.url}", {options} }})
"""


@pytest.fixture
def behind(serve):
    """Starts a server before an upstream that behaves as told."""
    opened = []

    def start(talk, options="", prefix="/", before="", **more):
        upstream = Upstream(talk)
        opened.append(upstream)
        more.setdefault("workers", 1)
        text = site(upstream, options, prefix, before)
        return serve(text, **more), upstream

    yield start
    for upstream in opened:
        upstream.__exit__(None)


def is_small(server) -> bool:
    return sanitized() or server.proc.rss_kib() < 60_000


def echo(talk):
    """Says what it was asked."""
    while request := talk.request():
        lines = [request.line, *(f"{n}: {v}" for n, v in request.headers)]
        talk.say("\n".join(lines).encode() + b"\n\n" + request.body)


def h2(server, *fields, method="GET", path="/", end=True):
    return frame(
        HEADERS,
        END_HEADERS | (END_STREAM if end else 0),
        1,
        block(
            (":method", method),
            (":scheme", "http"),
            (":authority", "site.example"),
            (":path", path),
            *fields,
        ),
    )


# ---- what is sent on ----


def test_request_and_answer(behind):
    server, upstream = behind(always(b"hello", "200 OK", "X-Made-By: them"))
    answer = server.get("/a/b?c=d&e", {"X-Own": "1", "Accept": "x/y"})
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.header("x-made-by") == "them"
    assert answer.framing == "length"
    request = upstream.requests[0]
    assert request.line == "GET /a/b?c=d&e HTTP/1.1"
    assert request.header("x-own") == "1"
    assert request.header("accept") == "x/y"
    assert request.header("connection") is None
    assert request.header("content-length") is None


def test_connections_are_kept(behind):
    server, upstream = behind(always())
    with server.connect() as wire:
        for _ in range(50):
            assert wire.get("/").body == b"hello"
    assert upstream.accepted == 1


def test_fields_of_the_connection_stay(behind):
    server, upstream = behind(
        always(b"x", "200 OK", "Connection: X-Hop", "X-Hop: 1", "X-Stays: 1",
               "Keep-Alive: timeout=60", "Proxy-Connection: x")
    )  # fmt: skip
    with server.connect() as wire:
        answer = wire.get("/", {"Connection": "X-Mine", "X-Mine": "1",
                                "Keep-Alive": "300", "X-Not": "2",
                                "TE": "gzip"})  # fmt: skip
    request = upstream.requests[0]
    for name in ("connection", "x-mine", "keep-alive", "te"):
        assert request.header(name) is None, name
    assert request.header("x-not") == "2"
    for name in ("connection", "x-hop", "keep-alive", "proxy-connection"):
        assert answer.header(name) is None, name
    assert answer.header("x-stays") == "1"
    assert len(answer.all("date")) == 1


def test_who_asks_is_said(behind):
    server, upstream = behind(always(), 'forwarded = "both", via = true')
    answer = server.get(
        "/",
        {"Host": "a.example:81", "X-Forwarded-For": "6.6.6.6",
         "Forwarded": "for=6.6.6.6"},
    )  # fmt: skip
    request = upstream.requests[0]
    assert request.header("x-forwarded-for") == "127.0.0.1", "a lie is dropped"
    assert request.header("x-forwarded-proto") == "http"
    assert request.header("x-forwarded-host") == "a.example:81"
    assert request.header("forwarded") == (
        'for=127.0.0.1;proto=http;host="a.example:81"'
    )
    assert request.header("via") == "1.1 perilune"
    assert answer.header("via") == "1.1 perilune"
    assert request.header("host") == "a.example:81"


def test_a_trusted_proxy_is_believed(behind):
    trusted = 'pl.set { trusted = "127.0.0.1" }'
    server, upstream = behind(always(), before=trusted)
    server.get("/", {"X-Forwarded-For": "192.0.2.7"})
    request = upstream.requests[0]
    assert request.header("x-forwarded-for") == "192.0.2.7, 127.0.0.1"


def test_lies_of_clients_are_dropped(behind):
    server, upstream = behind(always())
    lies = ("Forwarded", "X-Real-IP", "X-Forwarded-Port", "X-Forwarded-Prefix")
    server.get("/", {name: "6.6.6.6" for name in lies})
    for name in lies:
        assert upstream.requests[0].header(name) is None, name


def test_fields_that_would_become_the_same_variable(behind):
    """For CGI and its kin "_" is "-", and Proxy is HTTP_PROXY."""
    server, upstream = behind(always())
    lies = ("X_Real_IP", "X_Forwarded_For", "x-forwarded_host", "Proxy")
    server.get("/", {**{name: "6.6.6.6" for name in lies}, "X_Own": "1"})
    request = upstream.requests[0]
    assert request.header("x_own") == "1"
    assert "6.6.6.6" not in [value for _, value in request.headers]


def test_fields_that_read_alike_through_a_trusted_proxy(behind):
    trust = 'pl.set { trusted = "127.0.0.1" }'
    server, upstream = behind(always(), before=trust)
    server.get("/", {"X-Forwarded-For": "192.0.2.7",
                     "X_Forwarded_For": "6.6.6.6",
                     "X-Real-IP": "192.0.2.7"})  # fmt: skip
    request = upstream.requests[0]
    assert request.header("x-forwarded-for") == "192.0.2.7, 127.0.0.1"
    assert request.header("x-real-ip") == "192.0.2.7"
    assert request.header("x_forwarded_for") is None


def test_nobody_is_named_if_not_wanted(behind):
    server, upstream = behind(always(), "forwarded = false")
    server.get("/", {"X-Forwarded-For": "192.0.2.7"})
    request = upstream.requests[0]
    assert request.header("x-forwarded-for") == "192.0.2.7"
    assert request.header("x-forwarded-proto") is None


@pytest.mark.parametrize(
    "option, want",
    [("", "site.example"), ('host = "upstream",', None),
     ('host = "other.example",', "other.example")],
)  # fmt: skip
def test_host(behind, option, want):
    server, upstream = behind(always(), option)
    server.get("/", {"Host": "site.example"})
    want = want or f"127.0.0.1:{upstream.port}"
    assert upstream.requests[0].header("host") == want


def test_field_rules(behind):
    server, upstream = behind(
        always(b"", "200 OK", "X-Powered-By: php", "Server: old", "X-A: 1"),
        """request_headers = { ["X-Set"] = "1", Cookie = false },
        response_headers = { ["X-Powered-By"] = false, ["X-A"] = "2" }""",
    )
    answer = server.get("/", {"Cookie": "a=b", "X-Set": "0"})
    request = upstream.requests[0]
    assert request.header("x-set") == "1"
    assert request.header("cookie") is None
    assert answer.header("x-powered-by") is None
    assert answer.header("x-a") == "2"
    assert answer.header("server") == "perilune"


def typed_echo(talk):
    while request := talk.request():
        talk.say(request.body, "200 OK", "Content-Type: text/plain")


CODED = "pl.set { compress = { min = 1 }, max_body = '1m' }"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("size", [100, 500_000])
def test_codings_end_here_with_compress(behind, coding, size):
    """What comes in a coding is sent on without, and the other way around."""
    server, upstream = behind(typed_echo, before=CODED)
    body = b"some words that come again " * (size // 27)
    fields = {"Content-Encoding": coding, "Accept-Encoding": coding}
    answer = server.request("POST", "/", fields, ENCODE[coding](body))
    request = upstream.requests[0]
    assert request.body == body
    assert request.header("content-encoding") is None
    assert answer.header("content-encoding") == coding
    assert decode(coding, answer.body) == body


def test_what_is_in_a_coding_already_stays(behind):
    packed = ENCODE["gzip"](b"hello " * 1000)
    talk = always(packed, "200 OK", "Content-Encoding: gzip", 'ETag: "a"')
    server, _ = behind(talk, before=CODED)
    answer = server.get("/", {"Accept-Encoding": "br, gzip"})
    assert answer.body == packed and answer.header("etag") == '"a"'


def test_broken_codings_are_the_clients_fault(behind):
    server, upstream = behind(echo, before=CODED)
    for body in (b"no gzip at all", ENCODE["gzip"](b"hello " * 9000)[:-9]):
        answer = server.request("POST", "/", {"Content-Encoding": "gzip"}, body)
        assert answer.status == 400
    assert server.get("/").status == 200


# ---- paths ----


@pytest.mark.parametrize(
    "options, asked, want",
    [
        ("", "/api/x?q", "/api/x?q"),
        ("", "/api", "/api"),
        ("strip = true", "/api/x?q", "/x?q"),
        ("strip = true", "/api", "/"),
        ("strip = true", "/api/", "/"),
        ("strip = true", "/api?", "/?"),
        ('path = "/v1"', "/api/x", "/v1/x"),
        ('path = "/v1/"', "/api", "/v1/"),
        ('path = "/v1"', "/api", "/v1"),
        ('path = "/v1"', "/%61pi/x%20y", "/v1/x%20y"),
        ("", "/api/a%2Fb", "/api/a%2Fb"),
        ("", "/other/../api/x%3Fy", "/api/x%3Fy"),
        ("", "/api/a%2fb/./c", "/api/a%2Fb/c"),
        ("strip = true", "/api//x", "//x"),
    ],
)
def test_paths(behind, options, asked, want):
    server, upstream = behind(always(), options, prefix="/api")
    assert server.get(asked).status == 200
    assert upstream.requests[0].target == want


def test_path_of_the_url(serve):
    with Upstream(always()) as upstream:
        upstream.url += "/base/"
        server = serve(site(upstream, prefix="/app"), workers=1)
        server.get("/app/x")
        assert upstream.requests[0].target == "/base/x"


@pytest.mark.parametrize(
    "path", ["/api/..%2Fadmin", "/api/..%5cadmin", "/api/..;/admin",
             "/api/x%2f..%2fy", "/api/.;a/b"]
)  # fmt: skip
def test_two_faced_paths_are_refused(behind, path):
    server, upstream = behind(always(), prefix="/api")
    assert server.get(path).status == 400
    assert not upstream.requests


def test_location_and_cookies(behind):
    def talk(talk):
        while request := talk.request():
            where = request.header("x-where").replace("SELF", talk.upstream.url)
            talk.say(b"", "302 Found", f"Location: {where}",
                     "Set-Cookie: a=b; Path=/v1/x; Domain=inner.example",
                     "Set-Cookie: c=d; path=/; HttpOnly")  # fmt: skip

    server, upstream = behind(
        talk, 'path = "/v1", cookie_domain = "site.example"', prefix="/api"
    )
    for said, want in [
        ("SELF/v1/next?q#f", "/api/next?q#f"),
        ("/v1/next", "/api/next"),
        ("/v1", "/api"),
        ("/v12", "/v12"),
        ("http://site.example/v1/x", "/api/x"),
        ("https://site.example/v1/x", "/api/x"),
        ("http://elsewhere.example/v1/x", "http://elsewhere.example/v1/x"),
        ("next", "next"),
        ("//elsewhere.example/v1/x", "//elsewhere.example/v1/x"),
        ("SELF//evil.example/x", "SELF//evil.example/x"),
    ]:
        answer = server.get("/api", {"Host": "site.example", "X-Where": said})
        assert answer.header("location") == want.replace("SELF", upstream.url)
    assert answer.all("set-cookie") == [
        "a=b; Path=/api/x; Domain=site.example", "c=d; path=/; HttpOnly"
    ] or answer.all("set-cookie") == [
        "a=b; Path=/api/x; Domain=site.example", "c=d; Path=/; HttpOnly"
    ]  # fmt: skip


# ---- bodies ----


@pytest.mark.parametrize("size", [0, 1, 5000, 70_000, MANY])
def test_body_with_a_length(behind, size):
    body = bytes(range(256)) * (size // 256 + 1)

    def talk(talk):
        while request := talk.request():
            talk.say(request.body[::-1])

    server, upstream = behind(talk)
    answer = server.request("POST", "/", None, body[:size])
    assert answer.body == body[:size][::-1]
    assert upstream.requests[0].header("content-length") == str(size)


def test_chunked_body_and_trailers(behind):
    server, upstream = behind(echo)
    with server.connect() as wire:
        wire.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n\r\n"
        )
        assert wire.response().body.endswith(b"abcdefg")
    request = upstream.requests[0]
    assert request.header("transfer-encoding") == "chunked"
    assert request.trailers == [("X-Sum", "7")]


def test_chunked_answer(behind):
    def talk(talk):
        while talk.request():
            talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in (b"one ", b"two ", b"three"):
                talk.send(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece))
            talk.send(b"0\r\nX-Sum: 13\r\nContent-Length: 3\r\n\r\n")

    server, upstream = behind(talk)
    with server.connect() as wire:
        answer = wire.get("/")
        assert (answer.body, answer.framing) == (b"one two three", "chunked")
        assert answer.trailers == [], "nobody has asked for them"
        answer = wire.get("/", {"TE": "trailers"})
        assert answer.trailers == [("X-Sum", "13")]
    assert upstream.requests[1].header("te") == "trailers"
    assert upstream.accepted == 1


def test_answer_up_to_the_end_of_the_connection(behind):
    server, upstream = behind(raw(b"HTTP/1.0 200 OK\r\n\r\nold style"))
    answer = server.get("/")
    assert (answer.body, answer.framing) == (b"old style", "chunked")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_a_body(behind, status):
    server, upstream = behind(always(b"", status, 'ETag: "x"'))
    with server.connect() as wire:
        for _ in range(3):
            answer = wire.get("/")
            assert answer.status == int(status[:3]) and answer.body == b""
            assert answer.header("etag") == '"x"'
    assert upstream.accepted == 1


def test_head(behind):
    def talk(talk):
        while request := talk.request():
            assert request.method == "HEAD"
            known = request.target == "/known"
            talk.send(
                OK + b"Content-Length: 1000\r\n\r\n"
                if known
                else OK + b"Transfer-Encoding: chunked\r\n\r\n"
            )

    server, upstream = behind(talk)
    with server.connect() as wire:
        assert wire.request("HEAD", "/known").header("content-length") == "1000"
        answer = wire.request("HEAD", "/unknown")
        assert answer.status == 200 and answer.header("content-length") is None
    assert upstream.accepted == 1


def test_conditions_and_ranges_are_the_upstreams(behind):
    """It has answered 200 with all of it: so do we."""
    server, upstream = behind(always(b"0123456789", "200 OK", 'ETag: "x"'))
    answer = server.get("/", {"If-None-Match": '"x"', "Range": "bytes=1-2"})
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert upstream.requests[0].header("range") == "bytes=1-2"
    assert upstream.requests[0].header("if-none-match") == '"x"'


def test_a_slow_reader_holds_the_upstream(behind):
    """All that is between the two ends is a few buffers."""
    sent = []

    def talk(talk):
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try:
            for _ in range(100):
                talk.send(b"x" * 1_000_000)
                sent.append(1)
        except OSError:
            return

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"\r\n\r\n")
        before = -1
        while before != len(sent):
            before = len(sent)
            threading.Event().wait(0.3)
        assert len(sent) < 40, "the upstream has to wait"
        assert is_small(server)
        left = 100_000_000
        while left:
            left -= len(wire.read_exactly(min(left, 1_000_000)))
    assert is_small(server)


def test_a_slow_upstream_holds_the_client(behind):
    go = threading.Event()

    def talk(talk):
        request = talk.head()
        go.wait(60)
        talk.read_body(request)
        talk.say(str(len(request.body)).encode())

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\n"
                  b"Content-Length: 60000000\r\n\r\n")  # fmt: skip
        wire.socket.settimeout(1)
        left = 60_000_000
        try:
            while left:
                left -= wire.socket.send(b"x" * min(left, 1_000_000))
        except TimeoutError:
            pass
        assert left > 20_000_000, "the client has to wait"
        assert is_small(server)
        go.set()
        wire.socket.settimeout(60)
        wire.socket.sendall(b"x" * left)
        assert wire.response().body == b"60000000"


def test_both_ways_at_once(behind):
    """The answer streams while the request does."""

    def talk(talk):
        talk.head()
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            piece = talk.exactly(10)
            talk.send(b"a\r\n" + piece + b"\r\n")
        talk.send(b"0\r\n\r\n")

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n")
        wire.send(b"0123456789")
        wire.read_until(b"\r\n\r\n")
        for _ in range(4):
            assert b"0123456789" in wire.read_until(b"789\r\n")
            wire.send(b"0123456789")
        assert wire.read_until(b"0\r\n\r\n").endswith(b"0\r\n\r\n")


def test_events_flow_at_once(behind):
    go = threading.Event()

    def talk(talk):
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        talk.send(b"data: 1\n\n")
        go.wait(60)
        talk.send(b"data: 2\n\n")

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"data: 1\n\n")
        go.set()
        wire.read_until(b"data: 2\n\n")


# ---- 1xx ----


def test_expect_is_passed_on(behind):
    def talk(talk):
        request = talk.head()
        assert request.header("expect") == "100-continue"
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        talk.read_body(request)
        talk.say(request.body)

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                  b"Expect: 100-continue\r\n\r\n")  # fmt: skip
        assert wire.response(interim=True).status == 100
        wire.send(b"abc")
        assert wire.response().body == b"abc"


def test_a_refused_expectation_costs_no_body(behind):
    def talk(talk):
        talk.head()
        talk.say(b"no", "413 Too Much")

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                  b"Expect: 100-continue\r\n\r\n")  # fmt: skip
        answer = wire.response(interim=True)
        assert (answer.status, answer.body) == (413, b"no")


def test_expect_without_an_answer_goes_on(behind):
    server, _ = behind(echo)
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                  b"Expect: 100-continue\r\n\r\n")  # fmt: skip
        assert wire.response(interim=True).status == 100
        wire.send(b"abc")
        assert wire.response().body.endswith(b"abc")


def test_early_hints_go_through(behind):
    def talk(talk):
        while talk.request():
            talk.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            talk.say(b"x")

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        hint = wire.response(interim=True)
        assert (hint.status, hint.header("link")) == (103, "</a>")
        assert wire.response(interim=True).body == b"x"


def test_hints_without_end_are_ended(behind):
    def talk(talk):
        talk.request()
        for _ in range(1000):
            talk.send(b"HTTP/1.1 102 Processing\r\n\r\n")

    server, _ = behind(talk)
    assert server.get("/").status == 502


# ---- bad answers ----

BAD = {
    "no HTTP": b"hello\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "one length twice": OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "length and coding": OK
    + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "odd length": OK + b"Content-Length: +1\r\n\r\na",
    "unknown coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "coding in HTTP/1.0": b"HTTP/1.0 200 OK\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 1\n\na",
    "folding": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": OK + b"Content-Length : 0\r\n\r\n",
    "NUL": OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "odd status": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "unasked 101": b"HTTP/1.1 101 Now\r\nConnection: Upgrade\r\n"
    b"Upgrade: x\r\n\r\n",
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "large head": OK + b"X: %s\r\n" % (b"y" * 1000) * 100 + b"\r\n",
    "204 with chunks": b"HTTP/1.1 204 No\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", BAD)
def test_bad_answers(behind, what):
    server, upstream = behind(raw(BAD[what]), "max_failures = false")
    answer = server.request("POST", "/", None, b"x")
    assert answer.status == 502, what
    assert answer.keeps_alive
    server.wait_log(r"upstream: .* status=502")
    assert upstream.accepted == 1, "a POST is sent once"


@pytest.mark.parametrize("what", ["no HTTP", "two lengths", "large head"])
def test_bad_answers_byte_by_byte(behind, what):
    def talk(talk):
        talk.request()
        talk.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(min(len(BAD[what]), 400)):
            talk.send(BAD[what][at : at + 1])
        talk.send(BAD[what][400:])

    server, _ = behind(talk)
    assert server.request("POST", "/", None, b"x").status == 502


def test_good_answers_byte_by_byte(behind):
    text = (b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n")  # fmt: skip

    def talk(talk):
        while talk.request():
            talk.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(text)):
                talk.send(text[at : at + 1])

    server, upstream = behind(talk)
    for _ in range(3):
        answer = server.get("/", {"TE": "trailers"})
        assert answer.body == b"hello" and answer.header("x-a") == "b"
        assert answer.trailers == [("X-T", "1")]
    assert upstream.accepted == 1


@pytest.mark.parametrize(
    "text",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX"],
)  # fmt: skip
def test_a_broken_answer_breaks_ours(behind, text):
    server, _ = behind(raw(text))
    with server.connect() as wire:
        with pytest.raises(Closed):
            wire.get("/")
    server.wait_log("upstream: ")
    assert server.log().count("upstream: ") == 1, "said once"


def test_bytes_behind_an_answer_poison_nobody(behind):
    def talk(talk):
        if talk.request():
            head = OK + b"Content-Length: 4\r\n\r\n"
            talk.send(head + b"good" + head + b"evil")
            talk.more()

    server, upstream = behind(talk)
    with server.connect() as wire:
        for _ in range(5):
            assert wire.get("/").body == b"good"
    assert upstream.accepted == 5


def test_bytes_on_an_idle_connection_close_it(behind):
    later = threading.Event()

    def talk(talk):
        if talk.request():
            talk.say(b"good")
            later.wait(60)
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            talk.more()

    server, upstream = behind(talk)
    assert server.get("/").body == b"good"
    later.set()
    upstream.wait_ended(1)
    assert server.get("/").body == b"good"
    assert upstream.accepted == 2


# ---- who leaves ----


def test_an_answer_before_the_end_of_the_request(behind):
    def talk(talk):
        talk.head()
        talk.say(b"too large", "413 Content Too Large", "Connection: close")

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(POST_100 + b"abc")
        answer = wire.response()
        assert (answer.status, answer.body) == (413, b"too large")


@pytest.mark.parametrize("stage", ["waiting", "streaming"])
def test_a_client_that_leaves_ends_the_upstreams_work(behind, stage):
    left = threading.Event()

    def talk(talk):
        talk.request()
        if stage == "streaming":
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        assert not talk.more()
        left.set()

    server, upstream = behind(talk)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        upstream.wait_requests(1)
        if stage == "streaming":
            wire.read_until(b"\r\n\r\nx")
        wire.reset()
    assert left.wait(60)


def test_a_client_that_breaks_off_its_body(behind):
    def talk(talk):
        request = talk.head()
        assert len(talk.exactly(100)) < 100
        del request

    server, upstream = behind(talk)
    with server.connect() as wire:
        wire.send(POST_100 + b"abc")
        upstream.wait_requests(1)
    upstream.wait_ended(1)


def test_a_reset_is_a_502(behind):
    def talk(talk):
        talk.head()
        talk.reset()

    server, _ = behind(talk, "max_failures = false")
    assert server.request("POST", "/", None, b"x").status == 502


# ---- time ----


def hang(talk):
    talk.request()
    talk.more()


def test_no_answer_is_504(behind):
    server, _ = behind(hang, 'first_byte_timeout = "200ms"')
    assert server.get("/").status == 504
    server.wait_log("did not answer in time status=504")


def test_an_answer_that_stops(behind):
    def talk(talk):
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        talk.more()

    server, upstream = behind(talk, 'read_timeout = "200ms"')
    with server.connect() as wire:
        with pytest.raises(Closed):
            wire.get("/")
    upstream.wait_ended(1)


def test_all_of_it_has_a_limit(behind):
    def talk(talk):
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            talk.send(b"x")
            threading.Event().wait(0.02)

    server, upstream = behind(talk, 'total_timeout = "500ms"')
    with server.connect() as wire:
        with pytest.raises(Closed):
            wire.get("/")
    upstream.wait_ended(1)


def test_a_refused_connection_is_502(serve):
    with Upstream(always()) as upstream:
        upstream.close()
        server = serve(site(upstream), workers=1)
        assert server.get("/").status == 502
        assert server.request("POST", "/", None, b"x").status == 502
        server.wait_log("Connection refused")


# ---- other ways ----


def test_unix_socket(serve, tmp_path):
    with Upstream(always(), path=tmp_path / "up") as upstream:
        server = serve(site(upstream), workers=1)
        assert server.get("/").body == b"hello"
        assert upstream.requests[0].header("host") == "localhost"


def test_tls(serve, tmp_path):
    authority = Authority(tmp_path)
    cert, key = authority.sign("up", ["127.0.0.1"])
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Upstream(always(), context=context) as upstream:
        options = f'tls = {{ ca = "{authority.cert}" }}'
        server = serve(site(upstream, options), workers=1)
        with server.connect() as wire:
            for _ in range(5):
                assert wire.get("/").body == b"hello"
        assert upstream.accepted == 1
        other = serve(site(upstream), workers=1)
        assert other.get("/").status == 502, "who has signed that?"


def test_names_are_looked_up(behind, serve):
    with Upstream(always()) as upstream:
        upstream.url = f"http://localhost:{upstream.port}"
        server = serve(site(upstream), workers=1)
        assert server.get("/").body == b"hello"


def test_no_such_host(serve):
    with Upstream(always()) as upstream:
        upstream.url = "http://no-such-host.invalid"
        server = serve(site(upstream), workers=1)
        assert server.get("/").status in (502, 504)


# ---- WebSockets ----


def websocket(talk):
    request = talk.head()
    assert request.header("connection") == "Upgrade"
    assert request.header("upgrade") == "websocket"
    key = request.header("sec-websocket-key")
    import base64
    import hashlib

    text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()
    talk.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
        b"Upgrade: websocket\r\nX-Other: 1\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\nfirst" % accept.encode()
    )
    while talk.more():
        talk.send(talk.buffer.upper())
        talk.buffer = b""


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_websocket(behind):
    server, upstream = behind(websocket)
    with server.connect() as wire:
        wire.send(UPGRADE + b"early")
        answer = wire.response()
        assert answer.status == 101
        assert answer.header("upgrade") == "websocket"
        assert answer.header("x-other") == "1"
        assert answer.header("sec-websocket-accept") == (
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        )
        assert wire.read_exactly(10) == b"firstEARLY"
        for text in (b"abc", b"x" * 500_000):
            wire.send(text)
            assert wire.read_exactly(len(text)) == text.upper()
    upstream.wait_ended(1)


def test_websocket_whose_upstream_leaves(behind):
    def talk(talk):
        websocket_head = talk.head()
        del websocket_head
        talk.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                  b"Upgrade: websocket\r\n\r\nbye")  # fmt: skip

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(UPGRADE)
        wire.response()
        assert wire.read_to_end() == b"bye"


def test_websocket_refused_by_the_upstream(behind):
    server, _ = behind(always(b"no", "403 Forbidden"))
    with server.connect() as wire:
        wire.send(UPGRADE)
        answer = wire.response()
        assert (answer.status, answer.body) == (403, b"no")
        assert wire.get("/").status == 403, "the connection goes on"


def test_websocket_not_wanted(behind):
    server, upstream = behind(always(), "websocket = false")
    with server.connect() as wire:
        wire.send(UPGRADE)
        assert wire.response().status == 200
    assert upstream.requests[0].header("upgrade") is None


def test_websocket_idle(behind):
    server, upstream = behind(websocket, 'websocket_timeout = "300ms"')
    with server.connect() as wire:
        wire.send(UPGRADE)
        wire.response()
        assert wire.read_to_end() == b"first"


def test_websocket_outlives_a_reload(behind, serve):
    server, upstream = behind(websocket)
    with server.connect() as wire:
        wire.send(UPGRADE)
        wire.response()
        wire.read_exactly(5)
        server.send_signal(1)
        server.wait_log("reloaded|generation")
        wire.send(b"still")
        assert wire.read_exactly(5) == b"STILL"


# ---- HTTP/2 ----


def test_http2(behind):
    server, upstream = behind(echo)
    with H2Wire(("127.0.0.1", server.port)) as wire:
        wire.greet(
            h2(server, ("cookie", "a=b"), ("cookie", "c=d"), method="POST",
               path="/x?y", end=False),
            frame(DATA, END_STREAM, 1, b"body"),
        )  # fmt: skip
        answer = wire.answer(1)
    assert answer.status == 200 and answer.body.endswith(b"body")
    request = upstream.requests[0]
    assert request.line == "POST /x?y HTTP/1.1"
    assert request.header("host") == "site.example"
    assert request.header("cookie") == "a=b; c=d"
    assert request.header("x-forwarded-proto") == "http"


def test_http2_large_answer(behind):
    server, _ = behind(always(b"z" * 3_000_000))
    with H2Wire(("127.0.0.1", server.port)) as wire:
        wire.greet(window(0, 4_000_000), h2(server), window(1, 4_000_000))
        assert len(wire.answer(1).body) == 3_000_000


def test_http2_broken_answer_is_a_reset(behind):
    server, _ = behind(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"))
    with H2Wire(("127.0.0.1", server.port)) as wire:
        wire.greet(h2(server))
        assert wire.answer(1).code == "INTERNAL_ERROR"


def test_http2_reset_ends_the_upstreams_work(behind):
    server, upstream = behind(hang)
    with H2Wire(("127.0.0.1", server.port)) as wire:
        wire.greet(h2(server))
        upstream.wait_requests(1)
        wire.send(frame(3, 0, 1, (8).to_bytes(4, "big")))
        upstream.wait_ended(1)


@contextmanager
def http2_tunnel(server):
    """A stream that was answered, and has brought the first message."""
    with H2Wire(("127.0.0.1", server.port)) as wire:
        wire.greet(
            h2(server, (":protocol", "websocket"),
               ("sec-websocket-version", "13"), method="CONNECT", path="/ws",
               end=False),
        )  # fmt: skip
        answer = wire.answers.setdefault(1, wire._answer(1))
        wire.until(lambda: answer.body == b"first")
        yield wire, answer


def test_http2_websocket(behind):
    server, upstream = behind(websocket)
    with http2_tunnel(server) as (wire, answer):
        assert answer.status == 200
        assert answer.header("x-other") == "1"
        assert answer.header("sec-websocket-accept") is None
        wire.send(frame(DATA, 0, 1, b"abc"))
        wire.until(lambda: answer.body == b"firstABC")
        wire.send(frame(DATA, END_STREAM, 1, b""))
        upstream.wait_ended(1)
        wire.answer(1)
        assert answer.ended
    assert upstream.requests[0].method == "GET"


def test_http2_websocket_outlives_reloads(behind):
    before = 'pl.set { reload_drain = "10ms" }' + GONE.format("a generation")
    server, upstream = behind(websocket, before=before)
    with http2_tunnel(server) as (wire, answer):
        for count, word in enumerate((b"one", b"two"), 1):
            server.send_signal(1)
            server.wait_log("a generation has gone", count)
            body = answer.body + word.upper()
            wire.send(frame(DATA, 0, 1, word))
            wire.until(lambda: answer.body == body)
        wire.send(frame(DATA, END_STREAM, 1, b""))
        upstream.wait_ended(1)
        wire.answer(1)
        assert answer.ended


def test_http2_websocket_with_a_filter_ends_with_its_generation(behind):
    before = """pl.set { reload_drain = "10ms" }
    pl.use(function(_, _, next) next() end)
    """ + GONE.format("a generation")
    server, _ = behind(websocket, before=before)
    with http2_tunnel(server) as (wire, answer):
        server.send_signal(1)
        wire.answer(1)
        assert answer.ended or answer.code
        server.wait_log("a generation has gone")


# ---- the site's mistakes ----


@pytest.mark.parametrize(
    "call, words",
    [
        ('pl.proxy("/", {})', "option 'to' is needed"),
        ('pl.proxy("/", { to = "ftp://x" })', "begins with none of"),
        ('pl.proxy("/", { to = "http://" })', "a host is needed|is no URL"),
        ('pl.proxy("/", { to = "http://a?b" })', "a query or fragment"),
        ('pl.proxy("/", { to = { "http://a/x", "http://b/y" } })',
         "their paths are different"),
        ('pl.proxy("/", { to = "http://a", balanse = "x" })',
         "did you mean 'balance'"),
        ('pl.proxy("/", { to = "http://a", balance = "x" })', "balance: 'x'"),
        ('pl.proxy("/", { to = "http://a", hash = "x" })', "hash: 'x'"),
        ('pl.proxy("/", { to = "http://a", connect_timeout = "x" })',
         "connect_timeout: 'x' is no time"),
        ('pl.proxy("/", { to = "http://a", request_headers = '
         '{ Connection = "x" } })', "the connection's own"),
        ('pl.proxy("/", { to = { { url = "http://a", weight = 101 } } })',
         "weight: from 1 to 100"),
        ('pl.proxy("/", { to = "http://a", host = "a b" })', "host: 'a b'"),
        ('pl.proxy("/", { to = "http://a", check = { status = "x" } })',
         "status must be"),
    ],
)  # fmt: skip
def test_mistakes_are_told(command, call, words):
    import re

    done = command(
        "check", "site.lua",
        files={"site.lua": f'local pl = require "perilune"\n{call}\n'},
    )  # fmt: skip
    assert done.returncode != 0
    assert re.search(words, done.stderr), done.stderr
    assert "site.lua:2" in done.stderr
