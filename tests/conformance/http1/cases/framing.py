"""Where a body ends, and what could be read in two ways (RFC 9112, 6 and 11).

The body of a refused request is itself a request: were it answered, a proxy
before us could be made to deliver it to somebody else."""

from conformance.http1.case import case, get, ok, post, refused, req, want

LENGTH = "9110, 8.6"
BODY = "9112, 6.3"
CODING = "9112, 6.1"
SMUGGLE = "9112, 11.2"
SMUGGLED = "0\r\n\r\n" + get("/show/smuggled")


def length(value: str) -> str:
    return post("/body", "hello", f"Content-Length: {value}")


def coding(*fields: str) -> str:
    return post("/body", SMUGGLED, *fields)


def te(value: str) -> str:
    return coding(f"Transfer-Encoding: {value}")


CASES = [
    case("body by length", BODY, post("/body", "hello"), ok("[hello]")),
    case("body of no bytes", BODY, post("/body", ""), ok("[]")),
    case("no length, no body", BODY, get("/body", method="POST"), ok("[]")),
    case("body of binary bytes", BODY, post("/body", "\0\r\n\r\n\xff"),
         ok("[\0\r\n\r\n\xff]")),
    case("body nobody reads", "9112, 9.3", post("/unread", "hello"),
         ok("unread")),
    case("body that looks like a request", SMUGGLE,
         post("/unread", get("/show/inside")), ok("unread")),
    case("GET with a body", "9110, 9.3.1",
         get("/", "Content-Length: 5") + "hello", ok("hello")),
    case("GET with a chunked body", "9110, 9.3.1",
         get("/", "Transfer-Encoding: chunked") + "1\r\na\r\n0\r\n\r\n",
         ok("hello")),
    case("HEAD with a body", "9110, 9.3.2",
         get("/", "Content-Length: 5", method="HEAD") + "hello",
         want(200, "", "HEAD")),
    case("body to a path that is not there", "9112, 9.3",
         post("/nowhere", "hello"), want(404)),
    case("body to a method that is not there", "9112, 9.3",
         post("/only-put", "hello"), want(405)),
    case("CRLF after a body", "9112, 2.2",
         post("/body", "hello") + "\r\n" + get("/"), ok("[hello]"), ok()),
    case("body cut off", "9112, 8", post("/body", "hel", "Content-Length: 5"),
         want(400), closes=True, half_close=True),
    # Content-Length
    case("length with zeros before", LENGTH, length("0005"), ok("[hello]")),
    case("length with space around", LENGTH, length(" \t5\t "), ok("[hello]")),
    refused("length with a plus", LENGTH, length("+5")),
    refused("length with a minus", LENGTH, length("-5")),
    refused("length of minus zero", LENGTH, length("-0")),
    refused("length in hexadecimal", LENGTH, length("0x5")),
    refused("length with a fraction", LENGTH, length("5.0")),
    refused("length with an exponent", LENGTH, length("5e0")),
    refused("length with a letter", LENGTH, length("5a")),
    refused("length with a space", LENGTH, length("5 5")),
    refused("length that is empty", LENGTH, length("")),
    refused("length of a word", LENGTH, length("five")),
    refused("length with an underscore", LENGTH, length("1_0")),
    refused("length beyond 64 bits", LENGTH, length("18446744073709551621")),
    refused("length of 30 digits", LENGTH, length("9" * 30)),
    refused("lengths in a list", LENGTH, length("5, 5")),
    refused("lengths in a list differ", LENGTH, length("5, 6")),
    refused("length with a comma", LENGTH, length("5,")),
    refused("length twice", LENGTH,
            post("/body", "hello", "Content-Length: 5", "Content-Length: 5")),
    refused("lengths differ", LENGTH,
            post("/body", "hello", "Content-Length: 5", "Content-Length: 6")),
    refused("length in HTTP/1.0 twice", LENGTH,
            req("POST /body HTTP/1.0", "Content-Length: 5",
                "Content-Length: 0", body="hello")),
    # Transfer-Encoding
    refused("length and coding", SMUGGLE,
            coding("Content-Length: 5", "Transfer-Encoding: chunked")),
    refused("coding and length", SMUGGLE,
            coding("Transfer-Encoding: chunked", "Content-Length: 5")),
    refused("coding and length of zero", SMUGGLE,
            coding("Transfer-Encoding: chunked", "Content-Length: 0")),
    refused("coding in HTTP/1.0", CODING,
            req("POST /body HTTP/1.0", "Transfer-Encoding: chunked",
                body=SMUGGLED)),
    refused("coding twice", CODING,
            coding("Transfer-Encoding: chunked",
                   "Transfer-Encoding: chunked")),
    refused("coding and another", CODING,
            coding("Transfer-Encoding: chunked",
                   "Transfer-Encoding: identity")),
    refused("chunked twice", CODING, te("chunked, chunked")),
    refused("chunked not last", BODY, te("chunked, gzip")),
    refused("gzip without chunked", BODY, te("gzip"), (400, 501)),
    refused("identity", BODY, te("identity"), (400, 501)),
    refused("gzip before chunked", CODING, te("gzip, chunked"), (400, 501)),
    refused("coding that is empty", CODING, te("")),
    refused("coding with a parameter", CODING, te("chunked;a=b"), (400, 501)),
    refused("coding in quotes", CODING, te('"chunked"'), (400, 501)),
    refused("coding with a letter before", CODING, te("xchunked"), (400, 501)),
    refused("coding with a letter after", CODING, te("chunkedx"), (400, 501)),
    refused("coding with a space within", CODING, te("chunk ed"), (400, 501)),
    refused("coding with a vertical tab", CODING, te("\x0bchunked")),
    refused("coding with a form feed after", CODING, te("chunked\x0c")),
    refused("coding with a byte over 127", CODING, te("\xa0chunked"),
            (400, 501)),
    refused("coding with a space before its colon", "9112, 5.1",
            coding("Transfer-Encoding : chunked")),
    refused("coding that is folded", "9112, 5.2",
            coding("Transfer-Encoding:", " chunked")),
    refused("coding hidden by CR", "9112, 2.2",
            coding("X: a\rTransfer-Encoding: chunked")),
    refused("coding hidden by LF", "9112, 2.2",
            coding("X: a\nTransfer-Encoding: chunked")),
    # Fields that only resemble the two frame nothing.
    case("underscore for the dash", SMUGGLE,
         post("/body", "hello", "Transfer_Encoding: chunked",
              "Content-Length: 5"), ok("[hello]")),
    case("TE is not Transfer-Encoding", "9110, 10.1.4",
         get("/", "TE: chunked", "Connection: TE"), ok("hello")),
    case("X-Content-Length frames nothing", SMUGGLE,
         post("/body", "hello", "X-Content-Length: 9",
              "Content-Length: 5"), ok("[hello]")),
]
