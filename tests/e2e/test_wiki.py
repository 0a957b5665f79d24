"""examples/wiki: a folder of pages, with what visitors do to it."""

import html
import re
from urllib.parse import urlencode

import pytest

from harness.html import Page
from harness.server import TOP

WIKI = TOP / "examples/wiki"
FORM = {"content-type": "application/x-www-form-urlencoded"}
EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "= <b>heading</b>",
    "- <i>item</i>",
    "*<u>word</u>*",
    "[<a>] [Name<b>] [javascript:alert(1)] [Home\"x]",
    "</textarea><script>alert(1)</script>",
    "#[[os.exit()]] <?lu os.exit() ?> %s %d %",
]
TAGS = {"html", "meta", "title", "link", "header", "a", "main", "h1", "h2", "p",
        "pre", "code", "label", "ul", "li", "em", "footer", "form", "input",
        "textarea", "button"}


@pytest.fixture
def wiki(serve, tmp_path):
    return serve(WIKI, workers=2, env={"WIKI_DATA": str(tmp_path / "articles")})


def sound(got, status: int = 200) -> Page:
    assert got.status == status, got.text
    assert got.header("content-type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in got.header("content-security-policy")
    page = Page(got.text)
    assert page.faults == []
    assert set(re.findall(r"<(\w+)", got.text)) <= TAGS, got.text
    return page


def version(wiki, name: str) -> str:
    text = wiki.get(f"/edit?name={name}").text
    return re.search(r'name="version" value="([^"]*)"', text)[1]


def save(wiki, name: str, text: str, of: str | None = None):
    fields = {"name": name, "text": text,
              "version": version(wiki, name) if of is None else of}
    return wiki.request("POST", "/edit", FORM, urlencode(fields).encode())


def article(wiki, name: str) -> str:
    """What is between its heading and the link to edit it."""
    got = wiki.get(f"/page?name={name}")
    sound(got)
    return re.search(r"</h1>\s*(.*)<p><a href=\"/edit", got.text, re.S)[1]


def test_it_begins_with_a_page(wiki):
    page = sound(wiki.get("/"))
    assert ("a", "/page?name=Home") in page.urls
    page = sound(wiki.get("/page?name=Home"))
    assert ("a", "/page?name=Moon") in page.urls
    assert "<em>edit</em>" in article(wiki, "Home")
    sound(wiki.get("/page?name=Moon"), 404)
    sound(wiki.get("/about"))
    assert wiki.get("/static/wiki.css").status == 200


def test_an_article_is_written_and_kept(wiki, tmp_path):
    got = save(wiki, "Moon", "= Craters\r\n\r\nMany *old* ones,\r\nsee [Home].")
    assert (got.status, got.header("location")) == (303, "/page?name=Moon")
    assert article(wiki, "Moon").split("\n")[:3] == [
        "<h2>Craters</h2>",
        "<p>Many <em>old</em> ones,",
        'see <a href="/page?name=Home">Home</a>.</p>',
    ]
    assert "/page?name=Moon" in wiki.get("/").text
    assert (tmp_path / "articles/Moon.txt").read_text() == \
        "= Craters\n\nMany *old* ones,\nsee [Home].\n"


@pytest.mark.parametrize("text", EVIL)
def test_what_is_written_stays_text(wiki, text):
    assert save(wiki, "Evil", text).status == 303
    shown = wiki.get("/page?name=Evil")
    sound(shown)
    edited = wiki.get("/edit?name=Evil")
    sound(edited)
    kept = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", edited.text, re.S)
    assert html.unescape(kept[1]).strip() == text
    stale = save(wiki, "Evil", text, of="0")
    sound(stale, 409)


@pytest.mark.parametrize("name", [
    "", "moon", "M/n", "../Moon", "Moon.txt", "M%00", "M" * 65, "Mü", "<b>",
])
def test_other_names_are_refused(wiki, tmp_path, name):
    assert save(wiki, "Moon", "text").status == 303
    query = urlencode({"name": name})
    sound(wiki.get("/page?" + query), 404)
    sound(wiki.get("/edit?" + query), 404)
    sound(save(wiki, name, "text", of="0"), 400)
    assert [path.name for path in tmp_path.rglob("*")] == \
        ["articles", "Moon.txt"]


def test_one_of_two_editors_saves(wiki):
    assert save(wiki, "Moon", "first").status == 303
    read = version(wiki, "Moon")
    assert save(wiki, "Moon", "second", of=read).status == 303
    got = save(wiki, "Moon", "third <b>", of=read)
    sound(got, 409)
    assert "third &lt;b&gt;" in got.text, "the text is not lost"
    assert "second" in article(wiki, "Moon")


def test_limits(wiki):
    sound(save(wiki, "Moon", "  \n "), 400)
    sound(save(wiki, "Moon", "x" * 70000), 400)
    assert save(wiki, "Moon", "x" * 300000, of="0").status == 413
    assert wiki.get("/page?name=Moon").status == 404
