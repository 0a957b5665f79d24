"""--dev: pages in the browser load themselves again when the site has changed,
and show why it could not be loaded."""

import re
from signal import SIGHUP

import pytest

from harness.browser import PROGRAM as CHROMIUM
from harness.browser import Browser
from harness.wait import wait_for

SITE = """local pl = require "perilune"
pl.get("/", function() return "<!doctype html><title>{0}</title><p>{0}" end)
pl.get("/stream", function(_, res)
  res:header("content-type", "text/html")
  res:write("<p>begun")
  res:write("<p>ended")
end)
pl.get("/text", function() return "text" end)
pl.get("/packed", function(_, res)
  res:header("content-encoding", "x-own")
  return "<p>packed"
end)
pl.get("/policy", function(_, res)
  res:header("content-security-policy", "script-src 'nonce-r4nd0m'")
  return "<p>policy"
end)
pl.get("/strict", function(_, res)
  res:header("content-security-policy", "default-src 'self'")
  return "<!doctype html><title>{0}</title><p>{0}"
end)
pl.static("/files", {{ root = "files" }})
"""
FILES = {"files/a.html": "<html><body>a file</body></html>\n"}
VISIT = {"Host": "127.0.0.1", "Sec-Fetch-Dest": "document"}
TAG = re.compile(
    rb'\n<script src="/.perilune/live.js" data-generation="\d+ \d+"'
    rb'( nonce="[^"]*")?></script>\n$'
)


def save(server, text):
    new = server.folder / "site.lua~"
    new.write_text(text)
    new.rename(server.folder / "site.lua")


@pytest.fixture
def dev(serve):
    return serve(
        SITE.format("one"), "--dev", "--watch", files=FILES, workers=2,
        supervisor=False,
    )


# ---- which pages have the script -------------------------------------------


@pytest.mark.parametrize(
    "target, body",
    [
        ("/", b"<!doctype html><title>one</title><p>one"),
        ("/files/a.html", b"<html><body>a file</body></html>\n"),
        ("/policy", b"<p>policy"),
    ],
)
def test_page_has_the_script_behind_its_end(dev, target, body):
    page = dev.get(target, VISIT)
    assert TAG.sub(b"", page.body) == body
    assert len(page.body) > len(body)
    assert int(page.header("content-length")) == len(page.body)
    assert page.header("etag") is None
    with dev.connect() as wire:  # the next answer begins where it should
        head = wire.request("HEAD", target, VISIT)
        assert head.header("content-length") == page.header("content-length")
        assert wire.request("GET", "/text", VISIT).body == b"text"


def test_number_of_a_policy_is_given_to_the_script(dev):
    assert TAG.search(dev.get("/policy", VISIT).body)[1] == b' nonce="r4nd0m"'
    assert TAG.search(dev.get("/", VISIT).body)[1] is None


def test_page_of_an_error_has_the_script(dev):
    missing = dev.get("/missing", {**VISIT, "Accept": "text/html"})
    assert missing.status == 404 and TAG.search(missing.body)


@pytest.mark.parametrize("target", ["/stream", "/text", "/packed"])
def test_what_is_not_a_whole_page_stays_as_it_is(dev, target):
    host = {"Host": "127.0.0.1"}
    assert dev.get(target, VISIT).body == dev.get(target, host).body


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "127.0.0.1"},
        {**VISIT, "Sec-Fetch-Dest": "empty"},
        {**VISIT, "Range": "bytes=0-3"},
        {**VISIT, "Host": "rebound.example"},
        {**VISIT, "X-Forwarded-For": "10.0.0.1"},
    ],
)
def test_script_is_only_for_visits_of_who_develops(dev, headers):
    assert b"<script" not in dev.get("/files/a.html", headers).body


def test_without_dev_there_is_nothing_of_it(serve):
    server = serve(SITE.format("one"), "--watch", files=FILES)
    assert b"<script" not in server.get("/", VISIT).body
    assert server.get("/.perilune/live", VISIT).status == 404
    assert server.get("/.perilune/live.js", VISIT).status == 404


def test_others_do_not_get_the_events(dev):
    for headers in ({"Host": "rebound.example"}, {**VISIT, "Via": "1.1 x"}):
        assert dev.get("/.perilune/live", headers).status == 404


# ---- the events ------------------------------------------------------------


def listen(wire):
    wire.send(b"GET /.perilune/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")


def test_events_name_generations_and_faults(dev):
    with dev.connect() as wire:
        listen(wire)
        wire.read_until(b"event: generation\ndata: %d 1\n" % dev.pid)
        save(dev, "local x\nx(")
        wire.read_until(b"event: fault\n")
        wire.read_until(b"site.lua:2: ")
        wire.read_until(b"> ")  # the line
        save(dev, SITE.format("two"))
        wire.read_until(b"event: generation\ndata: %d 2\n" % dev.pid)
    dev.wait_log("reloaded: generation=2")


