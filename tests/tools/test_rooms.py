"""The README of a room names its files, and no others."""

import fnmatch
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
READMES = sorted((TOP / "src").glob("*/README.md"))
SUFFIXES = {".c", ".h", ".S", ".mustache"}


def files_of(room: Path) -> list[Path]:
    return [path for path in room.rglob("*") if path.suffix in SUFFIXES]


def names_in(readme: Path) -> set[str]:
    return set(re.findall(r"`([\w*./]+)`", readme.read_text()))


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_readmes_name_each_file(readme):
    """Those that only files beside them include (*_priv.h) may be left out."""
    names = names_in(readme)
    left_out = [
        path.name
        for path in files_of(readme.parent)
        if not path.name.endswith("_priv.h")
        and path.stem not in names
        and not any(fnmatch.fnmatch(path.name, name) for name in names)
    ]
    assert not left_out


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_readmes_name_nothing_else(readme):
    places = [readme.parent, TOP / "src", TOP / "include", TOP]
    known = {path.name for path in files_of(readme.parent)}
    wrong = [
        name
        for name in names_in(readme)
        if Path(name).suffix in SUFFIXES
        and "*" not in name
        and name not in known
        and not any((place / name).exists() for place in places)
    ]
    assert not wrong
