"""Errors of handlers: 500 for that request, one line with its traceback."""

SITE = """
local pl = require "perilune"
local function deep() error("broken", 2) end
pl.get("/error", function() deep() end)
pl.get("/nil", function() return nil, "no such thing" end)
pl.get("/wrong", function() return print end)
pl.get("/cut", function(_, res) res:write("begun") error "in the middle" end)
pl.get("/task", function()
  pl.spawn(function() error "in a task" end)
  return "spawned"
end)
pl.get("/ok", function() return "ok" end)
"""


def test_an_error_is_a_500_with_its_traceback_in_the_log(serve):
    server = serve(SITE)
    response = server.get("/error")
    assert response.status == 500 and b"broken" not in response.body
    line = server.wait_log(
        r"error lua: GET /error request=([0-9a-f]{16}): .*site\.lua:4: broken"
    )
    assert line
    server.wait_log(r"site\.lua:4: in (function|local)")
    assert server.get("/ok").text == "ok"


def test_results_that_are_errors(serve):
    server = serve(SITE)
    assert server.get("/nil").status == 500
    server.wait_log("GET /nil request=.*: no such thing")
    assert server.get("/wrong").status == 500
    server.wait_log(r"site\.lua:6: .*a body is a string or a table")


def test_an_error_in_a_stream_cuts_it_and_is_told_once(serve):
    server = serve(SITE)
    with server.connect() as wire:
        wire.send(b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.read_to_end().endswith(b"5\r\nbegun\r\n")
    server.wait_log("in the middle")
    assert server.get("/ok").text == "ok"
    assert server.log().count("in the middle") == 1
    assert "failed" not in server.log()


def test_an_error_of_a_spawned_task_is_logged(serve):
    server = serve(SITE)
    assert server.get("/task").text == "spawned"
    server.wait_log("error lua: .*in a task")


def test_dev_shows_the_error_to_the_browser(serve):
    server = serve(SITE + "pl.set { dev = true }")
    page = server.get("/error", {"Accept": "text/html"}).text
    assert "site.lua:4: broken" in page and "traceback" in page
    assert "site.lua:4: broken" in server.get("/error").text
