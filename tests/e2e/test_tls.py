"""TLS of listeners, against curl, openssl and Python's ssl."""

import hashlib
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from harness.certs import Authority, Records
from harness.server import TOP, Server, build_folder, sanitized
from harness.wait import GUARD, wait_for
from harness.wire import Wire

SITE = """
local pl = require "perilune"
pl.listen { "127.0.0.1:0", tls = { cert = "site.crt", key = "site.key", %s } }
pl.get("/", function(req) return "hello " .. req.scheme end)
pl.get("/many", function(req, res)
  for i = 1, 500 do res:write(i .. "\\n") end
end)
pl.post("/sum", { max_body = "1g" }, function(req)
  local sum = 0
  while true do
    local piece = req:read(65536)
    if not piece then return tostring(sum) end
    sum = sum + #piece
  end
end)
pl.static("/files", { root = "files" })
"""
GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    authority.sign("site", ["localhost", "127.0.0.1"], kind="rsa")
    authority.sign("wild", ["*.wild.test", "wild.test"])
    authority.sign("client", subject="/O=Tests/CN=Ada Lovelace")
    return authority


@pytest.fixture
def start(serve, ca, tmp_path):
    """A server with the site, its files and the certificates."""

    def begin(tls="", site=SITE, files=None, **more):
        for path in ca.folder.glob("*.crt"):
            shutil.copy(path, tmp_path)
            shutil.copy(path.with_suffix(".key"), tmp_path)
        files = {"files/a.txt": "a" * 100, **(files or {})}
        return serve(
            site % tls if "%s" in site else site,
            files=files,
            listen=False,
            **{"workers": 1, **more},
        )

    return begin


@pytest.fixture
def connect(ca):
    """A verified connection as a Wire, with the ssl module's socket."""

    def to(server, context=None, name="localhost", session=None, port=None):
        wire = Wire(("127.0.0.1", port or server.port))
        wire.socket = (context or ca.context()).wrap_socket(
            wire.socket, server_hostname=name, session=session
        )
        return wire

    return to


def curl(ca, server, target, *args, name="localhost", code=0) -> bytes:
    done = subprocess.run(
        ["curl", "-sS", "--cacert", ca.cert, "--connect-to",
         f"::127.0.0.1:{server.port}", *args, f"https://{name}{target}"],
        capture_output=True, check=False, timeout=GUARD,
    )
    assert done.returncode == code, done.stderr.decode()
    return done.stdout


# ---- versions ----


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_is_served_with_each_version(start, ca, version):
    server = start()
    args = [f"--tlsv{version}", "--tls-max", version]
    assert curl(ca, server, "/", *args) == b"hello https"


