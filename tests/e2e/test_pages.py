"""Dynamic pages: the two languages, what their code sees, where they come from,
and what becomes of what is wrong."""

import random
import re

import pytest

from harness.wait import wait_for

SITE = """local pl = require "perilune"
TITLE = "Acceptance"
pl.pages("/", { root = "pages" })
"""


def pages(serve, files, site=SITE, *args, **more):
    named = {f"pages/{name}": text for name, text in files.items()}
    return serve(site, *args, files=named, workers=1, **more)


def page(serve, text, name="x.lsp", target="/x", **more):
    return pages(serve, {name: text}, **more).get(target)


# ---- the language of 80s ----

TOP = '<title><?lu write("%s", TITLE) ?></title>\n'
INDEX = """<?include top.priv.html ?>
<?lu
  local who = query.name or "nobody"
  locals.n = #who
  | <p>Hello #[[who]]</p>
?>
<?lua
  local later = function(resolve) resolve("<ready>") end
  local text = await(later)
  ```
  <b>#[[text]]</b>
  <i>#[[locals.n]]</i>
  ```
  done()
?>
"""
FORM = """<?lu
  local form = {}
  for name, value in body:gmatch "([^&=]+)=([^&=]*)" do
    form[name] = value:gsub("%%26", "&")
  end
  if not form.item then
    status("400 Bad Request")
    write("no item")
    return
  end
  status("303 See Other")
  header("Location", to_url("/", {name = form.item}))
  write("saved %s", form.item)
?>
"""
SITE_80S = {
    "top.priv.html": TOP,
    "index.dyn.html": INDEX,
    "form.dyn.html": FORM,
    "data.dyn.json": "<?lu write({count = 2}) ?>\n",
    "par.dyn.html": '#! parallel\n<?lua write("one") done() ?>,'
    '<?lua write("two") done() ?>\n',
}


def test_a_site_of_80s(serve):
    server = pages(serve, SITE_80S)
    response = server.get("/")
    assert response.status == 200
    assert response.header("content-type").startswith("text/html")
    assert response.text == (
        "<title>Acceptance</title>\n\n<p>Hello nobody</p>\n"
        "<b>&lt;ready&gt;</b><i>6</i>\n"
    )
    assert server.get("/?name=<b>").text == (
        "<title>Acceptance</title>\n\n<p>Hello &lt;b&gt;</p>\n"
        "<b>&lt;ready&gt;</b><i>3</i>\n"
    )
    response = server.request("POST", "/form", body=b"item=a%26b")
    assert response.status == 303
    assert response.header("location") == "/?name=a%26b"
    assert response.text == "saved a&amp;b\n"
    response = server.request("POST", "/form", body=b"x=1")
    assert (response.status, response.text) == (400, "no item\n")
    response = server.get("/data.json")
    assert response.header("content-type").startswith("application/json")
    assert response.text == '{"count":2}\n'
    assert server.get("/par").text == "one,two\n"


