"""HTTP/2 conformance: every case whole and byte by byte, and what needs more
than one exchange of frames."""

from pathlib import Path

import pytest

from conformance.http2.case import data, get, headers, post
from conformance.http2.cases import CASES
from harness.h2wire import PREFACE, H2Wire, reset, settings, window

SITE = Path(__file__).parents[1].joinpath("http1/site.lua").read_text() + """
pl.set { http2_streams = 8 }
pl.get("/wait", function() pl.sleep(1000) end)
pl.post("/wait", function() pl.sleep(1000) end)
pl.get("/cookie", function(req) return req.headers.cookie end)
pl.get("/large", function() return ("x"):rep(200000) end)
pl.get("/trailers", function(req, res)
  res:write("abc")
  res:trailer("x-sum", "7")
end)
pl.post("/trailers", function(req)
  local body = req:body()
  return body .. " " .. (req.trailers and req.trailers["x-sum"] or "none")
end)
"""


@pytest.fixture(scope="module")
def server(serve_module, tmp_path_factory):
    root = tmp_path_factory.mktemp("http2")
    (root / "public").mkdir()
    (root / "site.lua").write_text(SITE)
    return serve_module(root / "site.lua", workers=1)


@pytest.fixture
def wire(server):
    with H2Wire(server.addresses()[0]) as wire:
        yield wire


def check(wire, want):
    answer = wire.answer(want.stream)
    if want.codes:
        assert answer.code in want.codes, answer
        return
    assert answer.status == want.status, answer
    if want.body is not None:
        assert answer.body.decode("latin-1") == want.body
    if want.status == 200:
        assert answer.header("date"), "Date (RFC 9110, 6.6.1)"


