"""Fixtures of the tests from outside; tests/harness/README.md explains them."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.server import (  # noqa: E402
    Server,
    environment,
    program,
    supervised,
)
from harness.wait import GUARD  # noqa: E402


def write_files(folder: Path, files: dict):
    for name, content in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)


def write_site(folder: Path, site) -> Path:
    """site as a path: Lua text becomes a file in folder."""
    if isinstance(site, Path):
        return site
    path = folder / "site.lua"
    path.write_text(site)
    return path


def factory(folder: Path):
    """A function that starts servers, and one that ends them all."""
    servers: list[Server] = []

    def start(
        site,
        *args,
        files=None,
        env=None,
        workers=None,
        listen=True,
        announced=True,
        guard=None,
        supervisor=None,
        binary=None,
    ) -> Server:
        write_files(folder, files)
        words = [binary or program(), write_site(folder, site)]
        words += [] if supervised(supervisor) else ["--no-supervisor"]
        words += ["-h", "127.0.0.1", "-p", "0"] if listen else []
        words += ["-c", workers] if workers is not None else []
        server = Server([*words, *args], folder, env, guard)
        servers.append(server)
        if announced:
            server.addresses()
        return server

    def finish():
        faults = []
        for server in servers:
            found = server.finish()
            print(f"---- {' '.join(server.words)}\n{server.log()}")
            faults += found
        assert not faults, "; ".join(faults)

    return start, finish


@pytest.fixture
def serve(tmp_path):
    start, finish = factory(tmp_path)
    yield start
    finish()


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory):
    start, finish = factory(tmp_path_factory.mktemp("site"))
    yield start
    finish()


@pytest.fixture
def command(tmp_path):
    """Runs perilune with arguments, in a folder of its own, to its end."""

    def run(*args, files=None, env=None, input=""):
        write_files(tmp_path, files)
        return subprocess.run(
            [program(), *map(str, args)],
            cwd=tmp_path,
            env=environment(env),
            input=input,
            capture_output=True,
            text=True,
            timeout=GUARD,
            check=False,
        )

    return run