@pytest.mark.parametrize(
    "source, want",
    [
        ("a\n b <?lu ?> c\n", "a\n b  c\n"),
        ("<?lu | a\n| b ?>", "ab"),
        ("<?lu |   a b  \n\t|\tc\n?>", "a bc"),
        ("<?lu\n| <p>\n| x ?>\ny", "<p>x\ny"),
        ("<?lu ``` a  \r\n  b ``` ?>", "ab"),
        ("<?lu ```\n  <b>\n    x y\n  </b>\n``` write(1) ?>", "<b>x y</b>1"),
        ("<?lu | 100% #[[1]] %d ?>", "100% 1 %d"),
        ("<?lu | pi #[[3.14159:.2f]] ?>", "pi 3.14"),
        ("<?lu | #[[7:03d]] #[['<']] #[[nil]] ?>", "007 &lt; nil"),
        ("<?lu local t = {{1}} | #[[t[t[1][1]][1]]] ?>", None),
        ("<?lu local t = {{1}}\n| #[[t[t[1][1]][1]]] ?>", "1"),
        ("<?lu | #[[('x'):rep(3)]] ?>", "xxx"),
        ("<?lu | [#[[1]]#[[2]]] ?>", "[12]"),
        ("<?lu | a\\n\"b\" ]] ?>", 'a\\n"b" ]]'),
        ('<?lu write("<&>") write("%s%d", "<\\"\'>", 3) ?>',
         "<&>&lt;&quot;&#39;&gt;3"),
        ("<?lu write('%') write('100%%') ?>", "%100%%"),
        ("<?lu write(5) write({ 1, 'a' }) ?>", '5[1,"a"]'),
        ("<?lu write(escape '<' .. tostring(escape(nil))) ?>", "&lt;nil"),
        ("<?lu local s = [[\n| no text\n]] write(s) ?>", "| no text\n"),
        ("<?lu -- it's one\n| x -- not one\n-- the end ?>", "x -- not one"),
        ("<?lu do return end ?>a<?lu if true then return end ?>b", "ab"),
        ("<?lu local x = 1 ?><?lu write(tostring(x)) ?>", "nil"),
        ("<?lu locals.x = 1 ?><?lu write(locals.x) ?>", "1"),
        ("<?lua write(1) done() ?><?lu write(2) ?>", "12"),
        ("<?lua write(1) ?>2", "12"),
        ("<?xml version='1.0'?><a/>", "<?xml version='1.0'?><a/>"),
        ("<%= 1 %><? x ?><?= 2 ?>", "<%= 1 %><? x ?><?= 2 ?>"),
        ('<?lu post_render(function(p) return p:upper() end) ?>a<?lu | b ?>',
         "AB"),
        ("<?lu locals.z = 'q' post_render(function(l, p) return p .. l.z end)"
         " ?>a", "aq"),
        ("#! parallel\n<?lu write(1) ?>-<?lu | #[[1 + 1]] ?>.", "1-2."),
        ("#!parallel  \r\n<?lu status(201) ?>x", "x"),
        ("<?lu header('X-One', '1') write(method .. endpoint) ?>", "GET/x"),
        ("<?lu write(type(session) .. type(headers.host)) ?>", "tablestring"),
        ("<?lu write(#body) write(type(query.e)) ?>", "0table"),
        ("<?lu write(to_url('/p', { b = 2, a = 'x y' }) .. to_url '/q') ?>",
         "/p?a=x+y&b=2/q"),
        ("<?lu status('301 Moved') header('location', '/y') ?>body", ""),
    ],
)
def test_pages_of_80s(serve, source, want):
    response = page(serve, source, "x.dyn.html")
    if want is None:
        assert response.status == 500
    else:
        assert response.text == want
        assert response.status < 400


def test_parallel_blocks_run_at_the_same_time(serve):
    """Each of two blocks waits for what the other one does."""
    source = """#! parallel
<?lu
local n = 0
while not locals.second and n < 1000 do pl.sleep(0.001) n = n + 1 end
locals.first = true
write("first:%s", tostring(locals.second))
?> <?lua
locals.second = true
pl.spawn(function()
  while not locals.first do pl.sleep(0.001) end
  write("second")
  done()
end)
?>
"""
    assert page(serve, source, "x.dyn.html").text == "first:true second\n"


def test_done_may_come_later_but_once(serve):
    later = """<?lua
pl.spawn(function() pl.sleep(0.01) write("later") done() end)
?>!"""
    twice = "\n<?lua done() done() ?>"
    server = pages(serve, {"later.dyn.html": later, "two.dyn.html": twice})
    assert server.get("/later").text == "later!"
    assert server.get("/two").status == 500
    server.wait_log(r"pages/two.dyn.html:2: done: called a second time")


# ---- Lua Server Pages ----


