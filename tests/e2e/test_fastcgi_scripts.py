"""pl.fastcgi: which script a path is for, which file, and what is nothing; and
files that scripts name."""

import os

import pytest

from harness.fcgiapp import App

FILES = {
    "www/index.php": "<?php",
    "www/a.php": "<?php",
    "www/UP.PHP": "<?php",
    "www/style.css": "css",
    "www/photo.jpg": "<?php evil",
    "www/.hidden.php": "<?php",
    "www/dir/index.php": "<?php",
    "www/dir/b.php": "<?php",
    "www/plain/index.html": "plain",
    "www/empty/x.txt": "x",
    "www/odd.php/in.php": "<?php",
    "www/odd.php/x.txt": "x",
    "www/up/loads/x.php": "<?php",
    "www/up/loads/p.jpg": "jpg",
    "outside/secret.php": "<?php secret",
    "outside/page.txt": "outside",
    "private/report.pdf": "0123456789",
    "private/sub/deep.txt": "deep",
}


def say(talk):
    """Says which script it was asked for."""
    if request := talk.request():
        params = request.params
        talk.say(
            f"{params.get('SCRIPT_FILENAME')}|{params['SCRIPT_NAME']}"
            f"|{params.get('PATH_INFO', '')}|{params['DOCUMENT_ROOT']}"
            f"|{params.get('PATH_TRANSLATED', '')}".encode()
        )


@pytest.fixture
def scripts(serve, tmp_path):
    """Starts a server with a folder of scripts; options in Lua."""
    opened = []

    def start(options="", prefix="/", talk=say, before="", root="www"):
        app = App(talk)
        opened.append(app)
        site = f"""
local pl = require "perilune"
{before}
pl.fastcgi("{prefix}", {{ to = "{app.address}", root = "{root}", {options} }})
"""
        server = serve(site, files=FILES, workers=1)
        server.app = app
        return server

    yield start
    for app in opened:
        app.__exit__(None)


def script_of(server, path) -> tuple:
    """Its name below the root, SCRIPT_NAME and PATH_INFO; or the status."""
    answer = server.get(path)
    if answer.status != 200:
        return answer.status
    file, name, info, root, translated = answer.text.split("|")
    assert root == os.path.realpath(server.folder / "www")
    assert translated == (root + info if info else "")
    return file.removeprefix(root + "/"), name, info


PLAIN = {
    "/": ("index.php", "/index.php", ""),
    "/index.php": ("index.php", "/index.php", ""),
    "/a.php?x=/b.php": ("a.php", "/a.php", ""),
    "/a.php/": ("a.php", "/a.php", "/"),
    "/a.php/b/c.php/d": ("a.php", "/a.php", "/b/c.php/d"),
    "/a.php/.x//y": ("a.php", "/a.php", "/.x//y"),
    "/%61.php/x%20y": ("a.php", "/a.php", "/x y"),
    "/dir/": ("dir/index.php", "/dir/index.php", ""),
    "/dir/b.php/x": ("dir/b.php", "/dir/b.php", "/x"),
    "/dir/../a.php": ("a.php", "/a.php", ""),
    "/odd.php/in.php/x": ("odd.php/in.php", "/odd.php/in.php", "/x"),
    "/UP.PHP": ("UP.PHP", "/UP.PHP", ""),
    "/dir": 301,
    "/odd.php": 301,
    "/missing.php": 404,
    "/missing": 404,
    "/photo.jpg/x.php": 404,
    "/photo.jpg/.php": 404,
    "/style.css/a.php": 404,
    "/style.css": 404,
    "/photo.jpg": 404,
    "/plain/": 404,
    "/.hidden.php": 404,
    "/.php": 404,
    "/dir//b.php": 404,
    "//a.php": 404,
    "/dir%2Fb.php": 404,
    "/a.php%00.jpg": 400,
    "/../outside/secret.php": 400,
    "/link.php": 404,
    "/out/secret.php": 404,
    "/out/page.txt": 404,
    "/inner.php": ("inner.php", "/inner.php", ""),
    "/fifo.php": 404,
    "/" + "x" * 5000 + ".php": 404,
}


