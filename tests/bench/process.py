"""process - what a server uses: processor time, system calls, memory."""

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from load import Failed

TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """pid and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


# ---- processor time ----


@dataclass
class Cpu:
    """Seconds since a process was born: all of them are exact, from the
    scheduler; how many were in user mode is what the kernel's ticks say."""

    total: float
    user: float
    busy: float  # of its processor, whoever used it

    def since(self, then: "Cpu") -> "Cpu":
        total = self.total - then.total
        user = min(self.user - then.user, total)
        return Cpu(total, user, self.busy - then.busy)


def cpu(pid: int, processor: str) -> Cpu:
    total = user = 0.0
    for member in family(pid):
        words = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2]
        user += int(words.split()[11]) / TICK
        for task in Path(f"/proc/{member}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0]) / 1e9
    return Cpu(total, user, busy_of(Path("/proc/stat").read_text(), processor))


def busy_of(stat: str, processor: str) -> float:
    """Seconds that a processor was not idle, by /proc/stat."""
    line = re.search(rf"^cpu{processor} (.*)$", stat, re.MULTILINE)
    times = [int(word) for word in line[1].split()[:8]]
    return (sum(times) - times[3] - times[4]) / TICK  # idle, iowait


# ---- memory ----


def status_kib(pid: int, key: str) -> int:
    total = 0
    for member in family(pid):
        text = Path(f"/proc/{member}/status").read_text()
        total += int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1))
    return total


def forget_peak(pid: int):
    """From now on VmHWM is the peak since now (proc(5), clear_refs)."""
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text("5")


# ---- system calls ----

CALLS = """accept accept4 close epoll_ctl epoll_pwait epoll_wait fcntl futex
    getpid ioctl lseek madvise mmap munmap newfstat newfstatat openat openat2
    pread64 read readv recvfrom recvmsg sendfile64 sendmsg sendto setsockopt
    shutdown unlink write writev""".split()


@dataclass
class Calls:
    total: int
    names: dict[str, int]

    def per(self, requests: int) -> dict:
        names = {
            name: round(count / requests, 3)
            for name, count in sorted(
                self.names.items(), key=lambda item: -item[1]
            )
            if count * 100 >= requests
        }
        return {"total": self.total / requests, "names": names}


def perf_words(pid: int, report: Path) -> list[str]:
    """Put before a command: counts while it runs, hardly slows down."""
    events = ["raw_syscalls:sys_enter"]
    events += [f"syscalls:sys_enter_{name}" for name in CALLS]
    pids = ",".join(map(str, family(pid)))
    words = ["perf", "stat", "-x,", "-o", str(report)]
    return [*words, "-e", ",".join(events), "-p", pids, "--"]


def read_perf(text: str) -> Calls:
    line = r"^(\d+),[^,]*,\w+:sys_enter_?(\w*),"
    found = {
        name: int(count)
        for count, name in re.findall(line, text, re.MULTILINE)
    }
    if "" not in found:
        raise Failed(f"perf counts no system calls here: {text[-300:]}")
    return Calls(found.pop(""), found)


def read_strace(text: str) -> Calls:
    line = r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$"
    found = {
        name: int(count)
        for count, name in re.findall(line, text, re.MULTILINE)
    }
    if "total" not in found:
        raise Failed(f"strace: {text[-300:]}")
    return Calls(found.pop("total"), found)


class Strace:
    """Counts while it is entered, and slows the server down twentyfold: so it
    has always more to do than it can, whatever generates the load."""

    def __init__(self, pid: int):
        words = ["strace", "-c", "-f", "-p", str(pid)]
        try:
            self.tool = subprocess.Popen(
                words, stderr=subprocess.PIPE, text=True
            )
        except FileNotFoundError:
            raise Failed("strace is not installed") from None

    def __enter__(self):
        line = self.tool.stderr.readline()
        if "attached" not in line:
            raise Failed(f"strace: {line}")
        return self

    def __exit__(self, *_):
        self.tool.send_signal(signal.SIGINT)
        self.report = self.tool.communicate()[1]

    def calls(self) -> Calls:
        return read_strace(self.report)
