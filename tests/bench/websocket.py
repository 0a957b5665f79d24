#!/usr/bin/python3
"""websocket - what WebSockets cost: processor time of a message that is echoed
and of one that goes to 10 000, memory of an idle socket.

    tests/bench/websocket.py [SECONDS]

A part of `make bench` (ONLY=websocket), and by itself. The client is ws_load.c.
The peers are libraries, as Debian has no server that speaks it: ws of Node.js
(node-ws) and websockets of Python.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from load import BUILD, Failed
from process import cpu, status_kib
from servers import LOAD_CPU, SERVER_CPU, Command, Server, free_port
from subjects import HERE, installed

ECHOING, SUBSCRIBERS, IDLE = 64, 10_000, 10_000
C, LUA = "perilune C", "perilune Lua"
NODE, PYTHON = "Node.js, ws", "Python, websockets"


def of_c(port: int) -> Command:
    return Command([BUILD / "tests/bench/hello", port], port)


def of_lua(port: int) -> Command:
    words = [BUILD / "perilune", HERE / "websocket.lua", "--no-supervisor"]
    return Command([*words, "-c", 1, "-h", "127.0.0.1", "-p", port], port)


def of_node(port: int) -> Command:
    if not Path("/usr/share/nodejs/ws").exists():
        raise Failed("node-ws is not installed (tools/setup bench)")
    return Command([installed("node"), HERE / "peers/ws.js", port], port,
                   {"NODE_PATH": "/usr/share/nodejs"})  # fmt: skip


def of_python(port: int) -> Command:
    return Command(["/usr/bin/python3", HERE / "peers/ws.py", port], port)


SUBJECTS = {C: of_c, LUA: of_lua, NODE: of_node, PYTHON: of_python}


class Clients:
    """ws_load, connected and waiting for our word."""

    def __init__(self, mode: str, server: Server, path: str, count: int,
                 seconds: float = 0):  # fmt: skip
        words = ["taskset", "-c", LOAD_CPU, BUILD / "tests/bench/ws_load",
                 mode, server.port, path, count, seconds]  # fmt: skip
        self.process = subprocess.Popen(
            [*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self.process.stdout.readline() != "ready\n":
            raise Failed(f"ws_load: {self.process.communicate()[1][-200:]}")

    def go(self) -> int:
        """Works; the messages that came."""
        out, err = self.process.communicate("\n")
        if self.process.returncode != 0 or int(out) == 0:
            raise Failed(f"ws_load: {err[-200:]}")
        return int(out)

    def leave(self):
        self.process.communicate("\n\n")


def served(name: str, action):
    """What action gives for a server that has been started for it."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(name, SUBJECTS[name](free_port()), Path(folder))
        try:
            return action(server)
        finally:
            server.stop()


def busy(mode: str, path: str, count: int, seconds: float):
    """Messages a second, and CPU µs of each."""

    def measure(server: Server) -> tuple[float, float]:
        clients = Clients(mode, server, path, count, seconds)
        before = cpu(server.pid, SERVER_CPU)
        messages = clients.go()
        used = cpu(server.pid, SERVER_CPU).since(before)
        return messages / seconds, used.total / messages * 1e6

    return measure


def idle(server: Server) -> float:
    """Bytes of resident memory for each socket: what grows once, grows with
    the first quarter."""
    first = Clients("idle", server, "/echo", IDLE // 4)
    before = status_kib(server.pid, "VmRSS")
    others = Clients("idle", server, "/echo", IDLE - IDLE // 4)
    after = status_kib(server.pid, "VmRSS")
    first.leave()
    others.leave()
    return (after - before) * 1024 / (IDLE - IDLE // 4)


def row(name: str, seconds: float) -> dict:
    """All of one server; a figure that could not be taken is not there, and
    why is the figure "failed"."""
    actions = {
        "echo": busy("echo", "/echo", ECHOING, seconds),
        "spread": busy("spread", "/room", SUBSCRIBERS, seconds),
        "idle": idle,
    }
    found = {}
    for what, action in actions.items():
        try:
            found[what] = served(name, action)
        except (Failed, OSError) as failure:
            found["failed"] = f"{what}: {failure}"
    return found


def main():
    from report import websocket_lines

    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    table = {name: row(name, seconds) for name in SUBJECTS}
    for line in websocket_lines(table):
        print(line)
    for name, found in table.items():
        if "failed" in found:
            print(f"{name}: {found['failed']}")


if __name__ == "__main__":
    main()
