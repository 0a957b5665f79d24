"""--watch: a file of the site is saved, and the next requests get the new one;
whatever way it is saved, and whatever the kernel tells of it."""

import os
import re
import subprocess
from signal import SIGHUP

import pytest

from harness.server import program
from harness.wait import wait_for

SITE = """
local pl = require "perilune"
local part = require "lib.part"
local data = dofile("data.lua")
pl.get("/", function() return "{0} " .. part.name .. " " .. data.name end)
pl.get("/late", function() return require("late") end)
"""
FILES = {
    "lib/part.lua": "return { name = 'part' }",
    "data.lua": "return { name = 'data' }",
    "late.lua": "return 'late'",
}
RELOADED = r"reloaded: generation=\d+ why=--watch"
NOT = "not reloaded, what served goes on: "


def shown(server, target="/"):
    return server.get(target).body.decode()


def save(server, name, text):
    """As most editors do."""
    path = server.folder / name
    new = path.with_name(path.name + "~new")
    new.write_text(text)
    new.rename(path)


def wait_shown(server, text, target="/"):
    wait_for(lambda: shown(server, target) == text, f"{text!r} is served")


@pytest.fixture
def watched(serve):
    def start(*args, **options):
        options.setdefault("files", FILES)
        return serve(SITE.format("one"), "--watch", *args, workers=2, **options)

    return start


# ---- saving ----------------------------------------------------------------


@pytest.mark.parametrize("supervisor", [False, True])
def test_site_file_is_loaded_when_it_is_saved(watched, supervisor):
    server = watched(supervisor=supervisor)
    assert shown(server) == "one part data"
    save(server, "site.lua", SITE.format("two"))
    wait_shown(server, "two part data")
    server.wait_log("changed: .*/site.lua$")
    server.wait_log(RELOADED)


@pytest.mark.parametrize(
    "name, text, wanted",
    [
        ("lib/part.lua", "return { name = 'other' }", "one other data"),
        ("data.lua", "return { name = 'other' }", "one part other"),
    ],
)
def test_module_and_dofile_are_files_of_the_site(watched, name, text, wanted):
    server = watched()
    save(server, name, text)
    wait_shown(server, wanted)


def test_file_written_in_place_is_seen(watched):
    """Also by one of the same length, soon after another."""
    server = watched()
    for n in "abcdefgh":
        (server.folder / "data.lua").write_text(f"return {{ name = 'dat{n}' }}")
        wait_shown(server, f"one part dat{n}")


def test_module_of_a_handler_is_watched_once_it_is_loaded(watched):
    server = watched()
    assert shown(server, "/late") == "late"
    save(server, "late.lua", "return 'later'")
    wait_shown(server, "later", "/late")


def test_files_that_are_not_loaded_do_not_matter(watched):
    server = watched()
    save(server, "late.lua", "return 'later'")
    save(server, "other.txt", "text")
    save(server, "data.lua", "return { name = 'other' }")
    wait_shown(server, "one part other")
    server.wait_log(RELOADED)
    assert len(re.findall("changed: ", server.log())) == 1
    assert shown(server, "/late") == "later"


def test_many_saves_at_once_are_few_generations(watched):
    server = watched()
    for n in range(20):
        save(server, "site.lua", SITE.format(f"v{n}"))
    wait_shown(server, "v19 part data")
    server.stop()
    assert len(re.findall(RELOADED, server.log())) < 10


def test_reload_by_hand_is_not_done_again(watched):
    server = watched()
    save(server, "site.lua", SITE.format("two"))
    server.send_signal(SIGHUP)
    wait_shown(server, "two part data")
    save(server, "site.lua", SITE.format("three"))
    wait_shown(server, "three part data")
    server.stop()
    assert len(re.findall(r"reloaded: generation=", server.log())) <= 3


# ---- what is wrong ---------------------------------------------------------


def test_broken_save_is_said_once_and_the_next_one_heals(watched):
    server = watched()
    save(server, "lib/part.lua", "return {\n  name = = 'x' }")
    server.wait_log(NOT + r".*lib/part.lua:2: unexpected symbol")
    assert shown(server) == "one part data"
    save(server, "lib/part.lua", "return { name = 'good' }")
    wait_shown(server, "one good data")
    server.stop()
    assert len(re.findall(NOT, server.log())) == 1


def test_change_beside_a_broken_file_is_tried_once(watched):
    server = watched()
    save(server, "site.lua", "x(")
    server.wait_log(NOT + ".*site.lua:1")
    save(server, "lib/part.lua", "return { name = 'other' }")
    server.wait_log(NOT, 2)
    save(server, "site.lua", SITE.format("two"))
    wait_shown(server, "two other data")
    server.stop()
    assert len(re.findall(NOT, server.log())) == 2


