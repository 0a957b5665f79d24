"""Pages of errors by a template of the site: for whom, with what, and what
happens when it cannot be shown."""

import pytest

SITE = """local pl = require "perilune"
pl.set { error_pages = "pages/errors.mustache" }
pl.get("/fail", function() error "the reason" end)
pl.get("/bare", function() return 503 end)
pl.get("/own", function() return 404, "<p>my own</p>" end)
pl.get("/moved", function(_, res) res:redirect "/own" end)
"""
TEMPLATE = """{{>head}}
{{#404}}nothing at {{path}} of {{host}}{{/404}}{{^404}}{{reason}}{{/404}}
{{#server_error}}ours {{id}}{{/server_error}}
{{#client_error}}yours {{method}} {{detail}}{{/client_error}}
"""
FILES = {
    "pages/errors.mustache": TEMPLATE,
    "pages/head.mustache": "<title>{{status}}</title>",
}
HTML = {"Accept": "text/html", "Host": "moon.example:8080"}


def test_errors_are_shown_by_the_template(serve):
    server = serve(SITE, files=FILES)
    response = server.get("/a%3Cb%3E", HTML)
    assert response.status == 404
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert response.text.startswith("<title>404</title>")
    assert "nothing at /a&lt;b&gt; of moon.example\n" in response.text
    assert "yours GET" in response.text
    response = server.get("/fail", HTML)
    assert response.status == 500
    assert "the reason" not in response.text
    number = response.text.split("ours ")[1].strip()
    server.wait_log(rf"GET /fail request={number}: .*the reason")
    assert "Service Unavailable" in server.get("/bare", HTML).text
    response = server.request("POST", "/own", HTML, b"")
    assert response.status == 405 and "Method Not Allowed" in response.text
    assert response.header("allow")


def test_what_is_no_error_of_the_server_stays(serve):
    server = serve(SITE, files=FILES)
    assert server.get("/own", HTML).text == "<p>my own</p>"
    assert "<title>302 Found" in server.get("/moved", HTML).text


def test_programs_get_a_line_of_text(serve):
    server = serve(SITE, files=FILES)
    for accept in ("*/*", "application/json"):
        text = server.get("/gone", {"Accept": accept}).text
        assert text == "404 Not Found\n"


def test_template_that_cannot_be_shown(serve):
    files = {"pages/errors.mustache": "{{>errors}}x"}
    server = serve(SITE, files=files)
    response = server.get("/gone", HTML)
    assert response.status == 404 and "<h1>404 Not Found</h1>" in response.text
    server.wait_log("no page for status 404: .*errors.mustache:1: too many")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "errors.mustache: cannot read the template"),
        ({"pages/errors.mustache": "\n{{#x}}"}, "errors.mustache:2: "),
    ],
)
def test_fault_in_it_keeps_the_site_from_loading(command, files, message):
    done = command("check", "site.lua", files={"site.lua": SITE, **files})
    assert done.returncode == 3
    assert message in done.stderr
