#!/usr/bin/env python3
"""websocket - what WebSockets cost: processor time of a message that is echoed,
messages a second that one publishes to many, memory of an idle socket.

    tests/bench/websocket.py [SECONDS]

The client is ws_load.c. The peer is the library `ws` of Node.js, if Debian's
node-ws is installed.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from process import cpu, status_kib
from servers import LOAD_CPU, SERVER_CPU, Command, Server, free_port
from subjects import BUILD, HERE

SUBSCRIBERS, IDLE = 10_000, 10_000
C, LUA, NODE = "perilune C", "perilune Lua", "Node.js ws"


def command(name: str) -> Command:
    port = free_port()
    if name == C:
        return Command([BUILD / "tests/bench/hello", port], port)
    if name == LUA:
        words = [BUILD / "perilune", HERE / "websocket.lua", "-c", "1",
                 "--no-supervisor"]
        return Command([*words, "-h", "127.0.0.1", "-p", port], port)
    return Command(["node", HERE / "peers/ws.js", port], port,
                   {"NODE_PATH": "/usr/share/nodejs"})


class Clients:
    """ws_load, connected and waiting for our word."""

    def __init__(self, mode: str, server: Server, path: str, count: int,
                 seconds: float):
        words = ["taskset", "-c", LOAD_CPU, BUILD / "tests/bench/ws_load",
                 mode, server.port, path, count, seconds]
        self.process = subprocess.Popen(
            [*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> int:
        """Works; the messages that came."""
        out, _ = self.process.communicate("\n")
        return int(out)

    def leave(self):
        self.process.communicate("\n\n")


def busy(mode: str, name: str, path: str, count: int, seconds: float):
    """Messages a second, and CPU µs of each."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(name, command(name), Path(folder))
        try:
            clients = Clients(mode, server, path, count, seconds)
            before = cpu(server.process.pid, SERVER_CPU)
            messages = clients.go()
            used = cpu(server.process.pid, SERVER_CPU).since(before)
            return messages / seconds, used.total / messages * 1e6
        finally:
            server.stop()


def idle(name: str) -> float:
    """Bytes of resident memory for each socket."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(name, command(name), Path(folder))
        try:
            before = status_kib(server.process.pid, "VmRSS")
            clients = Clients("idle", server, "/echo", IDLE, 0)
            after = status_kib(server.process.pid, "VmRSS")
            clients.leave()
            return (after - before) * 1024 / IDLE
        finally:
            server.stop()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    names = [C, LUA]
    if shutil.which("node") and Path("/usr/share/nodejs/ws").exists():
        names.append(NODE)
    print(f"{'':14}{'echo, 64':>24}{'to 10 000':>28}{'idle':>14}")
    for name in names:
        rate, cost = busy("echo", name, "/echo", 64, seconds)
        spread_rate, spread_cost = busy("spread", name, "/room", SUBSCRIBERS,
                                        seconds)
        print(f"{name:14}{rate:>12,.0f}/s {cost:>7.2f} µs"
              f"{spread_rate:>16,.0f}/s {spread_cost:>6.2f} µs"
              f"{idle(name):>12,.0f} B", flush=True)


if __name__ == "__main__":
    main()
