"""Field lines and Host (RFC 9112, 3.2 and 5; RFC 9110, 5 and 7.2)."""

from conformance.http1.case import case, get, ok, refused, req

LINE = "GET / HTTP/1.1"
FIELD = "9112, 5"
SPACE = "9112, 5.1"
VALUE = "9110, 5.5"
HOST = "9112, 3.2"


def header(*fields: str) -> str:
    return get("/header", *fields)


def host(value: str) -> str:
    return req("GET /show/x HTTP/1.1", f"Host: {value}")


CASES = [
    case("value", FIELD, header("X-Test: a b"), ok("[a b]")),
    case("no space after the colon", FIELD, header("X-Test:a"), ok("[a]")),
    case("space around a value", FIELD, header("X-Test: \t a \t "), ok("[a]")),
    case("empty value", VALUE, header("X-Test:"), ok("[]")),
    case("value of spaces", VALUE, header("X-Test:  \t "), ok("[]")),
    case("colons in a value", FIELD, header("X-Test: a:b::c"), ok("[a:b::c]")),
    case("tab in a value", VALUE, header("X-Test: a\tb"), ok("[a\tb]")),
    case("bytes over 127", VALUE, header("X-Test: \xc3\xa9"), ok("[\xc3\xa9]")),
    case("name in capitals", "9110, 5.1", header("X-TEST: a"), ok("[a]")),
    case("repeated field", "9110, 5.3", header("X-Test: a", "x-test: b"),
         ok("[a, b]")),
    case("every character of a name", "9110, 5.6.2",
         get("/", "!#$%&'*+-.^_`|~0aZ: x"), ok()),
    refused("space before the colon", SPACE, header("X-Test : a")),
    refused("tab before the colon", SPACE, header("X-Test\t: a")),
    refused("space in a name", SPACE, header("X Test: a")),
    refused("folded value", "9112, 5.2", header("X-Test: a", " b")),
    refused("value folded by a tab", "9112, 5.2", header("X-Test: a", "\tb")),
    refused("folded empty line", "9112, 5.2", header("X-Test: a", " ")),
    refused("space before the first field", "9112, 2.2",
            req(LINE, " Host: a", "X: b")),
    refused("empty name", FIELD, header(": a")),
    refused("no colon", FIELD, header("X-Test")),
    refused("only a colon", FIELD, header(":")),
    refused("parenthesis in a name", "9110, 5.6.2", header("X(y): a")),
    refused("slash in a name", "9110, 5.6.2", header("X/y: a")),
    refused("quote in a name", "9110, 5.6.2", header('X"y: a')),
    refused("byte over 127 in a name", "9110, 5.6.2", header("X\xe9: a")),
    refused("NUL in a name", "9110, 5.6.2", header("X\0y: a")),
    refused("NUL in a value", VALUE, header("X-Test: a\0b")),
    refused("CR in a value", VALUE, header("X-Test: a\rb")),
    refused("control character in a value", VALUE, header("X-Test: a\x01b")),
    refused("DEL in a value", VALUE, header("X-Test: a\x7fb")),
    refused("LF ends a field", "9112, 2.2",
            f"{LINE}\r\nHost: a\nX-Test: b\r\n\r\n"),
    refused("LF ends the head", "9112, 2.2", f"{LINE}\r\nHost: a\r\n\n"),
    refused("LF LF ends the head", "9112, 2.2", f"{LINE}\nHost: a\n\n"),
    refused("CR CR LF ends a field", "9112, 2.2", header("X-Test: a\r")),
    refused("CR CR LF ends the head", "9112, 2.2", get("/")[:-2] + "\r\r\n"),
    # Host
    refused("no Host", HOST, req(LINE)),
    refused("two Hosts", HOST, req(LINE, "Host: a", "Host: b")),
    refused("the same Host twice", HOST, req(LINE, "Host: a", "Host: a")),
    refused("two Hosts in one", HOST, req(LINE, "Host: a, b")),
    case("empty Host", HOST, req(LINE, "Host:"), ok("hello")),
    case("Host with a port", "9110, 7.2", host("a:8080"),
         ok("method=GET path=/show/x query=none host=a")),
    case("Host with an empty port", "9110, 7.2", host("a:"), ok()),
    case("Host of IPv4", "9110, 7.2", host("127.0.0.1:80"),
         ok("method=GET path=/show/x query=none host=127.0.0.1")),
    case("Host of IPv6", "9110, 7.2", host("[::1]:80"), ok()),
    case("Host in capitals", "9110, 4.2.3", host("A.EXAMPLE"), ok()),
    case("no Host in HTTP/1.0", HOST, req("GET / HTTP/1.0"), ok("hello"),
         closes=True),
    refused("two Hosts in HTTP/1.0", HOST,
            req("GET / HTTP/1.0", "Host: a", "Host: b")),
    refused("Host with a space", HOST, host("a b")),
    refused("Host with a slash", HOST, host("a/b")),
    refused("Host with a user", HOST, host("user@a")),
    refused("Host with a query", HOST, host("a?b")),
    refused("Host with a letter in its port", HOST, host("a:8x")),
    refused("Host with a port too large", HOST, host("a:65536")),
    refused("Host with two ports", HOST, host("a:80:80")),
    refused("Host of IPv6 without its end", HOST, host("[::1")),
    refused("Host of IPv6 without brackets", HOST, host("::1")),
    refused("Host of bad IPv6", HOST, host("[::1::2]")),
    refused("Host of a port alone", HOST, host(":80")),
]
