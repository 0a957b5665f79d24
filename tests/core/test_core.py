"""The core alone (meson -Dfeatures=): it serves, and says what it lacks."""

import subprocess
from pathlib import Path

import pytest

from harness.server import TOP, Server, build_folder
from harness.wait import GUARD

SITE = """
local pl = require "perilune"
pl.set { watchdog_warn = "1s" }
pl.get("/", function() return "hello" end)
pl.get("/json", function() return { env = pl.env("HOME", "none") ~= nil } end)
pl.get("/form", function(req) return req:form().a end)
pl.post("/form", function(req) return req:form().a end)
pl.post("/parts", function(req) for part in req:parts() do end end)
pl.static("/files", { root = "files" })
pl.every(0.001, function() pl.log.notice("a timer") end)
"""


def test_it_serves(serve):
    site = serve(SITE, files={"files/a.txt": "a file"}, workers=2)
    assert site.get("/").body == b"hello"
    assert site.get("/json").json() == {"env": True}
    assert site.get("/files/a.txt").body == b"a file"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert site.request("POST", "/form", kind, b"a=1").body == b"1"
    site.wait_log("a timer")


def test_a_form_with_files_is_told_to_be_missing(serve):
    site = serve(SITE, files={"files/a.txt": "a file"})
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert site.request("POST", "/parts", kind, b"--x--\r\n").status == 500
    site.wait_log("built without the feature forms")


@pytest.mark.parametrize(
    "code, feature",
    [
        ("pl.url.parse('/')", "library"),
        ("pl.fs.read('x')", "library"),
        ("pl.process.run { 'true' }", "library"),
        ("pl.crypto.random(1)", "library"),
        ("pl.time.now()", "library"),
        ("pl.shared('x')", "share"),
        ("pl.publish('x', 1)", "share"),
        ("pl.watchdog.stats()", "watchdog"),
    ],
)
def test_scripts_are_told_what_is_missing(command, code, feature):
    script = f'local pl = require "perilune"\n{code}\n'
    done = command("run", "x.lua", files={"x.lua": script})
    assert done.returncode != 0
    assert f"x.lua:2: pl.{code[3:].split('(')[0].split('.')[0]}" in done.stderr
    assert f"built without the feature {feature}" in done.stderr


def test_scripts_are_told_of_missing_modules(command):
    done = command("run", "x.lua", files={"x.lua": 'require "cjson"'})
    assert done.returncode != 0
    assert "module 'cjson' not found" in done.stderr
    assert "built without the feature library" in done.stderr


@pytest.mark.parametrize(
    "line, feature",
    [
        ("pl.static('/', { root = '.', listing = true })", "pages"),
        ("pl.set { error_pages = 'x' }", "pages"),
        ("pl.set { max_per_address = 1 }", "crowd"),
    ],
)
def test_sites_are_told_what_is_missing(command, line, feature):
    text = f'local pl = require "perilune"\n{line}\n'
    done = command("check", "x.lua", files={"x.lua": text, "x": "x"})
    assert done.returncode != 0
    assert f"built without the feature {feature}" in done.stderr


def test_it_does_not_develop(command):
    done = command("--dev", "x.lua", files={"x.lua": ""})
    assert done.returncode == 2
    assert "built without the feature pages" in done.stderr


def test_the_version_names_no_feature(command):
    line = command("--version").stdout.splitlines()[1]
    assert line.split() == ["features:", "http/1.1", "static", "lua"]


# ---- libperilune ----


@pytest.fixture(scope="module")
def c_program(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("c") / "program"
    source = Path(__file__).with_name("program.c")
    words = ["cc", source, "-o", out, f"-I{TOP}/include"]
    words += [f"-L{build_folder()}", f"-Wl,-rpath,{build_folder()}"]
    subprocess.run([*words, "-lperilune"], check=True)
    return out


def test_c_programs_have_workers_and_share_nothing(c_program, tmp_path):
    server = Server([c_program], tmp_path, {})
    try:
        facts = server.get("/").body.decode().split()
    finally:
        faults = server.finish()
    assert facts[:4] == ["workers=2", "known=1", "each=2", "once=1"]
    refused = {fact.split("=")[1] for fact in facts[4:]}
    assert refused == {"PL_ERR_UNSUPPORTED"}
    assert not faults


def test_c_programs_are_told_what_is_missing(c_program):
    done = subprocess.run(
        [c_program, "visits"], capture_output=True, text=True, timeout=GUARD
    )
    assert done.returncode > 0
    assert "built without the feature share" in done.stderr


def test_help_is_of_what_is_there():
    words = [build_folder() / "perilune", "--help"]
    said = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "--log-level LEVEL" in said.stdout
    for word in ("--fastcgi", "--dialect", "--watch", "migrate", "reload ",
                 "#if", "#end"):  # fmt: skip
        assert word not in said.stdout


def test_it_is_as_small_as_its_budget(tmp_path):
    """docs/decisions/0007: stripped, with link-time optimisation."""
    stripped = tmp_path / "perilune"
    program = build_folder() / "perilune"
    subprocess.run(["strip", "-s", "-o", stripped, program], check=True)
    assert stripped.stat().st_size <= 300 * 1024
