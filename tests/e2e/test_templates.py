"""res:render and pl.mustache in a site: files, partials, changes, faults."""

import os
import threading

import pytest

from harness.wait import wait_for

SITE = """local pl = require "perilune"
pl.set { templates = "views" }
pl.get("/page", function(req, res)
  return res:render("page.mustache", { name = req.args.name, list = { 1, 2 } })
end)
pl.get("/deep", function(_, res)
  return res:render("admin/users.mustache", { kind = "admin/row", n = 3 })
end)
pl.get("/plain", function(_, res)
  res:status(203)
  res:header("content-type", "text/plain")
  res:render("page.mustache", {})
end)
pl.get("/any", function(req, res)
  return res:render(req.args.name, {})
end)
pl.get("/file", function()
  return pl.mustache.file("page.mustache", { name = "file" })
end)
pl.get("/text", function(req)
  return pl.mustache("<p>{{name}}{{>sign}}", req.args, { sign = "!" })
end)
pl.get("/lambda", function(_, res)
  return res:render("lambda.mustache", { name = "<moon>",
    bold = function(text, render) return "<b>" .. render(text) .. "</b>" end })
end)
pl.get("/fails", function(_, res)
  local function bold() error "eclipse" end
  return res:render("lambda.mustache", { bold = bold })
end)
pl.get("/waits", function(_, res)
  return res:render("lambda.mustache", { bold = function() pl.sleep(1) end })
end)
"""
FILES = {
    "views/page.mustache": "{{>head}}<p>{{name}}\n{{#list}}{{.}};{{/list}}",
    "views/head.mustache": "<title>{{name}}</title>",
    "views/admin/users.mustache": "{{<layouts/base}}{{$body}}{{>*kind}}"
    "{{/body}}{{/layouts/base}}",
    "views/admin/row.mustache": "row {{n}}",
    "views/layouts/base.mustache": "<body>{{$body}}{{/body}}</body>",
    "views/lambda.mustache": "{{#bold}}{{name}}{{/bold}}",
    "views/bad.mustache": "fine\n{{#open}}\n",
    "views/worse.mustache": "{{>bad}}",
    "secret.mustache": "secret",
}


def put(server, name: str, text: str):
    """As an editor saves: another file takes the place of the old one."""
    path = server.folder / name
    new = path.with_name(path.name + "~")
    new.write_text(text)
    os.replace(new, path)


@pytest.fixture
def site(serve):
    return serve(SITE, files=FILES, workers=2)


def test_a_page_of_a_file(site):
    response = site.get("/page?name=%3Cmoon%3E")
    assert response.status == 200
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert response.text == "<title>&lt;moon&gt;</title><p>&lt;moon&gt;\n1;2;"
    assert site.request("HEAD", "/page?name=x").header("content-length") == "25"
    response = site.get("/plain")
    assert response.status == 203
    assert response.header("content-type") == "text/plain"


def test_partials_beside_it_or_below_the_root(site):
    assert site.get("/deep").text == "<body>row 3</body>"


def test_text_and_file_as_strings(site):
    assert site.get("/text?name=a%26b").text == "<p>a&amp;b!"
    assert site.get("/file").text == "<title>file</title><p>file\n"


def test_lambdas(site):
    assert site.get("/lambda").text == "<b>&lt;moon&gt;</b>"
    assert site.get("/fails").status == 500
    site.wait_log(r"GET /fails .*site.lua:\d+: eclipse")
    assert site.get("/waits").status == 500
    site.wait_log("GET /waits .*pl.sleep: cannot wait inside a function that C")
    assert site.get("/lambda").text == "<b>&lt;moon&gt;</b>"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.mustache", "gone.mustache: cannot read the template"),
        ("bad.mustache", "bad.mustache:2: a section, a block or a parent"),
        ("worse.mustache", "bad.mustache:2: a section, a block or a parent"),
        ("..%2Fsecret.mustache", "is no name of a template below"),
        ("%2Fetc%2Fpasswd", "is no name of a template below"),
        (".hidden", "is no name of a template below"),
        ("admin", "cannot read the template"),
    ],
)
def test_what_is_no_template(site, name, message):
    for _ in range(2):
        response = site.get("/any?name=" + name)
        assert response.status == 500
        assert "secret" not in response.text
        site.wait_log(f"GET /any.*{message}")
    assert site.get("/text?name=x").text == "<p>x!"


