#!/usr/bin/python3
"""embed.py - Lua sources as C arrays, for src/lua/library.h.

Comments and needless blanks are left out, line numbers stay. What is left is
compressed (RFC 1951): a quarter of the program would be Lua, else. Files in a
folder `core`, which are all needed at the start, are one text; it is the
dictionary for the others.

    tools/embed.py OUT ROOT FILE...

FILE is below ROOT: with the root `lua`, lua/perilune/x.lua has the chunk name
"=perilune/x.lua".
"""

import re
import sys
import zlib
from pathlib import Path

PER_LINE = 16
TOKEN = re.compile(
    rb"""
      (?P<comment> --\[(?P<c>=*)\[.*?\](?P=c)\] | --[^\n]* )
    | (?P<blank>   [ \t\r]+ )
    | \n
    | \w+
    | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'
    | \[(?P<s>=*)\[.*?\](?P=s)\]
    | .
    """,
    re.DOTALL | re.VERBOSE,
)
# What would become something else without the blank between.
TOUCHING = re.compile(rb"\w\w|\d\.|\.[\d.]|--|\[\[|\[=")


def array(text: bytes) -> str:
    numbers = [f"{b - 256 if b > 127 else b}," for b in text]  # char is signed
    lines = [
        "    " + " ".join(numbers[i : i + PER_LINE])
        for i in range(0, len(numbers), PER_LINE)
    ]
    return "\n".join(lines)


def strip(text: bytes) -> bytes:
    kept, apart = [b"\n"], False
    for token in TOKEN.finditer(text):
        word = token.group()
        if token["blank"] or token["comment"]:
            apart = True
            word = b"\n" * word.count(b"\n")
        elif apart and TOUCHING.match(kept[-1][-1:] + word[:1]):
            word = b" " + word
        if word:
            apart = False
            kept.append(word)
    return b"".join(kept[1:])


def pack(text: bytes, dictionary: bytes) -> bytes:
    options = {"zdict": dictionary} if dictionary else {}
    packer = zlib.compressobj(9, wbits=-15, memLevel=9, **options)
    return packer.compress(text) + packer.flush()


class Sources:
    """The text of the C file, in the making."""

    def __init__(self, core: bytes):
        self.arrays, self.rows, self.core = [], [], core

    def pack(self, name: str, text: bytes, dictionary: bytes) -> str:
        """Adds an array; gives its part of a row."""
        packed = pack(text, dictionary)
        data = array(packed)
        self.arrays.append(f"static const char {name}[] = {{\n{data}\n}};\n")
        return f"{name}, {len(packed)}, 0, {len(text)}"

    def add(self, path: Path, text: bytes) -> None:
        if is_core(path):
            place = f"0, 0, {self.core.index(text)}, {len(text)}"
        else:
            place = self.pack(f"s{len(self.rows)}", text, self.core)
        self.rows.append(f'    {{"={path}", {place}}},\n')

    def text(self) -> str:
        core = ""
        if self.core:
            place = self.pack("core", self.core, b"")
            core = (
                "\nconst struct pl_lua_source pl_lua_core = "
                f'{{"=core", {place}}};\n'
            )
        return (
            "/* Made by tools/embed.py. */\n"
            '#include "lua/library.h"\n\n'
            + "".join(self.arrays)
            + core
            + "\nconst struct pl_lua_source pl_lua_sources[] = {\n"
            + "".join(self.rows)
            + "    {0, 0, 0, 0, 0},\n};\n"
            + f"_Atomic(void *) pl_lua_compiled[{len(self.rows)}];\n"
        )


def is_core(path: Path) -> bool:
    return path.parent.name == "core"


def main(out: str, root: str, *files: str):
    texts = {
        Path(file).resolve().relative_to(Path(root).resolve()): strip(
            Path(file).read_bytes()
        )
        for file in files
    }
    core = b"".join(text for path, text in texts.items() if is_core(path))
    sources = Sources(core)
    for path, text in texts.items():
        sources.add(path, text)
    Path(out).write_text(sources.text())


if __name__ == "__main__":
    main(*sys.argv[1:])
