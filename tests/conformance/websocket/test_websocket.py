"""WebSocket conformance: every case whole and byte by byte."""

import os
import struct
import zlib
from pathlib import Path

import pytest

from conformance.websocket.cases import CASES
from conformance.websocket.frames import (
    BINARY,
    CLOSE,
    TEXT,
    Client,
    closing,
    frame,
)

SITE = Path(__file__).with_name("site.lua").read_text()
BYTEWISE = 20_000  # longer ones are sent whole only


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(SITE, workers=1)


def code_of(frame) -> int:
    assert frame.opcode == CLOSE
    if not frame.data:
        return 1005
    frame.data[2:].decode()
    return struct.unpack("!H", frame.data[:2])[0]


def unpacker_of(case):
    """What unpacks each message: made anew, or for all of them."""
    if case.agreed is None:
        return None
    one = zlib.decompressobj(-15)
    return (lambda: one) if case.takes_over else (
        lambda: zlib.decompressobj(-15))


def is_control(frame) -> bool:
    return frame.opcode >= CLOSE


def run(port, path, case, how, in_order=True, client=Client):
    fields = ""
    if case.extensions:
        fields = f"Sec-WebSocket-Extensions: {case.extensions}\r\n"
    with client(port, path, fields, unpacker_of(case)) as client:
        assert b" 101 " in client.head or b" 200 " in client.head
        assert client.field("Sec-WebSocket-Extensions") == case.agreed
        client.send(case.send, how)
        got = [client.read() for _ in case.want]
        if not in_order:
            got.sort(key=is_control)
            case.want.sort(key=is_control)
        assert [(f.opcode, f.data) for f in got] == [
            (f.opcode, f.data) for f in case.want]
        if case.closes is None:
            client.send(closing(4242))
        assert code_of(client.read()) == (case.closes or 4242)
        assert client.at_end(), client.rest


@pytest.mark.parametrize("how", ["whole", "bytewise"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name.replace(" ", "-"))
def test_websocket(server, case, how):
    if how == "whole" or len(case.send) <= BYTEWISE:
        run(server.port, case.path or "/echo", case, how)


def test_websocket_in_straight_lines(server):
    """Pings may overtake a message that waits for its handler."""
    for case in CASES:
        if case.path is None:
            run(server.port, "/straight", case, "whole", in_order=False)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name.replace(" ", "-"))
def test_websocket_over_http2(server, case):
    over_http2 = pytest.importorskip("conformance.websocket.over_http2")
    run(server.port, case.path or "/echo", case, "whole", in_order=False,
        client=over_http2.Http2Client)


def test_each_fault_is_one_line_of_the_log(serve):
    server = serve(SITE, workers=1)
    with Client(server.port, "/echo") as client:
        client.send(b"\x83\x80\0\0\0\0" + b"\x83\x80\0\0\0\0")
        assert code_of(client.read()) == 1002
        assert client.at_end()
    server.wait_log(r"websocket closed: an unknown opcode code=1002 "
                    r"peer=127\.0\.0\.1")
    assert server.stop() == 0
    assert server.log().count("websocket closed:") == 1


LINES = b"all work and no play makes Jack a dull boy. " * 30


@pytest.mark.parametrize("path", ["/packed", "/context"])
def test_what_is_worth_it_is_packed(server, path):
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    one = zlib.decompressobj(-15)
    unpacker = (lambda: one) if path == "/context" else (
        lambda: zlib.decompressobj(-15))
    with Client(server.port, path, offer, unpacker) as client:
        for data, packed in ((LINES, True), (b"short", False), (LINES, True)):
            client.send(frame(TEXT, data))
            got = client.read()
            assert (got.data, got.packed) == (data, packed)


def test_noise_is_not_packed(server):
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    data = os.urandom(5000)
    with Client(server.port, "/packed", offer) as client:
        client.send(frame(BINARY, data))
        got = client.read()
        assert (got.data, got.packed) == (data, False)


def test_names_are_unique():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert len(names) >= 200