@pytest.mark.parametrize(
    "source, want",
    [
        ('<? local n = 3 ?>n=<%= n * 2 %> v=<?= mg.request_info.request_method'
         ' ?> q=<%lua= tostring(mg.get_var("q")) %>', "n=6 v=GET q=zz"),
        ("<? for i = 1, 3 do ?><li><?= i ?></li>\n<? end ?>",
         "<li>1</li>\n<li>2</li>\n<li>3</li>\n"),
        ("<%lua if true then %>a<%lua else %>b<% end %>", "a"),
        ("<?lua local x = 2 ?><?lua= x ?>", "2"),
        ("<%= '<' %><%- '<' %><?- '&' ?>", "&lt;<&"),
        ("<%= 1, 'a', ('b,c') %>", "1ab,c"),
        ("<%= nil %>|<%= true %>|<%= 1.5 %>|<%= -7 %>|<%= 2^53 %>", None),
        ("<%-- a comment --%>x<% -- another %>y", "xy"),
        ("<% if q then return end %>a\n<% return %>b", "a\n"),
        ("<% local function f() return 1 end %><%= f() %>", "1"),
        ("<% return 404 %>", None),
        ("<?xml version='1.0'?>\n<?xml-style x?><a/>",
         "<?xml version='1.0'?>\n<?xml-style x?><a/>"),
        ("\\ \" \0 \x7f %d <?= '\\\\' ?>", '\\ " \0 \x7f %d \\'),
        ("<% write('<b>') write('%s', '<') %>", "<b>&lt;"),
        ("<%= req.method, res:status(), type(pl) %>", "GET200table"),
        ("<%= ({ a = 1 }).a -- why not\n%>", "1"),
        ("<%= setmetatable({}, { __tostring = function() return '<t>' end })%>",
         "&lt;t&gt;"),
        ("<% res:redirect('/y') %>text", None),
        ("<% res:json { a = 1 } %>text", '{"a":1}'),
        ("<%= mg.base64_encode 'a', mg.base64_decode 'YQ==' %>", "YQ==a"),
        ("<%= mg.get_mime_type 'a.png', mg.get_response_code_text(404) %>",
         "image/pngNot Found"),
        ("<%= mg.system, type(mg.random()), mg.request_info.uri %>",
         "Linuxnumber/x"),
        ("<% mg.write('<', 1, '>') %>", "<1>"),
    ],
)
def test_lua_server_pages(serve, source, want):
    response = page(serve, source, target="/x?q=zz")
    if want is not None:
        assert response.text == want
        assert response.header("content-type").startswith(
            "application/json" if "json" in source else "text/html"
        )


def test_values_are_shown_as_tostring_shows_them(serve):
    source = "<% for _, v in ipairs(VALUES) do %><%= v %>=<%- tostring(v) %>,"
    source += "<% end %><%= nil %>,<%= false %>"
    site = SITE + (
        "VALUES = { 0, -0.0, 1, -1, 99999999999999, 1e14, -1e15, 2^53, 2^63,"
        "1.5, 1e300, 0/0, 1/0, -1/0, 3.0, 123456789012 }"
    )
    text = page(serve, source + "\n", site=site).text
    *pairs, last = text.split(",")[:-1], text.split(",")[-1]
    for pair in pairs[0][:-1]:
        shown, wanted = pair.split("=")
        assert shown == wanted
    assert text.endswith(",nil,false\n")


def test_a_return_answers(serve):
    server = pages(
        serve,
        {
            "gone.lsp": "text <% return 404 %> text",
            "data.lsp": "<% return 201, { a = 1 } %>",
            "to.lsp": "text <% res:redirect('/y') %> text",
        },
    )
    response = server.get("/gone")
    assert response.status == 404 and "text " not in response.text
    response = server.get("/data")
    assert (response.status, response.text) == (201, '{"a":1}')
    response = server.get("/to")
    assert response.status == 302 and response.header("location") == "/y"


def test_escaping_can_be_off(serve):
    site = SITE.replace('"pages" }', '"pages", escape = false }')
    assert page(serve, "<%= '<' %><?= '&' ?>", site=site).text == "<&"


# ---- includes ----


def test_includes_begin_at_the_page_or_else_at_their_file(serve):
    server = pages(
        serve,
        {
            "a/x.lsp": "<?include sub/one.priv.html ?>|"
            '<?include /top.priv.x ?>|<% include "../top.priv.x" %>',
            "a/sub/one.priv.html": "one <?include two.priv.html?>"
            "<?include here.priv.html?>",
            "a/sub/two.priv.html": "not this",
            "a/two.priv.html": "two ",
            "a/sub/here.priv.html": "<%= locals.x or 'here' %>",
            "top.priv.x": "top",
        },
    )
    assert server.get("/a/x").text == "one two here|top|top"


@pytest.mark.parametrize(
    "path",
    ["../site.lua", "/../site.lua", "a/../../site.lua", "link.priv.html"],
)
def test_includes_never_leave_the_folder(serve, tmp_path, path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "link.priv.html").symlink_to("../site.lua")
    server = pages(serve, {"x.lsp": f"a\n<?include {path} ?>"})
    response = server.get("/x")
    assert response.status == 500 and "perilune" not in response.text
    server.wait_log(r"pages/x.lsp:2: cannot include .*: (it is out|no such)")


