"""What is too long (RFC 9112, 3; RFC 9110, 5.4 and 15.5).

The defaults: a request line of 8 KiB, fields of 32 KiB and 100 of them; the
site sets bodies to 16 KiB."""

from conformance.http1.case import case, chunked, get, ok, post, refused, req

LINE = "9112, 3"
FIELDS = "9110, 5.4"
BODY = "9110, 15.5.14"
LINE_MAX = 8192
BODY_MAX = 16384


def line(length: int) -> str:
    """A request whose request line has so many bytes."""
    rest = len("GET /show/ HTTP/1.1")
    return get("/show/" + "x" * (length - rest))


def fields(count: int) -> str:
    """With Host: count fields."""
    return get("/", *(f"X-{n}: a" for n in range(count - 1)))


CASES = [
    case("longest request line", LINE, line(LINE_MAX), ok()),
    refused("request line too long", "9110, 15.5.15", line(LINE_MAX + 1), 414),
    refused("request line far too long", "9110, 15.5.15", line(20000), 414),
    refused("query too long", "9110, 15.5.15",
            get("/?" + "x" * LINE_MAX), 414),
    case("long field", FIELDS, get("/", "X: " + "a" * 30000), ok("hello")),
    refused("field too long", FIELDS, get("/", "X: " + "a" * 40000), 431),
    refused("field name too long", FIELDS, get("/", "X" * 40000 + ": a"), 431),
    refused("fields too long together", FIELDS,
            get("/", *("X: " + "a" * 990 for _ in range(40))), 431),
    case("as many fields as may be", FIELDS, fields(100), ok("hello")),
    refused("too many fields", FIELDS, fields(101), 431),
    refused("far too many fields", FIELDS, fields(1000), 431),
    refused("too many empty fields", FIELDS,
            req("GET / HTTP/1.1", "Host: a", *["X:"] * 200), 431),
    case("largest body", BODY, post("/body", "x" * BODY_MAX),
         ok("[" + "x" * BODY_MAX + "]")),
    refused("body too large", BODY, post("/body", "x" * (BODY_MAX + 1)), 413),
    refused("body announced too large", BODY,
            post("/body", "", "Content-Length: 1000000000000"), 413),
    case("largest chunked body", BODY,
         chunked("4000\r\n" + "x" * BODY_MAX + "\r\n0\r\n\r\n"),
         ok("[" + "x" * BODY_MAX + "]")),
    refused("chunked body too large", BODY,
            chunked("4001\r\n" + "x" * (BODY_MAX + 1) + "\r\n0\r\n\r\n"), 413),
    refused("chunk announced too large", BODY,
            chunked("7fffffff\r\n" + "x" * (BODY_MAX + 1)), 413),
    refused("extension too long", "9112, 7.1.1",
            chunked("1;" + "a" * 20000 + "\r\nx\r\n0\r\n\r\n"),
            (400, 413, 431)),
    refused("trailers too long", "9112, 7.1.2",
            chunked("0\r\n" + "X: a\r\n" * 4000 + "\r\n"), (400, 413, 431)),
]
