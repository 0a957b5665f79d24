"""pl.markdown: texts, files, and the pages of a folder."""

import os
import subprocess

import pytest

from harness.server import build_folder, environment
from harness.wait import wait_for

pytestmark = pytest.mark.skipif(
    not (build_folder() / "perilune-markdown.so").exists(),
    reason="built without the plug-in",
)


def html_of(command, text: str, options: str = "{}") -> str:
    script = """local pl = require "perilune"
    local file = io.open("text.md", "rb")
    local html, title = pl.markdown(file:read "*a", OPTIONS)
    io.write(html or "nil: " .. tostring(title))
    """.replace("OPTIONS", options)
    files = {"s.lua": script, "text.md": text}
    done = command("run", "s.lua", files=files)
    assert done.returncode == 0, done.stderr
    return done.stdout


TABLE = """| a | b | c | d |
|---|:--|:-:|--:|
| 1 | 2 | *3* |
"""


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("# A *b*\n\nc\nd  \ne", "<h1>A <em>b</em></h1>\n<p>c\nd<br>\ne</p>\n"),
        ("Setext\n---", "<h2>Setext</h2>\n"),
        ("> q\n\n---", "<blockquote>\n<p>q</p>\n</blockquote>\n<hr>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n'),
        ("1. a", "<ol>\n<li>a</li>\n</ol>\n"),
        (
            "- [x] a\n- [ ] b",
            '<ul>\n<li class="task"><input type="checkbox" disabled checked> a'
            '</li>\n<li class="task"><input type="checkbox" disabled> b</li>\n'
            "</ul>\n",
        ),
        (
            "```lua\nif a < b then\n```",
            '<pre><code class="language-lua">if a &lt; b then\n</code></pre>\n',
        ),
        ("    x", "<pre><code>x\n</code></pre>\n"),
        ("**s** `a<b` ~~d~~", "<p><strong>s</strong> <code>a&lt;b</code> "
                              "<del>d</del></p>\n"),
        ('[t](/u?a=1&b="c" "x\'y")', '<p><a href="/u?a=1&amp;b=%22c%22" '
                                     'title="x&#39;y">t</a></p>\n'),
        ("![a *b*\nc](i.png 't')", '<p><img src="i.png" alt="a b c" '
                                   'title="t"></p>\n'),
        ("[![i](a.png)](/b)", '<p><a href="/b"><img src="a.png" alt="i"></a>'
                              "</p>\n"),
        ("https://a.example/x", '<p><a href="https://a.example/x">'
                                "https://a.example/x</a></p>\n"),
        ("&copy; &lt;b&gt; &#35; &", "<p>&copy; &lt;b&gt; &#35; &amp;</p>\n"),
        ("\\*a\\*", "<p>*a*</p>\n"),
        ("\u00e9 [u](/\u00e9)", '<p>\u00e9 <a href="/%C3%A9">u</a></p>\n'),
        (
            TABLE,
            "<table>\n<thead>\n<tr>\n<th>a</th>\n"
            '<th align="left">b</th>\n<th align="center">c</th>\n'
            '<th align="right">d</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n'
            '<td>1</td>\n<td align="left">2</td>\n'
            '<td align="center"><em>3</em></td>\n<td align="right"></td>\n'
            "</tr>\n</tbody>\n</table>\n",
        ),
    ],
)
def test_markdown(command, text, html):
    assert html_of(command, text) == html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <b onclick=x>b</b>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](javascript&colon;alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](java&Tab;script:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "![x](javascript:alert(1))",
        "<javascript:alert(1)>",
        "[x][r]\n\n[r]: javascript:alert(1)",
        "[x](</a\"onmouseover=\"x>)",
        "```\"><script>\nx\n```",
    ],
)
def test_nothing_runs_that_a_stranger_wrote(command, text):
    html = html_of(command, text).lower()
    assert "<script" not in html and "<b " not in html
    assert 'href="java' not in html and 'href="data' not in html
    assert 'src="java' not in html and 'href="vb' not in html
    assert '" onmouseover' not in html and '"onmouseover' not in html
    assert "&colon;" not in html.split(">x<")[0]


def test_links_that_lead_somewhere_stay(command):
    for url in ("/a:b", "a/b:c", "#x:y", "?a:b", "mailto:a@b", "HTTPS://a/b"):
        assert f'href="{url}"' in html_of(command, f"[x]({url})"), url