def test_circles_are_named(serve):
    server = pages(
        serve,
        {
            "a.dyn.html": "1\n<?include b.priv.html ?>",
            "b.priv.html": "\n\n<?include c.priv.html ?>",
            "c.priv.html": "<?include b.priv.html ?>",
            "me.lsp": "<?include me.lsp ?>",
        },
    )
    assert server.get("/a").status == 500
    server.wait_log(
        r"pages/c.priv.html:1: cannot include b.priv.html: b.priv.html "
        r"includes c.priv.html includes b.priv.html"
    )
    assert server.get("/me").status == 500
    server.wait_log(r"me.lsp includes me.lsp")


def chain(length):
    files = {f"{i}.priv.html": f"<?include {i + 1}.priv.html ?>"
             for i in range(1, length)}
    files[f"{length}.priv.html"] = "the end"
    files["x.dyn.html"] = "<?include 1.priv.html ?>"
    return files


def test_includes_are_64_deep(serve, tmp_path):
    server = pages(serve, chain(64))
    assert server.get("/x").text == "the end"


def test_more_is_refused(serve):
    server = pages(serve, chain(65))
    assert server.get("/x").status == 500
    server.wait_log(r"pages/64.priv.html:1: cannot include 65.priv.html: more "
                    r"than 64 files")


def test_an_include_bomb_is_refused(serve):
    files = {f"{i}.priv.html": f"<?include {i + 1}.priv.html ?>" * 10
             for i in range(1, 30)}
    files["30.priv.html"] = "x"
    files["x.lsp"] = "<?include 1.priv.html ?>"
    server = pages(serve, files)
    assert server.get("/x").status == 500
    server.wait_log(r"more than 10000 includes")


def test_a_parallel_page_may_be_included(serve):
    """It does as its page does, and is parallel when it is asked for itself."""
    server = pages(
        serve,
        {
            "x.dyn.html": "1<?include p.dyn.html ?>2<?lu | #[[locals.p]] ?>",
            "p.dyn.html": "#! parallel\n<?lu locals.p = 1 write(3) ?>.",
            "y.dyn.html": "#! parallel\n<?include q.priv.html ?>2",
            "q.priv.html": "<?lu write(1) ?>-<?include p.dyn.html ?>",
        },
    )
    for _ in range(2):
        assert server.get("/x").text == "13.21"
        assert server.get("/p").text == "3."
        assert server.get("/y").text == "1-3.2"


def broken(rng, text):
    """A few pieces of it are lost, doubled or put elsewhere."""
    for _ in range(rng.randint(1, 4)):
        a, b, at = sorted(rng.randrange(len(text) + 1) for _ in range(3))
        piece = rng.choice(["", text[a:b], text[a:b] * 2, rng.choice(
            ["<?", "?>", "<%=", "%>", "]]", "#[[", "```", "|", "'", "--[["]
        )])
        text = text[:a] + piece + text[rng.choice([a, b, at]):]
    return text


@pytest.mark.parametrize("name, text", [
    ("x.dyn.html", INDEX.replace("<?include top.priv.html ?>", "top")),
    ("x.lsp", "<h1>a</h1>\n<% local n = 3 -- [[ x\nif n then %> b <% end %>"
     "<%= n, 'x' %><%- [==[\n%>]==] %>\r\n<? if n then ?>x<? end ?>"),
])
def test_whatever_a_page_holds_it_is_answered(serve, name, text):
    server = pages(serve, {name: text, "good.lsp": "good"},
                   SITE.replace('"pages" }', '"pages", check = 0 }'))
    rng = random.Random(name)
    seen = set()
    for _ in range(300):
        (server.folder / "pages" / name).write_text(broken(rng, text))
        response = server.get("/x?name=n")
        seen.add(response.status)
        assert response.status in (200, 500)
    assert seen == {200, 500} and server.get("/good").text == "good"


# ---- what is wrong ----


