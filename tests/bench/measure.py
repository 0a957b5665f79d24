"""measure - one run of wrk against one process: CPU, calls, memory, sizes."""

import os
import re
import signal
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SERVER_CPU, LOAD_CPU = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")
PIPELINE = Path(__file__).with_name("pipeline.lua")


class Failed(Exception):
    """The run says nothing: wrong answers, a dead server, no tool."""


@dataclass
class Run:
    requests: int
    seconds: float
    total: float  # CPU µs a request
    user: float  # of these, in user mode

    @property
    def system(self) -> float:
        return self.total - self.user

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


@dataclass
class Load:
    """What wrk does."""

    target: str
    connections: int = 64
    depth: int = 1  # requests sent at once: 1 or 16
    close: bool = False  # a connection for each request

    def words(self, base: str, seconds: int) -> list[str]:
        words = ["taskset", "-c", LOAD_CPU, "wrk", "-t1"]
        words += [f"-c{self.connections}", f"-d{seconds}s"]
        if self.depth > 1:
            words += ["-s", str(PIPELINE)]
        if self.close:
            words += ["-H", "Connection: close"]
        return [*words, base + self.target]


# ---- processor time ----


def family(pid: int) -> list[int]:
    """pid and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def cpu(pid: int) -> tuple[float, float]:
    """Seconds of (all, user) time. All is exact, from the scheduler; the part
    of user time is what the kernel's ticks say."""
    exact = user = system = 0
    for member in family(pid):
        words = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2]
        user += int(words.split()[11])
        system += int(words.split()[12])
        for task in Path(f"/proc/{member}/task").iterdir():
            exact += int((task / "schedstat").read_text().split()[0])
    return exact / 1e9, user / TICK


def wrk(load: Load, base: str, seconds: int) -> tuple[int, float]:
    done = subprocess.run(
        load.words(base, seconds), capture_output=True, text=True, check=False
    )
    found = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    if done.returncode != 0 or found is None:
        raise Failed(f"wrk: {done.stdout}{done.stderr}")
    if "Non-2xx" in done.stdout:
        raise Failed(f"{base}{load.target} does not answer 200")
    errors = re.search(r"Socket errors: connect (\d+)", done.stdout)
    if errors and int(errors.group(1)) > 0:
        raise Failed(f"{base} refuses connections")
    return int(found.group(1)), float(found.group(2))


def measure(load: Load, base: str, pid: int, seconds: int) -> Run:
    all_before, user_before = cpu(pid)
    requests, took = wrk(load, base, seconds)
    all_after, user_after = cpu(pid)
    if requests == 0:
        raise Failed(f"{base} answered nothing")
    total = all_after - all_before
    user = min(user_after - user_before, total)
    scale = 1e6 / requests
    return Run(requests, took, total * scale, user * scale)


# ---- system calls ----


def calls_per_request(load: Load, base: str, pid: int, seconds: int) -> float:
    """Counted by perf where it may, else by strace (which slows it down, so
    that batches are larger)."""
    words = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter"]
    words += ["-p", ",".join(map(str, family(pid)))]
    count = counted(words, load, base, seconds, r"^(\d+),")
    if count is None:
        words = ["strace", "-c", "-f", "-q", "-p", str(pid)]
        count = counted(words, load, base, seconds, r"(\d+)\s+(?:\d+\s+)?total")
    if count is None:
        raise Failed("neither perf nor strace can count system calls here")
    return count


def counted(words, load, base, seconds, pattern) -> float | None:
    try:
        tool = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        return None
    time.sleep(0.3)  # it attaches; nothing says when it has
    requests, _ = wrk(load, base, seconds)
    tool.send_signal(signal.SIGINT)
    report = tool.communicate()[1]
    found = re.search(pattern, report, re.MULTILINE)
    return int(found.group(1)) / requests if found else None


# ---- memory, start, size ----


def status_kib(pid: int, key: str) -> int:
    total = 0
    for member in family(pid):
        text = Path(f"/proc/{member}/status").read_text()
        total += int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1))
    return total


def idle_bytes(address, pid: int, count: int) -> float:
    """Growth of resident memory by each connection that answered a request
    and is idle now."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    def more(number: int) -> list[socket.socket]:
        opened = []
        for _ in range(number):
            sock = socket.create_connection(address)
            sock.sendall(request)
            sock.recv(4096)
            opened.append(sock)
        return opened

    held = more(count // 4)  # what grows once, grows before
    before = status_kib(pid, "VmRSS")
    held += more(count)
    grown = status_kib(pid, "VmRSS") - before
    for sock in held:
        sock.close()
    return grown * 1024 / count


def start_ms(words: list[str], folder: Path, port: int) -> float:
    """From exec to the first byte of the first response."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    here = os.getcwd()
    os.chdir(folder)
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0)
             for fd in (1, 2)]
    began = time.perf_counter()
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=quiet)
    try:
        while time.perf_counter() - began < 10:
            try:
                with socket.create_connection(("127.0.0.1", port)) as sock:
                    sock.sendall(request)
                    if sock.recv(1):
                        return (time.perf_counter() - began) * 1e3
            except ConnectionError:
                pass
        raise Failed(f"{words[0]} did not start")
    finally:
        os.chdir(here)
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


# ---- statistics ----


def spread(values: list[float]) -> tuple[float, float]:
    """The median, and how far off it may be by noise: the notch of a box plot
    (McGill, Tukey, Larsen 1978), about its 95 % confidence interval."""
    middle = statistics.median(values)
    if len(values) < 4:
        return middle, (max(values) - min(values)) / 2
    low, _, high = statistics.quantiles(values, n=4)
    return middle, 1.57 * (high - low) / len(values) ** 0.5
