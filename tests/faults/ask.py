"""What the runs have in common: requests as bytes, files, sites."""

from dataclasses import dataclass, field
from pathlib import Path

HEAD = """
local pl = require "perilune"
local function same(got, want, what)
  if got ~= want then
    pl.log.error("wrong: " .. what, { got = tostring(got):sub(1, 40) })
  end
end
"""
BODY = b"b" * 100_000


def get(target: str, *fields: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *fields, "", ""]
    return "\r\n".join(lines).encode()


def send(line: str, body: bytes, *fields: str) -> bytes:
    fields = ("Host: a", f"Content-Length: {len(body)}", *fields, "", "")
    return "\r\n".join((f"{line} HTTP/1.1", *fields)).encode() + body


def write(folder: Path, files: dict):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read_counts(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in path.read_text().splitlines())
    return {name: int(count) for name, count in pairs if count != "0"}


def chunked(line: str, body: bytes) -> bytes:
    head = f"{line} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@dataclass
class Site:
    """text: of site.lua; else a folder is served. words: of the command.
    never: what is not in the log while all calls succeed. wants: what answers
    of 200 say, by request. COOKIE in a request is what was set before."""

    text: str | None
    requests: list[bytes]
    words: list[str] = field(default_factory=list)
    never: str = "error "
    folder: str = "plain"
    listens: bool = False  # by itself: on all addresses that it needs
    wants: dict[bytes, bytes] = field(default_factory=dict)

    def name(self) -> str:
        return "site.lua" if self.text else self.folder


@dataclass
class Answer:
    status: int
    fields: dict[str, str]
    body: bytes | None  # None: it has not come to its end


def chunks(data: bytes) -> bytes | None:
    """What chunks say, if the last one is there."""
    body = b""
    while b"\r\n" in data:
        line, data = data.split(b"\r\n", 1)
        size = int(line, 16)
        if size == 0:
            return body if data.startswith(b"\r\n") else None
        body, data = body + data[:size], data[size + 2 :]
    return None


def first_answer(data: bytes) -> Answer | None:
    """The first one in what a server has said, which may end anywhere."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    line, *lines = head.decode("latin-1").split("\r\n")
    fields = {n.lower(): v for n, v in (line.split(": ", 1) for line in lines)}
    status = int(line.split()[1])
    if "transfer-encoding" in fields:
        body = chunks(rest)
    else:
        size = int(fields.get("content-length", 0))
        body = rest[:size] if len(rest) >= size else None
    return Answer(status, fields, body)
