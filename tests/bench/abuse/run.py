#!/usr/bin/python3
"""run - `make bench-abuse`: how long a well-behaved client waits while others
attack.

    tests/bench/abuse/run.py [--only WORD] [--seconds N] [--list]

perilune has one worker, pinned to CPU 0. The attackers (flood.c, openssl) and
the client (friend.py) share CPU 1: the attackers are 20 steps nicer, so that
the client has the processor whenever it wants it, and what it waits for is the
server. It speaks the wire that is attacked. As root server and client go before
all other processes of the machine, too.

A row for each attack. Exits with 1 if one of them makes a question fail or wait
(99 of 100: p99) for more than 100 ms, makes the server take more memory than
1 MiB for each connection of the attackers and 32 MiB, or ends otherwise than it
should.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(TESTS)]

import process  # noqa: E402
from attacks.attack import Attack  # noqa: E402
from attacks.catalogue import ATTACKS, SITE  # noqa: E402
from harness.h2wire import CODES  # noqa: E402
from load import Failed  # noqa: E402
from servers import (  # noqa: E402
    LOAD_CPU, SERVER_CPU, Command, Server,
)  # fmt: skip
from subjects import BUILD, built, make_certificate  # noqa: E402

LISTENERS = """
pl.listen { "127.0.0.1:0" }
pl.listen { "127.0.0.1:0", tls = { cert = "site.crt", key = "site.key" } }
pl.listen { "127.0.0.1:0", proxy_protocol = true, trusted = "127.0.0.0/8" }
"""
PORTS = ("h1", "tls", "proxy")  # in this order
HEAD_START = 0.3  # seconds of the attack before the first question
P99_MS, KIB_EACH, KIB_ALL = 100, 1024, 32 * 1024

# Nobody attacks: what the way to the server and back takes by itself.
CALM = [
    Attack("nobody", wire, lambda: (b"", b""), connections=0)
    for wire in ("h1", "h2", "ws", "tls", "proxy")
]
RENEGOTIATION = Attack("renegotiation", "tls", lambda: (b"", b""),
                       "alert 100", connections=8)  # fmt: skip
ALL = [*CALM, *ATTACKS, RENEGOTIATION]


# ---- attackers ----


@dataclass
class Toll:
    """What became of the connections of the attackers."""

    opened: int = 0
    ended: int = 0
    codes: Counter = None  # of those of which the last words are known

    def __post_init__(self):
        self.codes = self.codes or Counter()


def code_of(wire: str, words: bytes) -> str:
    """What a server said last, by the rules of the wire."""
    status = re.findall(rb"HTTP/1\.1 (\d{3})", words)
    goaway = re.findall(rb"(?s)\0\0.\x07\0\0\0\0\0.{4}\0\0\0(.)", words)
    closing = re.findall(rb"(?s)\x88[\x02-\x7d](..)", words)
    alert = re.findall(rb"(?s)\x15\x03[\1-\3]\0\x02\x02(.)", words)
    if wire == "h2" and goaway:
        return CODES[goaway[-1][0]]
    if wire == "ws" and closing:
        return str(int.from_bytes(closing[-1], "big"))
    if wire == "tls" and alert:
        return f"alert {alert[-1][0]}"
    return status[-1].decode() if status else "closed"


def read_flood(text: str, wire: str) -> Toll:
    first, *words = text.splitlines()
    told = first.split()
    count = dict(zip(told[::2], map(int, told[1::2])))
    codes = (
        code_of(wire, b"" if word == "-" else bytes.fromhex(word))
        for word in words
    )
    ended = count["ended"] + count["reset"]
    return Toll(count["opened"], ended, Counter(codes))


def first(*words) -> list[str]:
    """Root may put server and client before all else that the machine does."""
    return ["chrt", "-r", "1"] * (os.geteuid() == 0) + [*map(str, words)]


def behind(*words) -> list[str]:
    """On the processor of the load, where the client goes first."""
    return ["taskset", "-c", LOAD_CPU, "nice", "-n", "20", *map(str, words)]


class Flood:
    """flood.c, at work."""

    def __init__(self, attack: Attack, port: int, folder: Path, seconds):
        self.wire = attack.wire
        (folder / "opening").write_bytes(attack.opening)
        (folder / "block").write_bytes(attack.block)
        flags = ["-a"] * attack.again + ["-d"] * attack.deaf
        flags += ["-q"] * attack.hasty
        if attack.pace_ms:
            flags += ["-p", attack.pace_ms]
        self.process = subprocess.Popen(
            behind(built(BUILD / "tests/bench/abuse/flood"), *flags, port,
                 attack.connections, seconds, "opening", "block"),
            cwd=folder, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.process.stdout.readline()

    def finish(self) -> Toll:
        out, _ = self.process.communicate(timeout=60)
        return read_flood(out, self.wire)


class Nobody:
    def finish(self) -> Toll:
        return Toll()


class Renegotiation:
    """openssl, which asks for a new handshake in the middle of a connection:
    it needs keys, so bytes that were made before will not do."""

    def __init__(self, attack: Attack, port: int, folder: Path, seconds):
        again = "while :; do echo R | openssl s_client -quiet -tls1_2 " \
            f"-connect 127.0.0.1:{port} 2>&1 | grep -aci 'no renegot'; done"
        self.shells = [
            subprocess.Popen(behind("timeout", seconds, "sh", "-c", again),
                             cwd=folder, stdout=subprocess.PIPE, text=True)
            for _ in range(attack.connections)
        ]  # fmt: skip

    def finish(self) -> Toll:
        said = [shell.communicate(timeout=60)[0] for shell in self.shells]
        refused = Counter(word for out in said for word in out.split())
        total = sum(refused.values())
        return Toll(total, total, Counter({"alert 100": refused["1"]}))


def begin(attack: Attack, port: int, folder: Path, seconds: float):
    if attack in CALM:
        return Nobody()
    kind = Renegotiation if attack is RENEGOTIATION else Flood
    return kind(attack, port, folder, seconds)


# ---- one attack ----


@dataclass
class Row:
    attack: Attack
    waits: list[float]  # ms
    failures: list[str]
    cpu: float  # of its processor
    peak_kib: int
    toll: Toll

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.waits, n=100)[98]

    @property
    def limit_kib(self) -> int:
        return self.attack.connections * KIB_EACH + KIB_ALL

    def faults(self) -> list[str]:
        found = []
        if self.failures:
            found.append(self.failures[0])
        if self.p99 > P99_MS:
            found.append(f"p99 is {self.p99:.0f} ms")
        if self.peak_kib > self.limit_kib:
            found.append(f"{self.peak_kib / 1024:.0f} MiB")
        ends, codes = self.attack.ends, self.toll.codes
        if ends and ends not in codes:
            found.append(f"{ends} was expected")
        return found


class Field:
    """A server, and who is around it."""

    def __init__(self, folder: Path, certificate: Path):
        (folder / "site.lua").write_text(SITE.read_text() + LISTENERS)
        for name in ("site.crt", "site.key"):
            (folder / name).symlink_to(certificate / name)
        words = first(built(BUILD / "perilune"), "site.lua", "-c", 1)
        env = {"PERILUNE_PLUGINS": str(BUILD)}
        self.folder = folder
        self.server = Server("perilune", Command(words, 0, env), folder)
        self.server.wait_until(self.says_all)
        self.ports = dict(zip(PORTS, self.server.ports()))
        self.ports["h2"] = self.ports["ws"] = self.ports["h1"]

    def says_all(self) -> bool:
        return len(self.server.ports()) == len(PORTS)

    def friend(self, wire: str, seconds: float) -> subprocess.Popen:
        words = first("taskset", "-c", LOAD_CPU, sys.executable,
                      HERE / "friend.py", wire, self.ports[wire], seconds)
        friend = subprocess.Popen(
            words, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if friend.stdout.readline() != "ready\n":
            friend.wait()
            raise Failed(f"nobody is answered over {wire}")
        return friend

    def endure(self, attack: Attack, seconds: float) -> Row:
        friend = self.friend(attack.wire, seconds)
        pid = self.server.pid
        process.forget_peak(pid)
        attackers = begin(attack, self.ports[attack.wire], self.folder,
                          seconds + 2 * HEAD_START)  # fmt: skip
        time.sleep(HEAD_START)
        before, began = process.cpu(pid, SERVER_CPU), time.monotonic()
        said = json.loads(friend.communicate("\n", timeout=120)[0])
        used = process.cpu(pid, SERVER_CPU).since(before)
        share = used.total / (time.monotonic() - began)
        toll = attackers.finish()
        if self.server.process.poll() is not None:
            raise Failed(f"the server ended: {self.server.said()}")
        peak = process.status_kib(pid, "VmHWM")
        return Row(attack, said["waits"], said["failures"], share, peak, toll)


def endure(attack: Attack, seconds: float, certificate: Path) -> Row:
    with tempfile.TemporaryDirectory(prefix="abuse-") as name:
        field = Field(Path(name), certificate)
        try:
            return field.endure(attack, seconds)
        finally:
            field.server.stop()


# ---- the table ----

HEADINGS = ("wire", "attack", "asked", "failed", "p50 ms", "p99", "max",
            "CPU %", "MiB", "of", "opened", "ended", "by")  # fmt: skip
FORM = ("{:<6}{:<30}{:>6}{:>7}{:>8}{:>7}{:>7}{:>7}{:>6}{:>6}{:>9}{:>9}  {}")


def cells(row: Row) -> list:
    codes = row.toll.codes.most_common(2)
    return [
        row.attack.wire, row.attack.name, len(row.waits), len(row.failures),
        f"{statistics.median(row.waits):.1f}", f"{row.p99:.1f}",
        f"{max(row.waits):.1f}", f"{row.cpu * 100:.0f}",
        f"{row.peak_kib / 1024:.0f}", f"{row.limit_kib / 1024:.0f}",
        row.toll.opened, row.toll.ended,
        ", ".join(code for code, _ in codes),
    ]  # fmt: skip


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="WORD",
                        help="attacks whose wire or name has this word")
    parser.add_argument("--seconds", type=float, default=3,
                        help="of each attack")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()  # fmt: skip


def chosen(words: list[str] | None) -> list[Attack]:
    return [
        attack
        for attack in ALL
        if any(word in (attack.wire, attack.name) or word in attack.name
               for word in words or [""])
    ]  # fmt: skip


def main() -> int:
    options = parse()
    attacks = chosen(options.only)
    if options.list:
        for attack in attacks:
            print(f"{attack.wire:<6} {attack.name}")
        return 0
    began, faults = time.monotonic(), []
    print(FORM.format(*HEADINGS))
    with tempfile.TemporaryDirectory(prefix="abuse-") as certificate:
        make_certificate(Path(certificate))
        for attack in attacks:
            try:
                row = endure(attack, options.seconds, Path(certificate))
            except (Failed, OSError) as failure:
                faults.append(f"{attack.wire}, {attack.name}: {failure}")
                continue
            print(FORM.format(*cells(row)), flush=True)
            faults += [f"{attack.wire}, {attack.name}: {fault}"
                       for fault in row.faults()]  # fmt: skip
    for fault in faults:
        print(f"FAULT {fault}")
    minutes = (time.monotonic() - began) / 60
    print(f"{len(attacks)} rows, {len(faults)} faults, {minutes:.1f} minutes")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
