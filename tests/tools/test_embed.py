"""What tools/embed-text.py and tools/embed.py put into the program."""

import re
import subprocess
import sys
import zlib
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"


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
    assert zlib.decompress(packed) == text
    row = f's0, {len(packed)}, 0, {len(text)}'
    assert f'{{"a", "=a.lua", {row}}}' in source


def test_files_of_core_are_the_dictionary_of_others(tmp_path):
    core = tmp_path / "core"
    core.mkdir()
    files = [core / "a.lua", core / "b.lua", tmp_path / "c.lua"]
    for file in files:
        file.write_text(f"return '{file.stem}', 'what both have'\n")
    run("embed.py", tmp_path / "out.c", tmp_path, *files)
    source = (tmp_path / "out.c").read_text()
    texts = [file.read_bytes() for file in files]
    both = zlib.decompress(array(source, "core"))
    unpack = zlib.decompressobj(zdict=both)
    assert both == texts[0] + texts[1]
    assert f'{{"core.b", "=core/b.lua", 0, 0, {len(texts[0])}, ' in source
    assert unpack.decompress(array(source, "s2")) == texts[2]
