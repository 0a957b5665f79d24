"""TLS of sockets: tls://, the option tls, STARTTLS on either side, against
Python's ssl; what is not believed, and what nobody may slip in."""

import ssl
from contextlib import suppress

import pytest

from harness.certs import Authority
from harness.peer import Peer, echo, read_to_end

HEAD = """
local pl = require "perilune"
local port = os.getenv "PORT"
local ca = os.getenv "CA"
local function open(options)
  return pl.connect("tls://localhost:" .. port,
    options or { tls = { ca = ca } })
end
local function refused(code, text, value, err)
  assert(value == nil and err and err.code == code, tostring(err))
  assert(tostring(err):find(text, 1, true), tostring(err))
  return err
end
"""


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    authority.sign("localhost", ["localhost", "127.0.0.1"])
    authority.sign("other", ["other.example"])
    authority.sign("client", ["client.example"], subject="/CN=client")
    return authority


def context(ca, name="localhost", **more) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(ca.folder / f"{name}.crt", ca.folder / f"{name}.key")
    for key, value in more.items():
        setattr(made, key, value)
    return made


def secret(server: ssl.SSLContext, serve):
    """serve, behind TLS; a client that gives up is no fault."""

    def run(conn):
        with suppress(ConnectionError, ssl.SSLError):
            with server.wrap_socket(conn, server_side=True) as wrapped:
                serve(wrapped)

    return run


@pytest.fixture
def script(command, ca):
    def run(text, peer):
        env = {"PORT": str(peer.port), "CA": str(ca.cert)}
        files = {"script.lua": HEAD + text}
        done = command("run", "script.lua", files=files, env=env)
        assert done.returncode == 0, done.stderr

    return run


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_echo(script, ca, version):
    least = getattr(ssl.TLSVersion, version)
    server = context(ca, minimum_version=least, maximum_version=least)
    with Peer(secret(server, echo)) as peer:
        script(
            f"""
local s = assert(open())
assert(s.tls.version == "{version.replace("_", ".")}")
assert(s.tls.verified and s.tls.subject:find("localhost", 1, true))
local data = ("0123456789"):rep(300000)
local writer = pl.spawn(function()
  assert(s:write(data))
  s:shutdown()
end)
assert(s:read_exactly(#data) == data)
assert(s:read() == nil)
writer:join()
s = assert(pl.connect("localhost:" .. port, {{ tls = {{ ca = ca }} }}))
s:write("x")
assert(s:read(1) == "x")
""",
            peer,
        )


def test_who_is_not_believed(script, ca):
    with Peer(secret(context(ca), echo)) as peer:
        script(
            """
-- the system does not know this CA
refused("proto", "certificate verify failed", open {})
refused("proto", "certificate verify failed",
  open { tls = { ca = ca, server_name = "other.example" } })
assert(open { tls = { verify = false } }):close()
local s = assert(open { tls = { ca = ca, server_name = "127.0.0.1" } })
""",
            peer,
        )
    with Peer(secret(context(ca, "other"), echo)) as peer:
        script('refused("proto", "certificate verify failed", open())', peer)


@pytest.mark.parametrize("goodbye", [True, False])
def test_an_end_without_goodbye_is_told(script, ca, goodbye):
    def serve(conn):
        conn.sendall(b"ok")
        if goodbye:
            conn.unwrap()

    with Peer(secret(context(ca), serve)) as peer:
        script(
            f"""
local s = assert(open {{ tls = {{ ca = ca }} }})
assert(s.tls and not s.truncated)
assert(s:read_all() == "ok")
assert(s.truncated == {"false" if goodbye else "true"})
s:close()
""",
            peer,
        )