def link(server):
    www = server.folder / "www"
    (www / "link.php").symlink_to("../outside/secret.php")
    (www / "out").symlink_to("../outside")
    (www / "inner.php").symlink_to("dir/b.php")
    os.mkfifo(www / "fifo.php")


def test_which_script(scripts):
    server = scripts()
    link(server)
    for path, want in PLAIN.items():
        assert script_of(server, path) == want, path
    moved = server.get("/dir?q=1")
    assert moved.header("location") == "/dir/?q=1"


def test_below_a_prefix(scripts):
    server = scripts(prefix="/shop")
    assert server.get("/shop").header("location") == "/shop/"
    assert script_of(server, "/shop/") == ("index.php", "/shop/index.php", "")
    want = ("dir/b.php", "/shop/dir/b.php", "/x")
    assert script_of(server, "/shop/dir/b.php/x") == want
    assert server.get("/a.php").status == 404


def test_a_front_controller(scripts):
    server = scripts('fallback = "index.php"')
    link(server)
    front = ("index.php", "/index.php", "")
    for path in ("/2024/hello?x=1", "/style.css", "/plain/", "/missing/"):
        assert script_of(server, path) == front, path
    for path in ("/missing.php", "/photo.jpg/x.php", "/.hidden.php", "/.git/x",
                 "/out/secret.php", "//x"):  # fmt: skip
        assert server.get(path).status == 404, path
    server.get("/2024/hello?x=1")
    params = server.app.requests[-1].params
    assert params["REQUEST_URI"] == "/2024/hello?x=1"
    assert params["QUERY_STRING"] == "x=1"


def test_files_beside_scripts(scripts):
    server = scripts('static = true, fallback = "index.php"')
    link(server)
    front = ("index.php", "/index.php", "")
    css = server.get("/style.css")
    assert css.text == "css" and "text/css" in css.header("content-type")
    assert css.header("etag")
    assert server.get("/style.css", {"If-None-Match": css.header("etag")}
                      ).status == 304  # fmt: skip
    assert server.get("/plain/").text == "plain"
    assert server.get("/plain").status == 301
    assert server.request("POST", "/style.css", None, b"x").status == 405
    for path in ("/empty/", "/nothing", "/out/page.txt"):
        assert script_of(server, path) == front, path
    for path in PLAIN:
        if path.lower().endswith(".php"):
            assert b"<?php" not in server.get(path).body, path


def test_closed_folders(scripts):
    server = scripts('static = true, no_scripts = { "up/loads", "dir" }')
    for path in ("/up/loads/x.php", "/up/loads/x.php/y", "/dir/b.php", "/dir/"):
        assert server.get(path).status == 404, path
    assert server.get("/up/loads/p.jpg").text == "jpg"
    assert script_of(server, "/a.php")[0] == "a.php"


def test_other_suffixes_and_names(scripts):
    server = scripts(
        'suffixes = { ".txt", ".php" }, index = { "x.txt", "b.php" }'
    )
    assert script_of(server, "/empty/")[0] == "empty/x.txt"
    assert script_of(server, "/dir/")[0] == "dir/b.php"
    assert script_of(server, "/empty/x.txt/y")[2] == "/y"


@pytest.mark.parametrize(
    "symlinks, link_php, inner", [("none", 404, 404), ("all", 200, 200),
                                  ("owner", 200, 200)]
)  # fmt: skip
def test_links(scripts, symlinks, link_php, inner):
    server = scripts(f'symlinks = "{symlinks}"')
    link(server)
    assert server.get("/link.php").status == link_php
    assert server.get("/inner.php").status == inner
    assert server.get("/a.php").status == 200


def test_a_script_that_nobody_may_read_here(scripts):
    """It is PHP that reads it."""
    server = scripts()
    (server.folder / "www/a.php").chmod(0)
    assert script_of(server, "/a.php")[0] == "a.php"


