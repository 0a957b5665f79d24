"""What adds up and judges: tools/check, tools/docblocks."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


def load(name: str, path: str):
    loader = importlib.machinery.SourceFileLoader(name, str(TOP / path))
    spec = importlib.util.spec_from_loader(name, loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


check = load("check_runner", "tools/check")
docblocks = load("docblocks", "tools/docblocks.py")

GOOD = "[  PASSED  ] 5 test(s).\n"
BAD = (
    "[  PASSED  ] 3 test(s).\n"
    "[  FAILED  ] tests_: 2 test(s), listed below:\n"
    "[  FAILED  ] test_a__b\n[  FAILED  ] test_a__c\n\n 2 FAILED TEST(S)\n"
)


@pytest.mark.parametrize(
    "result,output,passed,failed",
    [
        ("OK", GOOD, 5, 0),
        ("OK", "8 inputs\n", 1, 0),
        ("FAIL", BAD, 3, 2),
        ("FAIL", "crashed before cmocka could say anything", 0, 1),
        ("FAIL", GOOD + "ERROR: LeakSanitizer", 5, 1),
        ("TIMEOUT", "", 0, 1),
        ("SKIP", "", 0, 0),
    ],
)
def test_unit_tests_are_counted(result, output, passed, failed):
    total = check.Result()
    record = {"name": "a", "result": result, "stdout": output, "returncode": 1}
    check.count_meson_test(total, record)
    assert (total.passed, total.failed) == (passed, failed)
    assert bool(total.details) == (failed > 0)


def test_same_failure_is_kept_once():
    total = check.Result()
    for name in "abc":
        total.fail("no program", name=name)
    assert total.failed == 3
    assert total.details == {"no program": ["a", "b", "c"]}


@pytest.mark.parametrize("command", ["check", "asan", "tsan", "quick"])
def test_every_lane_builds_before_it_tests(command):
    stages = [s.name for s in check.stages_of(command, check.Runner(1, 1))]
    assert stages[0].endswith(": build")
    assert any(name.endswith(": unit") for name in stages)


def test_missing_compiler_is_a_failure():
    runner = check.Runner(1, 1)
    result = runner.build(check.Build("build-none", cc="no-such-compiler"))
    assert result.failed == 1


def test_blocks_of_a_document(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(
        "text\n```lua\n-- a.lua - a site\nlocal a\n```\n"
        "```console\n$ one\nout\nmore\n$ two\n```\n```sh\nls\n```\n"
    )
    lua, console, shell = docblocks.blocks(path)
    assert (lua.file, lua.line) == ("a.lua", 3)
    assert docblocks.dialogue(console) == [("one", "out\nmore\n"), ("two", "")]
    assert (shell.language, shell.text, shell.file) == ("sh", "ls\n", None)
