"""How long a connection lives (RFC 9112, 9), and pipelines (9.3.2)."""

from conformance.http1.case import case, get, ok, post, req, want

LIFE = "9112, 9.3"
CLOSE = "9112, 9.6"
PIPELINE = "9112, 9.3.2"
CLOSING = {"connection": "close"}


def old(*fields: str, target: str = "/") -> str:
    return req(f"GET {target} HTTP/1.0", *fields)


CASES = [
    case("close", CLOSE, get("/", "Connection: close"),
         ok("hello", **CLOSING), closes=True),
    case("close in capitals", "9110, 7.6.1", get("/", "Connection: CLOSE"),
         ok("hello", **CLOSING), closes=True),
    case("close in a list", "9110, 7.6.1",
         get("/", "Connection: foo, close ,bar"), ok(**CLOSING), closes=True),
    case("close in a second field", "9110, 7.6.1",
         get("/", "Connection: foo", "Connection: close"), ok(**CLOSING),
         closes=True),
    case("close beats keep-alive", LIFE,
         get("/", "Connection: keep-alive, close"), ok(), closes=True),
    case("keep-alive is said anyway", LIFE,
         get("/", "Connection: keep-alive"), ok("hello")),
    case("option that nobody knows", "9110, 7.6.1",
         get("/", "Connection: closed, x-close"), ok("hello")),
    case("empty option", "9110, 7.6.1", get("/", "Connection: ,"), ok("hello")),
    case("Proxy-Connection is nothing", "9112, C.2.2",
         get("/", "Proxy-Connection: close"), ok("hello")),
    case("Keep-Alive is nothing", "9112, C.2.2",
         get("/", "Keep-Alive: timeout=0"), ok("hello")),
    case("close after 404", CLOSE, get("/nowhere", "Connection: close"),
         want(404, **CLOSING), closes=True),
    case("404 goes on", LIFE, get("/nowhere"), want(404)),
    case("405 goes on", LIFE, get("/only-put"), want(405)),
    case("close after a body", CLOSE,
         post("/body", "hello", "Connection: close"), ok("[hello]"),
         closes=True),
    case("close before a body is read", CLOSE,
         post("/unread", "hello", "Connection: close"), ok("unread"),
         closes=True),
    case("stream in chunks", "9112, 7.1", get("/stream"),
         ok("one two", transfer_encoding="chunked", content_length=None)),
    case("stream and close", CLOSE, get("/stream", "Connection: close"),
         ok("one two", **CLOSING), closes=True),
    # HTTP/1.0
    case("HTTP/1.0 closes", LIFE, old(), ok("hello"), closes=True),
    case("HTTP/1.0 with keep-alive", LIFE, old("Connection: keep-alive"),
         ok("hello", connection="keep-alive")),
    case("HTTP/1.0 with Keep-Alive", LIFE, old("Connection: Keep-Alive"),
         ok("hello", connection="keep-alive")),
    case("HTTP/1.0 with both", LIFE, old("Connection: keep-alive, close"),
         ok("hello"), closes=True),
    case("HTTP/1.0 stream", "9112, 6.3", old(target="/stream"),
         ok("one two", transfer_encoding=None), closes=True),
    case("HTTP/1.0 stream with keep-alive", "9112, 6.3",
         old("Connection: keep-alive", target="/stream"),
         ok("one two", transfer_encoding=None), closes=True),
    case("HTTP/1.0 twice", LIFE,
         old("Connection: keep-alive") + old(), ok("hello"), ok("hello"),
         closes=True),
    case("HTTP/1.0 with a body", "9112, 6.3",
         req("POST /body HTTP/1.0", "Content-Length: 5", body="hello"),
         ok("[hello]"), closes=True),
    # pipelines
    case("three at once", PIPELINE, get("/") * 3, ok(), ok(), ok("hello")),
    case("bodies between", PIPELINE,
         post("/body", "one") + get("/") + post("/body", "two")
         + get("/show/x"),
         ok("[one]"), ok("hello"), ok("[two]"), ok()),
    case("stream between", PIPELINE, get("/") + get("/stream") + get("/"),
         ok("hello"), ok("one two"), ok("hello")),
    case("HEAD between", PIPELINE,
         get("/") + get("/", method="HEAD") + get("/"),
         ok("hello"), want(200, "", "HEAD"), ok("hello")),
    case("204 between", PIPELINE, get("/empty") + get("/"),
         want(204, ""), ok("hello")),
    case("file between", PIPELINE,
         get("/") + get("/files/range.txt") + get("/"),
         ok(), ok(content_length="36"), ok("hello")),
    case("nothing after close", CLOSE,
         get("/", "Connection: close") + get("/show/late"), ok("hello"),
         closes=True),
    case("nothing after a refusal", "9112, 2.2",
         get("/") + "NOT HTTP\r\n\r\n" + get("/show/late"), ok("hello"),
         want(400), closes=True),
    case("404 between", PIPELINE, get("/nowhere") + get("/"),
         want(404), ok("hello")),
    case("unread body between", PIPELINE,
         post("/unread", "x" * 5000) + get("/"), ok("unread"), ok("hello")),
    case("client ends its side", CLOSE, get("/") * 2, ok("hello"),
         ok("hello"), closes=True, half_close=True),
    case("client ends its side after a stream", CLOSE, get("/stream"),
         ok("one two"), closes=True, half_close=True),
]
