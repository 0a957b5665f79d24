#!/usr/bin/python3
"""embed-packed.py - text files as compressed C arrays.

    tools/embed-packed.py OUT FEATURES NAME=FILE...

Lines between `#if FEATURE` and `#end` are for programs that have it, of those
that FEATURES names, with commas. Gives `const char NAME_packed[]` for
uncompress() of zlib, and the lengths `const unsigned long NAME_packed_len` and,
of the text, `NAME_len`, for each.
"""

import sys
import zlib
from pathlib import Path

from embed import array


def chosen(text: str, features: list[str]) -> bytes:
    kept, wanted = [], True
    for line in text.splitlines(keepends=True):
        if line.startswith("#if "):
            wanted = line.split()[1] in features
        elif line == "#end\n":
            wanted = True
        elif wanted:
            kept.append(line)
    return "".join(kept).encode()


def main(out: str, features: str, *pairs: str):
    parts = ["/* Made by tools/embed-packed.py. */\n"]
    for pair in pairs:
        name, _, file = pair.partition("=")
        text = chosen(Path(file).read_text(), features.split(","))
        packed = zlib.compress(text, 9)
        parts.append(
            f"extern const char {name}_packed[];\n"
            f"extern const unsigned long {name}_packed_len, {name}_len;\n"
            f"const char {name}_packed[] = {{\n{array(packed)}\n}};\n"
            f"const unsigned long {name}_packed_len = {len(packed)};\n"
            f"const unsigned long {name}_len = {len(text)};\n"
        )
    Path(out).write_text("".join(parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
