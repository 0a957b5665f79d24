"""Each gate of tools/ passes a good tree and names the fault in a bad one."""

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
TOOLS = TOP / "tools"

GOOD = {
    "Makefile": "all:\n\ttrue\n",
    ".clang-format": (TOP / ".clang-format").read_text(),
    "README.md": "# A\n\nSee [it](src/base/README.md), run `make all`.\n",
    "src/layers.txt": "base:\nnet: base\n",
    "src/base/README.md": "# base\n",
    "src/net/README.md": "# net\n",
    "src/base/sys.h": "/* sys.h - doors */\n"
    "#define PL_SYS_MAP(X) X(read) X(close)\n\nint pl_sys_read(void);\n",
    "src/net/conn.h": "/* conn.h - a connection */\nint conn(void);\n",
    "src/net/conn.c": '#include "net/conn.h"\n#include "base/sys.h"\n\n'
    "int conn(void)\n{\n    return pl_sys_read();\n}\n",
}


@pytest.fixture
def tree(tmp_path):
    """Writes GOOD with changes, a gate is then run on it."""

    def write(changes: dict) -> Path:
        for name, text in {**GOOD, **changes}.items():
            if text is None:
                continue
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def run(gate: str, *words) -> tuple[int, str]:
    done = subprocess.run(
        [TOOLS / gate, *words], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def body(lines: str) -> str:
    return f"/* a.c - a sample */\nint f(int a)\n{{\n{lines}    return a;\n}}\n"


LONG = body("    a++;\n" * 60)
TANGLED = body("    if (a)\n        a++;\n" * 15)
SWITCH = body(
    "    switch (a) {\n"
    + "".join(f"    case {n}:\n        return {n + 1};\n" for n in range(20))
    + "    }\n"
)

BAD = [
    ("check-layers", "src/base/up.c", '#include "net/conn.h"\n', "net/conn.h"),
    ("check-layers", "src/new/a.c", "int a;\n", "src/new"),
    ("check-layers", "src/layers.txt", "base: net\nnet: base\n", "look up"),
    ("check-layers", "src/net/a.c", "int a(void) { read(); }\n", "read()"),
    ("check-style", "src/net/a.c", LONG, "lines"),
    ("check-style", "src/net/a.c", TANGLED, "16 decisions"),
    ("check-style", "src/net/a.c", "/* a.c - x */\n" + "\n" * 700, "701 lines"),
    ("check-style", "src/net/a.c", "/* a.c - x */\nint   a;\n", "clang-format"),
    ("check-style", "src/net/a.c", "int a;\n", "does not begin"),
    ("check-style", "src/net/a.c", "/* a.c - x, TO" "DO */\n", "unfinished"),
    ("check-style", "src/net/a.h", "/* a.h - x */\nint a;", "no line end"),
    ("check-style", "a.lua", "local a = " + "1 + " * 20 + "1\n", "columns"),
    ("check-style", "a.lua", "\tlocal a\n", "a tab"),
    ("check-style", "src/new/a.c", "/* a.c - x */\nint a;\n", "README"),
    ("check-style", "tools/style-exemptions.txt", "a.c lines why\n", "needed"),
    ("check-style", "tools/style-exemptions.txt", "a.c lines\n", "no reason"),
    ("check-style", "tools/hot-structs.txt", "src/a.h pl_a 64\n", "assert"),
    ("check-style", "src/net/a.h", "/* a.h - x */\ntypedef struct a b;\n",
     "typedef"),
    ("check-style", "tests/test_a.py", "import time\ntime.sleep(1)\n", "sleep"),
    ("check-style", "tests/unit/test_a.c", "/* test_a.c - x */\n"
     "static void test_it(void);\n", "test_it"),
    ("check-docs", "a.md", "[gone](gone.md)\n", "gone.md"),
    ("check-docs", "a.md", "# A `b`\n\n[x](#a-b) [y](#b)\n", "heading: #b"),
    ("check-docs", "a.md", "Run `make coffee`.\n", "coffee"),
    ("check-docs", "a.md", "```\nls\n```\n", "a block in"),
    ("check-docs", "a.md", "```sh\nls\n", "not closed"),
]


@pytest.mark.parametrize("gate", ["check-layers", "check-style", "check-docs"])
def test_good_tree_passes(tree, gate):
    code, output = run(gate, tree({}))
    assert code == 0, output


@pytest.mark.parametrize("gate,name,text,says", BAD)
def test_bad_tree_is_named(tree, gate, name, text, says):
    code, output = run(gate, tree({name: text}))
    assert code == 1
    assert says in output, output


def test_exemption_with_a_reason_holds(tree):
    changes = {
        "src/net/a.c": LONG,
        "tools/style-exemptions.txt": "src/net/a.c:f length flat\n",
    }
    code, output = run("check-style", tree(changes))
    assert code == 0, output


def test_flat_switch_is_one_decision(tree):
    code, output = run("check-style", tree({"src/net/a.c": SWITCH}))
    assert code == 0, output


def test_door_with_a_reason_is_open(tree):
    text = "int f(void)\n{\n    /* door: a probe */\n    return read();\n}\n"
    code, output = run("check-layers", tree({"src/net/a.c": text}))
    assert code == 0, output


@pytest.fixture
def library(tmp_path):
    """Builds libperilune.so and .a from C text."""

    def build(text: str) -> Path:
        source, unit = tmp_path / "a.c", tmp_path / "a.o"
        source.write_text(text)
        cc = shutil.which("gcc") or "cc"
        subprocess.run([cc, "-fPIC", "-c", source, "-o", unit], check=True)
        shared = tmp_path / "libperilune.so"
        subprocess.run([cc, "-shared", unit, "-o", shared], check=True)
        archive = tmp_path / "libperilune.a"
        subprocess.run(["ar", "rc", archive, unit], check=True)
        return tmp_path

    return build


HEADER = (
    "#define PL_API\n"
    "PL_API const char *pl_a(int (*f)(void));\n"
    "extern PL_API const int pl_b;\n"
)
LIBRARY = (
    "const char *pl_a(int (*f)(void)) { return 0; }\n"
    "const int pl_b = 1;\n"
)


@pytest.mark.parametrize(
    "text,says",
    [
        (LIBRARY, None),
        (LIBRARY + "int pl_c;\n", "pl_c: exported"),
        (LIBRARY + "int other;\n", "other: external name"),
        ("const int pl_b = 1;\n", "pl_a: PL_API"),
    ],
)
def test_symbols_are_compared_with_the_header(library, tmp_path, text, says):
    header = tmp_path / "api.h"
    header.write_text(HEADER)
    code, output = run("check-symbols", library(text), header)
    assert code == (1 if says else 0), output
    assert says is None or says in output
