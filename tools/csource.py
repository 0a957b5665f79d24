"""csource - reads C as far as the gates need it: comments, functions, files.

Not a parser: it blanks comments, strings and preprocessor lines, keeps every
line end, and finds function bodies by their braces at the top level.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.DOTALL | re.VERBOSE,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
# What stands before the brace of a function: name(arguments) attributes.
HEAD = re.compile(r"\b([A-Za-z_]\w*)\s*\((?:[^{};]*)\)\s*(?:[A-Z_a-z]\w*\s*)*$")
BRANCH = re.compile(r"&&|\|\||\?|\b(?:if|for|while|switch)\b")


@dataclass
class Function:
    name: str
    line: int  # of its first line
    length: int  # in lines, head and braces included
    complexity: int  # a switch counts once, however many cases it has


def files(top: Path, *endings: str) -> list[Path]:
    """The files of the tree that are, or would be, committed."""
    listed = subprocess.run(
        ["git", "-C", str(top), "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.split("\0")
        found = [top / name for name in names if name]
    else:  # unpacked from an archive
        hidden = re.compile(r"^(\.git|build.*)$")
        found = [
            path
            for path in top.rglob("*")
            if not hidden.match(path.relative_to(top).parts[0])
        ]
    found = [path for path in found if path.is_file()]
    return sorted(p for p in found if not endings or p.name.endswith(endings))


def blank(text: str) -> str:
    """text with comments and the insides of strings blanked."""

    def replace(match: re.Match) -> str:
        if match.group("comment"):
            return re.sub(r"[^\n]", " ", match.group())
        quote = match.group()[0]
        return quote + " " * (len(match.group()) - 2) + quote

    return TOKEN.sub(replace, text)


def code(text: str) -> str:
    """text without comments, strings and preprocessor lines."""
    blanked = blank(text)
    return DIRECTIVE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), blanked)


def first_branches(text: str) -> str:
    """text with what stands between #else or #elif and #endif blanked."""
    lines, taken = [], []
    for line in text.split("\n"):
        word = re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b", line)
        if word and word.group(1).startswith("if"):
            taken.append(True)
        elif word and word.group(1) in ("elif", "else") and taken:
            taken[-1] = False
        elif word and taken:
            taken.pop()
        lines.append(line if all(taken) else "")
    return "\n".join(lines)


def functions(text: str) -> list[Function]:
    found, balanced = scan(code(text))
    if not balanced:  # a brace opened differently in two branches of an #if
        found, _ = scan(code(first_branches(text)))
    return found


def scan(text: str) -> tuple[list[Function], bool]:
    found = []
    depth = 0
    start = 0  # where the current top-level declaration began
    opened = None
    for match in re.finditer(r"[{};]", text):
        char, at = match.group(), match.start()
        if char == ";" and depth == 0:
            start = at + 1
        elif char == "{":
            before = text[start:at]
            if depth == 0 and re.search(r'extern\s+"\s*"\s*$', before):
                start = at + 1
                continue
            if depth == 0:
                head = HEAD.search(before)
                plain = head and "=" not in before[: head.start()]
                opened = (head.group(1), start, at) if plain else None
            depth += 1
        elif char == "}":
            depth = max(depth - 1, -1)
            if depth < 0:  # the end of extern "C"
                depth, start = 0, at + 1
            elif depth == 0:
                if opened:
                    found.append(measure(text, *opened, at))
                start = at + 1
    return found, depth == 0


def measure(text: str, name: str, start: int, brace: int, end: int) -> Function:
    head = text[start:brace]
    first = start + len(head) - len(head.lstrip())
    body = text[brace:end]
    return Function(
        name=name,
        line=text.count("\n", 0, first) + 1,
        length=text.count("\n", first, end) + 1,
        complexity=1 + len(BRANCH.findall(body)),
    )
