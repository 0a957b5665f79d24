"""scenarios - what is measured: who takes part, and what each is asked for."""

from dataclasses import dataclass

from load import Load
from subjects import (
    AGAIN, BACKENDS, C, CADDY, DIGEST, ECHO, FCGI, FCGI_C, FCGI_KEPT, FCGI_PHP,
    FCGI_PHP_KEPT, FCGI_SCRIPT, FILES, FILE_SIZES, FLOOR, FORTUNES,
    FORTUNES_PAGE, GO, H2O, JSON, LIGHTTPD, LUA, MAGNET, NGINX, NGINX_H2,
    NGINX_LUA, NGINX_PROXY, NODE, PACKED, PACKED_ANEW, PAGE, PAGES, PROXY, TLS,
    UPLOAD, UPLOAD_SIZE, file_path,
)  # fmt: skip

PLAIN = (C, NGINX, H2O, LIGHTTPD, CADDY, NODE, GO)
SCRIPTED = (LUA, NGINX_LUA, MAGNET, NODE, GO)
STATIC = (FILES, NGINX, H2O, LIGHTTPD, CADDY, GO)
# With QUICK=1 only those that a budget names.
QUICK = {C, LUA, FILES, PAGES, FLOOR, NGINX, NGINX_LUA, H2O, LIGHTTPD, *TLS,
         *AGAIN, PROXY, NGINX_PROXY, *BACKENDS}  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    key: str  # as in `--only`, and in the names of charts
    title: str
    load: Load
    subjects: tuple[str, ...]
    floor: str | None = None  # whose answer the floor gives; None: no floor
    # Who is compared so closely that three rounds are too few.
    close: tuple[str, ...] = ()
    weight: float = 1  # length of a run, as a multiple
    quick: bool = False  # also with QUICK=1
    calls: bool = False  # system calls are counted

    @property
    def names(self) -> tuple[str, ...]:
        return ((FLOOR,) if self.floor else ()) + self.subjects


def number(n: int) -> str:
    return f"{n:,}".replace(",", " ")


def hello(connections: int) -> list[Scenario]:
    """From C (a constant) and from Lua (an argument), over so many."""
    many, busy = connections == 10_000, connections == 64
    what = f"{number(connections)} connection{'s' * (connections > 1)}"
    weight = 2 if many else 0.5 if connections < 64 else 1
    common = {"weight": weight, "quick": busy or many, "calls": busy}
    return [
        Scenario(
            f"hello-{connections}",
            f"Hello from C, {what}",
            Load("/", connections),
            PLAIN,
            floor=C,
            close=(FLOOR, C) if busy else (),
            **common,
        ),
        Scenario(
            f"lua-{connections}",
            f"Hello from Lua, {what}",
            Load(ECHO, connections),
            ((C,) if busy else ()) + SCRIPTED,
            floor=LUA,
            close=(C, LUA, NGINX_LUA) if busy else (),
            **common,
        ),
    ]


def files() -> list[Scenario]:
    made = [
        Scenario(
            f"file-{connections}",
            f"File of 6150 bytes, {number(connections)} connections",
            Load(file_path(6150), connections),
            STATIC,
            floor=FILES,
            close=(FLOOR, FILES),
            quick=True,
            calls=connections == 100,
        )
        for connections in (100, 1000)
    ]
    for size in FILE_SIZES:
        if size != 6150:
            made.append(
                Scenario(
                    f"size-{size}",
                    f"File of {number(size)} bytes, 64 connections",
                    Load(file_path(size)),
                    STATIC,
                    # one send of the floor takes no more than a buffer
                    floor=FILES if size <= 10_000 else None,
                    weight=0.5,
                )
            )
    return made


def secure() -> list[Scenario]:
    """The peers of the same names, with TLS."""
    return [
        Scenario(
            "tls-64",
            "Hello from C over TLS, 64 connections",
            Load("/"),
            TLS,
            quick=True,
        ),
        Scenario(
            "tls-close",
            "A full handshake for each request, 64 at a time",
            Load("/", close=True),
            TLS,
            quick=True,
        ),
        Scenario(
            "tls-resumed",
            "A resumed session for each request, 16 at a time",
            Load("/", 16, tool="tls_load", close=True),
            AGAIN,
            quick=True,
        ),
    ]


