"""pl.fastcgi: requests sent on to FastCGI programs that behave, and to others.
Which script a path is for: test_fastcgi_scripts.py. With PHP: test_php.py."""

import gzip
import socket
import struct
import threading

import pytest

from harness.fcgiapp import (
    BEGIN,
    KEEP_CONN,
    OVERLOADED,
    PARAMS,
    STDERR,
    STDIN,
    STDOUT,
    UNKNOWN_ROLE,
    App,
    always,
    end,
    raw,
    record,
    stream,
)
from harness.h2wire import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    H2Wire,
    block,
    frame,
)
from harness.server import sanitized
from harness.wire import Closed

HEAD = b"Content-Type: text/plain\r\n\r\n"
MANY = 8_000_000


def site(app, options="", prefix="/", before=""):
    return f"""
local pl = require "perilune"
{before}
pl.fastcgi("{prefix}", {{ to = "{app.address}", {options} }})
"""


@pytest.fixture
def behind(serve):
    """Starts a server before a program that behaves as told."""
    opened = []

    def start(talk, options="", prefix="/", before="", **more):
        app = App(talk)
        opened.append(app)
        more.setdefault("workers", 1)
        return serve(site(app, options, prefix, before), **more), app

    yield start
    for app in opened:
        app.__exit__(None)


def is_small(server) -> bool:
    return sanitized() or server.proc.rss_kib() < 60_000


def reverse(talk):
    """Says the body backwards."""
    while request := talk.request():
        talk.say(request.body[::-1])
        if not request.flags & KEEP_CONN:
            return


def answer_with(*records: bytes):
    return raw(b"".join(records))


# ---- what a program is told ----


def test_variables(behind):
    server, app = behind(always(), prefix="/app")
    answer = server.get("/app/a%20b/c?q=%31&r", {"Host": "site.example:81"})
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.header("content-type") == "text/plain"
    request = app.requests[0]
    params = request.params
    assert params.pop("REMOTE_PORT").isdigit()
    assert params.pop("SERVER_SOFTWARE").startswith("perilune/")
    assert params == {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REDIRECT_STATUS": "200",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/app/a%20b/c?q=%31&r",
        "QUERY_STRING": "q=%31&r",
        "SCRIPT_NAME": "/app",
        "PATH_INFO": "/a b/c",
        "DOCUMENT_URI": "/app/a b/c",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "site.example",
        "SERVER_ADDR": "127.0.0.1",
        "SERVER_PORT": str(server.port),
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_SCHEME": "http",
        "HTTP_HOST": "site.example:81",
    }
    assert (request.role, request.flags, request.body) == (1, 0, b"")


@pytest.mark.parametrize(
    "prefix, asked, name, info",
    [
        ("/", "/", "", "/"),
        ("/", "/x/", "", "/x/"),
        ("/app", "/app", "/app", ""),
        ("/app", "/app/", "/app", "/"),
        ("/app", "/app/a%2Fb", "/app", "/a%2Fb"),
        ("/app", "/app/../app//x", "/app", "//x"),
    ],
)
def test_script_name_and_path_info(behind, prefix, asked, name, info):
    server, app = behind(always(), prefix=prefix)
    assert server.get(asked).status == 200
    params = app.requests[0].params
    assert (params["SCRIPT_NAME"], params["PATH_INFO"]) == (name, info)
    assert params["QUERY_STRING"] == ""


def test_fields(behind):
    server, app = behind(always())
    with server.connect() as wire:
        wire.send(
            b"GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-two: a\r\nX-Two: b\r\n"
            b"Cookie: a=b\r\nCookie: c=d\r\nProxy: evil:80\r\nX_One: lie\r\n"
            b"X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"
            b"Authorization: Basic eDp5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
            b"TE: trailers\r\nX.Dot: 1\r\n\r\n"
        )
        assert wire.response().status == 200
    fields = {
        name: value
        for name, value in app.requests[0].params.items()
        if name.startswith("HTTP_")
    }
    assert fields == {
        "HTTP_HOST": "a",
        "HTTP_X_ONE": "1",
        "HTTP_X_TWO": "a, b",
        "HTTP_COOKIE": "a=b; c=d",
        "HTTP_AUTHORIZATION": "Basic eDp5",
    }


