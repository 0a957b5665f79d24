"""The PROXY protocol: HAProxy, curl and raw bytes in front of the server."""

import socket
import struct
import subprocess

import pytest

SITE = """
local pl = require "perilune"
pl.listen { "127.0.0.1:0", proxy_protocol = %s, trusted = %s }
pl.get("/", function(req) return req.remote .. " " .. req.remote_port end)
"""

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LINE = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"


def start(serve, use="true", trusted='"127.0.0.1"', *arguments):
    return serve(
        SITE % (use, trusted), *arguments, listen=False, announced=True
    )


def talk(server, *pieces: bytes) -> bytes:
    """Sends the pieces; everything until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), 30) as wire:
        for piece in pieces:
            wire.sendall(piece)
        got = b""
        try:
            while part := wire.recv(65536):
                got += part
        except ConnectionResetError:
            pass  # closed with bytes unread
        return got


def v2(command: int, family: int, addresses: bytes, items: bytes = b""):
    return (
        SIGNATURE
        + struct.pack(">BBH", command, family, len(addresses) + len(items))
        + addresses
        + items
    )


INET = bytes([192, 0, 2, 1, 198, 51, 100, 7]) + struct.pack(">HH", 56324, 443)


def test_a_line_says_who_the_client_is(serve):
    server = start(serve)
    assert talk(server, LINE + REQUEST).endswith(b"\r\n\r\n192.0.2.1 56324")
    tcp6 = b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n"
    assert talk(server, tcp6 + REQUEST).endswith(b"\r\n\r\n2001:db8::1 1")
    local = talk(server, b"PROXY UNKNOWN\r\n" + REQUEST)
    assert b"\r\n\r\n127.0.0.1 " in local


def test_a_binary_header_says_who_the_client_is(serve):
    server = start(serve)
    header = v2(0x21, 0x11, INET, b"\x02\x00\x01a")
    assert talk(server, header + REQUEST).endswith(b"192.0.2.1 56324")
    assert b"\r\n\r\n127.0.0.1 " in talk(server, v2(0x20, 0, b"") + REQUEST)


def test_pieces_make_no_difference(serve):
    server = start(serve, '"optional"')
    whole = v2(0x21, 0x11, INET) + REQUEST
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    assert talk(server, *pieces).endswith(b"192.0.2.1 56324")


@pytest.mark.parametrize(
    "garbage",
    [
        REQUEST,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 01 443\r\n" + REQUEST,
        b"PROXY " + b"x" * 200,
        v2(0x31, 0x11, INET) + REQUEST,
        v2(0x21, 0x11, INET, b"\x03\x00\x04abcd") + REQUEST,
        v2(0x21, 0x11, INET[:-1]) + REQUEST,
    ],
)
def test_garbage_is_closed_with_one_line(serve, garbage):
    server = start(serve)
    assert talk(server, garbage) == b""
    assert len(server.wait_log("PROXY header refused")) == 1


def test_who_is_not_trusted_is_closed(serve):
    server = start(serve, "true", '{ "10.0.0.0/8", "::1", "unix:" }')
    assert talk(server, LINE + REQUEST) == b""
    server.wait_log("the peer is not trusted")


def test_optional_headers_count_from_the_trusted_only(serve):
    server = start(serve, '"optional"')
    assert talk(server, LINE + REQUEST).endswith(b"192.0.2.1 56324")
    assert b"\r\n\r\n127.0.0.1 " in talk(server, REQUEST)
    other = start(serve, '"optional"', '"::1"')
    assert b" 400 " in talk(other, LINE + REQUEST)
    assert b"\r\n\r\n127.0.0.1 " in talk(other, REQUEST)


def test_a_slow_header_is_not_waited_for(serve):
    server = serve(
        'require "perilune".set { header_timeout = 0.2 }'
        + SITE % ("true", '"127.0.0.1"'),
        listen=False,
    )
    assert talk(server, LINE[:20]) == b""
    server.wait_log("PROXY header refused: it took too long")


def test_the_access_log_has_the_client(serve, tmp_path):
    log = tmp_path / "access"
    server = start(
        serve, "true", '"127.0.0.1"', "--access-log", str(log)
    )
    talk(server, LINE + REQUEST)
    server.stop()
    assert log.read_text().startswith("192.0.2.1 - - [")


def test_curl_sends_its_own_address(serve):
    server = start(serve)
    done = subprocess.run(
        ["curl", "-s", "--haproxy-protocol", server.url("/")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("127.0.0.1 ")


def test_the_list_may_be_that_of_the_site(serve):
    server = serve(
        """
        local pl = require "perilune"
        pl.listen { "127.0.0.1:0", proxy_protocol = true }
        pl.set { trusted = { "127.0.0.0/8", "::1" } }
        pl.get("/", function(req) return req.remote end)
        """,
        listen=False,
    )
    assert talk(server, LINE + REQUEST).endswith(b"192.0.2.1")


INFO = """
local pl = require "perilune"
pl.listen { "127.0.0.1:0", proxy_protocol = "optional", trusted = "127.0.0.1" }
local function flat(t)
  local names, list = {}, {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for i, name in ipairs(names) do
    local value = t[name]
    if type(value) == "table" then value = "{" .. flat(value) .. "}" end
    list[i] = name .. "=" .. tostring(value)
  end
  return table.concat(list, " ")
end
pl.get("/", function(req)
  return req.scheme .. " " .. (req.proxy and flat(req.proxy) or "none")
end)
"""


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BH", kind, len(value)) + value


def test_handlers_see_what_the_header_says(serve):
    server = serve(INFO, listen=False)
    assert talk(server, REQUEST).endswith(b"\r\n\r\nhttp none")
    assert talk(server, LINE + REQUEST).endswith(
        b"\r\n\r\nhttp address=198.51.100.7 port=443 version=1"
    )
    tls = b"\x07\0\0\0\0" + item(0x21, b"TLSv1.3") + item(0x22, b"me")
    items = (
        item(0x01, b"h2")
        + item(0x02, b"a.example")
        + item(0x05, b"id-1")
        + item(0x20, tls)
        + item(0xEA, b"vpc")
    )
    got = talk(server, v2(0x21, 0x11, INET, items) + REQUEST)
    assert got.split(b"\r\n\r\n")[1] == (
        b"https 234=vpc address=198.51.100.7 alpn=h2 authority=a.example "
        b"port=443 tls={certificate=true cn=me verified=true "
        b"version=TLSv1.3} unique_id=id-1 version=2"
    )
    untrue = b"\x01\0\0\0\x01"
    got = talk(server, v2(0x21, 0x11, INET, item(0x20, untrue)) + REQUEST)
    assert b" tls={certificate=false verified=false} " in got


def test_what_dev_shows_goes_through_no_proxy(serve):
    server = serve(
        """
        local pl = require "perilune"
        pl.listen { "127.0.0.1:0", proxy_protocol = "optional",
          trusted = "127.0.0.1" }
        pl.get("/", function() error("secret") end)
        """,
        "--dev",
        listen=False,
    )
    ask = REQUEST.replace(b"Host: a", b"Host: localhost\r\nAccept: text/html")
    assert b"secret" in talk(server, ask)
    for peer in (b"TCP4 127.0.0.1 127.0.0.1 1 2", b"TCP6 ::1 ::1 1 2"):
        assert b"secret" not in talk(server, b"PROXY " + peer + b"\r\n" + ask)
    unix = v2(0x21, 0x31, bytes(216))
    assert b"secret" not in talk(server, unix + ask)
