"""HTTP/2 with other people's clients, and over TLS. What each section of the
RFCs wants is a conformance case, attacks have a file of their own."""

import hashlib
import shutil
import subprocess

import pytest

from conformance.http2.case import get
from harness.certs import Authority
from harness.h2wire import H2Wire, settings
from harness.wait import GUARD, wait_for

SITE = """
local pl = require "perilune"
pl.set { access_log = "access.log", write_timeout = "1s", body_grace = "1s" }
pl.get("/", function(req) return "hello over " .. req.version end)
pl.get("/secure", function(req) return req.scheme end)
pl.post("/sum", { max_body = "64m" }, function(req)
  local size = 0
  for data in function() return req:read(65536) end do size = size + #data end
  return size .. " bytes"
end)
pl.get("/stream", function(req, res)
  for n = 1, 5000 do res:write("piece " .. n .. "\\n") end
end)
pl.static("/files", { root = "files" })
"""
TLS = '\npl.listen { "127.0.0.1:0", tls = { cert = "%s", key = "%s" } }'
FILE = bytes(range(256)) * 20_000
STREAM = "".join(f"piece {n}\n" for n in range(1, 5001)).encode()


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(SITE, files={"files/five": FILE}, workers=1)


def needs(name: str):
    return pytest.mark.skipif(
        shutil.which(name) is None, reason=f"{name} is not installed"
    )


def output(*words) -> bytes:
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, timeout=GUARD
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    return done.stdout


def curl(server, path, *more) -> bytes:
    return output("curl", "-sSf", *more, f"{server.url(path)}")


# ---- other people's clients ----


@needs("curl")
@pytest.mark.parametrize("how", ["--http2-prior-knowledge", "--http2"])
def test_curl(server, how):
    assert curl(server, "/", how) == b"hello over 2"
    assert curl(server, "/stream", how) == STREAM
    got = curl(server, "/files/five", how)
    assert hashlib.sha1(got).digest() == hashlib.sha1(FILE).digest()
    part = curl(server, "/files/five", how, "-r", "1000-1999")
    assert part == FILE[1000:2000]


@needs("curl")
def test_curl_uploads(server, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(bytes(3_000_000))
    got = curl(server, "/sum", "--http2-prior-knowledge",
               "--data-binary", f"@{path}")  # fmt: skip
    assert got == b"3000000 bytes"


@needs("nghttp")
def test_nghttp(server):
    """Many at a time, by prior knowledge and by an upgrade."""
    urls = [f"{server.url(path)}" for path in ("/", "/stream", "/files/five")]
    for how in ((), ("-u",)):
        got = output("nghttp", *how, *urls)
        assert len(got) == len("hello over 2") + len(STREAM) + len(FILE)


@needs("h2load")
@pytest.mark.parametrize("path", ["/", "/files/five"])
def test_h2load(server, path):
    count = 20_000 if path == "/" else 50
    words = ["h2load", "-c32", "-m32", "-n", count, server.url(path)]
    said = output(*words).decode()
    assert f"{count} succeeded, 0 failed, 0 errored, 0 timeout" in said
    assert f"status codes: {count} 2xx" in said


def test_the_library_h2(server):
    """Python's h2: a client that checks what it is told."""
    config = pytest.importorskip("h2.config")
    connection = pytest.importorskip("h2.connection")
    events = pytest.importorskip("h2.events")
    client = connection.H2Connection(config.H2Configuration())
    client.initiate_connection()
    request = [(":method", "GET"), (":scheme", "http"),
               (":authority", "a"), (":path", "/stream")]  # fmt: skip
    for _ in range(3):
        stream = client.get_next_available_stream_id()
        client.send_headers(stream, request, end_stream=True)
    bodies, ended = {}, 0
    with server.connect() as wire:
        wire.send(client.data_to_send())
        while ended < 3:
            for event in client.receive_data(wire.socket.recv(65536)):
                if isinstance(event, events.DataReceived):
                    bodies.setdefault(event.stream_id, []).append(event.data)
                    client.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                ended += isinstance(event, events.StreamEnded)
            wire.send(client.data_to_send())
    assert all(b"".join(pieces) == STREAM for pieces in bodies.values())


# ---- TLS ----


@pytest.fixture(scope="module")
def secure(serve_module, tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("h2-ca"))
    authority.sign("site", ["localhost", "127.0.0.1"])
    names = (authority.folder / "site.crt", authority.folder / "site.key")
    server = serve_module(SITE + TLS % names, listen=False, workers=1,
                          files={"files/five": FILE})  # fmt: skip
    server.ca = authority
    return server


@needs("curl")
@pytest.mark.parametrize("how, version", [("--http2", "2"),
                                          ("--http1.1", "1.1")])  # fmt: skip
def test_alpn(secure, how, version):
    address = f"https://localhost:{secure.addresses()[0][1]}"
    words = ["curl", "-sSf", "--cacert", secure.ca.cert, how]
    assert output(*words, address).decode() == f"hello over {version}"
    assert output(*words, address + "/secure") == b"https"
    assert output(*words, address + "/files/five") == FILE
    assert output(*words, address + "/stream") == STREAM


@needs("h2load")
def test_h2load_over_tls(secure):
    address = f"https://localhost:{secure.addresses()[0][1]}/"
    said = output("h2load", "-c8", "-m32", "-n", 5000, address).decode()
    assert "5000 succeeded, 0 failed" in said
    assert "Application protocol: h2" in said


# ---- logs, stops ----


def test_the_access_log_says_http_2(server):
    with H2Wire(server.addresses()[0]) as wire:
        wire.greet(get(1, "/?logged"))
        assert wire.answer(1).status == 200
    wait_for(
        lambda: '"GET /?logged HTTP/2" 200 12'
        in (server.folder / "access.log").read_text(),
        "the line of the access log",
    )


def test_a_stop_waits_for_streams(serve):
    """RFC 9113, 6.8: twice GOAWAY, and nothing is lost in between."""
    server = serve(
        'local pl = require "perilune"\n'
        'pl.get("/", function() return "hello" end)\n'
        'pl.get("/slow", function() pl.log.notice "slow"; pl.sleep(0.5)\n'
        '  return "done" end)',
        workers=1,
    )
    with H2Wire(server.addresses()[0]) as wire:
        wire.greet(get(1, "/slow"))
        server.wait_log("slow")
        server.process.terminate()
        wire.until(lambda: wire.goaway)
        assert wire.goaway == (2**31 - 1, "NO_ERROR")
        assert wire.answer(1).body == b"done"
        assert wire.expect_goaway() == "NO_ERROR"
        assert wire.goaway[0] == 1


# ---- limits ----


def test_closed_windows_are_given_up(server):
    """RFC 9113, 10.5: after write_timeout."""
    with H2Wire(server.addresses()[0]) as wire:
        wire.greet(settings(INITIAL_WINDOW_SIZE=0), get(1))
        assert wire.answer(1).code == "ENHANCE_YOUR_CALM"
        wire.send(get(3, "/nowhere"))
        wire.until(lambda: 3 in wire.answers)