def test_a_trusted_proxy_is_believed(behind):
    trusted = 'pl.set { trusted = "127.0.0.1" }'
    server, app = behind(always(), before=trusted)
    server.get("/", {"X-Forwarded-For": "192.0.2.7",
                     "X-Forwarded-Proto": "https"})  # fmt: skip
    params = app.requests[0].params
    assert params["REMOTE_ADDR"] == "192.0.2.7"
    assert params["HTTP_X_FORWARDED_FOR"] == "192.0.2.7"
    assert (params["HTTPS"], params["REQUEST_SCHEME"]) == ("on", "https")


def test_who_has_logged_in(behind):
    server, app = behind(
        always(), 'auth = pl.basic { users = { joe = "secret" } }'
    )
    assert server.get("/").status == 401
    server.get("/", {"Authorization": "Basic am9lOnNlY3JldA=="})
    params = app.requests[0].params
    assert (params["REMOTE_USER"], params["AUTH_TYPE"]) == ("joe", "Basic")


def test_variables_of_the_site(behind):
    server, app = behind(
        always(),
        """params = { APP_ENV = "test", SERVER_SOFTWARE = "mine",
        REDIRECT_STATUS = false, HTTP_X_GONE = false, EMPTY = "" }""",
    )
    server.get("/", {"X-Gone": "1", "X-Here": "1"})
    params = app.requests[0].params
    assert params["APP_ENV"] == "test" and params["EMPTY"] == ""
    assert params["SERVER_SOFTWARE"] == "mine"
    assert params["HTTP_X_HERE"] == "1"
    assert "REDIRECT_STATUS" not in params and "HTTP_X_GONE" not in params


def test_more_variables_than_a_record_holds(behind):
    server, app = behind(
        always(), 'params = { BIG = ("x"):rep(200000), SHORT = "y" }'
    )
    assert server.get("/?" + "q" * 5000).body == b"hello"
    request = app.requests[0]
    assert request.params["BIG"] == "x" * 200_000
    assert request.params["SHORT"] == "y"
    assert request.params["QUERY_STRING"] == "q" * 5000
    sizes = [size for kind, size in request.records if kind == PARAMS]
    assert len(sizes) == 5 and sizes[:3] == [65535] * 3 and sizes[-1] == 0


def test_http2(behind):
    server, app = behind(always())
    fields = ((":method", "GET"), (":scheme", "http"),
              (":authority", "site.example"), (":path", "/x?y"),
              ("cookie", "a=b"), ("cookie", "c=d"))  # fmt: skip
    with H2Wire(server.addresses()[0]) as wire:
        wire.greet(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(*fields)))
        assert wire.answer(1).body == b"hello"
    params = app.requests[0].params
    assert params["SERVER_PROTOCOL"] == "HTTP/2.0"
    assert params["HTTP_HOST"] == params["SERVER_NAME"] == "site.example"
    assert params["HTTP_COOKIE"] == "a=b; c=d"
    assert params["REQUEST_URI"] == "/x?y"


def test_a_rewritten_request_says_what_was_asked(behind):
    server, app = behind(
        always(), before='pl.rewrite("^/old/(.*)$", { to = "/new/%1?n=1" })'
    )
    server.get("/old/x?q")
    params = app.requests[0].params
    assert params["REQUEST_URI"] == "/old/x?q"
    assert (params["PATH_INFO"], params["QUERY_STRING"]) == ("/new/x", "n=1")


# ---- bodies ----


@pytest.mark.parametrize("options", ["", "buffer = true, max_body = '10m'"])
@pytest.mark.parametrize("size", [0, 1, 5000, 70_000, MANY])
def test_body_with_a_length(behind, size, options):
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    server, app = behind(reverse, options)
    answer = server.request("POST", "/", {"Content-Type": "x/y"}, body)
    assert answer.body == body[::-1]
    params = app.requests[0].params
    assert params["CONTENT_LENGTH"] == str(size)
    assert params["CONTENT_TYPE"] == "x/y"


def test_a_body_of_unknown_length_is_gathered(behind):
    """CGI must say how long it is."""
    server, app = behind(reverse)
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n"
                  b"3\r\nabc\r\n")  # fmt: skip
        assert not app.requests
        wire.send(b"4\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n")
        assert wire.response().body == b"gfedcba"
        big = b"x" * 300_000
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
        wire.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(big), big))
        assert wire.response().body == big
    assert app.requests[0].params["CONTENT_LENGTH"] == "7"
    assert "HTTP_TRANSFER_ENCODING" not in app.requests[0].params