@pytest.mark.parametrize(
    "name, source, line, text",
    [
        ("x.lsp", "a\n<% local x = %>\n", 2, "unexpected symbol"),
        ("x.lsp", "a\n\n<%= 1 + %>", 3, "unexpected symbol"),
        ("x.lsp", "a\n<% for i = 1, 2 do %>\nb\n", None, "'end' expected"),
        ("x.lsp", "a\n<% end %>", 2, "'?<eof>'? expected"),
        ("x.lsp", "\n<%= %>", 2, "an expression is missing"),
        ("x.lsp", "\n\n<% local x", 3, "<% is not closed by %>"),
        ("x.lsp", "a\n<%= nobody.name %>\n", 2, "attempt to index"),
        ("x.lsp", "a<%= 1 %>\n\nb\n<%= nobody.name %>\nc\n", 4, "nobody"),
        ("x.lsp", "<% local a = 1 %>\r\n\r\n<% error 'why' %>", 3, "why"),
        ("x.lsp", "a\nb\n<% local function f()\nerror('in f')\nend %>\n"
         "<%= f() %>", 4, "in f"),
        ("x.lsp", "\n<%= ('x'):rep(3),\n\n nobody.name %>", 4, "nobody"),
        ("x.lsp", "\n<% write('%d', 'x') %>", 2, "write: bad argument"),
        ("x.dyn.html", "\n<?lu\n\n  error('third')\n?>", 4, "third"),
        ("x.dyn.html", "a\n<?lu\n| x\n| #[[nobody.x]]\n| y ?>", 4, "nobody"),
        ("x.dyn.html", "\n<?lu\n```\n\na\n\n#[[nobody.x]]\nb\n``` ?>", 7,
         "nobody"),
        ("x.dyn.html", "\n<?lu\n```\na\n\n``` error('behind') ?>", 6, "behind"),
        ("x.dyn.html", "\n<?lu ``` a ?>", 2, "``` is not closed"),
        ("x.dyn.html", "\n<?lu\n| #[[a ?>", 3, "#[[ is not closed"),
        ("x.dyn.html", "\n<?lu\nwrite(1)", 2, "<?lu is not closed"),
        ("x.dyn.html", "#! parallel\n\n<?lu error('par') ?>", 3, "par"),
        ("x.dyn.html", "\n<?lu if x then return end error('ret') ?>", 2, "ret"),
        ("x.dyn.html", "\n<?lua\nif done then error('as') end ?>", 3, "as"),
        ("x.dyn.html", "\n<?include gone.html ?>", 2, "no such file"),
        ("x.dyn.html", "\n<?lu status 'x' ?>", 2, "status:"),
        ("x.dyn.html", "\n<?lu post_render(1) ?>", 2, "post_render: a fun"),
    ],
)
def test_errors_name_the_line_of_the_page(serve, name, source, line, text):
    server = pages(serve, {name: source, "good.lsp": "good"})
    response = server.get("/x")
    assert response.status == 500
    assert text.split()[0] not in response.text
    at = rf"pages/{re.escape(name)}:{line if line else '[0-9]+'}: .*"
    found = server.wait_log(at + (text if "?" in text and "<" not in text[:2]
                                  else re.escape(text)))
    assert found
    assert server.get("/good").text == "good"


def test_errors_of_an_included_file_name_its_line(serve):
    server = pages(
        serve,
        {
            "run.lsp": "a\n\n<?include one.priv.lsp ?>",
            "one.priv.lsp": "\n<?include two.priv.lsp ?>",
            "two.priv.lsp": "x\ny\n\n<%= nobody.x %>",
            "bad.lsp": "\n<?include bad.priv.lsp ?>",
            "bad.priv.lsp": "x\n\n<% local = 1 %>",
        },
    )
    assert server.get("/run").status == 500
    server.wait_log(r"pages/two.priv.lsp:4: .*nobody")
    log = server.wait_log(r"stack traceback:(\n.*)+?")
    assert log
    server.wait_log(r"pages/one.priv.lsp:2: in ")
    server.wait_log(r"pages/run.lsp:3: in ")
    assert server.get("/bad").status == 500
    server.wait_log(r"pages/bad.priv.lsp:3: ")


def test_an_error_is_answered_whatever_was_put_out_before(serve):
    source = "some text <% write('more') error('no') %>"
    response = page(serve, source)
    assert response.status == 500
    assert "some text" not in response.text


# ---- length, streams ----


def test_pages_may_be_long(serve):
    source = """<% for i = 1, 2000 do %><%= ("x"):rep(999) %>
<% end %><% write(("y"):rep(3000000)) %>
"""
    server = pages(serve, {"x.lsp": source})
    for _ in range(3):
        text = server.get("/x").text
        assert len(text) == 2000 * 1000 + 3000001
        assert text == ("x" * 999 + "\n") * 2000 + "y" * 3000000 + "\n"