@pytest.mark.parametrize("old", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(start, ca, connect, old):
    server = start()
    context = ca.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = getattr(ssl.TLSVersion, old)
    context.maximum_version = getattr(ssl.TLSVersion, old)
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        connect(server, context)
    assert curl(ca, server, "/") == b"hello https"


def test_the_least_version_can_be_13(start, ca, connect):
    server = start('min_version = "1.3"')
    context = ca.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        connect(server, context)
    assert connect(server).socket.version() == "TLSv1.3"


def test_what_is_agreed_on_is_modern(start, ca, connect):
    server = start()
    context = ca.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ALL:@SECLEVEL=0")
    cipher = connect(server, context).socket.cipher()[0]
    assert re.fullmatch(r"ECDHE-RSA-.*(GCM|POLY1305).*", cipher)
    context.set_ciphers("AES128-SHA:AES256-GCM-SHA384:ECDHE-RSA-AES128-SHA256")
    with pytest.raises(ssl.SSLError, match="(?i)handshake.failure"):
        connect(server, context)


# ---- protocols ----


@pytest.mark.parametrize("args, version", [([], "2"), (["--http1.1"], "1.1")])
def test_the_protocol_is_agreed_on(start, ca, args, version):
    server = start()
    got = curl(ca, server, "/", "-w", " %{http_version}", *args)
    assert got == f"hello https {version}".encode()


def test_a_listener_may_speak_http1_only(start, ca):
    site = SITE.replace(':0",', ':0", protocol = "http/1.1",')
    server = start(site=site)
    assert curl(ca, server, "/", "-w", " %{http_version}").endswith(b" 1.1")


# ---- names ----


def test_the_certificate_is_chosen_by_name(start, ca):
    server = start('certs = { { "wild.crt", "wild.key" } }')
    for name in ["localhost", "a.wild.test", "A.Wild.Test", "wild.test"]:
        assert curl(ca, server, "/", name=name) == b"hello https"
    # A wildcard is for one label; who asks for something else gets the first.
    for name in ["a.b.wild.test", "other.test"]:
        curl(ca, server, "/", name=name, code=60)


def test_the_certificate_may_have_keys_of_two_kinds(start, ca, connect):
    ca.sign("second", ["localhost", "127.0.0.1"], kind="ec")
    server = start('certs = { { "second.crt", "second.key" } }')
    context = ca.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for kind in ["RSA", "ECDSA"]:
        context.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
        assert kind in connect(server, context).socket.cipher()[0]


# ---- content ----


def test_large_files_arrive_whole(start, ca):
    import random

    data = random.Random(1).randbytes(20 << 20)
    server = start(files={"files/large": data})
    for version in ["1.2", "1.3"]:
        got = curl(ca, server, "/files/large", "--tls-max", version)
        assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    assert curl(ca, server, "/files/large", "-r", "1000000-2999999") == (
        data[1000000:3000000]
    )
    assert curl(ca, server, "/files/a.txt") == b"a" * 100


def test_large_bodies_arrive_whole(start, ca, tmp_path):
    server = start()
    path = tmp_path / "body"
    path.write_bytes(b"x" * (20 << 20))
    for args in [[], ["-H", "Transfer-Encoding: chunked"]]:
        got = curl(ca, server, "/sum", "--data-binary", f"@{path}", *args)
        assert got == str(20 << 20).encode()


def test_keep_alive_and_pipelining(start, connect):
    server = start()
    with connect(server) as wire:
        for _ in range(3):
            assert wire.request("GET", "/").text == "hello https"
        wire.send(GET % b"/" * 100)
        for _ in range(100):
            assert wire.response().text == "hello https"


def test_small_writes_of_a_turn_are_few_records(start, ca):
    server = start()
    with server.connect() as wire:
        records = Records(wire, ca.context())
        records.handshake()
        records.write(GET % b"/many")
        records.read_until(b"\r\n500\n")
        # The head, and up to 16 KiB of the 500 pieces in one record.
        with server.connect() as second:
            counting = Records(second, ca.context())
            counting.handshake()
            counting.write(GET % b"/many")
            raw, count = b"", 0
            while b"\r\n500\n" not in counting_text(counting):
                data = second.socket.recv(65536)
                raw += data
                counting.incoming.write(data)
            while raw:
                count += raw[0] == 23
                raw = raw[5 + int.from_bytes(raw[3:5], "big"):]
    assert count <= 8  # two of them are tickets


def counting_text(records) -> bytes:
    records.text = getattr(records, "text", b"")
    try:
        while True:
            records.text += records.tls.read(65536)
    except ssl.SSLWantReadError:
        return records.text


def test_a_slow_reader_gets_everything(start, ca):
    data = bytes(range(256)) * (16 << 10)
    server = start(files={"files/large": data})
    with server.connect() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
        records = Records(wire, ca.context())
        records.handshake()
        records.write(GET % b"/files/large")
        text = records.read_until(b"\r\n\r\n")
        body = text[text.index(b"\r\n\r\n") + 4 :]
        while len(body) < len(data):
            body += records.read()
        assert body == data


# ---- records ----


def test_records_may_come_byte_by_byte(start, ca):
    server = start()
    with server.connect() as wire:
        records = Records(wire, ca.context())
        records.handshake("bytewise")
        records.write(GET % b"/", "bytewise")
        assert b"hello https" in records.read_until(b"https")
        records.write(GET % b"/", [1, 5, 6, 40])
        assert b"hello https" in records.read_until(b"https")


def test_the_request_may_come_with_the_end_of_the_handshake(start, ca):
    server = start()
    with server.connect() as wire:
        records = Records(wire, ca.context())
        with pytest.raises(ssl.SSLWantReadError):
            records.tls.do_handshake()
        records.flush()
        while True:
            records.fill()
            try:
                records.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                continue
        records.tls.write(GET % b"/")
        records.flush()
        assert b"hello https" in records.read_until(b"https")


def test_an_end_without_goodbye_cuts_a_body_off(start, ca):
    server = start()
    with server.connect() as wire:
        records = Records(wire, ca.context())
        records.handshake()
        records.write(b"POST /sum HTTP/1.1\r\nHost: a\r\n")
        records.write(b"Content-Length: 1000\r\n\r\n" + b"x" * 10)
        wire.socket.shutdown(socket.SHUT_WR)
        assert b"400 Bad Request" in records.read_until(b"\r\n")


def test_the_server_says_goodbye(start, ca):
    server = start()
    with server.connect() as wire:
        records = Records(wire, ca.context())
        records.handshake()
        records.write(GET.replace(b"Host", b"Connection: close\r\nHost") % b"/")
        text = records.read_until(b"https")
        assert b"Connection: close" in text
        assert records.read() == b""  # close_notify, else it is an error


def test_an_idle_connection_ends_with_goodbye(start, ca):
    limit = 'require "perilune".set { idle_timeout = 0.2 }'
    server = start(site=limit + SITE)
    with server.connect() as wire:
        records = Records(wire, ca.context())
        records.handshake()
        records.write(GET % b"/")
        records.read_until(b"https")
        assert records.read() == b""


def test_goodbye_of_the_client_still_gets_its_answer(start, ca):
    server = start()
    with server.connect() as wire:
        records = Records(wire, ca.context())
        records.handshake()
        records.tls.write(GET % b"/")
        try:
            records.tls.unwrap()
        except ssl.SSLError:
            pass
        records.flush()
        data = b""
        while True:
            piece = wire.socket.recv(65536)
            if not piece:
                break
            data += piece
        assert len(data) > 100  # an answer, and then the end


# ---- what is no TLS ----


def test_clear_text_is_told_what_is_wrong(start):
    server = start()
    with server.connect() as wire:
        wire.send(GET % b"/")
        response = wire.response()
        assert response.status == 400
        assert "https://" in response.text
        assert not response.keeps_alive
    assert "hello" not in response.text


def test_clear_text_may_be_sent_to_https(start):
    server = start("redirect = true")
    with server.connect() as wire:
        response = wire.request("GET", "/a/b%20c?d=e", {"Host": "x.test"})
    assert response.status == 308
    assert response.header("location") == (
        f"https://x.test:{server.port}/a/b%20c?d=e"
    )


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00" * 100,
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01" * 40,
        b"\x16\x03\x01\xff\xff" + b"\x01" * 1000,
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x17\x03\x03\x00\x10" + b"\x55" * 16,
        b"\x16\x03\x01\x40\x00" + b"\x01\x7f\xff\xff" + b"\x00" * 16380,
    ],
    ids=["zeroes", "sslv2", "long", "nonsense", "data", "huge"],
)
def test_garbage_is_refused(start, ca, junk):
    server = start("session_tickets = false")
    with server.connect() as wire:
        wire.send(junk)
        wire.socket.shutdown(socket.SHUT_WR)
        data = b""
        try:
            while piece := wire.socket.recv(4096):
                data += piece
        except ConnectionResetError:
            pass
        assert data == b"" or data[0] == 21  # an alert
    assert curl(ca, server, "/") == b"hello https"


