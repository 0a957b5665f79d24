"""Forwarded and X-Forwarded-*: whose word is taken for who asks."""

import pytest

SITE = """
local pl = require "perilune"
pl.listen { "127.0.0.1:0", %s }
pl.get("/", function(req)
  return ("%%s %%d %%s %%s"):format(req.remote, req.remote_port, req.scheme,
    req.host)
end)
"""
TRUSTED = 'trusted = { "127.0.0.1", "10.0.0.0/8" }'


def ask(serve, options: str, *fields) -> str:
    server = serve(SITE % options, listen=False)
    wire = server.connect()
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    wire.send(f"GET / HTTP/1.1\r\nHost: own.example\r\n{lines}\r\n".encode())
    return wire.response().text


FOR = "X-Forwarded-For"


@pytest.mark.parametrize(
    "options, fields, want",
    [
        ("", [(FOR, "192.0.2.1")], "127.0.0.1 * http own.example"),
        (
            'trusted = "::1"',
            [(FOR, "192.0.2.1"), ("X-Forwarded-Proto", "https")],
            "127.0.0.1 * http own.example",
        ),
        (TRUSTED, [], "127.0.0.1 * http own.example"),
        (TRUSTED, [(FOR, "192.0.2.1")], "192.0.2.1 0 http own.example"),
        (
            TRUSTED,
            [(FOR, "192.0.2.9, 192.0.2.1, 10.0.0.1")],
            "192.0.2.1 0 http own.example",
        ),
        (
            TRUSTED,
            [(FOR, "192.0.2.9"), (FOR, "[2001:DB8::1]:99")],
            "2001:db8::1 99 http own.example",
        ),
        (
            TRUSTED,
            [(FOR, "192.0.2.1"), ("X-Forwarded-Proto", "https")],
            "192.0.2.1 0 https own.example",
        ),
        (
            TRUSTED,
            [(FOR, "1.2.3.4, 10.0.0.1"), ("X-Forwarded-Proto", "https, http")],
            "1.2.3.4 0 https own.example",
        ),
        (
            TRUSTED,
            [("X-Forwarded-Host", "evil.example"), ("X-Real-IP", "1.2.3.4")],
            "127.0.0.1 * http own.example",
        ),
        (
            TRUSTED + ', forwarded = "x-forwarded-host"',
            [("X-Forwarded-Host", "a.example:8443"), (FOR, "1.2.3.4")],
            "127.0.0.1 * http a.example",
        ),
        (
            TRUSTED + ', forwarded = { "x-real-ip", "x-forwarded-proto" }',
            [("X-Real-IP", "1.2.3.4"), (FOR, "192.0.2.1")],
            "1.2.3.4 0 http own.example",
        ),
        (
            TRUSTED + ", forwarded = false",
            [(FOR, "192.0.2.1"), ("X-Forwarded-Proto", "https")],
            "127.0.0.1 * http own.example",
        ),
        (
            TRUSTED + ', forwarded = "forwarded"',
            [
                ("Forwarded", 'for="[::1]:7";proto=https;host="a.example:1"'),
                ("Forwarded", "for=10.0.0.1;host=b.example"),
                (FOR, "192.0.2.1"),
            ],
            "::1 7 https a.example",
        ),
        (
            TRUSTED + ', forwarded = "forwarded"',
            [("Forwarded", "for=_secret")],
            "_secret 0 http own.example",
        ),
        # What nobody can read does not give the rights of the proxy.
        (TRUSTED, [(FOR, "192.0.2.1, ?")], "unknown 0 http own.example"),
        (
            TRUSTED + ', forwarded = "forwarded"',
            [("Forwarded", 'for="192.0.2.1'), ("Forwarded", "for=1.2.3.4")],
            "unknown 0 http own.example",
        ),
        (
            TRUSTED + ', forwarded = "x-real-ip"',
            [("X-Real-IP", "1.2.3.4"), ("X-Real-IP", "1.2.3.5")],
            "unknown 0 http own.example",
        ),
    ],
)
def test_whose_word_counts(serve, options, fields, want):
    got = ask(serve, options, *fields)
    if " * " in want:
        parts = got.split(" ")
        got = " ".join([parts[0], "*", *parts[2:]])
    assert got == want


def test_the_site_may_say_it_for_all_listeners(serve):
    server = serve(
        """
        local pl = require "perilune"
        pl.set { trusted = { "127.0.0.1" }, forwarded = { "forwarded" } }
        pl.host("a.example", function()
          pl.get("/", function(req) return req.remote .. " at a" end)
        end)
        pl.get("/", function(req) return req.remote end)
        """
    )
    wire = server.connect()
    wire.send(
        b"GET / HTTP/1.1\r\nHost: b\r\n"
        b"Forwarded: for=192.0.2.1;host=a.example\r\n\r\n"
    )
    assert wire.response().text == "192.0.2.1 at a"


def test_the_access_log_has_the_client(serve, tmp_path):
    log = tmp_path / "access"
    server = serve(
        SITE % TRUSTED, "--access-log", str(log), listen=False
    )
    wire = server.connect()
    wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
    assert wire.response().status == 200
    server.stop()
    assert log.read_text().startswith("1.2.3.4 - - [")


@pytest.mark.parametrize(
    "options, error",
    [
        (
            'forwarded = "x-forward-for"',
            "pl.listen: forwarded: 'x-forward-for' is no field like",
        ),
        (
            'forwarded = { "forwarded", "x-real-ip" }',
            "pl.listen: forwarded: of \"forwarded\", \"x-forwarded-for\" and",
        ),
        ("trusted = { 1 }", "pl.listen: each of 'trusted' must be a string"),
        (
            'trusted = "10.0.0.1/8"',
            "pl.listen: trusted: '10.0.0.1/8' has bits set behind its first",
        ),
        (
            "proxy_protocol = true",
            "proxy_protocol needs trusted = { ... }: who may send",
        ),
        (
            'proxy_protocol = "maybe"',
            "pl.listen: proxy_protocol 'maybe' is none of",
        ),
    ],
)
def test_mistakes_are_named(command, tmp_path, options, error):
    site = tmp_path / "site.lua"
    site.write_text(SITE % options)
    done = command("check", str(site))
    assert done.returncode == 3
    assert error.replace("pl.listen", "listen") in done.stderr, done.stderr
    assert "site.lua:3: " in done.stderr


def test_a_redirect_to_https_sees_what_the_proxy_says(serve):
    site = SITE % (TRUSTED + ', redirect = "https"')
    server = serve(site, listen=False)
    wire = server.connect()
    wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert wire.response().status == 308
    wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n")
    assert wire.response().status == 200
