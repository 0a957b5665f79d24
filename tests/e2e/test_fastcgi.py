"""FastCGI with a web server's end that the test plays itself: what is sent and
what comes, record by record."""

import os
import random
import re
import socket
import subprocess
import threading

import pytest

from harness.fcgi import (
    ABORT_REQUEST,
    AUTHORIZER,
    DATA,
    FILTER,
    GET_VALUES,
    GET_VALUES_RESULT,
    PARAMS,
    STDERR,
    STDIN,
    STDOUT,
    UNKNOWN_TYPE,
    Front,
    begin,
    pair,
    pairs,
    params_of,
    record,
    request,
    stream,
)
from harness.server import environment, program
from harness.wait import wait_for
from harness.wire import Wire

SITE = """
local pl = require "perilune"
pl.listen { "127.0.0.1:0", protocol = "fastcgi" }
pl.get("/", function() return "hello" end)
pl.get("/echo", function(req) return "hello, " .. (req.args.name or "") end)
pl.any("/env", function(req) return req.env end)
pl.any("/seen", function(req)
  return {
    method = req.method, path = req.path, query = req.query, host = req.host,
    scheme = req.scheme, version = req.version, remote = req.remote,
    remote_port = req.remote_port, accept = req.headers.accept,
    type = req.headers["content-type"], length = req.headers["content-length"],
    cookie = req.cookies.a, connection = req.headers.connection,
    proxy = req.headers.proxy, role = req.env.FCGI_ROLE,
  }
end)
pl.post("/body", function(req) return req:body() end)
pl.post("/size", function(req)
  local n = 0
  for chunk in req:chunks() do n = n + #chunk end
  return tostring(n)
end)
pl.post("/unread", function() return "no, thanks" end)
pl.get("/status/:code", function(req) return tonumber(req.params.code) end)
pl.get("/fields", function(_, res)
  res:header("X-One", "1")
  res:header("Set-Cookie", { "a=1", "b=2" })
  return "fields"
end)
pl.get("/away", function(_, res) return res:redirect("/there") end)
pl.get("/stream", function(req, res)
  for i = 1, tonumber(req.args.n or 3) do res:write(("%d\\n"):format(i)) end
end)
pl.get("/much", function(_, res)
  local piece = ("x"):rep(10000)
  for _ = 1, 2000 do res:write(piece) end
end)
pl.get("/big", function() return ("0123456789"):rep(100000) end)
pl.get("/fails", function() error "on purpose" end)
pl.get("/warns", function()
  pl.log.info "all is well"
  pl.log.warn("careful", { n = 1 })
  pl.all { function() pl.log.error "from a task of its own" end }
  return "warned"
end)
pl.get("/half", function(_, res) res:write "half" error "on purpose" end)
local waiting = 0
pl.get("/wait", function()
  waiting = waiting + 1
  pl.defer(function() waiting = waiting - 1 end)
  pl.sleep(3600)
end)
pl.get("/waiting", function() return tostring(waiting) end)
pl.any("/auth", function(req, res)
  if req.env.FCGI_ROLE ~= "AUTHORIZER" then return 400 end
  if req.headers.authorization ~= "secret" then return 401, "who are you?" end
  res:header("Variable-USER", "anna")
  return 200
end)
pl.static("/files", { root = "files" })
"""
LARGE = bytes(random.Random(1).randrange(256) for _ in range(300000))
FILES = {"files/small.txt": "a small file\n", "files/large.bin": LARGE}


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(SITE, files=FILES, listen=False, workers=1)


@pytest.fixture
def front(server):
    with Front(server.connect()) as front:
        yield front
        # Whatever the test has done, the server goes on.
    with Front(server.connect()) as other:
        assert other.get("/").text == "hello"


# ---- requests ----


def test_an_answer(front):
    answer = front.get("/")
    assert answer.stdout.startswith(b"Status: 200 OK\r\n")
    assert answer.header("content-type").startswith("text/plain")
    assert answer.header("content-length") == "5"
    assert answer.text == "hello"
    assert (answer.app_status, answer.status) == (0, "REQUEST_COMPLETE")
    assert answer.stderr == b""


