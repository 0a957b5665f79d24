"""The whole program while each call of the system fails in turn.

Whatever fails, and whenever: the program starts or says in one line why not; a
server answers later requests; it ends when it is asked to. It never crashes,
hangs or ends without a word."""

import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGTERM

import pytest

from harness.server import Server, environment, program
from harness.wait import GUARD, wait_for

pytestmark = pytest.mark.skipif(
    b"PL_FAULTS_COUNTS" not in program().read_bytes(),
    reason="this program has no faults",
)

LUA = """
local pl = require "perilune"
pl.set { body_rate = 0 }
pl.get("/", function() return "hello" end)
pl.post("/body", function(req) return req:body() end)
pl.put("/save", function(req)
  local size, err = req:save("saved/body")
  return size and tostring(size), err
end)
pl.post("/form", function(req)
  local form, err = req:form()
  if not form then return nil, err end
  local size, fault = form.f:save("saved/form")
  return size and tostring(size), fault
end)
pl.get("/stream", function(req, res)
  for i = 1, 20 do res:write(("x"):rep(10000)) end
end)
pl.get("/sleep", function() pl.sleep(0.001) return "slept" end)
pl.static("/files", { root = "files", not_found = "none.txt", cache = 0 })
pl.static("/all", { root = "files", preload = true, fallback = "a.txt" })
pl.on("start", function() pl.sleep(0) end)
pl.every(0.001, function() end)
pl.on("stop", function() pl.sleep(0) end)
"""
BODY = b"b" * 100_000
FORM = (
    b'--B\r\nContent-Disposition: form-data; name=f; filename="f"\r\n\r\n'
    + BODY
    + b"\r\n--B--"
)
FILES = {
    "files/a.txt": "file",
    "files/a.txt.gz": "zipped",
    "files/none.txt": "none",
    "files/large.bin": "l" * 300_000,
}
REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3,
    b"GET /files/a.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /files/large.bin HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /files/nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /all/page HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    + BODY,
    b"PUT /save HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + BODY,
    b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; "
    b"boundary=B\r\nContent-Length: %d\r\n\r\n" % len(FORM)
    + FORM,
    b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
    b"nonsense\r\n\r\n",
]
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
# All failures up to so many calls of a kind, and then a sample of so many.
ALL, SAMPLE = 120, 100


