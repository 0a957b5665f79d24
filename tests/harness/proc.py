"""proc - what /proc says about a running process."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


class Proc:
    def __init__(self, pid: int):
        self.pid = pid
        self.path = Path(f"/proc/{pid}")

    def alive(self) -> bool:
        try:
            stat = (self.path / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    def stands_still(self) -> bool:
        """Whether each of its threads was stopped by SIGSTOP."""
        return all(
            (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
            for task in (self.path / "task").iterdir()
        )

    def fds(self) -> int:
        """How many descriptors it has open."""
        return len(os.listdir(self.path / "fd"))

    def fd_targets(self) -> list[str]:
        """What they are: 'socket:[123]', '/dev/null', ..."""
        targets = []
        for fd in os.listdir(self.path / "fd"):
            try:
                targets.append(os.readlink(self.path / "fd" / fd))
            except FileNotFoundError:
                pass  # closed meanwhile
        return targets

    def fd_room(self) -> int:
        """How many fit into the kernel's table as it is."""
        return self._status("FDSize")

    def sockets(self) -> int:
        return sum(name.startswith("socket:") for name in self.fd_targets())

    def threads(self) -> int:
        return len(os.listdir(self.path / "task"))

    def rss_kib(self) -> int:
        return self._status("VmRSS")

    def peak_kib(self) -> int:
        return self._status("VmHWM")

    def cpu(self) -> tuple[float, float]:
        """Seconds of user and system time of all its threads so far."""
        words = (self.path / "stat").read_text().rpartition(")")[2].split()
        return int(words[11]) / TICK, int(words[12]) / TICK

    def age(self) -> float:
        """Seconds since it was started."""
        words = (self.path / "stat").read_text().rpartition(")")[2].split()
        up = float(Path("/proc/uptime").read_text().split()[0])
        return up - int(words[19]) / TICK

    def children(self) -> list[int]:
        found = []
        for task in (self.path / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
        return found

    def _status(self, key: str) -> int:
        for line in (self.path / "status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise KeyError(key)
