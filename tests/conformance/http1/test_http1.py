"""HTTP/1 conformance: every case whole and byte by byte, and what needs more
than one exchange of bytes."""

import os
import re
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from conformance.http1.case import ETAG, FILE, MODIFIED, Want
from conformance.http1.cases import CASES
from harness.wire import Response

SITE = Path(__file__).with_name("site.lua").read_text()
IMF_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|"
    r"Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT"
)


@pytest.fixture(scope="module")
def server(serve_module, tmp_path_factory):
    root = tmp_path_factory.mktemp("http1")
    files = {
        "public/range.txt": FILE,
        "public/empty.txt": "",
        "public/.hidden": "secret",
        "secret.txt": "secret",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (MODIFIED, MODIFIED))
    (root / "site.lua").write_text(SITE)
    return serve_module(root / "site.lua", workers=1)


@pytest.fixture(scope="module")
def etag(server):
    value = server.get("/files/range.txt").header("etag")
    assert re.fullmatch(r'"[\x21\x23-\x7e]*"', value or ""), "a strong ETag"
    return value


def check_always(response: Response):
    """What RFC 9110 asks of every final response."""
    date = response.header("date")
    assert date and IMF_DATE.fullmatch(date), "Date (RFC 9110, 6.6.1)"
    parsedate_to_datetime(date)
    if response.status == 405:
        assert response.header("allow") is not None, "Allow (9110, 15.5.6)"


def check(response: Response, wanted: Want):
    assert response.status in wanted.statuses, response.head + response.body
    check_always(response)
    if wanted.body is not None:
        assert response.body.decode("latin-1") == wanted.body
    for name, value in wanted.headers.items():
        got = response.header(name)
        if value is None:
            assert got is None, name
        elif value is True:
            assert got is not None, name
        elif isinstance(value, re.Pattern):
            assert got is not None and value.fullmatch(got), (name, got)
        else:
            assert got == value, name


@pytest.mark.parametrize("how", ["whole", "bytewise"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name.replace(" ", "-"))
def test_http1(server, etag, case, how):
    with server.connect() as wire:
        wire.send(case.send.replace(ETAG.encode(), etag.encode()), how)
        if case.half_close:
            wire.half_close()
        for wanted in case.want:
            response = wire.response(wanted.method)
            check(response, wanted)
        if case.closes is None:
            return
        if case.want and not case.half_close:
            assert response.keeps_alive != case.closes, response.head
        if case.closes:
            wire.expect_closed()
        else:
            wire.send(b"GET /header HTTP/1.1\r\nHost: a\r\n"
                      b"X-Test: probe\r\n\r\n")
            assert wire.response().body == b"[probe]", "the next request"
            assert wire.pending() == b""


def test_names_are_unique():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert len(names) >= 150


POST = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n"
EXPECT = b"Expect: 100-continue\r\n"


def test_continue_is_sent_when_the_handler_reads(server):
    """RFC 9110, 10.1.1."""
    with server.connect() as wire:
        wire.send(POST % (b"/body", 5, EXPECT))
        assert wire.response(interim=True).status == 100
        wire.send(b"hello")
        assert wire.response().body == b"[hello]"


def test_continue_is_not_sent_for_a_body_too_large(server):
    """RFC 9110, 10.1.1: the final status tells the client not to send it."""
    with server.connect() as wire:
        wire.send(POST % (b"/body", 10_000_000, EXPECT))
        assert wire.response(interim=True).status == 413
        wire.expect_closed()


def test_continue_is_not_sent_for_a_body_nobody_reads(server):
    """RFC 9110, 10.1.1; the client may send the body or give up."""
    with server.connect() as wire:
        wire.send(POST % (b"/unread", 5, EXPECT))
        response = wire.response(interim=True)
        assert (response.status, response.body) == (200, b"unread")


def test_continue_is_not_sent_to_http_1_0(server):
    """RFC 9110, 10.1.1: a server MUST ignore it there."""
    with server.connect() as wire:
        head = POST.replace(b"HTTP/1.1", b"HTTP/1.0") % (b"/body", 5, EXPECT)
        wire.send(head + b"hello")
        response = wire.response(interim=True)
        assert (response.status, response.body) == (200, b"[hello]")


def test_response_to_pipelined_requests_keeps_the_order(server):
    """RFC 9112, 9.3.2."""
    with server.connect() as wire:
        one = "GET /show/{} HTTP/1.1\r\nHost: a\r\n\r\n"
        wire.send("".join(one.format(n) for n in range(100)).encode())
        for n, response in enumerate(wire.responses(100)):
            assert f"path=/show/{n} " in response.text


def test_response_is_not_lost_when_the_body_is_refused(server):
    """RFC 9112, 9.6: a lingering close lets the client read the answer."""
    with server.connect() as wire:
        wire.send(POST % (b"/body", 4_000_000, b"") + bytes(4_000_000))
        assert wire.response().status == 413
        wire.expect_closed()


def test_head_has_the_fields_of_get(server):
    """RFC 9110, 9.3.2."""
    for target in ("/", "/files/range.txt", "/versioned", "/nowhere"):
        with server.connect() as wire:
            first = wire.request("GET", target)
            second = wire.request("HEAD", target)
        names = ("content-length", "content-type", "etag", "last-modified")
        for name in names:
            assert first.header(name) == second.header(name), (target, name)
        assert first.status == second.status


def test_multipart_ranges(server):
    """RFC 9110, 15.3.7.2."""
    headers = {"Range": "bytes=0-1,10-12,-3"}
    response = server.get("/files/range.txt", headers)
    assert response.status == 206
    kind = re.fullmatch(
        r'multipart/byteranges; ?boundary="?([\w\'()+,./:=?-]{1,70})"?',
        response.header("content-type"),
    )
    assert kind, response.header("content-type")
    assert response.header("content-range") is None
    parts = response.text.split(f"--{kind.group(1)}")
    assert parts[-1].strip() == "--" and len(parts) == 5
    for part, first, last in zip(parts[1:], (0, 10, 33), (1, 12, 35)):
        head, _, body = part.partition("\r\n\r\n")
        assert f"bytes {first}-{last}/36" in head
        assert "content-type: text/plain" in head.lower()
        assert body.removesuffix("\r\n") == FILE[first : last + 1]


def test_file_outside_the_root_is_never_sent(server):
    """RFC 9110, 17.3."""
    for target in (
        "/files/../secret.txt",
        "/files/%2e%2e/secret.txt",
        "/files/..%2fsecret.txt",
        "/files/%2e%2e%2fsecret.txt",
        "/files/..%5csecret.txt",
        "/files/x/../../secret.txt",
        "/files//../secret.txt",
        "/files/..;/secret.txt",
        "/files/%252e%252e/secret.txt",
        "/files/.hidden",
        "/files/%2ehidden",
        "/files/range.txt%00.html",
        "/files/range.txt/",
        "/files/range.txt/../../secret.txt",
    ):
        response = server.get(target)
        assert response.status in (400, 403, 404), (target, response.status)
        assert b"secret" not in response.body, target
