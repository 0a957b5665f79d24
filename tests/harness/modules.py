"""modules - native modules for tests, compiled as a user would."""

import functools
import os
import shlex
import subprocess
from pathlib import Path

from .server import TOP, program


@functools.cache
def lua_flags() -> list[str]:
    """Where the lua.h is that the program has been built with."""
    done = subprocess.run(
        [program(), "--version"], capture_output=True, text=True, check=True
    )
    name = "luajit" if "LuaJIT" in done.stdout else "lua5.4"
    flags = subprocess.run(
        ["pkg-config", "--cflags", name],
        capture_output=True,
        text=True,
        check=True,
    )
    return shlex.split(flags.stdout)


def build(source: str | Path, out: Path, *flags: str, cc: str = "cc") -> Path:
    """Compiles a source (text or file) to out, which is written in place."""
    if isinstance(source, str):
        path = out.with_suffix(".c")
        path.write_text(source)
        source = path
    words = [cc, "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    words += ["-Wno-unused-parameter", f"-I{TOP}/include", *lua_flags()]
    fresh = out.with_suffix(".new")
    done = subprocess.run(
        [*words, *flags, str(source), "-o", str(fresh)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Over the old file, which keeps its inode: what runs must not notice.
    out.write_bytes(fresh.read_bytes())
    fresh.unlink()
    return out
