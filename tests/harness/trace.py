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


def is_traced(server) -> bool:
    return all(
        "TracerPid:\t0\n" not in (task / "status").read_text()
        for task in (server.proc.path / "task").iterdir()
    )


def traced(server, act) -> dict[str, int]:
    """How often the server made each system call while act() ran."""
    strace = subprocess.Popen(
        ["strace", "-f", "-c", "-U", "name,calls", "-p", str(server.pid)],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: is_traced(server), "strace to attach")
    act()
    strace.send_signal(SIGINT)
    _, report = strace.communicate()
    found = re.findall(r"^(\w+) +(\d+)$", report, re.M)
    return {name: int(calls) for name, calls in found if name != "total"}
