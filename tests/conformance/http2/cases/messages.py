"""RFC 9113, 8: requests as fields and bodies. What is malformed resets its
stream, and the others go on."""

from harness.h2wire import DATA, END_STREAM, PADDED, frame

from ..case import answer, case, data, fields, get, headers, post, resets

PROTOCOL = "PROTOCOL_ERROR"
METHOD, SCHEME = (":method", "GET"), (":scheme", "http")
AUTHORITY, PATH = (":authority", "a"), (":path", "/")


def malformed(name, rfc, *frames: bytes):
    return case(name, rfc, *frames, get(99),
                want=(resets(1, PROTOCOL), answer(99)))  # fmt: skip


def bad(name, rfc, *pairs):
    return malformed(name, rfc, headers(1, *pairs))


def bad_field(name, rfc, *pairs):
    return bad(name, rfc, *fields("GET", "/", *pairs))


CASES = [
    # 8.1
    malformed("trailers without END_STREAM", "9113, 8.1", post(1),
              headers(1, ("x", "y"), end=False)),
    malformed("a pseudo field in trailers", "9113, 8.1", post(1),
              headers(1, (":path", "/"))),
    malformed("a field in capitals in trailers", "9113, 8.1", post(1),
              headers(1, ("X-Y", "z"))),
    case("trailers", "9113, 8.1", post(1), data(1, "abc"),
         headers(1, ("x-sum", "7")), want=answer(1, body="[abc]")),
    case("trailers without a body", "9113, 8.1", post(1),
         headers(1, ("x-sum", "7")), want=answer(1, body="[]")),
    # 8.1.1
    malformed("more DATA than Content-Length", "9113, 8.1.1",
              post(1, "/body", ("content-length", "2")), data(1, "abc")),
    malformed("less DATA than Content-Length", "9113, 8.1.1",
              post(1, "/body", ("content-length", "4")),
              data(1, "abc", end=True)),
    malformed("trailers before Content-Length is full", "9113, 8.1.1",
              post(1, "/body", ("content-length", "4")), data(1, "abc"),
              headers(1, ("x", "y"))),
    malformed("Content-Length, but no body", "9113, 8.1.1",
              headers(1, *fields("POST", "/body", ("content-length", "1")))),
    malformed("Content-Length that is no number", "9113, 8.1.1",
              post(1, "/body", ("content-length", "1x"))),
    malformed("Content-Length twice", "9113, 8.1.1",
              post(1, "/body", ("content-length", "1"),
                   ("content-length", "1"))),
    case("Content-Length that is right", "9113, 8.1.1",
         post(1, "/body", ("content-length", "3")), data(1, "abc", end=True),
         want=answer(1, body="[abc]")),
    case("Content-Length does not count padding", "9113, 8.1.1",
         post(1, "/body", ("content-length", "3")),
         frame(DATA, PADDED | END_STREAM, 1, b"\4abc" + bytes(4)),
         want=answer(1, body="[abc]")),
    case("Content-Length of zero", "9113, 8.1.1",
         headers(1, *fields("POST", "/body", ("content-length", "0"))),
         want=answer(1, body="[]")),
    # 8.2
    bad_field("a name in capitals", "9113, 8.2", ("X-Test", "y")),
    bad_field("a name of nothing", "9113, 8.2.1", ("", "y")),
    bad_field("a name with a space", "9113, 8.2.1", ("x test", "y")),
    bad_field("a name with a colon", "9113, 8.2.1", ("x:test", "y")),
    bad_field("a name with a control character", "9113, 8.2.1", ("x\1", "y")),
    bad_field("a name beyond ASCII", "9113, 8.2.1", ("x\xe4", "y")),
    bad_field("a value with CR", "9113, 8.2.1", ("x", "a\rb")),
    bad_field("a value with LF", "9113, 8.2.1", ("x", "a\nb")),
    bad_field("a value with NUL", "9113, 8.2.1", ("x", "a\0b")),
    bad_field("a value that begins with a space", "9113, 8.2.1", ("x", " a")),
    bad_field("a value that ends with a tab", "9113, 8.2.1", ("x", "a\t")),
    case("an empty value", "9113, 8.2.1",
         get(1, "/header", ("x-test", "")), want=answer(1, body="[]")),
    case("a value beyond ASCII", "9113, 8.2.1",
         get(1, "/header", ("x-test", "\xe4")),
         want=answer(1, body="[\xe4]")),
    # 8.2.2
    bad_field("Connection", "9113, 8.2.2", ("connection", "close")),
    bad_field("Keep-Alive", "9113, 8.2.2", ("keep-alive", "timeout=5")),
    bad_field("Proxy-Connection", "9113, 8.2.2", ("proxy-connection", "x")),
    bad_field("Transfer-Encoding", "9113, 8.2.2",
              ("transfer-encoding", "chunked")),
    bad_field("Upgrade", "9113, 8.2.2", ("upgrade", "h2c")),
    bad_field("TE with gzip", "9113, 8.2.2", ("te", "gzip")),
    bad_field("TE with trailers and gzip", "9113, 8.2.2",
              ("te", "trailers, gzip")),
    case("TE with trailers", "9113, 8.2.2", get(1, "/", ("te", "trailers")),
         want=answer(1)),
    # 8.2.3
    case("cookies in crumbs", "9113, 8.2.3",
         get(1, "/cookie", ("cookie", "a=1"), ("cookie", "b=2")),
         want=answer(1, body="a=1; b=2")),
    # 8.3
    bad("no :method", "9113, 8.3.1", SCHEME, AUTHORITY, PATH),
    bad("no :scheme", "9113, 8.3.1", METHOD, AUTHORITY, PATH),
    bad("no :path", "9113, 8.3.1", METHOD, SCHEME, AUTHORITY),
    bad("an empty :path", "9113, 8.3.1", METHOD, SCHEME, AUTHORITY,
        (":path", "")),
    bad("a :path without a slash", "9113, 8.3.1", METHOD, SCHEME, AUTHORITY,
        (":path", "x")),
    bad("a :path with a space", "9113, 8.3.1", METHOD, SCHEME, AUTHORITY,
        (":path", "/a b")),
    bad("a :path with a fragment", "9113, 8.3.1", METHOD, SCHEME, AUTHORITY,
        (":path", "/a#b")),
    bad("an empty :method", "9113, 8.3.1", (":method", ""), SCHEME, AUTHORITY,
        PATH),
    bad("a :method that is no token", "9113, 8.3.1", (":method", "GE T"),
        SCHEME, AUTHORITY, PATH),
    bad(":method twice", "9113, 8.3.1", METHOD, METHOD, SCHEME, AUTHORITY,
        PATH),
    bad(":path twice", "9113, 8.3.1", METHOD, SCHEME, AUTHORITY, PATH, PATH),
    bad("an unknown pseudo field", "9113, 8.3", METHOD, SCHEME, AUTHORITY,
        PATH, (":test", "x")),
    bad(":status in a request", "9113, 8.3", METHOD, SCHEME, AUTHORITY, PATH,
        (":status", "200")),
    bad("a pseudo field behind others", "9113, 8.3", METHOD, SCHEME,
        AUTHORITY, ("x", "y"), PATH),
    bad("neither :authority nor Host", "9113, 8.3.1", METHOD, SCHEME, PATH),
    bad("an empty :authority", "9113, 8.3.1", METHOD, SCHEME, PATH,
        (":authority", "")),
    bad("an :authority with user information", "9113, 8.3.1", METHOD, SCHEME,
        PATH, (":authority", "me@a")),
    bad("Host that is not :authority", "9113, 8.3.1", METHOD, SCHEME,
        AUTHORITY, PATH, ("host", "b")),
    bad("Host twice", "9113, 8.3.1", METHOD, SCHEME, PATH, ("host", "a"),
        ("host", "a")),
    case("Host that is :authority", "9113, 8.3.1",
         get(1, "/show/x", ("host", "A")),
         want=answer(1, body="method=GET path=/show/x query=none host=A")),
    case("Host alone", "9113, 8.3.1",
         headers(1, METHOD, SCHEME, (":path", "/show/x"), ("host", "b:81")),
         want=answer(1, body="method=GET path=/show/x query=none host=b")),
    case(":authority is Host", "9113, 8.3.1",
         headers(1, METHOD, SCHEME, (":path", "/show/x?q"),
                 (":authority", "b:81")),
         want=answer(1, body="method=GET path=/show/x query=q host=b")),
    case("OPTIONS *", "9113, 8.3.1",
         headers(1, (":method", "OPTIONS"), SCHEME, AUTHORITY, (":path", "*")),
         want=answer(1, 204)),
    case("a method that nobody knows", "9110, 9.1",
         headers(1, (":method", "BREW"), SCHEME, AUTHORITY, PATH),
         want=answer(1, 501)),
    case("HEAD", "9110, 9.3.2",
         headers(1, (":method", "HEAD"), SCHEME, AUTHORITY, PATH),
         want=answer(1, body="")),
    case("a stream as an answer", "9113, 8.1", get(1, "/stream"),
         want=answer(1, body="one two")),
    case("an answer without a body", "9113, 8.1", get(1, "/empty"),
         want=answer(1, 204, "")),
    case("a condition that holds", "9110, 13.1.2",
         get(1, "/versioned", ("if-none-match", '"v1"')),
         want=answer(1, 304, "")),
    case("a path that is not there", "9110, 15.5.5", get(1, "/nowhere"),
         want=answer(1, 404)),
    case("a body that is too large", "9110, 15.5.14", post(1),
         *(data(1, "x" * 10000) for _ in range(3)), get(3),
         want=(answer(1, 413), answer(3))),
    # 8.5
    case("CONNECT", "9113, 8.5",
         headers(1, (":method", "CONNECT"), (":authority", "a:80"), end=False),
         want=answer(1, 501)),
    bad("CONNECT with :path", "9113, 8.5", (":method", "CONNECT"),
        (":authority", "a:80"), PATH),
    bad("CONNECT with :scheme", "9113, 8.5", (":method", "CONNECT"),
        (":authority", "a:80"), SCHEME),
    # RFC 8441
    bad(":protocol without CONNECT", "8441, 4", METHOD, SCHEME, AUTHORITY,
        PATH, (":protocol", "websocket")),
    bad(":protocol without :path", "8441, 4", (":method", "CONNECT"), SCHEME,
        AUTHORITY, (":protocol", "websocket")),
    # 10.5.1
    case("too many fields", "9113, 10.5.1",
         get(1, "/", *((f"x-{n}", "y") for n in range(101))), get(3),
         want=(answer(1, 431), answer(3))),
]  # fmt: skip