def test_files_that_cannot_be_used(script, ca):
    with Peer(read_to_end) as peer:
        script(
            """
refused("not_found", "none.pem", open { tls = { ca = "none.pem" } })
refused("invalid", "no certificates in PEM form",
  open { tls = { ca = "script.lua" } })
local ok, err = pcall(open, { tls = { verfy = false } })
assert(not ok and err:find("did you mean 'verify'", 1, true), err)
local ok, err = pcall(open, { tls = 7 })
assert(not ok and err:find("option 'tls' must be", 1, true), err)
""",
            peer,
        )


def test_alpn_and_client_certificates(script, ca):
    said = []
    server = context(ca, verify_mode=ssl.CERT_REQUIRED)
    server.load_verify_locations(ca.cert)
    server.set_alpn_protocols(["b", "c"])

    def serve(conn):
        said.append((conn.selected_alpn_protocol(), conn.getpeercert()))
        conn.sendall(b"ok")

    with Peer(secret(server, serve)) as peer:
        script(
            f"""
local s = assert(open {{ tls = {{ ca = ca, alpn = {{ "a", "b" }},
  cert = "{ca.folder}/client.crt", key = "{ca.folder}/client.key" }} }})
assert(s.tls.alpn == "b")
assert(s:read_all() == "ok")
s = assert(open())
local data, err = s:read_all()
assert(data == "" or err, "without a certificate")
""",
            peer,
        )
    assert len(said) == 1 and said[0][0] == "b"
    assert "client" in str(said[0][1]["subject"])


def test_no_tls_at_all(script):
    def serve(conn):
        conn.recv(1000)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    for other in (serve, lambda conn: conn.recv(1)):
        with Peer(other) as peer:
            script(
                """
local s, err = open()
assert(not s and (err.code == "closed" or err.code == "proto"))
assert(tostring(err):find("TLS with localhost: ", 1, true), tostring(err))
""",
                peer,
            )


def test_silence_ends_with_the_limit(script):
    with Peer(read_to_end) as peer:
        script(
            """
refused("timeout", "timed out", open { connect_timeout = 0.05,
  tls = { ca = ca } })
local ok, err = pl.timeout(0.05, open)
assert(not ok and err.code == "timeout")
""",
            peer,
        )


def smtp(server, extra=b""):
    """As SMTP does it (RFC 3207)."""

    def serve(conn):
        with suppress(ConnectionError, ssl.SSLError):
            conn.sendall(b"220 hello\r\n")
            assert conn.recv(100) == b"STARTTLS\r\n"
            conn.sendall(b"220 go ahead\r\n" + extra)
            with server.wrap_socket(conn, server_side=True) as wrapped:
                file = wrapped.makefile("rwb")
                assert file.readline() == b"EHLO me\r\n"
                wrapped.sendall(b"250 secret\r\n")

    return serve


DIALOGUE = """
local s = assert(pl.connect("localhost:" .. port))
assert(s:read_line() == "220 hello")
assert(s.tls == nil)
s:write("STARTTLS\\r\\n")
assert(s:read_line() == "220 go ahead")
"""


def test_starttls(script, ca):
    with Peer(smtp(context(ca))) as peer:
        script(
            DIALOGUE
            + """
assert(s:start_tls { ca = ca })
assert(s.tls.verified)
s:write("EHLO me\\r\\n")
assert(s:read_line() == "250 secret")
refused("state", "", s:start_tls { ca = ca })
""",
            peer,
        )


def test_starttls_believes_only_the_right_name(script, ca):
    with Peer(smtp(context(ca, "other"))) as peer:
        script(
            DIALOGUE
            + """
refused("proto", "certificate verify failed", s:start_tls { ca = ca })
assert(not s.open and not s:write("secret"))
""",
            peer,
        )


def test_words_in_the_clear_are_not_taken_for_secret(script, ca):
    """What comes behind the answer to STARTTLS was not said in secret."""
    with Peer(smtp(context(ca), b"250 forged\r\n")) as peer:
        script(
            DIALOGUE
            + """
pl.sleep(0.02)
local first = s:start_tls { ca = ca }
assert(first == nil)
""",
            peer,
        )