def test_stop_does_not_wait_for_listeners(dev):
    with dev.connect() as wire:
        listen(wire)
        wire.read_until(b"event: generation\n")
        assert dev.stop() == 0


def test_listeners_do_not_keep_a_generation(serve):
    server = serve(SITE.format("one"), "--dev", files=FILES, workers=1)
    with server.connect() as wire:
        listen(wire)
        wire.read_until(b"event: generation\n")
        for n in range(6):
            server.send_signal(SIGHUP)
            server.wait_log(f"reloaded: generation={n + 2}")
        wire.read_until(b" 7\n")
    assert "were cut off" not in server.log()


# ---- pages, which reload alone ---------------------------------------------

PAGES = """local pl = require "perilune"
pl.pages("/", { root = "pages" })
"""
PAGE_FILES = {
    "pages/x.lsp": "<title>one</title><?include part.priv.lsp ?>",
    "pages/part.priv.lsp": "<p>part",
}


def save_page(server, name, text):
    new = server.folder / "pages" / (name + "~")
    new.write_text(text)
    new.rename(server.folder / "pages" / name)


@pytest.fixture
def pages(serve):
    return serve(PAGES, "--dev", "--watch", files=PAGE_FILES, workers=2)


@pytest.mark.parametrize("name", ["x.lsp", "part.priv.lsp"])
def test_a_changed_page_is_told_and_nothing_reloads(pages, name):
    assert TAG.search(pages.get("/x", VISIT).body)
    with pages.connect() as wire:
        listen(wire)
        wire.read_until(b" 1\n")
        save_page(pages, name, "<title>two</title>")
        wire.read_until(b" 1 1\n")
        assert b"<title>two</title>" in pages.get("/x").body
        save_page(pages, name, "<title>three</title>")
        wire.read_until(b" 1 2\n")
    body = pages.get("/x", VISIT).body
    assert b"three" in body and re.search(rb'data-generation="\d+ 1 2"', body)
    assert "reloaded" not in pages.log()


def test_a_change_of_the_site_reloads_whatever_else_changes(pages):
    assert pages.get("/x").status == 200
    save_page(pages, "x.lsp", "new")
    save(pages, PAGES + "x = 1")
    pages.wait_log("reloaded: generation=2")
    assert pages.get("/x").text == "new"


# ---- in a browser ----------------------------------------------------------

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium")


@needs_chromium
@pytest.mark.parametrize("target", ["/", "/strict"])
def test_page_loads_itself_again_and_shows_what_is_wrong(dev, target):
    def shown(text):
        return page.value(
            "document.documentElement ? "
            "document.documentElement.innerText : ''"
        ).find(text) >= 0

    with Browser() as browser:
        page = browser.page(800, scripts=True)
        page.open(dev.url(target))
        assert shown("one")
        save(dev, SITE.format("two"))
        wait_for(lambda: shown("two"), "the new page")
        save(dev, SITE.format("three") + "x = = 1")
        wait_for(lambda: shown("unexpected symbol near"), "the error")
        assert shown("two") and shown("x = = 1")
        save(dev, SITE.format("three"))
        wait_for(lambda: page.value("document.title") == "three", "the page")
        assert not shown("unexpected symbol near")
        page.close()


@needs_chromium
def test_dynamic_page_loads_itself_again_and_shows_what_is_wrong(pages):
    with Browser() as browser:
        page = browser.page(800, scripts=True)
        page.open(pages.url("/x"))
        assert page.value("document.title") == "one"
        save_page(pages, "part.priv.lsp", "<%= nobody.name %>")
        wait_for(
            lambda: "nobody" in page.value("document.title + "
            "(document.querySelector('h1') || document.body)?.innerText"),
            "the error",
        )
        save_page(pages, "part.priv.lsp", "<p>part")
        save_page(pages, "x.lsp", "<title>two</title>")
        wait_for(lambda: page.value("document.title") == "two", "the page")
        page.close()


@needs_chromium
def test_page_of_an_error_loads_itself_again(dev):
    save(dev, SITE.format("two") + 'pl.get("/x", function() error("no") end)')
    dev.wait_log("reloaded: generation=2")
    with Browser() as browser:
        page = browser.page(800, scripts=True)
        page.open(dev.url("/x"))
        assert "no" in page.value("document.querySelector('h1').innerText")
        save(dev, SITE.format("two") + 'pl.get("/x", function() '
             'return "<title>good</title>" end)')
        wait_for(lambda: page.value("document.title") == "good", "good page")
        page.close()