def test_silence_ends_with_the_time_limit(serve, start):
    limit = 'require "perilune".set { header_timeout = 0.2 }'
    server = start(site=limit + SITE)
    with server.connect() as wire:
        wire.send(b"\x16\x03\x01")
        assert wire.socket.recv(100) == b""


# ---- sessions ----


def test_sessions_are_resumed_by_all_workers(start, ca, connect):
    server = start(workers=3)
    context = ca.context()
    with connect(server, context) as wire:
        wire.request("GET", "/")
        session = wire.socket.session
    assert session.has_ticket
    for _ in range(12):
        with connect(server, context, session=session) as wire:
            wire.request("GET", "/")
            assert wire.socket.session_reused


def test_who_comes_with_a_ticket_gets_another(start, ca, connect):
    """RFC 8446, C.4: a ticket is used once."""
    server, context, session = start(), ca.context(), None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    for n in range(5):
        with connect(server, context, session=session) as wire:
            wire.request("GET", "/")
            assert wire.socket.session_reused == (n > 0)
            assert session is None or wire.socket.session.id != session.id
            session = wire.socket.session


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_sessions_can_be_left_out(start, ca, connect, version):
    server = start("session_tickets = false")
    context = ca.context()
    context.maximum_version = getattr(ssl.TLSVersion, version)
    with connect(server, context) as wire:
        wire.request("GET", "/")
        session = wire.socket.session
    with connect(server, context, session=session) as wire:
        wire.request("GET", "/")
        assert not wire.socket.session_reused