def test_a_gathered_body_has_a_limit(behind):
    server, app = behind(reverse, 'max_body = "10k"')
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n8000\r\n")  # fmt: skip
        wire.send(b"x" * 0x8000 + b"\r\n0\r\n\r\n")
        assert wire.response().status == 413
    assert not app.requests


def test_a_gathered_body_is_sent_when_it_is_there(behind):
    server, app = behind(reverse, "buffer = true")
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        assert server.get("/other").status == 200
        assert len(app.requests) == 1, "no program waits for a slow client"
        wire.send(b"def")
        assert wire.response().body == b"fedcba"


def test_a_packed_body_is_unpacked(behind):
    """How it came is ours to know."""
    server, app = behind(reverse, "compress = true")
    body = b"0123456789" * 1000
    answer = server.request(
        "POST", "/", {"Content-Encoding": "gzip"}, gzip.compress(body)
    )
    assert answer.body == body[::-1]
    params = app.requests[0].params
    assert params["CONTENT_LENGTH"] == "10000"
    assert "HTTP_CONTENT_ENCODING" not in params


def test_expect(behind):
    server, app = behind(reverse)
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                  b"Expect: 100-continue\r\n\r\n")  # fmt: skip
        assert wire.response(interim=True).status == 100
        wire.send(b"abc")
        assert wire.response().body == b"cba"
    assert "HTTP_EXPECT" not in app.requests[0].params


def test_a_large_answer(behind):
    data = bytes(range(256)) * (MANY // 256)
    server, _ = behind(always(data))
    assert server.get("/").body == data
    assert is_small(server)


def test_a_slow_reader_holds_the_program(behind):
    """All that is between the two ends is a few buffers."""
    sent = []

    def talk(talk):
        talk.request()
        talk.out(b"Content-Length: 100000000\r\n\r\n")
        for _ in range(100):
            talk.out(b"x" * 1_000_000)
            sent.append(1)
        talk.send(end())

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"\r\n\r\n")
        before = -1
        while before != len(sent):
            before = len(sent)
            threading.Event().wait(0.3)
        assert len(sent) < 40, "the program has to wait"
        assert is_small(server)
        left = 100_000_000
        while left:
            left -= len(wire.read_exactly(min(left, 1_000_000)))
    assert is_small(server)


def test_a_slow_program_holds_the_client(behind):
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
        request = talk.head()
        talk.out(HEAD)
        while content := talk.record()[1]:
            talk.out(content)
        assert request
        talk.send(end())

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n")
        for _ in range(5):
            wire.send(b"0123456789")
            wire.read_until(b"0123456789")
        assert wire.read_until(b"0\r\n\r\n").endswith(b"0\r\n\r\n")


def test_events_flow_at_once(behind):
    go = threading.Event()

    def talk(talk):
        talk.request()
        talk.out(b"Content-Type: text/event-stream\r\n\r\n")
        talk.out(b"data: 1\n\n")
        go.wait(60)
        talk.out(b"data: 2\n\n")
        talk.send(end())

    server, _ = behind(talk)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"data: 1\n\n")
        go.set()
        wire.read_until(b"data: 2\n\n")


# ---- answers ----

GOOD = {
    "a status": (b"Status: 404 Not Here\r\nX-A: b\r\n\r\nno", 404, b"no"),
    "no status": (b"X-A: b\r\n\r\nyes", 200, b"yes"),
    "a bare code": (b"Status: 201\r\nX-A: b\r\n\r\nmade", 201, b"made"),
    "LF": (b"Status: 403 No\nX-A: b\n\nno", 403, b"no"),
    "mixed ends": (b"X-A: b\nStatus: 403 No\r\n\nno", 403, b"no"),
    "a location": (b"X-A: b\r\nLocation: http://b/\r\n\r\n", 302, b""),
    "location, status": (b"Status: 201 C\r\nX-A: b\r\nLocation: /x\r\n\r\n",
                         201, b""),
    "a length": (b"X-A: b\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    "more than that": (b"X-A: b\r\nContent-Length: 3\r\n\r\nabcdef", 200,
                       b"abc"),
    "no body": (b"X-A: b\r\n\r\n", 200, b""),
    "204": (b"Status: 204 No\r\nX-A: b\r\n\r\nx", 204, b""),
    "304": (b"Status: 304 No\r\nX-A: b\r\n\r\nx", 304, b""),
    "a coding": (b"X-A: b\r\nTransfer-Encoding: chunked\r\n\r\nabc", 200,
                 b"abc"),
}  # fmt: skip


