"""trace - the system calls of a running server, by strace."""

import os
import re
import shutil
import subprocess
from signal import SIGINT

from .wait import wait_for


def may_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(
        ["strace", "-o", os.devnull, "true"], capture_output=True, check=False
    )
    return done.returncode == 0


def is_traced(task) -> bool:
    return "TracerPid:\t0\n" not in (task / "status").read_text()


def traced(server, act, threads: str = "") -> dict[str, int]:
    """How often the server made each system call while act() ran; or only the
    threads whose names begin like that."""
    tasks = [
        task
        for task in (server.proc.path / "task").iterdir()
        if (task / "comm").read_text().startswith(threads)
    ]
    whom = ["-f", "-p", str(server.pid)]
    if threads:
        whom = [word for task in tasks for word in ("-p", task.name)]
    strace = subprocess.Popen(
        ["strace", "-c", "-U", "name,calls", *whom],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: all(map(is_traced, tasks)), "strace to attach")
    act()
    strace.send_signal(SIGINT)
    _, report = strace.communicate()
    found = re.findall(r"^(\w+) +(\d+)$", report, re.M)
    return {name: int(calls) for name, calls in found if name != "total"}