def test_a_page_without_an_end_is_an_error(serve):
    server = pages(serve, {
        "x.lsp": "<% while true do %>text<% write(('x'):rep(99999)) end %>",
        "y.lsp": "good"})
    assert server.get("/x").status == 500
    server.wait_log(r"pages/x.lsp:1: the page is longer than 64 MiB")
    assert server.get("/y").text == "good"


def test_flush_streams(serve):
    site = SITE + """
    local go
    pl.get("/go", function() go = true return "gone" end)
    function wait() while not go do pl.sleep(0.001) end go = nil end
    """
    source = "first<% flush() wait() %>second<% flush() wait() %>third"
    server = pages(serve, {"x.lsp": source}, site)
    wire = server.connect()
    wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.read_until(b"first")
    assert server.get("/go").text == "gone"
    wire.read_until(b"second")
    assert server.get("/go").text == "gone"
    wire.read_until(b"0\r\n\r\n")


def test_post_render_and_layout_see_the_whole_page(serve):
    site = SITE.replace('"pages" }', '"pages", layout = "frame.priv.lsp" }')
    server = pages(
        serve,
        {
            "frame.priv.lsp": "<h1><%= locals.title or 'none' %></h1>"
            "<%- content %>.",
            "other.priv.lsp": "[<%- content %>]",
            "x.lsp": "<% locals.title = 'a<b' %>text",
            "y.lsp": "bare<% layout(false) %>",
            "z.lsp": "<% layout 'other.priv.lsp' %>z<% post_render(function(p)"
            " return p:upper() end) %>",
            "s.dyn.html": "<?lu | s ?>",
        },
        site,
    )
    assert server.get("/x").text == "<h1>a&lt;b</h1>text."
    assert server.get("/y").text == "bare"
    assert server.get("/z").text == "[Z]"
    assert server.get("/s").text == "<h1>none</h1>s."


# ---- which page ----


def test_which_file_answers(serve):
    site = """local pl = require "perilune"
    pl.pages("/", { root = "pages", files = true })
    pl.get("/api", function() return "api" end)
    """
    server = pages(
        serve,
        {
            "index.lsp": "index",
            "a/index.dyn.html": "a/index <?lu | #[[query.q]] ?>",
            "a/page.lp": "page",
            "both.lsp": "lsp",
            "both.dyn.html": "80s",
            "style.css": "p {}",
            "secret.lua": "secret",
            "index.lsp~": "hidden",
            "index.lp.orig": "hidden",
            "secret.lua.bak": "hidden",
            ".hidden.lsp": "hidden",
            ".git/x.lsp": "hidden",
            "part.priv.lsp": "part",
            "note.dyn.txt": "<?lu | note ?>",
        },
        site,
    )
    assert server.get("/").text == "index"
    assert server.get("/index.lsp").text == "index"
    assert server.get("/a/?q=1").text == "a/index 1"
    assert server.get("/a/page").text == "page"
    assert server.get("/both").text == "lsp"
    response = server.get("/note.txt")
    assert response.text == "note"
    assert response.header("content-type").startswith("text/plain")
    assert server.get("/style.css").text == "p {}"
    assert server.get("/api").text == "api"
    for target in ("/a", "/a?x=1"):
        response = server.get(target)
        assert response.status == 301
        assert response.header("location") == target.replace("/a", "/a/")
    for target in (
        "/index.lsp~", "/index.lp.orig", "/secret.lua.bak",
        "/a/index.dyn.html", "/index.dyn.html", "/secret.lua", "/.hidden",
        "/.hidden.lsp", "/.git/x", "/.git/x.lsp", "/part.priv", "/gone",
        "/part.priv.lsp", "/note.dyn.txt", "/a/gone/", "/x/../.git/x",
        "/%2e%2e/site.lua", "/a%2f..%2f..%2fsite.lua", "/style.css/",
    ):
        response = server.get(target)
        assert response.status in (400, 404), target
        assert "hidden" not in response.text
    assert server.request("POST", "/style.css", body=b"").status == 405
    assert server.request("DELETE", "/both").status == 405
    assert server.request("HEAD", "/both").header("content-length") == "3"


def test_files_are_not_served_unless_asked(serve):
    server = pages(serve, {"a.lsp": "a", "style.css": "p {}"})
    assert server.get("/style.css").status == 404