def test_old_keys_of_tickets_are_forgotten(start, ca, connect):
    server = start('ticket_key_rotation = "1s"')
    context = ca.context()
    with connect(server, context) as wire:
        wire.request("GET", "/")
        session = wire.socket.session

    def forgotten():
        with connect(server, context, session=session) as wire:
            wire.request("GET", "/")
            return not wire.socket.session_reused

    wait_for(forgotten, "the keys to be changed twice")


# ---- what a request knows of it ----

ABOUT = """
pl.get("/tls", function(req) return req.tls end)
pl.get("/none", function(req) return tostring(req.tls) end)
"""
CLIENT = SITE + ABOUT


def test_a_request_knows_what_was_agreed_on(start, ca, connect):
    server = start(site=CLIENT)
    context = ca.context(alpn=["http/1.1"])
    with connect(server, context, name="LocalHost") as wire:
        about = wire.request("GET", "/tls").json()
        session = wire.socket.session
    assert about == {
        "version": "TLSv1.3",
        "cipher": "TLS_AES_128_GCM_SHA256",
        "sni": "localhost",
        "alpn": "http/1.1",
        "resumed": False,
    }
    with connect(server, context, session=session) as wire:
        assert wire.request("GET", "/tls").json()["resumed"] is True


def test_there_is_none_in_the_clear(serve):
    server = serve('local pl = require "perilune"\n' + ABOUT)
    assert server.get("/none").text == "nil"


def test_a_client_that_speaks_nothing_of_ours_is_told(start, ca, connect):
    server = start()
    with pytest.raises(ssl.SSLError, match="(?i)application.protocol"):
        connect(server, ca.context(alpn=["imap"]))


# ---- client certificates ----


def answer(wire):
    """In TLS 1.3 the refusal comes after the client's handshake."""
    return wire.request("GET", "/tls").json()


def refused(connect, server, context):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with connect(server, context) as wire:
            wire.send(GET % b"/")
            assert wire.socket.recv(100) == b"an alert instead"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_client_certificates_can_be_required(start, ca, connect, version):
    server = start('ca = "ca.crt", verify = "required"', site=CLIENT,
                   files={"ca.crt": ca.cert.read_bytes()})
    context = ca.context()
    context.maximum_version = getattr(ssl.TLSVersion, version)
    refused(connect, server, context)
    pair = ca.folder / "client.crt", ca.folder / "client.key"
    context = ca.context(*pair)
    context.maximum_version = getattr(ssl.TLSVersion, version)
    with connect(server, context) as wire:
        client = answer(wire)["client"]
        session = wire.socket.session
    der = ssl.PEM_cert_to_DER_cert(pair[0].read_text())
    assert client["verified"] is True
    assert client["subject"] == "CN=Ada Lovelace,O=Tests"
    assert client["issuer"] == "CN=ca of the tests"
    assert client["fingerprint"] == hashlib.sha256(der).hexdigest()
    assert client["not_before"] < client["not_after"]
    with connect(server, context, session=session) as wire:
        assert answer(wire)["client"] == client  # also of a resumed one


def test_client_certificates_can_be_optional(start, ca, connect, tmp_path):
    server = start('ca = "ca.crt", verify = "optional"', site=CLIENT,
                   files={"ca.crt": ca.cert.read_bytes()})
    with connect(server) as wire:
        assert "client" not in answer(wire)
    with connect(server, ca.context(ca.folder / "client.crt",
                                    ca.folder / "client.key")) as wire:
        assert answer(wire)["client"]["verified"] is True
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other")
    refused(connect, server, ca.context(*other.sign("eve")))