@pytest.mark.parametrize("name", ["date", "server", "connection",
                                  "transfer-encoding"])  # fmt: skip
def test_what_is_the_web_servers_to_say(front, name):
    assert front.get("/").header(name) is None


@pytest.mark.parametrize("number", [1, 2, 255, 256, 65535])
def test_numbers_of_requests(front, number):
    assert front.get("/", number=number).text == "hello"


def test_a_connection_is_kept_if_it_is_to_be(front):
    for _ in range(3):
        assert front.get("/").text == "hello"


def test_a_connection_is_closed_if_it_is_not(front):
    front.send(request(params_of(), flags=0))
    assert front.answer().text == "hello"
    assert front.ends()


def test_other_flags_are_nothing(front):
    front.send(request(params_of(), flags=0xFF))
    assert front.answer().text == "hello"
    assert front.get("/").text == "hello"


@pytest.mark.parametrize("how", ["bytewise", [8], [16], [17, 23], [40, 41]])
def test_records_that_come_in_pieces(front, how):
    front.send(request(params_of("POST", "/body", CONTENT_LENGTH="4"), b"text"),
               how=how)  # fmt: skip
    assert front.answer().text == "text"


@pytest.mark.parametrize("padding", [1, 7, 8, 255])
def test_padding(front, padding):
    front.send(
        begin(1, padding=padding)
        + stream(PARAMS, 1, pairs(params_of("POST", "/body")), 20, padding)
        + stream(STDIN, 1, b"some text", 2, padding)
    )
    assert front.answer().text == "some text"


def test_params_of_one_byte_each(front):
    front.send(begin(1) + stream(PARAMS, 1, pairs(params_of()), 1)
               + record(STDIN, 1))  # fmt: skip
    assert front.answer().text == "hello"


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 255, 256, 30000])
def test_lengths_of_values(front, size):
    value = "v" * size
    answer = front.get("/env", SOME_VALUE=value)
    assert f'"SOME_VALUE":"{value}"' in answer.text


def test_lengths_may_take_more_bytes_than_they_need(front):
    params = b"".join(
        pair(name, value, long=True) for name, value in params_of().items()
    )
    front.send(begin(1) + stream(PARAMS, 1, params) + record(STDIN, 1))
    assert front.answer().text == "hello"


def test_names_of_many_bytes(front):
    name = "N" * 1000
    assert f'"{name}":"x"' in front.get("/env", **{name: "x"}).text


# ---- several on one connection ----


def test_the_fast_need_not_wait_for_the_slow(front):
    front.send(request(params_of(target="/wait"), number=7))
    assert front.get("/", number=8).text == "hello"
    front.send(record(ABORT_REQUEST, 7))
    assert front.answer(7).app_status != 0


def test_many_at_once(front):
    numbers = range(1, 101)
    for number in numbers:
        front.send(request(params_of(target=f"/echo?name={number}"),
                           number=number))  # fmt: skip
    for number in reversed(numbers):
        assert front.answer(number).text == f"hello, {number}"


def test_records_of_several_requests_mixed(front):
    first = pairs(params_of("POST", "/body"))
    second = pairs(params_of("POST", "/body"))
    front.send(begin(1) + begin(2))
    for at in range(0, len(first), 50):
        front.send(record(PARAMS, 1, first[at : at + 50]))
        front.send(record(PARAMS, 2, second[at : at + 50]))
    front.send(record(PARAMS, 2) + record(PARAMS, 1))
    front.send(record(STDIN, 1, b"on") + record(STDIN, 2, b"tw"))
    front.send(record(STDIN, 1, b"e") + record(STDIN, 2, b"o"))
    front.send(record(STDIN, 2) + record(STDIN, 1))
    assert front.answer(1).text == "one"
    assert front.answer(2).text == "two"


