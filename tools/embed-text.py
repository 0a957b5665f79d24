#!/usr/bin/python3
"""embed-text.py - text files as C arrays: templates that are in the program.

Indentation and empty lines are left out.

    tools/embed-text.py OUT NAME=FILE...

gives `const char NAME[]`, ended by NUL, for each.
"""

import sys
from pathlib import Path

from embed import array


def strip(text: bytes) -> bytes:
    lines = [line.strip() for line in text.split(b"\n")]
    return b"".join(line + b"\n" for line in lines if line)


def main(out: str, *pairs: str):
    parts = ["/* Made by tools/embed-text.py. */\n"]
    for pair in pairs:
        name, _, file = pair.partition("=")
        text = array(strip(Path(file).read_bytes()) + b"\0")
        parts.append(f"extern const char {name}[];\n")
        parts.append(f"const char {name}[] = {{\n{text}\n}};\n")
    Path(out).write_text("".join(parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
