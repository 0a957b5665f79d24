"""Request targets (RFC 9112, 3.2; RFC 3986): forms, percent, dot segments."""

from conformance.http1.case import case, get, ok, refused, req, want

ORIGIN = "9112, 3.2.1"
ABSOLUTE = "9112, 3.2.2"
PERCENT = "9110, 4.2.3"
DOTS = "3986, 5.2.4"


def show(path: str, query: str = "none", host: str = "a"):
    return ok(f"method=GET path={path} query={query} host={host}")


CASES = [
    case("path", ORIGIN, get("/show/x"), show("/show/x")),
    case("query", ORIGIN, get("/show/x?a=1&b=%41"),
         show("/show/x", "a=1&b=%41")),
    case("empty query", ORIGIN, get("/show/x?"), show("/show/x", "")),
    case("query with a question mark", ORIGIN, get("/show/x?a?b"),
         show("/show/x", "a?b")),
    case("query with a slash", ORIGIN, get("/show/x?a/../b"),
         show("/show/x", "a/../b")),
    case("root with a query", ORIGIN, get("/?x"), ok("hello")),
    refused("no slash", ORIGIN, get("show/x")),
    refused("asterisk for GET", "9112, 3.2.4", get("*")),
    refused("fragment", "9112, 3.2", get("/show/x#y")),
    refused("NUL", "9112, 3.2", get("/show/\0")),
    refused("DEL", "9112, 3.2", get("/show/\x7f")),
    refused("control character", "9112, 3.2", get("/show/\x01")),
    case("absolute", ABSOLUTE, get("http://a/show/x"), show("/show/x")),
    case("absolute beats Host", ABSOLUTE, get("http://b/show/x?y"),
         show("/show/x", "y", "b")),
    case("absolute with a port", ABSOLUTE, get("http://b:81/show/x"),
         show("/show/x", host="b")),
    case("absolute in capitals", ABSOLUTE, get("HTTP://a/show/x"),
         show("/show/x")),
    case("absolute without a path", ABSOLUTE, get("http://a"), ok("hello")),
    case("absolute in HTTP/1.0", ABSOLUTE,
         req("GET http://b/show/x HTTP/1.0"), show("/show/x", host="b"),
         closes=True),
    refused("absolute without Host", "9112, 3.2",
            req("GET http://a/show/x HTTP/1.1")),
    refused("absolute without an authority", "9110, 4.2.1", get("http:///x")),
    refused("absolute with a bad port", "9110, 4.2.1", get("http://a:8x/")),
    refused("absolute with another scheme", "9112, 3.2", get("gopher://a/")),
    # percent-encoding
    case("letter encoded", PERCENT, get("/show/%41%7e"), show("/show/A~")),
    case("space encoded", PERCENT, get("/show/a%20b"), show("/show/a b")),
    case("plus is a plus", PERCENT, get("/show/a+b"), show("/show/a+b")),
    case("decoded once", PERCENT, get("/show/%2541"), show("/show/%41")),
    case("UTF-8 encoded", PERCENT, get("/show/%C3%A9"), show("/show/\xc3\xa9")),
    case("question mark encoded", PERCENT, get("/show/a%3Fb"),
         show("/show/a?b")),
    case("route encoded", PERCENT, get("/%73how/x"), show("/show/x")),
    case("percent alone", PERCENT, get("/show/%"), want((400, 404)),
         closes=None),
    case("percent and one digit", PERCENT, get("/show/%4"), want((400, 404)),
         closes=None),
    case("percent and no digits", PERCENT, get("/show/%zz"),
         want((400, 404)), closes=None),
    case("percent and a cut digit", PERCENT, get("/show/%4x"),
         want((400, 404)), closes=None),
    case("NUL encoded", "3986, 7.3", get("/show/%00"), want((400, 404)),
         closes=None),
    case("percent in a query is left alone", PERCENT, get("/show/x?%zz"),
         show("/show/x", "%zz")),
    # dot segments
    case("one dot", DOTS, get("/show/./x"), show("/show/x")),
    case("two dots", DOTS, get("/show/y/../x"), show("/show/x")),
    case("two dots at the end", DOTS, get("/show/y/.."), show("/show/")),
    case("one dot at the end", DOTS, get("/show/y/."), show("/show/y/")),
    case("dots encoded", DOTS, get("/show/y/%2e%2E/x"), show("/show/x")),
    case("dots in a name", DOTS, get("/show/..x/x.../.y"),
         show("/show/..x/x.../.y")),
    case("dots above the root", DOTS, get("/../../show/x"),
         want((200, 400, 404)), closes=None),
    case("slash at the end stays", DOTS, get("/show/x/"), show("/show/x/")),
]
