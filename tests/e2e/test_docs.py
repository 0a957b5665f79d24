"""Every command in the documents works: see tools/docblocks.py.

The blocks of one document run in their order, in one folder, with build/,
examples/ and include/ as in a checkout. `make` only shows that it would find
its target; port 8080 stands for a free one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.ports import free_port
from harness.server import (
    TOP, build_folder, environment, program, sanitized,
)
from harness.wait import GUARD

sys.path.insert(0, str(TOP / "tools"))

import csource  # noqa: E402
import docblocks  # noqa: E402

DOCUMENTS = [
    path
    for path in csource.files(TOP, ".md")
    if any(b.language not in ("text", "c") for b in docblocks.blocks(path))
]
# What stands before each block: make is only asked whether it knows the target,
# curl waits for a server that was started in the line before, and what was
# started in the background ends with the block.
PRELUDE = """
set -eu
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
cc() { command cc ${PERILUNE_CFLAGS:-} "$@"; }
make() { command make -n -C "$TOP" "$@" >/dev/null; }
curl() { command curl -sS --retry 50 --retry-connrefused --retry-delay 1 "$@"; }
"""


def shell(script: str, folder: Path) -> subprocess.CompletedProcess:
    env = environment({"TOP": str(TOP)})
    env["PATH"] = f"{build_folder()}{os.pathsep}{env['PATH']}"
    return subprocess.run(
        ["bash", "-c", PRELUDE + script],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=GUARD,
        check=False,
    )


def checkout(folder: Path):
    (folder / "build").symlink_to(build_folder())
    for name in ("examples", "include"):
        (folder / name).symlink_to(TOP / name)
    (folder / "public").mkdir()


def try_block(block: docblocks.Block, folder: Path):
    where = f"{block.path.name}:{block.line}"
    if block.file:
        (folder / block.file).write_text(block.text)
    elif block.language == "lua":
        (folder / "block.lua").write_text(block.text)
        done = shell(f"{program()} check block.lua", folder)
        assert done.returncode == 0, f"{where}: {done.stdout}"
    elif block.language == "sh":
        done = shell(block.text, folder)
        code = done.returncode
        assert code == 0, f"{where}: exit code {code}: {done.stdout}"
    elif block.language == "console":
        for command, output in docblocks.dialogue(block):
            done = shell(command, folder)
            assert done.stdout == output, f"{where}: $ {command}"


@pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP))
)
def test_commands_of_a_document_work(path, tmp_path):
    if path.parent.name == "sandbox" and sanitized():
        pytest.skip("the leak checker needs what a sandbox refuses")
    checkout(tmp_path)
    port = str(free_port())
    for block in docblocks.blocks(path):
        block.text = block.text.replace("8080", port)
        try_block(block, tmp_path)
