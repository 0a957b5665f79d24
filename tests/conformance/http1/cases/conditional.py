"""Conditional requests (RFC 9110, 13) on a file and on a handler's answer."""

from conformance.http1.case import ETAG, FILE, case, get, ok, want

NONE_MATCH = "9110, 13.1.2"
MATCH = "9110, 13.1.1"
MODIFIED = "9110, 13.1.3"
UNMODIFIED = "9110, 13.1.4"
ORDER = "9110, 13.2.2"
SAME = "Tue, 02 Jan 2024 03:04:05 GMT"
BEFORE = "Tue, 02 Jan 2024 03:04:04 GMT"
AFTER = "Tue, 02 Jan 2024 03:04:06 GMT"


def file(*fields: str, method: str = "GET") -> str:
    return get("/files/range.txt", *fields, method=method)


def none_match(value: str) -> str:
    return file(f"If-None-Match: {value}")


def since(value: str) -> str:
    return file(f"If-Modified-Since: {value}")


WHOLE = ok(FILE, etag=True, last_modified=SAME)
NOT_MODIFIED = want(304, "", etag=True)
FAILED = want(412)

CASES = [
    case("file", "9110, 8.8", file(), WHOLE),
    case("ETag matches", NONE_MATCH, none_match(ETAG), NOT_MODIFIED),
    case("ETag matches weakly", NONE_MATCH, none_match("W/" + ETAG),
         NOT_MODIFIED),
    case("ETag in a list", NONE_MATCH, none_match(f'"x", {ETAG} , "y"'),
         NOT_MODIFIED),
    case("ETag with a comma in a list", NONE_MATCH,
         none_match(f'"a,b", {ETAG}'), NOT_MODIFIED),
    case("ETag in a second field", NONE_MATCH,
         file('If-None-Match: "x"', f"If-None-Match: {ETAG}"), NOT_MODIFIED),
    case("any ETag", NONE_MATCH, none_match("*"), NOT_MODIFIED),
    case("another ETag", NONE_MATCH, none_match('"x"'), WHOLE),
    case("ETag without quotes", NONE_MATCH, none_match("x"), WHOLE),
    case("ETag of HEAD", NONE_MATCH,
         file(f"If-None-Match: {ETAG}", method="HEAD"),
         want(304, "", "HEAD")),
    case("304 then the next", "9110, 15.4.5",
         none_match("*") + file(), NOT_MODIFIED, WHOLE),
    case("not modified since", MODIFIED, since(SAME), NOT_MODIFIED),
    case("not modified since later", MODIFIED, since(AFTER), NOT_MODIFIED),
    case("modified since", MODIFIED, since(BEFORE), WHOLE),
    case("since a date of RFC 850", "9110, 5.6.7",
         since("Tuesday, 02-Jan-24 03:04:05 GMT"), NOT_MODIFIED),
    case("since a date of asctime", "9110, 5.6.7",
         since("Tue Jan  2 03:04:05 2024"), NOT_MODIFIED),
    case("since no date", MODIFIED, since("yesterday"), WHOLE),
    case("since a date that is none", MODIFIED,
         since("Tue, 32 Jan 2024 03:04:05 GMT"), WHOLE),
    case("ETag beats the date", ORDER,
         file('If-None-Match: "x"', f"If-Modified-Since: {AFTER}"), WHOLE),
    case("ETag beats an older date", ORDER,
         file(f"If-None-Match: {ETAG}", f"If-Modified-Since: {BEFORE}"),
         NOT_MODIFIED),
    case("must match and does", MATCH, file(f"If-Match: {ETAG}"), WHOLE),
    case("must match anything", MATCH, file("If-Match: *"), WHOLE),
    case("must match one of", MATCH, file(f'If-Match: "x", {ETAG}'), WHOLE),
    case("must match and does not", MATCH, file('If-Match: "x"'), FAILED),
    case("must match, strongly", MATCH, file(f"If-Match: W/{ETAG}"), FAILED),
    case("unmodified since", UNMODIFIED, file(f"If-Unmodified-Since: {SAME}"),
         WHOLE),
    case("not unmodified since", UNMODIFIED,
         file(f"If-Unmodified-Since: {BEFORE}"), FAILED),
    case("unmodified since no date", UNMODIFIED,
         file("If-Unmodified-Since: never"), WHOLE),
    case("match beats unmodified", ORDER,
         file(f"If-Match: {ETAG}", f"If-Unmodified-Since: {BEFORE}"), WHOLE),
    case("match before none-match", ORDER,
         file('If-Match: "x"', f"If-None-Match: {ETAG}"), FAILED),
    case("conditions where nothing is", "9110, 13.2.1",
         get("/nowhere", "If-None-Match: *"), want(404)),
    case("handler's ETag matches", NONE_MATCH,
         get("/versioned", 'If-None-Match: "v1"'),
         want(304, "", etag='"v1"')),
    case("handler's ETag does not match", NONE_MATCH,
         get("/versioned", 'If-None-Match: "v2"'), ok("versioned")),
    case("handler's ETag must match", MATCH,
         get("/versioned", 'If-Match: "v2"'), FAILED),
]
