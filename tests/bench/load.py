"""load - the load generators: what wrk and h2load are asked, what they say."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PERILUNE_BUILD", TOP / "build-bench"))


class Failed(Exception):
    """The run says nothing: wrong answers, a dead server, no tool."""


@dataclass(frozen=True)
class Load:
    """What is asked of a server, and how."""

    target: str = "/"
    connections: int = 64
    depth: int = 1  # requests sent at once
    close: bool = False  # a connection for each request
    post: int = 0  # bytes of the body that is sent
    tool: str = "wrk"
    gzip: bool = False  # it takes that coding
    streams: int = 0  # HTTP/2, so many requests of a connection at a time


@dataclass
class Answers:
    """What the generator saw. Latencies in µs; h2load tells no percentiles."""

    requests: int
    seconds: float
    p50: float | None = None
    p99: float | None = None
    deviation: float | None = None


def wrk_words(load: Load, base: str, seconds: int) -> list[str]:
    words = ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s"]
    words += ["--timeout", "10s", "-s", str(SCRIPT)]
    if load.close:
        words += ["-H", "Connection: close"]
    if load.gzip:
        words += ["-H", "Accept-Encoding: gzip"]
    words += [base + load.target, "--"]
    if load.depth > 1:
        words.append(f"depth={load.depth}")
    if load.post:
        words.append(f"post={load.post}")
    return words


def wrk_errors(text: str) -> tuple[Answers, dict[str, int]]:
    """What wrk saw, and how many went wrong in which way."""
    line = re.search(r"^wrk: (\w+=.*)$", text, re.MULTILINE)
    if line is None:
        raise Failed(f"wrk: {text[-500:]}")
    got = {
        name: float(value)
        for name, value in (word.split("=") for word in line[1].split())
    }
    kinds = ("connect", "broken", "status", "timeout")
    errors = {kind: int(got[kind]) for kind in kinds}
    latency = {name: got[name] for name in ("p50", "p99", "deviation")}
    return Answers(int(got["requests"]), got["us"] / 1e6, **latency), errors


def read_wrk(text: str, load: Load) -> Answers:
    answers, errors = wrk_errors(text)
    for kind, count in errors.items():
        # A server may close a connection in its own way when asked to.
        if count > 0 and not (kind == "broken" and load.close):
            raise Failed(f"wrk saw {count} errors: {kind}")
    return answers


def h2load_words(load: Load, base: str, seconds: int) -> list[str]:
    how = f"-m{load.streams}" if load.streams else "--h1"
    words = ["h2load", how, "-t1", f"-c{load.connections}"]
    return [*words, f"-D{seconds}", base + load.target]


TIMES = {"us": 1, "ms": 1e3, "s": 1e6}


def read_h2load(text: str, load: Load) -> Answers:
    finished = re.search(r"^finished in ([\d.]+)(us|ms|s)", text, re.M)
    counts = re.search(
        r"^requests: .* (\d+) succeeded, (\d+) failed", text, re.M
    )
    status = re.search(
        r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text, re.M
    )
    times = re.search(r"^time for request:(.*)$", text, re.M)
    if not (finished and counts and status and times):
        raise Failed(f"h2load: {text[-500:]}")
    # At the end of its time some have their status, but not yet their body.
    good, *bad = map(int, status.groups())
    if int(counts[2]) > 0 or any(bad) or good < int(counts[1]):
        raise Failed(f"h2load saw errors: {counts[0]}; {status[0]}")
    seconds = float(finished[1]) * TIMES[finished[2]] / 1e6
    # min, max, mean, deviation, share within one deviation
    value, unit = re.findall(r"([\d.]+)(us|ms|s)", times[1])[3]
    return Answers(
        int(counts[1]), seconds, deviation=float(value) * TIMES[unit]
    )


def tls_load_words(load: Load, base: str, seconds: int) -> list[str]:
    port = base.rpartition(":")[2]
    tool = BUILD / "tests/bench/tls_load"
    return [str(tool), port, load.target, str(load.connections), str(seconds)]


def read_tls_load(text: str, load: Load) -> Answers:
    told = re.search(r"^requests (\d+) resumed (\d+) us (\d+)$", text, re.M)
    if told is None:
        raise Failed(f"tls_load: {text[-500:]}")
    requests, resumed, us = map(int, told.groups())
    if resumed < requests - load.connections:
        raise Failed(f"only {resumed} of {requests} sessions were resumed")
    return Answers(requests, us / 1e6)


TOOLS = {
    "wrk": (wrk_words, read_wrk),
    "h2load": (h2load_words, read_h2load),
    "tls_load": (tls_load_words, read_tls_load),
}


def run(load: Load, base: str, seconds: int, cpu: str, under=()) -> Answers:
    """Loads a server from the processor cpu for so many seconds; under: words
    before the command."""
    words, read = TOOLS[load.tool]
    try:
        done = subprocess.run(
            [*under, "taskset", "-c", cpu, *words(load, base, seconds)],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 20,
        )
    except FileNotFoundError:
        raise Failed(f"{(*under, load.tool)[0]} is not there") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{load.tool} does not end") from None
    if done.returncode != 0:
        raise Failed(f"{load.tool}: {(done.stdout + done.stderr)[-500:]}")
    answers = read(done.stdout, load)
    if answers.requests == 0:
        raise Failed("no answers")
    return answers
