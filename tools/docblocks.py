"""docblocks - the code blocks of the documents, for the gate and for the tests.

What a block's language means here:

- `sh`: commands that a reader types. Run by tests/e2e/test_docs.py.
- `console`: lines `$ command` and what each prints. Run, and compared.
- `lua`, `c`: a file when its first line is a comment with the file's name
  (`-- hello.lua`, `/* hello.c ...`): written for the commands that follow.
  Another Lua block is a site, which `perilune check` must accept.
- `text`: anything that is none of these; never run.
"""

import re
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("sh", "console", "lua", "c", "text")
FENCE = re.compile(r"^(\s*)```(.*)$")
NAMED = re.compile(r"^(?:--|/\*)\s+([\w./-]+\.(?:lua|c|h|html|txt))\b")


@dataclass
class Block:
    path: Path
    line: int  # of its first line of text
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The name of the file that it shows, if it says so."""
        named = NAMED.match(self.text)
        return named.group(1) if named else None


def blocks(path: Path) -> list[Block]:
    found: list[Block] = []
    opened = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if fence and opened is None:
            opened = Block(path, number + 1, fence.group(2).strip(), "")
        elif fence:
            found.append(opened)
            opened = None
        elif opened is not None:
            opened.text += line + "\n"
    return found


def dialogue(block: Block) -> list[tuple[str, str]]:
    """The (command, expected output) pairs of a console block."""
    pairs: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            pairs.append((line[2:], ""))
        elif pairs:
            command, output = pairs[-1]
            pairs[-1] = (command, output + line + "\n")
    return pairs