def test_more_than_there_may_be(front):
    for number in range(1, 130):
        front.send(begin(number))
    answer = front.answer(129)
    assert (answer.status, answer.stdout) == ("OVERLOADED", b"")
    for number in range(1, 129):
        front.send(record(ABORT_REQUEST, number))
        front.answer(number)
    assert front.get("/", number=129).text == "hello"


# ---- what handlers see ----


def test_what_a_request_is_made_of(front):
    seen = front.ask(
        "POST", "/seen?a=b%20c", b"{}",
        HTTP_ACCEPT="*/*", CONTENT_TYPE="application/json",
        HTTP_COOKIE="a=1; b=2", HTTPS="on", SERVER_PROTOCOL="HTTP/2.0",
        HTTP_CONNECTION="close", HTTP_PROXY="http://evil/",
    ).text  # fmt: skip
    for part in (
        '"method":"POST"', '"path":"/seen"', '"query":"a=b%20c"',
        '"host":"a.example"', '"scheme":"https"', '"version":"2"',
        '"remote":"192.0.2.7"', '"remote_port":4711', '"accept":"*/*"',
        '"type":"application/json"', '"length":"2"', '"cookie":"1"',
        '"role":"RESPONDER"',
    ):  # fmt: skip
        assert part in seen, (part, seen)
    assert '"connection"' not in seen and '"proxy"' not in seen


def test_all_variables_are_there(front):
    env = front.get("/env", SCRIPT_FILENAME="/srv/a.lua", OWN="x",
                    DOCUMENT_ROOT="/srv").text  # fmt: skip
    for name in ("SCRIPT_FILENAME", "OWN", "DOCUMENT_ROOT", "HTTP_HOST",
                 "GATEWAY_INTERFACE", "FCGI_ROLE"):  # fmt: skip
        assert f'"{name}":' in env
    assert "HTTP_PROXY" not in front.get("/env", HTTP_PROXY="evil").text


def test_what_was_said_twice_counts_once(front):
    params = pairs(params_of(target="/env")) + pair("A", "1") + pair("A", "2")
    front.send(begin(1) + stream(PARAMS, 1, params) + record(STDIN, 1))
    text = front.answer().text
    assert '"A":"2"' in text and '"A":"1"' not in text