def test_another_name_for_the_folder(scripts):
    server = scripts('script_root = "/srv/app/"')
    params = server.get("/dir/b.php/x").text.split("|")
    assert params == ["/srv/app/dir/b.php", "/dir/b.php", "/x", "/srv/app",
                      "/srv/app/x"]  # fmt: skip


def test_scripts_of_another_machine(scripts):
    server = scripts('remote = true, fallback = "index.php"', root="/far/www")
    for path, want in {
        "/x.php/y": "/far/www/x.php|/x.php|/y|/far/www|/far/www/y",
        "/photo.jpg": "/far/www/index.php|/index.php||/far/www|",
        "/sub/": "/far/www/sub/index.php|/sub/index.php||/far/www|",
    }.items():
        assert server.get(path).text == want


def test_the_real_name_of_the_root(scripts, tmp_path):
    (tmp_path / "current").symlink_to("www")
    server = scripts(root="current")
    assert script_of(server, "/a.php")[0] == "a.php"


# ---- files that scripts name ----


def name_file(field, value, *fields):
    def talk(talk):
        if talk.request():
            talk.say(b"not this", f"{field}: {value}", "ETag: \"old\"",
                     "Content-Length: 8", *fields)  # fmt: skip

    return talk


SENDFILE = 'sendfile = "private", sendfile_prefix = "/files"'


def test_x_sendfile(scripts, tmp_path):
    path = os.path.realpath(tmp_path) + "/private/report.pdf"
    server = scripts(
        SENDFILE,
        talk=name_file("X-Sendfile", path, "Content-Type: application/x-own",
                       'Content-Disposition: attachment; filename="r.pdf"'),
    )  # fmt: skip
    answer = server.get("/a.php")
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer.header("content-type") == "application/x-own"
    assert answer.header("content-disposition")
    assert answer.header("x-sendfile") is None
    assert answer.header("etag") not in (None, '"old"')
    part = server.get("/a.php", {"Range": "bytes=2-4"})
    assert (part.status, part.body) == (206, b"234")
    same = server.get("/a.php", {"If-None-Match": answer.header("etag")})
    assert same.status == 304
    assert server.request("HEAD", "/a.php").header("content-length") == "10"


def test_x_accel_redirect(scripts):
    server = scripts(
        SENDFILE, talk=name_file("X-Accel-Redirect", "/files/sub/deep%2Etxt?x")
    )
    answer = server.get("/a.php")
    assert (answer.status, answer.text) == (200, "deep")
    assert answer.header("x-accel-redirect") is None


@pytest.mark.parametrize(
    "field, value, want",
    [
        ("X-Sendfile", "FOLDER/private/nothing", 404),
        ("X-Sendfile", "FOLDER/private/sub", 404),
        ("X-Sendfile", "FOLDER/private/../www/a.php", 404),
        ("X-Sendfile", "FOLDER/www/a.php", 502),
        ("X-Sendfile", "FOLDER/private", 502),
        ("X-Sendfile", "FOLDER/privateer", 502),
        ("X-Sendfile", "report.pdf", 502),
        ("X-Sendfile", "", 502),
        ("X-Accel-Redirect", "/files/../private/report.pdf", 502),
        ("X-Accel-Redirect", "/filesystem", 502),
        ("X-Accel-Redirect", "/files/%2e%2e/x", 502),
        ("X-Accel-Redirect", "/files/%zz", 502),
        ("X-Accel-Redirect", "/files", 502),
    ],
)
def test_files_that_may_not_be_sent(scripts, tmp_path, field, value, want):
    value = value.replace("FOLDER", os.path.realpath(tmp_path))
    server = scripts(SENDFILE, talk=name_file(field, value))
    answer = server.get("/a.php")
    assert answer.status == want
    assert answer.header(field) is None and b"not this" not in answer.body


def test_sending_files_has_to_be_allowed(scripts, tmp_path):
    path = os.path.realpath(tmp_path) + "/private/report.pdf"
    server = scripts(talk=name_file("X-Sendfile", path))
    assert server.get("/a.php").status == 502
    server.wait_log("names a file that may not be sent")