@pytest.mark.parametrize("what", GOOD)
def test_heads(behind, what):
    text, status, body = GOOD[what]
    server, _ = behind(answer_with(stream(STDOUT, text), end()))
    with server.connect() as wire:
        for _ in range(2):
            answer = wire.get("/")
            assert (answer.status, answer.body) == (status, body), what
            assert answer.header("x-a") == "b"
            assert answer.header("status") is None


@pytest.mark.parametrize("padding", [0, 1, 7, 255])
@pytest.mark.parametrize("what", ["a status", "LF", "a length"])
def test_heads_however_they_are_cut(behind, what, padding):
    text, status, body = GOOD[what]
    data = stream(STDOUT, text, 1, padding) + record(STDOUT, padding=padding)
    data += end(padding=padding)

    def talk(talk):
        talk.request()
        talk.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = 1 if padding < 255 else 97
        for at in range(0, len(data), step):
            talk.send(data[at : at + step])

    server, _ = behind(talk)
    answer = server.get("/")
    assert (answer.status, answer.body) == (status, body)
    assert answer.header("x-a") == "b"


def test_head(behind):
    server, app = behind(
        answer_with(stream(STDOUT, b"Content-Length: 9\r\n\r\n"), end())
    )
    answer = server.request("HEAD", "/")
    assert answer.header("content-length") == "9"
    server, app = behind(answer_with(stream(STDOUT, HEAD + b"text"), end()))
    answer = server.request("HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")
    assert app.requests[0].params["REQUEST_METHOD"] == "HEAD"