def test_env_over_http(serve, tmp_path):
    site = SITE.replace('protocol = "fastcgi"', 'protocol = "http"')
    env = serve(site, files=FILES, listen=False).get(
        "/env?a=b", {"X-Some-Thing": "1", "X_Some_Thing": "2", "Proxy": "evil"}
    )
    seen = env.json()
    assert seen["REQUEST_METHOD"] == "GET"
    assert seen["REQUEST_URI"] == "/env?a=b"
    assert seen["QUERY_STRING"] == "a=b"
    assert seen["SCRIPT_NAME"] == "/env"
    assert seen["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert seen["HTTP_X_SOME_THING"] == "1"
    assert seen["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert "HTTP_PROXY" not in seen


# ---- bodies ----


@pytest.mark.parametrize("size", [1, 65535, 65536, 300000, 1000000])
@pytest.mark.parametrize("piece", [65535, 8192])
def test_bodies(front, size, piece):
    body = b"b" * size
    front.send(
        begin(1)
        + stream(PARAMS, 1, pairs(params_of("POST", "/body",
                                            CONTENT_LENGTH=str(size))))
        + stream(STDIN, 1, body, piece)
    )  # fmt: skip
    assert front.answer().body == body


def test_a_body_of_unknown_length(front):
    front.send(request(params_of("POST", "/size", CONTENT_LENGTH=""),
                       b"x" * 100000))  # fmt: skip
    assert front.answer().text == "100000"


def test_a_large_body_is_streamed(front):
    size = 20_000_000
    front.send(begin(1) + stream(PARAMS, 1, pairs(
        params_of("POST", "/size", CONTENT_LENGTH=str(size)))))  # fmt: skip
    piece = record(STDIN, 1, bytes(50000))
    sender = threading.Thread(
        target=lambda: front.send(piece * (size // 50000) + record(STDIN, 1))
    )
    sender.start()
    assert front.answer().text == str(size)
    sender.join()


def test_a_body_that_is_too_large(front):
    front.send(begin(1) + stream(PARAMS, 1, pairs(
        params_of("POST", "/body", CONTENT_LENGTH="2000000"))))  # fmt: skip
    assert front.answer().code == 413


def test_a_body_that_nobody_reads(front):
    front.send(begin(1) + stream(PARAMS, 1, pairs(
        params_of("POST", "/unread", CONTENT_LENGTH="100000"))))  # fmt: skip
    assert front.answer().text == "no, thanks"
    front.send(stream(STDIN, 1, bytes(100000)))
    assert front.get("/").text == "hello"


def test_a_body_that_nobody_reads_on_a_connection_that_ends(front):
    front.send(begin(1, flags=0) + stream(PARAMS, 1, pairs(
        params_of("POST", "/unread", CONTENT_LENGTH="100000"))))  # fmt: skip
    front.send(stream(STDIN, 1, bytes(100000)))
    assert front.answer().text == "no, thanks"
    assert front.ends()


def test_a_body_that_ends_too_early(front):
    front.send(request(params_of("POST", "/body", CONTENT_LENGTH="10"), b"abc"))
    assert front.answer().code == 400


def test_a_body_that_goes_on(front):
    front.send(request(params_of("POST", "/body", CONTENT_LENGTH="3"),
                       b"abcdef"))  # fmt: skip
    assert front.answer().text == "abc"


# ---- answers ----


@pytest.mark.parametrize("code", [200, 201, 204, 304, 404, 418, 500, 503])
def test_statuses(front, code):
    answer = front.get(f"/status/{code}")
    assert answer.code == code
    assert answer.status == "REQUEST_COMPLETE" and answer.app_status == 0


def test_fields(front):
    answer = front.get("/fields")
    assert answer.header("x-one") == "1"
    assert answer.header("set-cookie") == "a=1, b=2"


def test_a_redirect_has_a_status(front):
    answer = front.get("/away")
    assert answer.code == 302 and answer.header("location") == "/there"


def test_no_route(front):
    assert front.get("/nowhere").code == 404
    assert front.ask("DELETE", "/").code == 405


def test_head(front):
    answer = front.ask("HEAD", "/")
    assert answer.code == 200 and answer.body == b""
    assert answer.header("content-length") == "5"


def test_a_stream(front):
    answer = front.get("/stream?n=1000")
    assert answer.text == "".join(f"{i}\n" for i in range(1, 1001))
    assert answer.header("content-length") is None


def test_a_large_answer(front):
    assert front.get("/big").body == b"0123456789" * 100000


def test_two_large_answers_take_turns(front):
    front.send(request(params_of(target="/big"), number=1)
               + request(params_of(target="/big"), number=2))  # fmt: skip
    answers = front.answer(1), front.answer(2)
    assert all(a.body == b"0123456789" * 100000 for a in answers)


def test_files(front):
    assert front.get("/files/small.txt").text == "a small file\n"
    answer = front.get("/files/large.bin")
    assert answer.body == LARGE
    tag = answer.header("etag")
    again = front.get("/files/large.bin", HTTP_IF_NONE_MATCH=tag)
    assert again.code == 304 and again.body == b""
    part = front.get("/files/large.bin", HTTP_RANGE="bytes=1000-200999")
    assert part.code == 206 and part.body == LARGE[1000:201000]
    parts = front.get("/files/large.bin", HTTP_RANGE="bytes=0-9,100000-299999")
    assert parts.code == 206 and LARGE[100000:] in parts.body


def test_who_does_not_read_waits_alone(server, front):
    front.send(request(params_of(target="/much")))
    with Front(server.connect()) as other:
        assert other.get("/").text == "hello"
    assert len(front.answer().body) == 20_000_000


def test_an_error(front, server):
    answer = front.get("/fails")
    assert answer.code == 500 and "on purpose" not in answer.text
    server.wait_log("on purpose")


def test_errors_reach_the_log_of_the_web_server(front):
    answer = front.get("/fails")
    assert b"site.lua:" in answer.stderr and b"on purpose" in answer.stderr
    assert b"traceback" in answer.stderr
    assert answer.status == "REQUEST_COMPLETE"


def test_what_a_handler_logs_reaches_it_too(front):
    answer = front.get("/warns")
    assert answer.text == "warned"
    assert answer.stderr == b"careful n=1\nfrom a task of its own\n"
    assert front.get("/").stderr == b""


def test_what_others_log_does_not(front):
    front.send(request(params_of(target="/wait"), number=2))
    front.get("/warns", number=1)
    front.send(record(ABORT_REQUEST, 2))
    assert front.answer(2).stderr == b""


def test_an_error_behind_the_head_ends_the_connection(front):
    front.send(request(params_of(target="/half")))
    assert b"half" in front.wire.read_to_end()


def test_an_error_behind_the_head_among_others(front):
    front.send(request(params_of(target="/wait"), number=2))
    answer = front.get("/half")
    assert answer.text == "half" and answer.app_status != 0
    front.send(record(ABORT_REQUEST, 2))
    front.answer(2)


@pytest.mark.parametrize("how, name, before", [
    ("x-sendfile", "x-sendfile", ""),
    ("/internal", "x-accel-redirect", "/internal"),
    ("/internal/", "x-accel-redirect", "/internal"),
])  # fmt: skip
def test_files_that_the_web_server_sends(serve, tmp_path, how, name, before):
    site = SITE.replace('"fastcgi"', f'"fastcgi", sendfile = "{how}"')
    large = bytes(5_000_000)
    server = serve(site, files={**FILES, "files/huge file.bin": large},
                   listen=False)  # fmt: skip
    with Front(server.connect()) as front:
        answer = front.get("/files/huge%20file.bin")
        path = f"{tmp_path}/files/huge file.bin"
        if before:
            path = path.replace(" ", "%20")
        assert answer.header(name) == before + path
        assert answer.body == b"" and answer.header("content-length") is None
        part = front.get("/files/huge%20file.bin", HTTP_RANGE="bytes=0-9")
        assert part.code == 206 and part.body == bytes(10)
        assert part.header(name) is None
        small = front.get("/files/small.txt")
        assert small.text == "a small file\n" and small.header(name) is None
        head = front.ask("HEAD", "/files/huge%20file.bin")
        assert head.header("content-length") == "5000000"


@pytest.mark.parametrize("protocol, how", [
    ("fastcgi", "what"), ("http", "x-sendfile"),
])  # fmt: skip
def test_who_sends_files_is_checked(command, protocol, how):
    site = f"""require "perilune".listen {{ ":0", protocol = "{protocol}",
      sendfile = "{how}" }}"""
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode == 3 and "sendfile" in done.stderr


# ---- roles ----


def test_an_authorizer_allows(front):
    front.send(begin(1, AUTHORIZER) + stream(PARAMS, 1, pairs(
        params_of(target="/auth", HTTP_AUTHORIZATION="secret"))))  # fmt: skip
    answer = front.answer()
    assert answer.code == 200 and answer.header("variable-user") == "anna"


def test_an_authorizer_refuses(front):
    front.send(begin(1, AUTHORIZER) + stream(PARAMS, 1, pairs(
        params_of("POST", "/auth", CONTENT_LENGTH="1000")))
        + record(STDIN, 1))  # fmt: skip
    answer = front.answer()
    assert answer.code == 401 and answer.text == "who are you?"


@pytest.mark.parametrize("role", [0, FILTER, 4, 65535])
def test_other_roles(front, role):
    front.send(begin(1, role) + stream(PARAMS, 1, pairs(params_of()))
               + record(DATA, 1, b"data") + record(STDIN, 1))  # fmt: skip
    answer = front.answer()
    assert answer.status == "UNKNOWN_ROLE" and answer.stdout == b""
    assert front.get("/").text == "hello"


# ---- about the connection ----


def test_values(front):
    values = front.values("FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS")
    assert values["FCGI_MPXS_CONNS"] == "1"
    assert int(values["FCGI_MAX_REQS"]) >= int(values["FCGI_MAX_CONNS"]) > 0
    assert front.values("FCGI_MPXS_CONNS", "WHAT") == {"FCGI_MPXS_CONNS": "1"}
    assert front.values() == {}


@pytest.mark.parametrize("kind", [12, 77, 255])
def test_unknown_types(front, kind):
    front.send(record(kind, 0, b"what?", 3))
    assert front.read_record() == (UNKNOWN_TYPE, 0, bytes([kind]) + bytes(7))
    front.send(record(kind, 5, b"of a request"))
    assert front.get("/").text == "hello"


def test_what_belongs_to_nobody(front):
    front.send(stream(PARAMS, 9, pairs(params_of())) + record(STDIN, 9, b"x")
               + record(ABORT_REQUEST, 9) + record(DATA, 9))  # fmt: skip
    assert front.get("/").text == "hello"


# ---- ends ----


def waiting(server) -> int:
    with Front(server.connect()) as front:
        return int(front.get("/waiting").text)


def test_an_abort_ends_the_handler(server, front):
    front.send(request(params_of(target="/wait")))
    wait_for(lambda: waiting(server) == 1, "it")
    front.send(record(ABORT_REQUEST, 1))
    answer = front.answer()
    assert (answer.status, answer.stdout) == ("REQUEST_COMPLETE", b"")
    wait_for(lambda: waiting(server) == 0, "it")


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_a_web_server_that_goes_away(server, how):
    front = Front(server.connect())
    front.send(request(params_of(target="/wait"), number=1)
               + request(params_of(target="/wait"), number=2)
               + begin(3))  # fmt: skip
    wait_for(lambda: waiting(server) == 2, "it")
    getattr(front.wire, how)()
    wait_for(lambda: waiting(server) == 0, "it")
    front.wire.close()


@pytest.mark.parametrize("at", [3, 8, 12, 16, 20, 60])
def test_a_web_server_that_goes_away_in_a_record(server, front, at):
    with Front(server.connect()) as other:
        other.send(request(params_of())[:at])


# ---- what is malformed ----

MALFORMED = {
    "version 0": record(PARAMS, 1, version=0),
    "version 2": record(PARAMS, 1, version=2),
    "HTTP": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "request 0": begin(0),
    "params of 0": record(PARAMS, 0),
    "short BEGIN": record(1, 1, b"\0\1\1\0\0\0\0"),
    "long BEGIN": record(1, 1, b"\0\1\1\0\0\0\0\0\0"),
    "empty BEGIN": record(1, 1),
    "BEGIN twice": begin(1) + begin(1),
    "a body before its params": begin(1) + record(STDIN, 1, b"x"),
    "params behind their end": begin(1) + stream(PARAMS, 1, pairs(
        params_of("POST", "/body"))) + record(PARAMS, 1, b"x"),
    "END_REQUEST": record(3, 1, bytes(8)),
    "STDOUT": record(STDOUT, 1, b"x"),
    "STDERR": record(STDERR, 1, b"x"),
    "GET_VALUES of a request": record(GET_VALUES, 1),
    "GET_VALUES cut off": record(GET_VALUES, 0, b"\5\0a"),
    "GET_VALUES_RESULT": record(GET_VALUES_RESULT, 0),
    "UNKNOWN_TYPE": record(UNKNOWN_TYPE, 0, bytes(8)),
}  # fmt: skip


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_records_end_the_connection(server, front, what):
    front.send(MALFORMED[what])
    assert front.ends()
    server.wait_log("FastCGI connection ended: ")


REFUSED = {
    "no params": (b"", 400),
    "no method": (pair("REQUEST_URI", "/"), 400),
    "a length beyond the data": (b"\5\5HELLO", 400),
    "half a length": (b"\x80\0\0", 400),
    "an endless length": (b"\xff\xff\xff\xff\xff\xff\xff\xff", 400),
    "a target above the root": (pairs(params_of(target="/../a")), 400),
    "a NUL in the target": (pairs(params_of(target="/\0")), 400),
    "a line end in a field": (pairs(params_of(HTTP_A="b\r\nC: d")), 400),
    "a malformed host": (pairs(params_of(HTTP_HOST="a/b")), 400),
    "a malformed length": (pairs(params_of(CONTENT_LENGTH="1x")), 400),
    "an unknown method": (pairs(params_of("BREW")), 501),
    "too many fields": (pairs(params_of(**{f"HTTP_X{i}": "x"
                                           for i in range(200)})), 431),
    "too large fields": (pairs(params_of(HTTP_X="x" * 40000)), 431),
    "too large params": (pairs(params_of(X="x" * 100000)), 431),
    "too many params": (pairs(params_of(**{f"X{i}": "x"
                                           for i in range(500)})), 431),
    "a long target": (pairs(params_of(target="/" + "x" * 9000)), 414),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_malformed_requests_are_answered(front, what):
    params, code = REFUSED[what]
    front.send(begin(1) + stream(PARAMS, 1, params) + record(STDIN, 1))
    assert front.answer().code == code
    assert front.get("/").text == "hello"


def test_garbage(server, front):
    """Whatever comes, others are served: fixture front looks."""
    source = random.Random(7)
    for _ in range(50):
        with Front(server.connect()) as other:
            other.send(source.randbytes(source.randrange(1, 3000)))
    for _ in range(50):
        good = bytearray(request(params_of("POST", "/body"), b"text"))
        good[source.randrange(len(good))] = source.randrange(256)
        with Front(server.connect()) as other:
            other.send(bytes(good))
            other.wire.half_close()
            other.wire.read_to_end()


# ---- listeners ----


def test_http_and_fastcgi_beside_each_other(serve, tmp_path):
    site = SITE.replace(
        "pl.listen {", 'pl.listen { "127.0.0.1:0" }\npl.listen {', 1
    )
    server = serve(site, files=FILES, listen=False)
    http, fastcgi = server.addresses(2)
    assert server.connect(http).get("/").text == "hello"
    with Front(server.connect(fastcgi)) as front:
        assert front.get("/").text == "hello"


def test_a_unix_socket_and_the_command_line(serve, tmp_path):
    server = serve(SITE, "--fastcgi", "unix:a.sock", files=FILES, listen=False)
    with Front(server.connect(tmp_path / "a.sock")) as front:
        assert front.get("/").text == "hello"
        assert front.get("/env", REMOTE_ADDR="").code == 200


def test_a_folder_on_the_command_line(serve, tmp_path):
    (tmp_path / "page.html").write_text("a page")
    server = serve(tmp_path, "--fastcgi", "127.0.0.1:0", listen=False)
    with Front(server.connect()) as front:
        assert front.get("/page.html").text == "a page"


@pytest.mark.parametrize("words, said", [
    (["--fastcgi", "127.0.0.1:0", "-p", "0"], "--fastcgi is the address"),
    (["--fastcgi"], "--fastcgi needs a value"),
    (["--fastcgi", "nonsense:"], "not a port"),
])  # fmt: skip
def test_bad_command_lines(command, words, said):
    done = command("--no-supervisor", *words, files={"main.lua": ""})
    assert done.returncode in (2, 3) and said in done.stderr


@pytest.mark.parametrize("option", [
    'tls = "dev"', 'redirect = "https"', 'proxy_protocol = true',
    'forwarded = "x-forwarded-for"',
])  # fmt: skip
def test_options_that_are_not_for_it(command, option):
    site = f"""require "perilune".listen {{
      ":0", protocol = "fastcgi", {option} }}"""
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode == 3 and "FastCGI" in done.stderr


def test_check_lists_it(command):
    done = command("check", "site.lua", files={"site.lua": SITE, **FILES})
    assert "protocol=fastcgi" in done.stdout


class Shared:
    """Processes on one listening socket, their descriptor 0."""

    def __init__(self, folder, count, *args):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.processes = [
            subprocess.Popen(
                [program(), "site.lua", "--fastcgi", "fd:0", *args],
                cwd=folder,
                env=environment(),
                stdin=self.socket,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            for _ in range(count)
        ]
        for process in self.processes:
            assert re.match("listening on fastcgi", process.stdout.readline())

    def connect(self):
        return Front(Wire(self.socket.getsockname()))

    def end(self):
        for process in self.processes:
            process.terminate()
        codes = [process.wait(60) for process in self.processes]
        for process in self.processes:
            process.stdout.close()
        self.socket.close()
        return codes


@pytest.mark.parametrize("args", [[], ["--no-supervisor"]])
def test_descriptor_0_is_shared_by_several_processes(tmp_path, args):
    """As lighttpd (max-procs) and spawn-fcgi -F start them."""
    (tmp_path / "site.lua").write_text(SITE)
    (tmp_path / "files").mkdir()
    shared = Shared(tmp_path, 3, *args)
    try:
        fronts = [shared.connect() for _ in range(12)]
        for front in fronts:
            assert front.get("/").text == "hello"
            front.wire.close()
    finally:
        assert shared.end() == [0, 0, 0]


def test_only_these_web_servers(serve):
    env = {"FCGI_WEB_SERVER_ADDRS": "10.0.0.1,192.0.2.1"}
    server = serve(SITE, files=FILES, listen=False, env=env)
    with Front(server.connect()) as front:
        assert front.ends()
    server.wait_log("FCGI_WEB_SERVER_ADDRS")


def test_these_web_servers(serve):
    env = {"FCGI_WEB_SERVER_ADDRS": "10.0.0.1,127.0.0.1"}
    server = serve(SITE, files=FILES, listen=False, env=env)
    with Front(server.connect()) as front:
        assert front.get("/").text == "hello"


def test_these_web_servers_as_an_option(serve):
    site = SITE.replace('"fastcgi"', '"fastcgi", trusted = "10.0.0.0/8"')
    server = serve(site, files=FILES, listen=False)
    with Front(server.connect()) as front:
        assert front.ends()


def test_malformed_addresses_of_web_servers(serve):
    env = {"FCGI_WEB_SERVER_ADDRS": "10.0.0.1,what"}
    server = serve(SITE, files=FILES, listen=False, env=env, announced=False)
    assert server.wait() == 3
    assert "FCGI_WEB_SERVER_ADDRS" in server.log()


def test_a_stop_answers_what_runs(serve):
    server = serve(SITE, files=FILES, listen=False)
    with Front(server.connect()) as front:
        front.send(request(params_of("POST", "/body", CONTENT_LENGTH="4"))[:-8])
        front.send(record(STDIN, 1, b"te"))
        server.send_signal()
        server.wait_log("running requests are finished")
        front.send(record(STDIN, 1, b"xt") + record(STDIN, 1))
        assert front.answer().text == "text"
    assert server.wait() == 0


def test_a_reload_keeps_connections(serve, tmp_path):
    server = serve(SITE, files=FILES, listen=False)
    with Front(server.connect()) as front:
        assert front.get("/").text == "hello"
        (tmp_path / "site.lua").write_text(SITE.replace('"hello"', '"new"'))
        os.kill(server.pid, 1)
        server.wait_log("reload")
        wait_for(lambda: front.get("/").text == "new", "it")


def test_no_descriptor_is_left(server):
    def rounds(count):
        for _ in range(count):
            with Front(server.connect()) as front:
                front.get("/files/large.bin")
                front.get("/big")

    rounds(3)
    wait_for(lambda: server.proc.sockets() < 50, "it")
    before = server.proc.fds()
    rounds(20)
    wait_for(lambda: server.proc.fds() <= before, "it")
