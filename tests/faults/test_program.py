"""The whole program while each call of the system fails in turn.

Whatever fails, and whenever: the program starts or says in one line why not; a
server answers later requests; it ends when it is asked to. It never crashes,
hangs or ends without a word, and leaves no child behind."""

import itertools
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGTERM

import pytest

from ask import BODY, first_answer, get, read_counts, write
from harness.codings import decode
from harness.server import Server, program
from harness.wait import GUARD, wait_for
from sites import FILES, SITES

pytestmark = pytest.mark.skipif(
    b"PL_FAULTS_COUNTS" not in program().read_bytes(),
    reason="this program has no faults",
)

LAST = get("/", "Connection: close")
COOKIE = re.compile(rb"Set-Cookie: ([^=]*)=([^;]*)")
# All failures up to so many calls of a kind, and then a sample of so many.
ALL, SAMPLE = 120, 100


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


def running(mark: bytes) -> list[str]:
    """Processes with this in their environment: the program's children have
    process groups of their own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            pass  # it has just ended
    return found


class Program:
    """Runs of one site: start, the requests, the end."""

    def __init__(self, folder: Path, kind: str):
        self.folder, self.site = folder, SITES[kind]
        self.numbers = itertools.count()
        write(folder, {**FILES, "plain/index.html": "<p>hello"})
        write(folder / "plain", FILES)
        for name in ("saved", "made"):
            (folder / name).mkdir()
        if self.site.text:
            write(folder, {"site.lua": self.site.text})

    def run(self, fault: str | None, counts: Path | None = None):
        """Returns what was wrong, or None."""
        run = f"{self.folder}/{next(self.numbers)}"
        env = {"RUN": run, **({"PL_FAULTS": fault} if fault else {})}
        if counts:
            env["PL_FAULTS_COUNTS"] = str(counts)
        words = [program(), "--no-supervisor", self.site.name(), "-c", "2"]
        words += [] if self.site.listens else ["-h", "127.0.0.1", "-p", "0"]
        words += self.site.words
        server = Server(words, self.folder, env)
        try:
            bad = self.judge(server, fault is not None)
            mark = f"RUN={run}".encode()
            if bad is None:
                wait_for(lambda: not running(mark), "its children to end")
            return bad
        except (AssertionError, subprocess.TimeoutExpired) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            found = server.finish()
            assert not found or fault, (found, server.log())

    def judge(self, server: Server, fails: bool):
        wait_for(
            lambda: "listening on" in server.log()
            or server.process.poll() is not None,
            "it to listen or to end",
        )
        if server.process.poll() is not None:
            return self.judge_refusal(server)
        port, cookies = server.port, {}
        for request in self.site.requests:
            known = b"; ".join(b"%b=%b" % pair for pair in cookies.items())
            said = talk(port, request.replace(b"COOKIE", known) + LAST)
            if bad := self.judge_answer(request, said, fails):
                return f"{bad}:\n{server.log()}"
            cookies |= COOKIE.findall(said)
        wait_for(
            lambda: talk(port, LAST).startswith(b"HTTP/1.1 200 OK"),
            "an answer after the failure",
        )
        code = server.stop(SIGTERM)
        never = " wrong: " if fails else self.site.never
        if code != 0 or never in server.log():
            return f"exit code {code}:\n{server.log()}"
        return None

    def judge_answer(self, request: bytes, said: bytes, fails: bool):
        """While something fails it may be cut, or an error; what claims to be
        whole and well is true."""
        want, answer = self.site.wants.get(request), first_answer(said)
        if want is None:
            return None
        if not answer or answer.body is None or answer.status != 200:
            return None if fails else f"{request[:60]!r} got {said[:200]!r}"
        got = decode(answer.fields.get("content-encoding"), answer.body)
        if got != want:
            return f"{request[:60]!r} got {got[:200]!r}, not {want[:200]!r}"
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


def failures(counts: dict[str, int]) -> list[str]:
    found = []
    for call, count in counts.items():
        step = max((count - ALL) // SAMPLE, 1)
        numbers = [*range(1, min(count, ALL) + 1), *range(ALL + 1, count, step)]
        found += [f"{call}:{n}" for n in numbers]
    return found


@pytest.mark.parametrize("kind", SITES)
def test_each_call_fails_once(tmp_path, kind):
    program_ = Program(tmp_path, kind)
    bad = program_.run(None, tmp_path / "counts")
    assert bad is None, bad
    faults = failures(read_counts(tmp_path / "counts"))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(program_.run, faults))
    bad = [f"{f}: {r}" for f, r in zip(faults, results) if r is not None]
    print(f"{len(faults)} runs")
    bad += filter(None, [program_.judge_files()])
    assert not bad, f"{len(bad)} of {len(faults)}:\n" + "\n".join(bad[:20])


@pytest.mark.parametrize(
    "kind, fault",
    [
        (
            "lua",
            "recv:every=7=EINTR,sendmsg:every=5=EINTR,epoll_wait:every=3=EINTR",
        ),
        ("lua", "accept4:every=2=ECONNABORTED"),
        ("lua", "accept4:every=3=EMFILE"),
        ("lua", "recv:every=11=ECONNRESET"),
        ("lua", "malloc:every=5003"),
        ("lua", "openat2:every=1=ENOSYS"),
        ("lua", "write:every=5=ENOSPC,linkat:every=2=EEXIST"),
        ("lua", "thread:every=2=EAGAIN"),
        ("lua", "sendfile:short=5000,write:short=1000,read:short=1000"),
        ("lua", "preadv2:every=1=EAGAIN,pread:short=100,getdents64:every=3"),
        ("library", "read:short=1000,write:short=1000,copy_file_range:short=9"),
        ("library", "read:every=3=EINTR,write:every=3=EINTR,waitid:eintr=9"),
        ("library", "write:every=7=ENOSPC,renameat:every=2=EXDEV"),
        ("library", "copy_file_range:every=1=EXDEV,pidfd_open:every=1=ENOSYS"),
        ("library", "spawn:every=2=EAGAIN,inotify_add_watch:every=1=ENOSPC"),
        ("held", "thread:every=2=EAGAIN"),
    ],
)
def test_calls_that_fail_again_and_again(tmp_path, kind, fault):
    program_ = Program(tmp_path, kind)
    bad = program_.run(fault) or program_.judge_files()
    assert bad is None, bad
