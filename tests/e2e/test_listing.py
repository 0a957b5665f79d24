"""Lists of folders: for people, for programs, by a template of the site; kept
for a moment, and revalidated."""

import os

import pytest

from harness.browser import PROGRAM as CHROMIUM
from harness.browser import Browser
from harness.html import Page
from harness.wait import wait_for

SITE = """local pl = require "perilune"
pl.static("/files", { root = "share", listing = true })
pl.static("/mine", { root = "share", listing = "my/list.mustache",
  not_found = "404.html", expires = "1h" })
pl.static("/all", { root = "share", listing = true, dot_files = true })
pl.static("/no", { root = "share" })
pl.static("/", { root = "share/sub", listing = true })
"""
FILES = {
    "share/README.md": "# <b>Read</b> & me\n",
    "share/404.html": "<p>not here",
    "share/b10.txt": "0123456789",
    "share/b2.txt": "01",
    "share/a & <b>.txt": "x" * 2000,
    "share/.hidden": "hidden",
    "share/sub/deep/x.txt": "x",
    "share/indexed/index.html": "<p>index",
    "secret.txt": "secret",
    "my/list.mustache": "{{>head}}{{#entries}}{{name}};{{/entries}}",
    "my/head.mustache": "[{{path}}]",
}
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def site(serve, tmp_path):
    server = serve(SITE, files=FILES)
    os.symlink("../secret.txt", tmp_path / "share/outside")
    os.symlink("b2.txt", tmp_path / "share/inside")
    os.mkfifo(tmp_path / "share/pipe")
    return server


def names(server, target):
    return [e["name"] for e in server.get(target, JSON).json()["entries"]]


# ---- what is shown ---------------------------------------------------------


def test_page_lists_the_folder(site):
    response = site.get("/files/", HTML)
    assert response.status == 200
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert response.header("vary") == "Accept"
    assert "default-src 'none'" in response.header("content-security-policy")
    page = Page(response.text)
    assert page.faults == []
    text = response.text
    assert '<a href="a%20%26%20%3Cb%3E.txt">' in text
    assert "<span>a &amp; &lt;b&gt;.txt</span>" in text
    assert "# &lt;b&gt;Read&lt;/b&gt; &amp; me" in text
    assert '<a href="sub/">' in text and "2.0 KiB" in text
    for hidden in (".hidden", "outside", "pipe", "secret"):
        assert hidden not in text


def test_every_link_answers(site):
    for folder in ("/files/", "/files/sub/", "/files/sub/deep/"):
        for tag, url in Page(site.get(folder, HTML).text).urls:
            if tag != "a":
                continue
            target = folder + url
            while "/../" in target:
                head, _, tail = target.partition("/../")
                target = head.rpartition("/")[0] + "/" + tail
            assert site.get(target, HTML).status == 200, target


def test_orders(site):
    first = ["indexed", "sub"]
    by_name = ["404.html", "a & <b>.txt", "b2.txt", "b10.txt", "inside"]
    by_name.append("README.md")
    assert names(site, "/files/") == first + by_name
    down = names(site, "/files/?sort=name&order=desc")
    assert down == ["sub", "indexed"] + by_name[::-1]
    by_size = names(site, "/files/?sort=size")
    assert by_size[2] in ("b2.txt", "inside") and by_size[-1] == by_name[1]
    assert names(site, "/files/?sort=size&order=desc")[2] == by_name[1]
    assert names(site, "/files/?sort=nonsense&order=x") == first + by_name
    text = site.get("/files/?sort=size", HTML).text
    assert 'aria-sort="ascending"' in text
    assert "?sort=size&amp;order=desc" in text


def test_json_for_who_prefers_it(site):
    answer = site.get("/files/", JSON)
    assert answer.header("content-type") == "application/json"
    value = answer.json()
    assert value["path"] == "/files/" and value["truncated"] is False
    entry = next(e for e in value["entries"] if e["name"] == "b10.txt")
    assert entry["size"] == 10 and entry["type"] == "file"
    both = {"Accept": "text/html, application/json"}
    assert "html" in site.get("/files/", both).header("content-type")