def test_any_client_certificate_can_be_asked_for(start, ca, connect, tmp_path):
    server = start('verify = "any"', site=CLIENT)
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other")
    with connect(server, ca.context(*other.sign("eve"))) as wire:
        client = answer(wire)["client"]
    assert client["verified"] is False and "issuer" in client["error"]
    assert client["subject"] == "CN=eve,O=Tests"


def test_an_old_client_certificate_is_refused(start, ca, connect):
    ca.sign("late", days=-1)
    server = start('ca = "ca.crt", verify = "required"', site=CLIENT,
                   files={"ca.crt": ca.cert.read_bytes()})
    refused(connect, server, ca.context(ca.folder / "late.crt",
                                        ca.folder / "late.key"))
    server.wait_log("handshake failed: certificate verify failed")


# ---- new certificates ----


def serial(server, ca, connect):
    with connect(server) as wire:
        wire.request("GET", "/")
        return wire.socket.getpeercert()["serialNumber"]


def replace(folder, cert, key):
    """As certbot does: each by a rename, one after the other."""
    for name, new in [("site.crt", cert), ("site.key", key)]:
        shutil.copy(new, folder / "new")
        (folder / "new").rename(folder / name)


def test_new_certificates_are_used_without_a_restart(start, ca, connect):
    server = start(workers=2)
    old = serial(server, ca, connect)
    with connect(server) as wire:
        wire.request("GET", "/")
        ca.sign("next", ["localhost", "127.0.0.1"])
        replace(server.folder, ca.folder / "next.crt", ca.folder / "next.key")
        wait_for(lambda: serial(server, ca, connect) != old, "the new one")
        assert wire.request("GET", "/").text == "hello https"  # goes on
    server.wait_log("new certificates are in use")


def test_bad_new_certificates_are_not_used(start, ca, connect):
    server = start()
    old = serial(server, ca, connect)
    (server.folder / "site.crt").write_text("nonsense")
    wait_for(
        lambda: serial(server, ca, connect) and "stay the old" in server.log(),
        "the line",
    )
    assert serial(server, ca, connect) == old
    ca.sign("next", ["localhost", "127.0.0.1"])
    replace(server.folder, ca.folder / "next.crt", ca.folder / "next.key")
    wait_for(lambda: serial(server, ca, connect) != old, "the new one")
    assert server.log().count("stay the old") <= 2


def test_an_answer_of_the_authority_is_shown(start, ca):
    answer = b"\x30\x03\x0a\x01\x06"  # OCSP: unauthorized
    server = start('ocsp = "site.ocsp"', files={"site.ocsp": answer})
    done = subprocess.run(
        ["openssl", "s_client", "-status", "-CAfile", ca.cert,
         "-connect", f"127.0.0.1:{server.port}"],
        input=b"", capture_output=True, check=False, timeout=GUARD,
    )
    assert b"OCSP Response Status: unauthorized" in done.stdout


# ---- the command line ----


def test_tls_of_the_command_line(serve, ca, connect, tmp_path):
    for path in [ca.folder / "site.crt", ca.folder / "site.key"]:
        shutil.copy(path, tmp_path)
    site = 'require "perilune".get("/", function(r) return r.scheme end)'
    server = serve(site, "--tls-cert", "site.crt", "--tls-key", "site.key")
    with connect(server) as wire:
        assert wire.request("GET", "/").text == "https"
    server = serve(site, "--tls", "dev")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(server, context) as wire:
        assert wire.request("GET", "/").text == "https"


@pytest.mark.parametrize(
    "words, text",
    [
        (["--tls", "yes"], "only --tls dev"),
        (["--tls-key", "a"], "needs --tls-cert"),
        (["--tls-cert", "none.crt"], "cannot read none.crt"),
    ],
)
def test_wrong_words_of_the_command_line(command, words, text):
    done = command(*words, "-p", "0", files={"main.lua": ""})
    assert done.returncode != 0
    assert text in done.stderr


# ---- programs in C ----