def test_changes_are_seen_without_a_reload(site):
    def page():
        return site.get("/page?name=n").text

    assert page().startswith("<title>n")
    put(site, "views/head.mustache", "<h1>{{name}}</h1>")
    wait_for(lambda: page().startswith("<h1>n</h1>"), "the partial")
    put(site, "views/page.mustache", "{{>head}}{{>foot}}")
    wait_for(lambda: page() == "<h1>n</h1>", "the template")
    put(site, "views/foot.mustache", "foot")
    wait_for(lambda: page() == "<h1>n</h1>foot", "a partial that was missing")
    put(site, "views/foot.mustache", "\n\n{{#open}}")
    wait_for(lambda: site.get("/page").status == 500, "a fault")
    site.wait_log("foot.mustache:3: a section")
    os.remove(site.folder / "views/foot.mustache")
    wait_for(lambda: page() == "<h1>n</h1>", "one that is gone")
    (site.folder / "views/head.mustache").write_text("<h2>{{name}}</h2>")
    wait_for(lambda: page() == "<h2>n</h2>", "written in place")


def test_names_in_the_data_find_new_files(site):
    assert site.get("/deep").text == "<body>row 3</body>"
    put(site, "views/admin/row.mustache", "{{>*other}}line {{n}}")
    wait_for(lambda: site.get("/deep").text == "<body>line 3</body>", "line")


def test_a_fault_that_only_data_could_name_is_logged(site):
    site.get("/deep")
    site.wait_log("warn template: not used: .*bad.mustache:2: a section")


def test_many_at_once(site):
    """All of them find a template that nobody has read yet."""
    texts = []

    def ask():
        texts.append(site.get("/page?name=n").text)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(texts) == {"<title>n</title><p>n\n1;2;"} and len(texts) == 20


def test_templates_stand_beside_the_site_without_a_setting(serve):
    site = """local pl = require "perilune"
    pl.get("/", function(_, res) return res:render("a.mustache", {}) end)
    """
    server = serve(site, files={"a.mustache": "here{{>b}}", "b.mustache": "!"})
    assert server.get("/").text == "here!"


def test_a_page_of_many_parts_is_no_bomb(serve):
    site = """local pl = require "perilune"
    pl.get("/", function(_, res) return res:render("a.mustache", {}) end)
    pl.get("/ok", function() return "ok" end)
    """
    bomb = "{{>a}}{{>a}}{{>a}}"
    server = serve(site, files={"a.mustache": bomb})
    assert server.get("/").status == 500
    server.wait_log("a.mustache:1: too many sections and partials")
    assert server.get("/ok").text == "ok"


def test_settings_are_checked(command):
    site = 'require "perilune".set { templates = 3 }'
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode != 0
    assert "site.lua:1: pl.set: templates must be a string" in done.stderr


def test_a_script_renders(command):
    script = """local pl = require "perilune"
    print(pl.mustache("{{#list}}<{{.}}>{{/list}}", { list = { "a", "&" } }))
    print(pl.mustache.file("t.mustache", { x = 1 }))
    print(pl.mustache("{{#x}}", {}))
    """
    done = command(
        "run", "s.lua", files={"s.lua": script, "t.mustache": "x={{x}}"}
    )
    assert done.stdout.splitlines() == [
        "<a><&amp;>",
        "x=1",
        "nil\tpl.mustache: template:1: a section, a block or a parent that is "
        "not closed",
    ]


def test_in_a_sandbox(serve, tmp_path):
    """A folder outside of the site is readable because the site named it."""
    views = tmp_path / "views"
    views.mkdir()
    (views / "a.mustache").write_text("there")
    site = f"""local pl = require "perilune"
    pl.set {{ sandbox = true, templates = "{views}" }}
    pl.get("/", function(_, res) return res:render("a.mustache", {{}}) end)
    """
    server = serve(site)
    assert server.get("/").text == "there"