def test_dot_files_when_asked(site):
    assert ".hidden" in names(site, "/all/")


def test_folders_that_are_not_listed(site):
    assert site.get("/files/indexed/").text == "<p>index"
    assert site.get("/no/").status == 404
    assert site.get("/files/none/").status == 404
    assert site.get("/files/b2.txt/").status == 404
    assert site.get("/files/.git/").status == 404
    response = site.get("/files/sub")
    assert response.status == 301
    assert response.header("location") == "/files/sub/"
    assert site.request("POST", "/files/", body=b"").status == 405


# ---- by a template ---------------------------------------------------------


def test_template_of_the_site(site):
    response = site.get("/mine/", HTML)
    assert response.text.startswith("[/mine/]indexed;sub;404.html;")
    assert "a &amp; &lt;b&gt;.txt;" in response.text
    assert response.header("content-security-policy") is None
    assert response.header("cache-control") == "max-age=3600"
    assert site.get("/mine/none/", HTML).text == "<p>not here"


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        ('"gone.mustache"', "gone.mustache: cannot read the template"),
        ('"bad.mustache"', "bad.mustache:2: "),
        ("7", "option 'listing' must be true, false or a string"),
    ],
)
def test_fault_keeps_the_site_from_loading(command, listing, message):
    site = (
        'local pl = require "perilune"\n'
        'pl.static("/", { root = ".", listing = ' + listing + " })\n"
    )
    files = {"site.lua": site, "bad.mustache": "\n{{#x}}"}
    done = command("check", "site.lua", files=files)
    assert done.returncode == 3
    assert "site.lua:2: pl.static: " in done.stderr
    assert message in done.stderr


# ---- kept and revalidated --------------------------------------------------


def test_client_revalidates(site):
    first = site.get("/files/", HTML)
    assert first.header("cache-control") == "no-cache"
    tag = {"If-None-Match": first.header("etag"), **HTML}
    assert site.get("/files/", tag).status == 304
    tag.update(JSON)
    assert site.get("/files/", tag).status == 200
    head = site.request("HEAD", "/files/", HTML)
    assert head.header("content-length") == str(len(first.body))
    part = site.get("/files/", {"Range": "bytes=0-8", **HTML})
    assert part.status == 206 and part.text == "<!doctype"


def test_change_is_seen_within_a_moment(site, tmp_path):
    before = site.get("/files/", HTML)
    (tmp_path / "share/new.txt").write_text("new")
    wait_for(lambda: "new.txt" in names(site, "/files/"), "the new file")
    tag = {"If-None-Match": before.header("etag"), **HTML}
    wait_for(
        lambda: site.get("/files/", tag).status == 200, "the list of a moment"
    )


def test_many_files_are_cut(serve, tmp_path):
    many = tmp_path / "share/many"
    many.mkdir(parents=True)
    for i in range(10_001):
        (many / f"{i}").touch()
    server = serve(SITE, files=FILES)
    answer = server.get("/files/many/", JSON).json()
    assert len(answer["entries"]) == 10_000 and answer["truncated"]
    text = server.get("/files/many/", HTML).text
    assert "only the first 10000 are shown" in text


def test_peer_that_leaves_costs_nothing(site):
    for _ in range(20):
        with site.connect() as wire:
            wire.send(b"GET /files/?x HTTP/1.1\r\nHost: a\r\n\r\n")
            wire.reset()
    assert site.get("/files/", HTML).status == 200


# ---- in a browser ----------------------------------------------------------


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_page_fits_any_width_and_sorts_without_a_script(site, tmp_path):
    (tmp_path / "share" / ("long" * 40 + ".txt")).touch()
    first = "document.querySelector('tbody tr:nth-child(3) a').innerText"
    with Browser() as browser:
        for width, dark in ((360, False), (360, True), (1280, False)):
            page = browser.page(width, dark=dark)
            page.open(site.url("/files/"))
            size = page.value("document.documentElement.scrollWidth")
            assert size <= width
            page.value("document.querySelector('th.size a').click()")
            page.wait_load()
            assert page.value("location.search") == "?sort=size&order=asc"
            assert page.value(first).strip() != "404.html"
            page.close()