PROGRAM = r"""
#include <perilune.h>
#include <stdio.h>

static int who(struct pl_request *req, struct pl_response *res, void *arg)
{
    const struct pl_request_tls *tls = pl_request_tls(req);

    if (tls == NULL)
        return pl_respondf(res, 200, NULL, "nobody");
    return pl_respondf(res, 200, NULL, "%s %s %d %d %s", tls->version,
                       tls->sni, tls->has_client, tls->verified,
                       tls->subject);
}

/* Lines back; after the word STARTTLS they are encrypted. */
static void echo(struct pl_app *app, struct pl_socket *socket, void *arg)
{
    const struct pl_tls_server tls = {.size = sizeof(tls), .cert = "site.crt",
                                      .key = "site.key"};
    const struct pl_tls_server none = {.size = sizeof(none)};
    char line[100];
    ssize_t n;

    while ((n = pl_socket_read_line(NULL, socket, line, sizeof(line))) >= 0) {
        struct pl_str text = {line, (size_t)n};

        if (pl_socket_accept_tls(NULL, socket, &none) != PL_ERR_INVALID ||
            pl_socket_write(NULL, socket, text) < 0 ||
            pl_socket_write(NULL, socket, PL_STR("\n")) < 0)
            return;
        pl_socket_flush(socket);
        if (n == 8 && line[0] == 'S' &&
            pl_socket_accept_tls(NULL, socket, &tls) < 0)
            return;
    }
}

int main(int argc, char **argv)
{
    const struct pl_app_tls_cert cert = {.cert = "site.crt",
                                         .key = "site.key"};
    struct pl_app_tls_options tls = {.size = sizeof(tls), .certs = &cert,
                                     .ncerts = 1, .ca = "ca.crt",
                                     .verify = argc > 1 ? argv[1] : "optional"};
    struct pl_app_listen_options options = {.size = sizeof(options),
                                            .tls = &tls};
    struct pl_app *app = pl_app_new();
    int code;

    pl_app_set(app, "signals", "on");
    pl_app_set(app, "announce", "on");
    pl_app_get(app, "/", who, NULL);
    pl_app_listen_with(app, "127.0.0.1:0", &options);
    tls = (struct pl_app_tls_options){.size = sizeof(tls)};
    tls.dev = true;
    pl_app_listen_with(app, "127.0.0.1:0", &options);
    pl_app_tcp_with(app, "127.0.0.1:0", &options, echo, NULL);
    pl_app_tcp(app, "127.0.0.1:0", echo, NULL);
    if (argc > 2) {
        options.protocol = "h2";
        pl_app_tcp_with(app, "127.0.0.1:0", &options, echo, NULL);
    }
    code = pl_app_run(app);
    if (code != 0)
        printf("%s\n", pl_app_error(app));
    pl_app_free(app);
    return code;
}
"""


@pytest.fixture
def program_in_c(tmp_path, ca):
    for path in [*ca.folder.glob("site.*"), ca.cert]:
        shutil.copy(path, tmp_path)
    (tmp_path / "who.c").write_text(PROGRAM)
    build = build_folder()
    subprocess.run(
        ["cc", "-o", "who", "who.c", f"-I{TOP}/include", f"-L{build}",
         "-lperilune", f"-Wl,-rpath,{build}"],
        cwd=tmp_path, check=True,
    )
    servers = []

    def begin(*args):
        servers.append(Server([tmp_path / "who", *args], tmp_path, {}))
        return servers[-1]

    yield begin
    for server in servers:
        faults = server.finish()
        assert not faults, "; ".join(faults)