def templates() -> list[Scenario]:
    """From data to HTML, escaped."""
    return [
        Scenario(
            key,
            f"{what}, 64 connections",
            Load(target),
            (LUA, NGINX_LUA),
            floor=LUA,
            quick=True,
        )
        for key, what, target in (
            ("fortunes", "A table of 12 rows by a Mustache template", FORTUNES),
            ("fortunes-page", "A table of 12 rows by a page", FORTUNES_PAGE),
        )
    ]


def fastcgi() -> list[Scenario]:
    """Behind nginx, whose time does not count."""
    often = (FCGI, FCGI_SCRIPT, FCGI_C, FCGI_PHP)
    kept = (FCGI_KEPT, FCGI_PHP_KEPT)
    return [
        Scenario(
            key,
            f"{what} by FastCGI, {how}",
            Load(target),
            subjects,
            close=subjects,
            quick=True,
            calls=True,
        )
        for key, what, target, how, subjects in (
            ("fastcgi", "Hello", ECHO, "a connection for each request", often),
            ("fastcgi-kept", "Hello", ECHO, "connections kept", kept),
            ("fastcgi-digest", "MD5 in Base64", DIGEST,
             "a connection for each request", often),
        )
    ]  # fmt: skip


def packed() -> list[Scenario]:
    """A page of 32 KiB as gzip: found or made once, and made for each."""
    return [
        Scenario(
            "packed",
            "A page of 32 KiB, compressed before (perilune: by itself)",
            Load(PACKED, gzip=True),
            (FILES, NGINX, H2O),
            quick=True,
        ),
        Scenario(
            "packed-anew",
            "A page of 32 KiB, compressed for each answer",
            Load(PACKED_ANEW, gzip=True),
            (LUA, NGINX, H2O),
        ),
    ]


SCENARIOS = [
    *(each for n in (1, 8, 64, 512, 10_000) for each in hello(n)),
    *files(),
    *packed(),
    Scenario(
        "close",
        "A connection for each request, 64 at a time",
        Load("/", close=True),
        (C, LUA, NGINX, NGINX_LUA, H2O, LIGHTTPD, CADDY, NODE, GO),
        floor=C,
        quick=True,
        calls=True,
    ),
    Scenario(
        "pipelined",
        "Pipelined, 16 requests at once, 64 connections",
        Load("/", depth=16),
        (C, LUA, NGINX, H2O, LIGHTTPD, CADDY, NODE, GO),
        floor=C,
        quick=True,
        calls=True,
    ),
    Scenario(
        "upload",
        "Upload of 1 MiB, 8 connections",
        Load(UPLOAD, 8, post=UPLOAD_SIZE),
        (C, LUA, NGINX, NGINX_LUA, MAGNET, NODE, GO),
        quick=True,
        calls=True,
    ),
    Scenario(
        "json",
        "JSON from an object of the language, 64 connections",
        Load(JSON),
        (LUA, NGINX_LUA, NODE, GO),
        floor=LUA,
        quick=True,
    ),
    Scenario(
        "page",
        "HTML page with ten values, escaped, 64 connections",
        Load(PAGE),
        (PAGES, NGINX_LUA),
        floor=PAGES,
        quick=True,
    ),
    *templates(),
    Scenario(
        "proxy",
        "Hello of another server through a proxy, 64 connections",
        Load("/"),
        (PROXY, NGINX_PROXY),
        close=(PROXY, NGINX_PROXY),
        quick=True,
        calls=True,
    ),
    *fastcgi(),
    *secure(),
    Scenario(
        "h2load",
        "Hello from C by another load generator, h2load, 64 connections",
        Load("/", tool="h2load"),
        (C, NGINX, H2O, LIGHTTPD),
        floor=C,
    ),
    Scenario(
        "http2",
        "Hello over HTTP/2, 32 connections of 32 streams",
        Load("/", 32, tool="h2load", streams=32),
        (C, LUA, NGINX_H2, H2O, LIGHTTPD, CADDY),
        close=(C, H2O, LIGHTTPD),
        quick=True,
        calls=True,
    ),
]
