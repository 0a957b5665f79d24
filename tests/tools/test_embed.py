"""What tools/embed-text.py and tools/embed.py put into the program."""

import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
TOOLS = TOP / "tools"
sys.path.insert(0, str(TOOLS))

import embed  # noqa: E402


def run(tool: str, *words) -> None:
    subprocess.run([sys.executable, TOOLS / tool, *words], check=True)


def array(source: str, name: str) -> bytes:
    text = re.search(rf"{name}\[\] = {{(.*?)}};", source, re.DOTALL).group(1)
    return bytes(int(n) % 256 for n in re.findall(r"-?\d+", text))


def test_texts_end_with_nul(tmp_path):
    (tmp_path / "a.mustache").write_text("<p>\n\n  {{x}} \u00e9\n")
    run("embed-text.py", tmp_path / "out.c", f"name={tmp_path / 'a.mustache'}")
    source = (tmp_path / "out.c").read_text()
    assert array(source, "name") == "<p>\n{{x}} \u00e9\n\0".encode()


def test_lua_is_compressed_and_keeps_its_lines(tmp_path):
    (tmp_path / "a.lua").write_text("-- a comment\n  local a\nreturn a\n")
    run("embed.py", tmp_path / "out.c", tmp_path, tmp_path / "a.lua")
    source = (tmp_path / "out.c").read_text()
    packed, text = array(source, "s0"), b"\nlocal a\nreturn a\n"
    assert zlib.decompress(packed, wbits=-15) == text
    row = f's0, {len(packed)}, 0, {len(text)}'
    assert f'{{"=a.lua", {row}}}' in source


@pytest.mark.parametrize(
    "text, left",
    [
        ("a  =  b  +  c\n", "a=b+c\n"),
        ("local  function  f ( )  end\n", "local function f()end\n"),
        ("a = b - -c -- d\n", "a=b- -c\n"),
        ("a = 1 .. b .. 2\n", "a=1 ..b.. 2\n"),
        ("a = b [ [[c  --]] ] [ 1 ]\n", "a=b[ [[c  --]]][1]\n"),
        ("--[==[ a\n ]] b\n ]==]  c\n", "\n\nc\n"),
        ("a = \"--  b\" .. ' \\' -- c'\n", "a=\"--  b\"..' \\' -- c'\n"),
        ("f \"a\\\\\"  -- b\ng()\n", "f\"a\\\\\"\ng()\n"),
        ("a = [=[\n  b ]]\n--c\n]=]\n", "a=[=[\n  b ]]\n--c\n]=]\n"),
    ],
)
def test_lua_says_the_same_without_blanks(text, left):
    assert embed.strip(text.encode()) == left.encode()


@pytest.mark.parametrize("file", sorted((TOP / "lua/perilune").rglob("*.lua")),
                         ids=lambda file: file.name)
def test_what_is_embedded_compiles_to_the_same(file, tmp_path):
    """But for names and debugging: the listings of LuaJIT are compared."""
    listings = []
    for text in (file.read_bytes(), embed.strip(file.read_bytes())):
        path = tmp_path / "a.lua"
        path.write_bytes(text)
        listings.append(subprocess.run(
            ["luajit", "-bl", path], capture_output=True, check=True
        ).stdout)
    assert listings[0] == listings[1]


def test_files_of_core_are_the_dictionary_of_others(tmp_path):
    core = tmp_path / "core"
    core.mkdir()
    files = [core / "a.lua", core / "b.lua", tmp_path / "c.lua"]
    for file in files:
        file.write_text(f"return'{file.stem}','what both have'\n")
    run("embed.py", tmp_path / "out.c", tmp_path, *files)
    source = (tmp_path / "out.c").read_text()
    texts = [file.read_bytes() for file in files]
    both = zlib.decompress(array(source, "core"), wbits=-15)
    unpack = zlib.decompressobj(wbits=-15, zdict=both)
    assert both == texts[0] + texts[1]
    assert f'{{"=core/b.lua", 0, 0, {len(texts[0])}, ' in source
    assert unpack.decompress(array(source, "s2")) == texts[2]
