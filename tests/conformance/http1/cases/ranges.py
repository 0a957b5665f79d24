"""Ranges of a file (RFC 9110, 14) and If-Range (13.1.5)."""

from conformance.http1.case import ETAG, FILE, case, get, ok, want

RANGE = "9110, 14.2"
BYTES = "9110, 14.1.2"
INVALID = "9110, 14.1.1"
OUTSIDE = "9110, 15.5.17"
IF_RANGE = "9110, 13.1.5"
SAME = "Tue, 02 Jan 2024 03:04:05 GMT"


def ranged(value: str, *fields: str, method: str = "GET") -> str:
    return get(
        "/files/range.txt", f"Range: {value}", *fields, method=method
    )


def part(first: int, last: int):
    return want(
        206,
        FILE[first : last + 1],
        content_range=f"bytes {first}-{last}/36",
        content_length=str(last + 1 - first),
        etag=True,
    )


WHOLE = ok(FILE, content_range=None)
NOT_SATISFIABLE = want(416, content_range="bytes */36")
INVALID_ANSWERS = want((200, 400, 416))

CASES = [
    case("file takes ranges", "9110, 14.3", get("/files/range.txt"),
         ok(FILE, accept_ranges="bytes")),
    case("range", BYTES, ranged("bytes=0-4"), part(0, 4)),
    case("range of one byte", BYTES, ranged("bytes=0-0"), part(0, 0)),
    case("range of the last byte", BYTES, ranged("bytes=35-35"), part(35, 35)),
    case("range to the end", BYTES, ranged("bytes=30-"), part(30, 35)),
    case("range of the whole", BYTES, ranged("bytes=0-"), part(0, 35)),
    case("last bytes", BYTES, ranged("bytes=-5"), part(31, 35)),
    case("more last bytes than there are", BYTES, ranged("bytes=-100"),
         part(0, 35)),
    case("range beyond the end", BYTES, ranged("bytes=30-99"), part(30, 35)),
    case("range far beyond the end", BYTES,
         ranged("bytes=30-99999999999999999999"), want((200, 206))),
    case("space around a range", BYTES, ranged("bytes= 0-4 "),
         want((200, 206, 400, 416))),
    case("unit in capitals", "9110, 14.1", ranged("BYTES=0-4"),
         want((200, 206))),
    case("range behind the end", OUTSIDE, ranged("bytes=36-"),
         NOT_SATISFIABLE),
    case("range far behind the end", OUTSIDE, ranged("bytes=100-200"),
         NOT_SATISFIABLE),
    case("no last bytes", OUTSIDE, ranged("bytes=-0"), NOT_SATISFIABLE),
    case("several ranges behind the end", OUTSIDE,
         ranged("bytes=36-,99-100"), NOT_SATISFIABLE),
    case("range and one behind the end", BYTES, ranged("bytes=0-4,99-"),
         part(0, 4)),
    case("416 then the next", OUTSIDE, ranged("bytes=36-") + get("/"),
         NOT_SATISFIABLE, ok("hello")),
    case("range of an empty file", OUTSIDE,
         get("/files/empty.txt", "Range: bytes=0-0"), want((200, 416))),
    case("another unit", RANGE, ranged("items=0-4"), WHOLE),
    case("unit without ranges", INVALID, ranged("bytes="), INVALID_ANSWERS),
    case("range without a unit", INVALID, ranged("0-4"), INVALID_ANSWERS),
    case("range backwards", INVALID, ranged("bytes=4-0"), INVALID_ANSWERS),
    case("range of letters", INVALID, ranged("bytes=a-b"), INVALID_ANSWERS),
    case("range with a minus", INVALID, ranged("bytes=--5"), INVALID_ANSWERS),
    case("range without a dash", INVALID, ranged("bytes=5"), INVALID_ANSWERS),
    case("ranges that overlap", "9110, 14.2", ranged("bytes=0-9,5-14"),
         want((200, 206, 416))),
    case("a hundred ranges", "9110, 17.15",
         ranged("bytes=" + ",".join("0-" for _ in range(100))),
         want((200, 206, 416))),
    case("range twice", RANGE, ranged("bytes=0-4", "Range: bytes=5-9"),
         want((200, 206, 400, 416))),
    case("range of a handler's answer", RANGE,
         get("/", "Range: bytes=0-1"), want((200, 206))),
    case("range of a stream", RANGE,
         get("/stream", "Range: bytes=0-1"), ok("one two")),
    case("range if the ETag is the same", IF_RANGE,
         ranged("bytes=0-4", f"If-Range: {ETAG}"), part(0, 4)),
    case("range if another ETag", IF_RANGE,
         ranged("bytes=0-4", 'If-Range: "x"'), WHOLE),
    case("range if a weak ETag", IF_RANGE,
         ranged("bytes=0-4", f"If-Range: W/{ETAG}"), WHOLE),
    case("range if the date is the same", IF_RANGE,
         ranged("bytes=0-4", f"If-Range: {SAME}"), part(0, 4)),
    case("range if a later date", IF_RANGE,
         ranged("bytes=0-4", "If-Range: Wed, 03 Jan 2024 03:04:05 GMT"),
         WHOLE),
    case("range if no date", IF_RANGE,
         ranged("bytes=0-4", "If-Range: now"), WHOLE),
    case("no range when nothing changed", "9110, 13.2.2",
         ranged("bytes=0-4", f"If-None-Match: {ETAG}"), want(304, "")),
    case("no range when it must match", "9110, 13.2.2",
         ranged("bytes=0-4", 'If-Match: "x"'), want(412)),
    case("range when it must match and does", "9110, 13.2.2",
         ranged("bytes=0-4", f"If-Match: {ETAG}"), part(0, 4)),
]