def test_below_a_prefix(serve):
    site = """local pl = require "perilune"
    pl.group("/in", function()
      pl.pages("/wiki/", { root = "pages", dialects = "lsp",
        environment = { name = "<wiki>", twice = function(n) return 2 * n end },
        cache_control = "no-cache" })
    end)
    """
    server = pages(
        serve,
        {"index.lsp": "<%= name, twice(4) %>", "old.dyn.html": "old"},
        site,
    )
    response = server.get("/in/wiki/")
    assert response.text == "&lt;wiki&gt;8"
    assert response.header("cache-control") == "no-cache"
    response = server.get("/in/wiki")
    assert response.status == 301
    assert response.header("location") == "/in/wiki/"
    assert server.get("/in/wiki/old").status == 404


@pytest.mark.parametrize(
    "call, text",
    [
        ('pl.pages("/", {})', "option 'root' must be a string"),
        ('pl.pages("/", { root = "gone" })', "cannot open the folder"),
        ('pl.pages("/", { root = ".", dialects = "x" })', "80s and lsp, not"),
        ('pl.pages("/", { root = ".", check = "x" })', "check"),
        ('pl.pages("/", { root = ".", cache = 1 })', "cache"),
        ('pl.pages("/", { root = ".", environment = { [1] = 2 } })', "names"),
        ("pl.pages(1)", "the prefix must be a string"),
    ],
)
def test_mistakes_name_the_line_of_the_site(serve, call, text):
    server = serve(f'local pl = require "perilune"\n{call}\n', announced=False)
    assert server.wait() != 0
    wanted = rf"site.lua:2: pl.pages: .*{re.escape(text)}"
    assert re.search(wanted, server.log())


# ---- change ----


def save(server, name, text):
    new = server.folder / "pages" / (name + "~")
    new.write_text(text)
    new.rename(server.folder / "pages" / name)


@pytest.mark.parametrize("args", [(), ("--watch",), ("--dev",)])
def test_a_changed_page_reloads_alone(serve, args):
    site = SITE + "LOADED = (LOADED or 0) + 1"
    server = pages(
        serve,
        {
            "x.lsp": "one <?include part.priv.lsp ?> <%= LOADED %>",
            "part.priv.lsp": "a",
        },
        site,
        *args,
    )
    assert server.get("/x").text == "one a 1"
    save(server, "part.priv.lsp", "b")
    wait_for(lambda: server.get("/x").text == "one b 1", "the new part")
    save(server, "x.lsp", "two <?include part.priv.lsp ?>")
    wait_for(lambda: server.get("/x").text == "two b", "the new page")
    save(server, "x.lsp", "<% fault")
    wait_for(lambda: server.get("/x").status == 500, "the fault")
    save(server, "x.lsp", "three")
    wait_for(lambda: server.get("/x").text == "three", "the page again")
    (server.folder / "pages" / "x.lsp").unlink()
    wait_for(lambda: server.get("/x").status == 404, "the page to be gone")
    save(server, "x.lsp", "four")
    wait_for(lambda: server.get("/x").text == "four", "the page back")
    assert "server: reload" not in server.log()


def test_with_watch_a_change_is_there_at_once(serve):
    server = pages(serve, {"x.lsp": "0 <?include y.priv.lsp ?>",
                           "y.priv.lsp": "0"}, SITE, "--watch")
    for i in range(20):
        save(server, "x.lsp", f"{i} <?include y.priv.lsp ?>")
        save(server, "y.priv.lsp", f"{i}")
        assert server.get("/x").text == f"{i} {i}"


def test_check_false_never_looks_again(serve):
    site = SITE.replace('"pages" }', '"pages", check = false }')
    server = pages(serve, {"x.lsp": "one", "y.lsp": "y"}, site)
    assert server.get("/x").text == "one"
    save(server, "x.lsp", "two")
    for _ in range(50):
        assert server.get("/x").text == "one"


def test_dev_shows_the_source_of_pages(serve):
    server = pages(serve, {"x.lsp": "a\n<p>\n<%= nobody.name %>\n"}, SITE,
                   "--dev")
    response = server.get("/x", {"Host": "127.0.0.1", "Accept": "text/html"})
    assert response.status == 500
    assert "&lt;%= nobody.name %&gt;" in response.text
    server = pages(serve, {"x.lsp": "a\n<p>\n<%= nobody.name %>\n"})
    response = server.get("/x", {"Host": "127.0.0.1", "Accept": "text/html"})
    assert response.status == 500
    assert "nobody" not in response.text
