#!/usr/bin/python3
"""embed.py - Lua sources as C arrays, for src/lua/library.h.

Comment lines and indentation are left out, line numbers stay. (Long strings
with such lines would be changed: the library has none, and must not.) What is
left is compressed: a quarter of the program would be Lua, else.

    tools/embed.py OUT ROOT FILE...

FILE is below ROOT: with the root `lua`, lua/perilune/x.lua becomes the module
"perilune.x" with the chunk name "=perilune/x.lua".
"""

import sys
import zlib
from pathlib import Path

PER_LINE = 16


def array(text: bytes) -> str:
    numbers = [f"{b - 256 if b > 127 else b}," for b in text]  # char is signed
    lines = [
        "    " + " ".join(numbers[i : i + PER_LINE])
        for i in range(0, len(numbers), PER_LINE)
    ]
    return "\n".join(lines)


def strip(text: bytes) -> bytes:
    lines = (line.strip() for line in text.split(b"\n"))
    return b"\n".join(b"" if line.startswith(b"--") else line for line in lines)


def main(out: str, root: str, *files: str):
    parts, rows = [], []
    for index, file in enumerate(files):
        path = Path(file).resolve().relative_to(Path(root).resolve())
        text = strip(Path(file).read_bytes())
        name = ".".join(path.with_suffix("").parts).removesuffix(".init")
        packed = zlib.compress(text, 9)
        sizes = f"{len(packed)}, {len(text)}"
        parts.append(f"static const char s{index}[] = {{\n")
        parts.append(f"{array(packed)}\n}};\n")
        rows.append(f'    {{"{name}", "={path}", s{index}, {sizes}}},\n')
    Path(out).write_text(
        "/* Made by tools/embed.py. */\n"
        '#include "lua/library.h"\n\n'
        + "".join(parts)
        + "\nconst struct pl_lua_source pl_lua_sources[] = {\n"
        + "".join(rows)
        + "    {0, 0, 0, 0, 0},\n};\n"
        + f"_Atomic(void *) pl_lua_compiled[{len(files)}];\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