def test_missing_module_is_waited_for(watched):
    server = watched()
    save(server, "site.lua", SITE.format("two") + "require 'new.part'")
    server.wait_log(NOT + ".*module 'new.part' not found")
    assert shown(server) == "one part data"
    (server.folder / "new").mkdir()
    save(server, "new/part.lua", "return 1")
    wait_shown(server, "two part data")


def test_new_module_that_is_broken_is_watched(watched):
    server = watched()
    (server.folder / "new.lua").write_text("return (")
    save(server, "site.lua", SITE.format("two") + "require 'new'")
    server.wait_log(NOT + r"(?s:.*)new.lua:1")
    save(server, "new.lua", "return 1")
    wait_shown(server, "two part data")


def test_error_of_a_reload_is_not_said_at_the_end(watched):
    server = watched()
    save(server, "site.lua", "error 'broken'")
    server.wait_log(NOT + ".*broken")
    server.stop()
    assert "perilune: " not in server.log()


# ---- folders ---------------------------------------------------------------


def test_folder_that_is_made_again_is_watched(watched):
    server = watched()
    lib = server.folder / "lib"
    for n in range(3):
        (lib / "part.lua").unlink()
        lib.rmdir()
        lib.mkdir()
        (lib / "part.lua").write_text(f"return {{ name = 'again{n}' }}")
        wait_shown(server, f"one again{n} data")
    (lib / "part.lua").write_text("return { name = 'more' }")
    wait_shown(server, "one more data")


def test_file_that_has_gone_changes_nothing(watched):
    server = watched()
    (server.folder / "lib/part.lua").unlink()
    save(server, "data.lua", "return { name = 'other' }")
    server.wait_log(NOT + ".*module 'lib.part' not found")
    assert shown(server) == "one part data"
    save(server, "lib/part.lua", "return { name = 'back' }")
    wait_shown(server, "one back other")


def test_links_are_followed(serve, tmp_path):
    for n in "12":
        folder = tmp_path / f"release{n}"
        folder.mkdir()
        (folder / "part.lua").write_text(f"return '{n}'")
    (tmp_path / "current").symlink_to("release1")
    server = serve(
        'local pl = require "perilune"\nlocal p = require "current.part"\n'
        'pl.get("/", function() return p end)',
        "--watch",
    )
    assert shown(server) == "1"
    (tmp_path / "next").symlink_to("release2")
    (tmp_path / "next").rename(tmp_path / "current")
    wait_shown(server, "2")
    (tmp_path / "release2/part.lua").write_text("return '3'")
    wait_shown(server, "3")


def test_page_of_errors_is_a_file_of_the_site(serve):
    server = serve(
        'require("perilune").set { error_pages = "error.html" }', "--watch",
        files={"error.html": "first {{status}}"},
    )
    html = {"Accept": "text/html"}
    assert "first 404" in server.get("/x", html).text
    save(server, "error.html", "second {{status}}")
    wait_for(lambda: "second 404" in server.get("/x", html).text, "the page")


# ---- limits ----------------------------------------------------------------


def limited(folder, limit, number):
    """perilune where the kernel grants number inotify instances or watches."""
    path = folder / "limited"
    path.write_text(
        f"#!/bin/sh\nexec unshare -Ur sh -c 'echo {number} "
        f"> /proc/sys/user/max_inotify_{limit} && exec \"$@\"' sh "
        f'{program()} "$@"\n'
    )
    path.chmod(0o755)
    if subprocess.run([path, "--version"], capture_output=True).returncode:
        pytest.skip("no user namespace to be had")
    return path


@pytest.mark.parametrize("limit", ["instances", "watches"])
def test_without_inotify_files_are_looked_at(watched, tmp_path, limit):
    server = watched(binary=limited(tmp_path, limit, 0))
    server.wait_log(f"--watch: .*fs.inotify.max_user_{limit}.*each second")
    save(server, "site.lua", SITE.format("two"))
    wait_shown(server, "two part data")
    save(server, "lib/part.lua", "return { name = 'other' }")
    wait_shown(server, "two other data")
    server.stop()
    assert len(re.findall("fs.inotify", server.log())) == 1


def test_descriptors_stay_the_same(watched):
    server = watched(supervisor=False)
    fds = f"/proc/{server.pid}/fd"
    save(server, "site.lua", SITE.format("first"))
    wait_shown(server, "first part data")
    before = len(os.listdir(fds))
    for n in range(10):
        save(server, "site.lua", SITE.format(f"v{n}"))
        wait_shown(server, f"v{n} part data")
    wait_for(lambda: len(os.listdir(fds)) <= before, "descriptors are closed")