@pytest.mark.skipif(sanitized(), reason="built without the sanitizer")
def test_a_program_in_c(program_in_c, ca, connect):
    server = program_in_c()
    (_, first), (_, second) = server.addresses(2)
    with connect(server, port=first) as wire:
        assert wire.request("GET", "/").text == "TLSv1.3 localhost 0 0 "
    pair = ca.folder / "client.crt", ca.folder / "client.key"
    with connect(server, ca.context(*pair), port=first) as wire:
        assert wire.request("GET", "/").text == (
            "TLSv1.3 localhost 1 1 CN=Ada Lovelace,O=Tests"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(server, context, port=second) as wire:
        assert wire.request("GET", "/").text.startswith("TLSv1.3")


@pytest.mark.skipif(sanitized(), reason="built without the sanitizer")
def test_raw_connections_of_a_program_in_c(program_in_c, ca):
    server = program_in_c()
    found = server.wait_log(r"listening on (tls|tcp)://127\.0\.0\.1:(\d+)", 2)
    ports = {match[1]: int(match[2]) for match in found}

    def talk(sock, word: bytes) -> bytes:
        sock.sendall(word + b"\n")
        return sock.makefile("rb", buffering=0).readline()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", ports["tls"])) as sock:
        with context.wrap_socket(sock) as tls:
            assert talk(tls, b"hello") == b"hello\n"
    with socket.create_connection(("127.0.0.1", ports["tcp"])) as sock:
        assert talk(sock, b"clear") == b"clear\n"
        assert talk(sock, b"STARTTLS") == b"STARTTLS\n"
        secret = ca.context().wrap_socket(sock, server_hostname="localhost")
        with secret as tls:
            assert talk(tls, b"secret") == b"secret\n"


@pytest.mark.skipif(sanitized(), reason="built without the sanitizer")
def test_a_program_in_c_is_told_what_is_wrong(program_in_c):
    server = program_in_c("none", "more")
    assert server.wait() != 0
    assert "protocol and redirect_port are for HTTP" in server.log()
    server = program_in_c("perhaps")
    assert server.wait() != 0
    assert "verify: there is no 'perhaps'" in server.log()


# ---- HSTS, and addresses in the clear ----


def test_hsts_is_said_with_tls_only(start, ca, connect):
    site = SITE.replace("pl.get", """
pl.listen { "127.0.0.1:0" }
pl.get("/own", function(req, res)
  res:header("strict-transport-security", "max-age=1")
  return "own"
end)
pl.get""", 1)
    server = start('hsts = "2d"', site=site)
    (_, secure), (_, clear) = server.addresses(2)
    with connect(server, port=secure) as wire:
        name = "strict-transport-security"
        assert wire.request("GET", "/").header(name) == "max-age=172800"
        assert wire.request("GET", "/none").header(name) == "max-age=172800"
        assert wire.request("GET", "/files/a.txt").all(name) == [
            "max-age=172800"
        ]
        assert wire.request("GET", "/own").all(name) == ["max-age=1"]
    with Wire(("127.0.0.1", clear)) as wire:
        assert wire.request("GET", "/").header(name) is None


@pytest.mark.parametrize("port, suffix", [("", ""), (":8443", ":8443")])
def test_an_address_in_the_clear_can_send_to_https(serve, port, suffix):
    site = f"""
    local pl = require "perilune"
    pl.listen {{ "127.0.0.1:0", redirect = "https{port}" }}
    pl.any("/*rest", function() return "served" end)
    """
    server = serve(site, listen=False)
    with server.connect() as wire:
        for method in ["GET", "POST"]:
            got = wire.request(method, "/x?y", {"Host": "a.test:80"}, b"")
            assert got.status == 308
            assert got.header("location") == f"https://a.test{suffix}/x?y"


# ---- renegotiation ----


def test_renegotiation_is_refused(start, ca):
    server = start()
    with subprocess.Popen(
        ["openssl", "s_client", "-tls1_2", "-CAfile", ca.cert,
         "-connect", f"127.0.0.1:{server.port}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        client.stdin.write(b"R\n")
        client.stdin.flush()
        text = b"".join(client.stdout)  # it gives up by itself
    assert b"no renegotiation" in text
    assert curl(ca, server, "/") == b"hello https"


# ---- what a site says wrong ----


@pytest.mark.parametrize(
    "tls, text",
    [
        ('cert = "none.crt"', "cannot read .*none.crt: No such file"),
        ('cert = "site.lua"', "no certificate in PEM form"),
        ('key = "wild.key"', "key is not that of the certificate"),
        ('key = "site.crt"', "no private key in PEM form"),
        ('ciphers = "NONE"', "none among the ciphers"),
        ('curves = "none"', "none among the curves"),
        ('ca = "site.lua"', "no certificates in PEM form"),
        ('min_version = "1.1"', "there is no '1.1'"),
        ('verify = "maybe"', "there is no 'maybe'"),
        ('cret = "a"', "did you mean 'cert'"),
    ],
)
def test_wrong_options_are_named(start, tls, text):
    server = start(tls, announced=False)
    assert server.wait() != 0
    assert re.search(text, server.log())


DEV = 'require "perilune".listen { "%s", tls = "dev" }'


def shown_by(server) -> str:
    """The certificate of a server, as PEM."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))


def test_a_certificate_for_development(serve):
    pem = shown_by(serve(DEV % "127.0.0.1:0", listen=False))
    text = subprocess.run(["openssl", "x509", "-text"], input=pem.encode(),
                          capture_output=True, check=True).stdout
    assert b"DNS:localhost" in text and b"IP Address:127.0.0.1" in text


def test_a_certificate_for_development_is_kept(serve, tmp_path):
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    kept = tmp_path / "data/perilune/dev.pem"

    def begin():
        return serve(DEV % "127.0.0.1:0", listen=False, env=env)

    first = begin()
    assert f"was made: {kept}" in first.log()
    assert kept.stat().st_mode & 0o777 == 0o600
    pem = shown_by(first)
    assert shown_by(begin()) == pem, "the same at each start"
    context = ssl.create_default_context(cafile=kept)  # who trusts it
    with socket.create_connection(("127.0.0.1", begin().port)) as sock:
        context.wrap_socket(sock, server_hostname="localhost").close()
    kept.write_text("no certificate")
    assert shown_by(begin()) != pem, "another one, as that was of no use"
    env["XDG_DATA_HOME"] = "/dev/null"
    assert "cannot be kept" in begin().log()


def test_a_certificate_for_development_is_for_this_machine(serve):
    server = serve(DEV % ":0", listen=False)
    assert server.addresses()[0][0] == "127.0.0.1"
    server = serve(DEV % "192.0.2.1:0", listen=False, announced=False)
    assert server.wait() != 0
    assert re.search(r"192\.0\.2\.1:0 can be reached by others: a certificate "
                     r"for development", server.log())


def test_what_was_agreed_on_is_counted(start, ca, connect):
    site = SITE + """
    pl.get("/stats", function() return pl.workers.stats() end)
    """
    server = start(site=site % "")
    for version in ["1.2", "1.3", "1.3"]:
        curl(ca, server, "/", f"--tlsv{version}", "--tls-max", version)
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_to_end()
    curl(ca, server, "/", name="127.0.0.1.nowhere", code=60)
    with connect(server) as wire:
        stats = wire.request("GET", "/stats").json()
    assert stats["tls"]["tls12"] == 1
    assert stats["tls"]["tls13"] >= 3
    assert stats["tls"]["clear"] == 1
    assert stats["connections"]["accepted"] == 6
    assert stats["requests"]["total"] >= 4


# ---- memory, and floods ----


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_an_idle_connection_is_small(start, ca, connect, version):
    server = start("session_tickets = true")
    context = ca.context()
    context.minimum_version = getattr(ssl.TLSVersion, version)
    context.maximum_version = getattr(ssl.TLSVersion, version)

    def peers(count):
        made = [connect(server, context) for _ in range(count)]
        for wire in made:
            assert wire.request("GET", "/").text == "hello https"
        return made

    kept = peers(100)
    before = server.proc.rss_kib()
    kept += peers(1000)
    each = (server.proc.rss_kib() - before) / 1000
    print(f"{each:.1f} KiB for an idle connection")
    if not sanitized():
        assert each <= 15
    for wire in kept:
        wire.close()


def test_a_flood_of_handshakes_does_not_hold_others(start, ca, connect):
    """Peers that say hello and nothing else, some thousand of them."""
    server = start()
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ca.context().wrap_bio(
            ssl.MemoryBIO(), hello, server_hostname="localhost"
        ).do_handshake()
    first = hello.read()
    before = server.proc.rss_kib()
    with connect(server) as wire:
        flood = []
        for _ in range(20):
            for _ in range(50):
                flood.append(Wire(("127.0.0.1", server.port)))
                flood[-1].send(first)
            assert wire.request("GET", "/").text == "hello https"
        assert curl(ca, server, "/") == b"hello https"
        if not sanitized():
            assert server.proc.rss_kib() - before < 1000 * 1024
        for peer in flood:
            peer.close()
        assert wire.request("GET", "/").text == "hello https"