def test_options(command):
    assert html_of(command, "a<b>c</b>", "{ html = true }") == (
        "<p>a<b>c</b></p>\n"
    )
    assert "javascript" in html_of(command, "[x](javascript:a)",
                                   "{ html = true }")
    assert html_of(command, "a\nb", "{ hard_breaks = true }") == (
        "<p>a<br>\nb</p>\n"
    )
    off = "{ tables = false, strikethrough = false, tasks = false, " \
        "autolinks = false }"
    text = "~~a~~ https://b.example\n\n- [ ] c\n\n" + TABLE
    html = html_of(command, text, off)
    assert "<del>" not in html and "<table" not in html
    assert "<input" not in html and "<a " not in html


def test_long_texts_and_bombs(command):
    text = "word *em* `code`\n\n" * 5000
    assert html_of(command, text).count("<p>") == 5000
    bomb = "[a]: " + "x" * 5000 + "\n\n" + "[a] " * 5000
    assert "the text becomes too long" in html_of(command, bomb)
    assert html_of(command, "> " * 2000 + "x").startswith("<blockquote>")


def test_fields_of_a_file(command):
    script = """local pl = require "perilune"
    local html, title, fields = pl.markdown.file "a.md"
    io.write(html, title, fields.layout, fields.quoted)
    html, title, fields = pl.markdown.file "b.md"
    io.write(html, title, tostring(next(fields)))
    print(select(2, pl.markdown.file "c.md").code)
    """
    files = {
        "s.lua": script,
        "a.md": '---\ntitle: The: moon\nlayout: x\nquoted: " q "\n---\n# H\n',
        "b.md": "# A `b` &amp;\n---\n",
    }
    done = command("run", "s.lua", files=files)
    assert done.stdout.startswith("<h1>H</h1>\nThe: moonx q <h1>A <code>")
    assert done.stdout.endswith("A b &amp;nilnot_found\n")


SITE = """local pl = require "perilune"
pl.set { templates = "views" }
pl.markdown.pages("/docs/", { root = "docs", layout = "page.mustache",
  data = { site = "Moon" } })
pl.markdown.pages("/bare", { root = "docs" })
"""
FILES = {
    "docs/index.md": "# Start <here>",
    "docs/a/b.md": "---\ntitle: B\nlayout: other.mustache\n---\n*b*",
    "docs/plain.txt": "text",
    "secret.md": "secret",
    "views/page.mustache": "{{site}}|{{title}}|{{path}}|{{{content}}}",
    "views/other.mustache": "other {{page.title}} {{{content}}}",
}


def test_pages_of_a_folder(serve):
    server = serve(SITE, files=FILES)
    start = "Moon|Start &lt;here&gt;|"
    for path in ("/docs/", "/docs/index", "/docs/index.md"):
        response = server.get(path)
        assert response.status == 200
        assert response.text.startswith(start + path), path
        assert response.header("content-type") == "text/html; charset=utf-8"
    assert server.get("/docs/a/b").text == "other B <p><em>b</em></p>\n"
    bare = server.get("/bare/a/b").text
    assert "<title>B</title>" in bare and "<em>b</em>" in bare
    for path in ("gone", "a", "plain.txt", "..%2Fsecret", "%2E%2E/secret",
                 "a//b", ".git/x", "x%00"):
        response = server.get("/docs/" + path)
        assert response.status in (400, 404), path
        assert "secret" not in response.text


def test_pages_change_without_a_reload(serve):
    server = serve(SITE, files=FILES)
    assert "Start" in server.get("/docs/").text
    path = server.folder / "docs/index.md"
    new = path.with_suffix(".new")
    new.write_text("# Other")
    os.replace(new, path)
    wait_for(lambda: "Moon|Other|" in server.get("/docs/").text, "the page")
    (server.folder / "docs/new.md").write_text("new")
    assert "new" in server.get("/docs/new").text
    os.remove(path)
    wait_for(lambda: server.get("/docs/").status == 404, "it is gone")


def test_without_the_plug_in(tmp_path):
    script = tmp_path / "s.lua"
    script.write_text('print(pcall(function() return require "perilune"'
                      ".markdown end))")
    program = tmp_path / "perilune"
    program.write_bytes((build_folder() / "perilune").read_bytes())
    program.chmod(0o755)
    done = subprocess.run([program, "run", script], text=True, check=False,
                          stdout=subprocess.PIPE,
                          env=environment({"PERILUNE_PLUGINS": "/nowhere"}))
    assert done.stdout.startswith("false")
    assert "pl.markdown: " in done.stdout
