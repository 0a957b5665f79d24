"""Methods (RFC 9110, 9), and Expect (10.1.1)."""

import re

from conformance.http1.case import case, get, ok, post, refused, req, want

HEAD = "9110, 9.3.2"
OPTIONS = "9110, 9.3.7"
UNKNOWN = "9110, 15.6.2"
NOT_ALLOWED = "9110, 15.5.6"
EXPECT = "9110, 10.1.1"
GET_ALLOW = re.compile(r"(?=.*\bGET\b)(?=.*\bHEAD\b)(?=.*\bOPTIONS\b).*")
PUT_ALLOW = re.compile(r"(?=.*\bPUT\b)(?!.*\bGET\b).*")


def head(target: str, *fields: str) -> str:
    return get(target, *fields, method="HEAD")


def none(status=200, **headers):
    """An answer to HEAD."""
    return want(status, "", "HEAD", **headers)


CASES = [
    case("HEAD", HEAD, head("/"), none(content_length="5")),
    case("HEAD of a file", HEAD, head("/files/range.txt"),
         none(content_length="36", etag=True, last_modified=True)),
    case("HEAD of an empty file", HEAD, head("/files/empty.txt"),
         none(content_length="0")),
    case("HEAD of a stream", HEAD, head("/stream"), none()),
    case("HEAD of nothing", HEAD, head("/nowhere"), none(404)),
    case("HEAD of 204", HEAD, head("/empty"), none(204)),
    case("HEAD where only PUT is", HEAD, head("/only-put"),
         none(405, allow=PUT_ALLOW)),
    case("HEAD and close", HEAD, head("/", "Connection: close"), none(),
         closes=True),
    case("HEAD in HTTP/1.0", HEAD, req("HEAD / HTTP/1.0"), none(),
         closes=True),
    case("HEAD in HTTP/1.0 of a stream", HEAD, req("HEAD /stream HTTP/1.0"),
         none(transfer_encoding=None), closes=True),
    case("HEAD with a range", "9110, 14.2",
         head("/files/range.txt", "Range: bytes=0-4"),
         none(content_length="36")),
    case("GET of an empty file", "9110, 8.6", get("/files/empty.txt"),
         ok("", content_length="0")),
    case("204 has no length", "9110, 8.6", get("/empty"),
         want(204, "", content_length=None, transfer_encoding=None)),
    case("OPTIONS", OPTIONS, get("/", method="OPTIONS"),
         want((200, 204), allow=GET_ALLOW)),
    case("OPTIONS where only PUT is", OPTIONS,
         get("/only-put", method="OPTIONS"),
         want((200, 204), allow=PUT_ALLOW)),
    case("OPTIONS of the server", OPTIONS, get("*", method="OPTIONS"),
         want((200, 204))),
    case("OPTIONS of nothing", OPTIONS, get("/nowhere", method="OPTIONS"),
         want(404)),
    case("OPTIONS where any method is", OPTIONS,
         get("/show/x", method="OPTIONS"), want((200, 204))),
    case("GET where only PUT is", NOT_ALLOWED, get("/only-put"),
         want(405, allow=PUT_ALLOW)),
    case("POST where only GET is", NOT_ALLOWED, post("/", ""),
         want(405, allow=GET_ALLOW)),
    case("DELETE where only GET is", NOT_ALLOWED, get("/", method="DELETE"),
         want(405, allow=GET_ALLOW)),
    case("POST to a file", NOT_ALLOWED, post("/files/range.txt", "x"),
         want(405, allow=GET_ALLOW)),
    case("PATCH where any method is", "9110, 9.1",
         get("/show/x", method="PATCH"),
         ok("method=PATCH path=/show/x query=none host=a")),
    case("TRACE is not done", "9110, 9.3.8", get("/", method="TRACE"),
         want((405, 501))),
    case("CONNECT is not done", "9110, 9.3.6", get("a:80", method="CONNECT"),
         want((400, 405, 501)), closes=None),
    case("unknown method", UNKNOWN, get("/", method="BREW"), want(501),
         closes=None),
    case("unknown method with a body", UNKNOWN,
         get("/", "Content-Length: 5", method="BREW") + "hello", want(501),
         closes=None),
    case("unknown method of nothing", UNKNOWN,
         get("/nowhere", method="BREW"), want(501), closes=None),
    case("method in lower case", "9110, 9.1", get("/", method="get"),
         want(501), closes=None),
    case("method with a dash", UNKNOWN, get("/", method="M-SEARCH"),
         want(501), closes=None),
    case("method of 200 letters", UNKNOWN, get("/", method="A" * 200),
         want(501), closes=None),
    case("expects 100-continue", EXPECT,
         post("/body", "hello", "Expect: 100-continue"), ok("[hello]")),
    case("expects 100-Continue", EXPECT,
         post("/body", "hello", "Expect: 100-Continue"), ok("[hello]")),
    case("expects without a body", EXPECT,
         post("/body", "", "Expect: 100-continue"), ok("[]")),
    case("expects and is chunked", EXPECT,
         post("/body", "5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked",
              "Expect: 100-continue"), ok("[hello]")),
    case("expects in a GET", EXPECT, get("/", "Expect: 100-continue"),
         ok("hello")),
    refused("expects something else", EXPECT,
            post("/body", "hello", "Expect: tea"), 417),
]
