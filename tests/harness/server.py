"""server - one running perilune: its port, its log, its end.

Started in a process group of its own, and only that group is ever signalled.
"""

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from signal import SIGKILL, SIGTERM

from .proc import Proc
from .wait import GUARD
from .wire import Response, Wire

TOP = Path(__file__).resolve().parents[2]
LISTENING = re.compile(
    r"listening on (?:(?:https?|fastcgi)://"
    r"(?P<host>\[[^]]+\]|[^:/\s]+):(?P<port>\d+)\b"
    r"|unix:(?P<path>\S+))"
)
# What must never stand in a log: reports of sanitizers, our own assertions.
REPORT = re.compile(
    r"ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer"
    r"|(?:Address|Undefined|Thread)\w*Sanitizer:DEADLYSIGNAL"
    r"|runtime error: |perilune: bug: ",
)


def program() -> Path:
    """The perilune to test; fails with advice if there is none."""
    path = Path(os.environ.get("PERILUNE", TOP / "build/perilune"))
    assert path.exists(), f"no program at {path}: run make, or set PERILUNE"
    return path.resolve()


@functools.cache
def sanitized() -> bool:
    """Is it built with ASan or TSan? Then memory and time say nothing."""
    text = program().read_bytes()
    return b"__asan_init" in text or b"__tsan_init" in text


def defers_signals() -> bool:
    """TSan delivers them only in system calls: never in a loop of Lua."""
    return b"__tsan_init" in program().read_bytes()


def supervised(asked: bool | None) -> bool:
    """With a supervisor? Tests that look at the process that they have started
    want the server itself; all others may be run either way."""
    if asked is None:
        return os.environ.get("PERILUNE_TEST_SUPERVISOR") == "1"
    return asked


def build_folder() -> Path:
    path = os.environ.get("PERILUNE_BUILD")
    return Path(path).resolve() if path else program().parent


@functools.cache
def data_home() -> str:
    """Where the certificate for development is kept, instead of our home."""
    folder = tempfile.mkdtemp(prefix="perilune-data-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment(extra: dict | None = None) -> dict:
    """Ours, without what would change how perilune behaves."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LUA_")}
    return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "XDG_DATA_HOME": data_home(), **(extra or {})}


class Server:
    def __init__(self, words: list, cwd: Path, env: dict, guard=None):
        self.guard = guard or GUARD
        self.words = [str(word) for word in words]
        self.folder = Path(cwd)  # the site, and the files beside it
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self.judged = False  # the test looked at the exit code itself
        self.process = subprocess.Popen(
            self.words,
            cwd=cwd,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = self.process.pid
        self.proc = Proc(self.pid)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # ---- the log: standard output and standard error, in their order ----

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self._lines.append(line.decode(errors="replace"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def log(self) -> str:
        with self._changed:
            return "".join(self._lines)

    def wait_log(self, pattern: str, count: int = 1) -> list[re.Match]:
        """Waits until pattern was logged count times; returns the matches."""
        wanted = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + self.guard
        with self._changed:
            while True:
                text = "".join(self._lines)
                found = list(wanted.finditer(text))
                if len(found) >= count:
                    return found
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = "it ended" if self._ended else "the guard ended"
                    raise AssertionError(
                        f"{pattern!r} was logged {len(found)} times, not "
                        f"{count} ({why}):\n{text}"
                    )
                self._changed.wait(left)

    # ---- talking to it ----

    def addresses(self, count: int = 1) -> list:
        """Where it listens, once it has said so count times."""
        found = self.wait_log(LISTENING.pattern, count)
        return [
            match["path"] or (match["host"].strip("[]"), int(match["port"]))
            for match in found
        ]

    @property
    def port(self) -> int:
        return next(a[1] for a in self.addresses() if isinstance(a, tuple))

    def url(self, target: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{target}"

    def connect(self, address=None, source=None) -> Wire:
        code = self.process.poll()
        assert code is None, f"the server ended before, with code {code}"
        return Wire(address or self.addresses()[0], self.guard, source)

    def request(self, method, target, headers=None, body=None) -> Response:
        """One request on a connection of its own."""
        with self.connect() as wire:
            return wire.request(method, target, headers, body)

    def get(self, target: str, headers=None) -> Response:
        return self.request("GET", target, headers)

    def serving(self) -> Proc:
        """The server process: of a supervisor, the one that serves."""
        children = self.proc.children()
        return Proc(max(children)) if children else self.proc

    # ---- its end ----

    def send_signal(self, number: int = SIGTERM):
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended; negative: the signal."""
        self.judged = True
        code = self.process.wait(self.guard)
        self._reader.join(self.guard)
        return code

    def stop(self, number: int = SIGTERM) -> int:
        if self.process.poll() is None:
            self.send_signal(number)
        return self.wait()

    def finish(self) -> list[str]:
        """Ends it, and says what was wrong with how it ran."""
        judged, faults = self.judged, []
        try:
            code = self.stop()
            if code != 0 and not judged:
                faults.append(f"exit code {code}")
        except subprocess.TimeoutExpired:
            faults.append(f"did not end {self.guard:.0f} s after TERM")
        self._kill_group()
        report = REPORT.search(self.log())
        if report:
            faults.append(f"its log has {report.group()!r}")
        return faults

    def _kill_group(self):
        try:
            os.killpg(self.pid, SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait()
        self._reader.join(self.guard)
        self.process.stdout.close()