def write(folder: Path, files: dict):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def talk(port: int, data: bytes) -> bytes:
    """Sends data and takes what comes until the server closes: all answers, a
    part of them, nothing."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), GUARD) as peer:
            peer.sendall(data)
            while piece := peer.recv(1 << 16):
                answer += piece
    except TimeoutError:
        raise AssertionError(f"no end of {answer[-200:]!r}") from None
    except OSError:
        pass
    return answer


class Program:
    """One run: start, the requests, the end."""

    def __init__(self, folder: Path, site: str):
        self.folder, self.site = folder, site

    def run(self, fault: str | None, counts: Path | None = None):
        """Returns what was wrong, or None."""
        env = {"PL_FAULTS": fault} if fault else {}
        if counts:
            env["PL_FAULTS_COUNTS"] = str(counts)
        words = [program(), self.site, "-h", "127.0.0.1", "-p", "0", "-c", "2"]
        server = Server(words, self.folder, env)
        try:
            return self.judge(server)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            found = server.finish()
            assert not found or fault, (found, server.log())

    def judge(self, server: Server):
        wait_for(
            lambda: "listening on" in server.log()
            or server.process.poll() is not None,
            "it to listen or to end",
        )
        if server.process.poll() is not None:
            return self.judge_refusal(server)
        port = server.port
        for request in REQUESTS:
            talk(port, request + LAST)
        wait_for(
            lambda: talk(port, LAST).startswith(b"HTTP/1.1 200 OK"),
            "an answer after the failure",
        )
        code = server.stop(SIGTERM)
        if code != 0:
            return f"exit code {code}:\n{server.log()}"
        return None

    def judge_files(self):
        """What was saved is whole, and nothing lies beside it."""
        for path in (self.folder / "saved").iterdir():
            if path.name not in ("body", "form") or path.read_bytes() != BODY:
                return f"left behind: {path}"
        return None

    def judge_refusal(self, server: Server):
        code = server.wait()
        lines = server.log().splitlines()
        said = [line for line in lines if line.startswith("perilune: ")]
        if code not in (1, 3, 4) or len(said) != 1:
            return f"exit code {code}, said {said}:\n{server.log()}"
        return None


def read_counts(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in path.read_text().splitlines())
    return {name: int(count) for name, count in pairs if count != "0"}


def failures(counts: dict[str, int]) -> list[str]:
    found = []
    for call, count in counts.items():
        step = max((count - ALL) // SAMPLE, 1)
        numbers = [*range(1, min(count, ALL) + 1), *range(ALL + 1, count, step)]
        found += [f"{call}:{n}" for n in numbers]
    return found


@pytest.mark.parametrize("kind", ["lua", "folder"])
def test_each_call_fails_once(tmp_path, kind):
    write(tmp_path, {**FILES, "index.html": "<p>hello", "site.lua": LUA})
    (tmp_path / "saved").mkdir()
    (tmp_path / "plain").mkdir()
    write(tmp_path / "plain", {**FILES, "index.html": "<p>hello"})
    run = Program(tmp_path, "site.lua" if kind == "lua" else "plain").run
    assert run(None, tmp_path / "counts") is None
    faults = failures(read_counts(tmp_path / "counts"))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(run, faults))
    bad = [f"{f}: {r}" for f, r in zip(faults, results) if r is not None]
    print(f"{len(faults)} runs")
    bad += filter(None, [Program(tmp_path, "").judge_files()])
    assert not bad, f"{len(bad)} of {len(faults)}:\n" + "\n".join(bad[:20])


@pytest.mark.parametrize(
    "fault",
    [
        "recv:every=7=EINTR,sendmsg:every=5=EINTR,epoll_wait:every=3=EINTR",
        "accept4:every=2=ECONNABORTED",
        "accept4:every=3=EMFILE",
        "recv:every=11=ECONNRESET",
        "malloc:every=5003",
        "openat2:every=1=ENOSYS",
        "write:every=5=ENOSPC,linkat:every=2=EEXIST",
        "thread:every=2=EAGAIN",
    ],
)
def test_calls_that_fail_again_and_again(tmp_path, fault):
    write(tmp_path, {**FILES, "site.lua": LUA})
    (tmp_path / "saved").mkdir()
    program_ = Program(tmp_path, "site.lua")
    assert program_.run(fault) is None
    assert program_.judge_files() is None


def count_of(folder: Path, site: str, requests: int, target: str) -> dict:
    """Calls of a run that answers so many requests, four on a connection."""
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    counts = folder / f"counts-{requests}"
    words = [program(), site, "-h", "127.0.0.1", "-p", "0", "-c", "1"]
    env = {"PL_FAULTS_COUNTS": str(counts)}
    server = Server(words, folder, env)
    try:
        for _ in range(requests // 4):
            with server.connect() as wire:
                for _ in range(4):
                    wire.send(request)
                    assert wire.response().status in (200, 404)
        assert server.stop() == 0
    finally:
        server.finish()
    return read_counts(counts)


@pytest.mark.parametrize("target", ["/a.txt", "/nowhere"])
def test_requests_and_connections_need_no_malloc(tmp_path, target):
    """Once all is warm: C programs are counted in tests/unit/test_app.c, and
    what Lua allocates is its own."""
    write(tmp_path / "site", {"a.txt": "file"})
    # One that has just been written is read again at the next look.
    written = (tmp_path / "site/a.txt").stat().st_ctime
    wait_for(lambda: time.time() > written + 0.2, "the file to be old")
    count_of(tmp_path, "site", 4, target)  # the kernel knows the names now
    few = count_of(tmp_path, "site", 400, target)
    many = count_of(tmp_path, "site", 1200, target)
    assert many["malloc"] == few["malloc"], (few, many)
    assert many.get("mmap", 0) == few.get("mmap", 0)