def test_several_cookies(behind):
    server, _ = behind(
        always(b"x", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2")
    )
    assert server.get("/").all("set-cookie") == ["a=1; Path=/", "b=2"]


def test_field_rules(behind):
    server, _ = behind(
        always(b"x", "X-Powered-By: PHP", "Server: old", "Connection: close",
               "X-Accel-Buffering: no"),
        """response_headers = { ["X-Powered-By"] = false, ["X-B"] = "2" }""",
    )  # fmt: skip
    with server.connect() as wire:
        for _ in range(2):
            answer = wire.get("/")
            assert answer.header("x-powered-by") is None
            assert answer.header("x-accel-buffering") is None
            assert answer.header("x-b") == "2"
            assert answer.header("server") == "perilune"


def test_what_is_said_of_errors_is_logged(behind):
    server, _ = behind(
        answer_with(
            stream(STDERR, b"one\ntw"),
            stream(STDOUT, HEAD + b"fine"),
            stream(STDERR, b"o\r\n\nthree"),
            stream(STDERR, b"\x1b[31m"),
            end(),
        )
    )
    assert server.get("/").body == b"fine"
    server.wait_log(r"warn handlers: fastcgi: three")
    lines = [line for line in server.log().splitlines() if "fastcgi: " in line]
    assert [line.split("fastcgi: ")[1].split(" ")[0] for line in lines[:2]] == [
        "one", "two"
    ]  # fmt: skip
    assert len(lines) == 3 and "\x1b" not in lines[2]


def test_endless_errors_are_bounded(behind):
    server, _ = behind(
        answer_with(
            stream(STDERR, b"again\n" * 50_000 + b"x" * 50_000),
            stream(STDOUT, HEAD + b"fine"),
            end(),
        )
    )
    assert server.get("/").body == b"fine"
    server.wait_log(r"fastcgi: \.\.\. and more")
    assert server.log().count("fastcgi: ") == 101


# ---- bad answers ----


def head(kind, length=0, request=1, padding=0, version=1):
    return struct.pack(">BBHHBx", version, kind, request, length, padding)


BAD = {
    "nothing": b"",
    "half a record head": b"\1\6\0\1",
    "no FastCGI": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "another version": record(STDOUT, HEAD, version=2),
    "another request": record(STDOUT, HEAD, request=2) + end(),
    "no request": record(STDOUT, HEAD, request=0) + end(),
    "the end of another": record(STDOUT, b"X: y\r\n") + end(request=7),
    "a record of clients": record(BEGIN, b"\0\1\0\0\0\0\0\0"),
    "a body from there": record(STDIN, b"abc"),
    "a short end": head(3, 4) + b"\0\0\0\0",
    "an unknown end": end(status=9),
    "no head": end(),
    "an empty head": stream(STDOUT, b"\r\ntext") + end(),
    "half a head": stream(STDOUT, b"Content-Type: x/y\r\n") + end(),
    "no colon": stream(STDOUT, b"hello world\r\n\r\n") + end(),
    "a text": stream(STDOUT, b"<html>no head</html>\n" * 9) + end(),
    "a space before the colon": stream(STDOUT, b"X : y\r\n\r\n") + end(),
    "folding": stream(STDOUT, b"X: y\r\n z\r\n\r\n") + end(),
    "NUL": stream(STDOUT, b"X: y\0z\r\n\r\n") + end(),
    "a bare CR": stream(STDOUT, b"X: y\rZ: 1\r\n\r\n") + end(),
    "a status of words": stream(STDOUT, b"Status: fine\r\n\r\n") + end(),
    "a short status": stream(STDOUT, b"Status: 20\r\n\r\n") + end(),
    "a long status": stream(STDOUT, b"Status: 2000\r\n\r\n") + end(),
    "a status below 200": stream(STDOUT, b"Status: 100 C\r\n\r\n") + end(),
    "two of them": stream(STDOUT, b"Status: 200\r\nStatus: 404\r\n\r\n")
    + end(),
    "an odd length": stream(STDOUT, b"Content-Length: +1\r\n\r\nx") + end(),
    "two lengths": stream(
        STDOUT, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
    )
    + end(),
    "a large head": stream(STDOUT, b"X: %s\r\n" % (b"y" * 1000) * 100),
    "many fields": stream(STDOUT, b"X: y\r\n" * 300 + b"\r\n") + end(),
    "no responder": end(status=UNKNOWN_ROLE),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_answers(behind, what):
    server, app = behind(raw(BAD[what]), "max_failures = false")
    answer = server.request("POST", "/", None, b"x")
    assert answer.status == 502, what
    assert answer.keeps_alive
    server.wait_log(r"upstream: .* status=502")
    assert app.accepted == 1, "a POST is sent once"


@pytest.mark.parametrize("what", ["no FastCGI", "a text", "folding"])
def test_bad_answers_byte_by_byte(behind, what):
    def talk(talk):
        talk.request()
        talk.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(BAD[what])):
            talk.send(BAD[what][at : at + 1])

    server, _ = behind(talk)
    assert server.request("POST", "/", None, b"x").status == 502


@pytest.mark.parametrize(
    "records",
    [
        stream(STDOUT, HEAD + b"short"),
        stream(STDOUT, b"Content-Length: 9\r\n\r\nshort") + end(),
        stream(STDOUT, HEAD + b"short") + b"\1\6",
        stream(STDOUT, HEAD + b"short") + head(STDOUT, 100) + b"x" * 50,
        stream(STDOUT, HEAD + b"short") + end(status=OVERLOADED),
        stream(STDOUT, HEAD + b"short") + record(99, request=0, version=3),
    ],
)
def test_a_broken_answer_breaks_ours(behind, records):
    server, _ = behind(raw(records))
    with server.connect() as wire, pytest.raises(Closed):
        wire.get("/")
    server.wait_log("upstream: ")
    assert server.log().count("upstream: ") == 1, "said once"


def test_records_about_nothing_are_passed_over(behind):
    server, _ = behind(
        answer_with(
            record(10, b"\x0e\1FCGI_MPXS_CONNS0", request=0, padding=3),
            record(77, b"what?", request=0),
            stream(STDOUT, HEAD + b"fine"),
            record(STDOUT, padding=8),
            end(app_status=3, padding=200),
        )
    )
    assert server.get("/").body == b"fine"


# ---- servers ----


def test_a_program_that_is_not_there(serve, tmp_path):
    server = serve(
        f"""
local pl = require "perilune"
pl.fastcgi("/a", "unix:{tmp_path}/nowhere")
pl.fastcgi("/b", {{ to = "127.0.0.1:1" }})
""",
        workers=1,
    )
    assert server.get("/a").status == 502
    assert server.get("/b").status == 502
    server.wait_log(r"server=unix:\S+/nowhere")
    server.wait_log(r"server=fastcgi://127\.0\.0\.1:1 ")


def test_unix_socket(serve, tmp_path):
    with App(always(), tmp_path / "app.sock") as app:
        server = serve(site(app), workers=1)
        assert server.get("/").body == b"hello"


def test_a_full_queue_is_asked_again(serve, tmp_path):
    """A UNIX socket says at once that it is full: nothing is lost by that."""
    path = tmp_path / "app.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(0)
    first = socket.socket(socket.AF_UNIX)
    first.connect(str(path))
    server = serve(
        f"""
local pl = require "perilune"
pl.fastcgi("/", {{ to = "unix:{path}" }})
pl.fastcgi("/short", {{ to = "unix:{path}", connect_timeout = "100ms" }})
""",
        workers=1,
    )
    assert server.get("/short").status == 503
    server.wait_log(r"status=503 server=unix:")
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert server.get("/short").status == 503
        listener.accept()[0].close()
        conn = listener.accept()[0]
        assert conn.recv(65536)
        conn.sendall(stream(STDOUT, HEAD + b"at last") + end())
        assert wire.response().body == b"at last"
    conn.close(), first.close(), listener.close()


@pytest.fixture
def two(serve):
    """Two programs; the second one is well."""
    opened = []

    def start(first, options=""):
        apps = [App(first), App(always(b"second"))]
        opened.extend(apps)
        to = ", ".join(f'"{app.address}"' for app in apps)
        server = serve(
            f"""
local pl = require "perilune"
pl.fastcgi("/", {{ to = {{ {to} }}, {options} }})
""",
            workers=1,
        )
        return server, apps

    yield start
    for app in opened:
        app.__exit__(None)


def test_another_one_is_asked(two):
    server, apps = two(always())
    apps[0].close()
    for _ in range(4):
        assert server.request("POST", "/", None, b"x").body == b"second"


def test_one_that_turns_away_costs_nothing(two):
    """OVERLOADED: it has not begun, so that a POST can be sent again."""
    server, apps = two(raw(end(status=OVERLOADED)))
    for _ in range(4):
        assert server.request("POST", "/", None, b"x").body == b"second"
    assert len(apps[1].requests) == 4


def test_all_turn_away(behind):
    server, _ = behind(raw(end(status=OVERLOADED)))
    answer = server.get("/")
    assert answer.status == 503 and answer.header("retry-after")


def test_connections_are_kept_if_that_is_said(behind):
    server, app = behind(always(), "keepalive = 4")
    with server.connect() as wire:
        for _ in range(50):
            assert wire.get("/").body == b"hello"
    assert app.accepted == 1
    assert all(request.flags == KEEP_CONN for request in app.requests)


def test_connections_are_not_kept_else(behind):
    server, app = behind(always())
    for _ in range(3):
        assert server.get("/").body == b"hello"
    assert app.accepted == 3
    app.wait_ended(3)


def test_a_kept_connection_that_closes(behind):
    def talk(talk):
        talk.request()
        talk.say(b"once")

    server, _ = behind(talk, "keepalive = 4")
    with server.connect() as wire:
        for _ in range(10):
            assert wire.get("/").body == b"once"


def test_what_follows_an_answer_poisons_nobody(behind):
    def talk(talk):
        while talk.request():
            # In one: what comes later cannot be told from an answer.
            good, evil = (
                stream(STDOUT, HEAD + text) + end()
                for text in (b"good", b"evil")
            )
            talk.send(good + evil)

    server, _ = behind(talk, "keepalive = 4")
    with server.connect() as wire:
        for _ in range(10):
            assert wire.get("/").body == b"good"


def test_time(behind):
    def talk(talk):
        if request := talk.request():
            if request.params["PATH_INFO"] == "/head":
                talk.out(HEAD + b"x")
            talk.more()

    server, _ = behind(
        talk, 'first_byte_timeout = "100ms", read_timeout = "100ms"'
    )
    assert server.get("/").status == 504
    with server.connect() as wire, pytest.raises(Closed):
        wire.get("/head")


def test_a_client_that_leaves(behind):
    seen = threading.Event()

    def talk(talk):
        talk.request()
        assert not talk.more()
        seen.set()

    server, app = behind(talk)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        app.wait_requests(1)
        wire.reset()
    assert seen.wait(60), "nobody works for who has gone"


def test_places_and_the_queue(behind):
    go = threading.Event()

    def talk(talk):
        talk.request()
        go.wait(60)
        talk.say(b"done")

    server, app = behind(talk, "max_connections = 1, queue = 1")
    with server.connect() as one, server.connect() as other:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        app.wait_requests(1)
        other.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        statuses = set()
        while 503 not in statuses:  # as soon as the other waits
            with server.connect() as third:
                third.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                statuses.add(third.response().status)
        go.set()
        assert one.response().body == other.response().body == b"done"


def test_a_websocket_is_no_request_for_it(behind):
    server, app = behind(always())
    answer = server.get(
        "/",
        {"Connection": "Upgrade", "Upgrade": "websocket",
         "Sec-WebSocket-Version": "13",
         "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
    )  # fmt: skip
    assert answer.status == 200, "it is an ordinary request"
    assert "HTTP_UPGRADE" not in app.requests[0].params


def test_perilune_behind_perilune(serve, tmp_path):
    """Both sides of it are ours: bodies, files, errors."""
    path = tmp_path / "back.sock"
    serve(
        f"""
local pl = require "perilune"
pl.listen {{ "unix:{path}", protocol = "fastcgi" }}
pl.post("/app/echo", {{ max_body = "20m" }}, function(req)
  return req:body()
end)
pl.get("/app/env", function(req)
  return req.env.PATH_INFO .. " " .. req.env.SCRIPT_NAME .. " " .. req.remote
end)
pl.get("/app/fails", function() error "what a pity" end)
pl.static("/app/files", {{ root = "files" }})
""",
        workers=1,
        listen=False,
        files={"files/a.txt": "0123456789" * 50_000},
    )
    (tmp_path / "front").mkdir()
    (tmp_path / "front/site.lua").write_text(
        f"""
local pl = require "perilune"
pl.fastcgi("/app", {{ to = "unix:{path}", keepalive = 8 }})
"""
    )
    server = serve(tmp_path / "front/site.lua", workers=1)
    body = bytes(range(256)) * 40_000
    with server.connect() as wire:
        for _ in range(3):
            assert wire.request("POST", "/app/echo", None, body).body == body
        assert wire.get("/app/env").text == "/env /app 127.0.0.1"
        file = wire.get("/app/files/a.txt")
        assert file.body == b"0123456789" * 50_000
        assert file.header("content-length") == "500000"
        etag = {"If-None-Match": file.header("etag")}
        assert wire.get("/app/files/a.txt", etag).status == 304
        part = wire.get("/app/files/a.txt", {"Range": "bytes=3-5"})
        assert (part.status, part.body) == (206, b"345")
        assert wire.get("/app/fails").status == 500
        assert wire.get("/app/none").status == 404
    assert "upstream: " not in server.log()


# ---- what a site says ----


@pytest.mark.parametrize(
    "options, want",
    [
        ("", "option 'to' is needed"),
        ('{ to = "http://a" }', "is none of host:port and unix:/path"),
        ('{ to = "a" }', "a"),
        ('{ to = "a:1", root = "nowhere" }', "cannot open folder"),
        ('{ to = "a:1", static = true }', "root is needed"),
        ('{ to = "a:1", root = ".", suffixes = "php" }', "suffixes"),
        ('{ to = "a:1", root = ".", fallback = "x.html" }', "fallback"),
        ('{ to = "a:1", root = ".", fallback = "../x.php" }', "fallback"),
        ('{ to = "a:1", root = ".", no_scripts = "/x" }', "no_scripts"),
        ('{ to = "a:1", root = ".", symlinks = "some" }', "symlinks"),
        ('{ to = "a:1", remote = true }', "remote"),
        ('{ to = "a:1", root = "/x", remote = true, static = true }', "static"),
        ('{ to = "a:1", params = { ["A=B"] = "c" } }', "params"),
        ('{ to = "a:1", params = { A = {} } }', "params"),
        ('{ to = "a:1", sendfile_prefix = "/x" }', "sendfile is needed"),
        ('{ to = "a:1", sendfile = "nowhere" }', "sendfile"),
        ('{ to = "a:1", read_timeout = "soon" }', "read_timeout"),
        ('{ to = "a:1", tls = {} }', "unknown option 'tls'"),
    ],
)
def test_mistakes(command, options, want):
    text = f"""
local pl = require "perilune"
pl.fastcgi("/", {options or "{}"})
"""
    result = command("check", "site.lua", files={"site.lua": text})
    assert result.returncode != 0
    assert "site.lua:3: pl.fastcgi: " in result.stderr, result.stderr
    assert want in result.stderr