@pytest.mark.parametrize("how", ["whole", "bytewise"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name.replace(" ", "-"))
def test_http2(server, case, how):
    # So that a byte at a time takes no more time than it must.
    if how == "bytewise" and len(case.send) > 4000:
        how = list(range(500, len(case.send), 500))
    with H2Wire(server.addresses()[0]) as wire:
        if case.preface:
            wire.send(PREFACE, settings())
        wire.send(case.send, how=how)
        for want in case.want:
            check(wire, want)
        if case.goaway:
            assert wire.expect_goaway() in case.goaway
        else:
            wire.ping()
            assert wire.goaway is None


def test_names_are_unique():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert len(names) >= 120


def test_the_server_says_what_it_takes(wire):
    """RFC 9113, 3.4 and 6.5; RFC 8441, 3; RFC 9218, 2.1."""
    wire.greet()
    wire.until(lambda: wire.acks == 1)
    assert wire.log[0][0] == 4, "SETTINGS first"
    assert wire.settings == {3: 8, 6: 32768, 8: 1, 9: 1}


def test_what_is_no_preface_is_http_1(server):
    """RFC 9113, 3.4: not even a part of one."""
    with server.connect() as wire:
        wire.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        assert wire.response().status == 505
        wire.expect_closed()


def test_a_preface_comes_first_or_never(server):
    """Behind a request it may be what somebody else has smuggled in."""
    with server.connect() as wire:
        assert wire.get("/").status == 200
        wire.send(PREFACE + settings())
        assert wire.response().status == 505
        wire.expect_closed()


def test_a_preface_byte_by_byte(wire):
    wire.send(PREFACE, settings(), get(1), how="bytewise")
    assert wire.answer(1).body == b"hello"


def test_windows_are_kept(wire):
    """RFC 9113, 6.9: not a byte more than we have said."""
    wire.greet(window(0, 1000), get(1, "/large"))
    wire.until(lambda: wire.answers[1].status if 1 in wire.answers else 0)
    wire.ping(b"window-1")
    assert len(wire.answers[1].body) == 65535
    wire.send(window(1, 1000))
    wire.ping(b"window-2")
    assert len(wire.answers[1].body) == 66535
    wire.send(window(1, 200000))
    wire.ping(b"window-3")
    assert len(wire.answers[1].body) == 66535, "the connection's"
    wire.send(window(0, 200000))
    assert len(wire.answer(1).body) == 200000


def test_urgent_streams_come_first(wire):
    """RFC 9218, 10."""
    wire.greet(settings(INITIAL_WINDOW_SIZE=1 << 20), get(1, "/large"))
    wire.ping(b"filled--")
    wire.send(
        get(3, "/large", ("priority", "u=7")),
        get(5, "/large", ("priority", "u=0")),
    )
    wire.ping(b"waiting-")
    wire.send(window(0, 1 << 20))
    for stream in (5, 1, 3):
        assert len(wire.answer(stream).body) == 200000
    data = [stream for kind, stream, _ in wire.log if kind == 0]
    assert data.index(5) < data.index(3)
    assert max(i for i, s in enumerate(data) if s == 5) < data.index(3)


def test_windows_open_for_readers(wire):
    """RFC 9113, 6.9: as the handler takes what has come."""
    wire.greet(post(1))
    wire.send(*(data(1, "x" * 1000) for _ in range(16)))
    wire.send(data(1, "", end=True))
    assert wire.answer(1).body == b"[" + b"x" * 16000 + b"]"
    assert wire.updates[0] >= 196609


def test_trailers_of_an_answer(wire):
    """RFC 9113, 8.1."""
    wire.greet(get(1, "/trailers"))
    answer = wire.answer(1)
    assert (answer.body, answer.trailers) == (b"abc", [("x-sum", "7")])


def test_trailers_of_a_request(wire):
    """RFC 9113, 8.1."""
    wire.greet(post(1, "/trailers"), data(1, "abc"))
    wire.send(headers(1, ("x-sum", "7")))
    assert wire.answer(1).body == b"abc 7"


def test_continue_is_sent_when_the_handler_reads(wire):
    """RFC 9110, 10.1.1."""
    wire.greet(post(1, "/body", ("expect", "100-continue")))
    wire.until(lambda: 1 in wire.answers and wire.answers[1].interim)
    wire.send(data(1, "abc", end=True))
    answer = wire.answer(1)
    assert (answer.interim, answer.body) == ([100], b"[abc]")


def test_a_body_nobody_reads_is_not_asked_for(wire):
    """RFC 9113, 8.1: the answer, and then NO_ERROR."""
    wire.greet(post(1, "/unread"))
    answer = wire.answer(1)
    assert answer.body == b"unread" and answer.ended
    wire.ping()


def test_upgrade_from_http_1(server):
    """RFC 7540, 3.2: the request is stream 1."""
    with server.connect() as plain:
        plain.send(
            b"GET /show/x HTTP/1.1\r\nHost: a\r\n"
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAQAAAAF\r\n\r\n"
        )
        head = plain.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ") and b"h2c" in head
        with H2Wire(server.addresses()[0]) as wire:
            wire.wire, spare = plain, wire.wire
            spare.close()
            wire.greet(settings(INITIAL_WINDOW_SIZE=1000))
            assert b"path=/show/x" in wire.answer(1).body
            wire.send(get(3))
            assert wire.answer(3).body == b"hello"


@pytest.mark.parametrize(
    "lines",
    [
        "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAAB\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: !!!!\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2\r\n"
        "HTTP2-Settings: AAMAAABk\r\n",
    ],
)
def test_what_is_no_upgrade_stays_http_1(server, lines):
    """RFC 7540, 3.2.1."""
    with server.connect() as wire:
        head = f"GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"
        wire.send(head.encode())
        assert wire.response().body == b"hello"


def test_a_request_with_a_body_is_not_upgraded(server):
    with server.connect() as wire:
        wire.send(
            b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABk\r\n\r\nabc"
        )
        assert wire.response().body == b"[abc]"


def test_a_reset_ends_the_handler(wire):
    """RFC 9113, 5.4.2: and its place is free."""
    wire.greet()
    for n in range(40):
        wire.send(get(2 * n + 1, "/wait"), reset(2 * n + 1))
    wire.send(get(99))
    assert wire.answer(99).body == b"hello"


def test_http2_can_be_turned_off(serve):
    server = serve('require "perilune".set { http2 = false }')
    with server.connect() as wire:
        wire.send(PREFACE + settings())
        assert wire.response().status == 505


