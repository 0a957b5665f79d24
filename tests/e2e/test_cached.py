"""pl.cached: one task makes a value, and all get it."""

import threading

import pytest

from harness.wait import wait_for

SITE = """local pl = require "perilune"
local counts = pl.shared "counts"

local function make()
  counts:incr("made", 1, 0)
  while not counts:get "go" do pl.sleep(0.005) end
  return { text = "value", n = counts:get "made" }
end

pl.get("/slow", function()
  counts:incr("asked", 1, 0)
  local value = pl.cached("things", "slow", "1m", make)
  return value.text .. value.n
end)
pl.get("/count/:name", function(req)
  return tostring(counts:get(req.params.name) or 0)
end)
pl.get("/go", function() counts:set("go", true) return "gone" end)
pl.get("/short", function()
  return tostring(pl.cached("things", "short", 0.001, function()
    return counts:incr("short", 1, 0)
  end))
end)
pl.get("/fails", function()
  counts:incr("asked", 1, 0)
  return pl.cached("things", "fails", 60, function()
    counts:incr("made", 1, 0)
    while not counts:get "go" do pl.sleep(0.005) end
    error "no value"
  end)
end)
pl.get("/itself", function()
  return pl.cached("things", "itself", 60, function()
    return pl.cached("things", "itself", 60, make)
  end)
end)
pl.get("/none", function()
  local value, err = pl.cached("things", "none", 60, function()
    counts:incr("made", 1, 0)
    return nil, "nothing there"
  end)
  return tostring(value) .. " " .. tostring(err)
end)
pl.get("/false", function()
  return tostring(pl.cached("things", "false", 60, function()
    counts:incr("made", 1, 0)
    return false
  end))
end)
pl.get("/object", function()
  local fn = pl.cached("things", "object", 60, function()
    local n = counts:incr("made", 1, 0)
    return function() return "call " .. n end
  end)
  return fn()
end)
"""


def ask_many(server, path: str, count: int) -> tuple[list, list]:
    answers: list = []

    def ask():
        answers.append(server.get(path).text)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


@pytest.mark.parametrize("workers", [1, 4])
def test_one_makes_it_for_all(serve, workers):
    server = serve(SITE, workers=workers)
    threads, answers = ask_many(server, "/slow", 12)
    wait_for(lambda: server.get("/count/asked").text == "12", "all have asked")
    assert server.get("/count/made").text == "1"
    server.get("/go")
    for thread in threads:
        thread.join()
    assert answers == ["value1"] * 12
    assert server.get("/slow").text == "value1"
    assert server.get("/count/made").text == "1"


def test_it_is_made_again_when_its_time_is_over(serve):
    server = serve(SITE, workers=1)
    first = int(server.get("/short").text)
    wait_for(lambda: int(server.get("/short").text) > first + 2, "made anew")


def test_an_error_is_told_to_all_and_not_kept(serve):
    server = serve(SITE, workers=1)
    threads, answers = ask_many(server, "/fails", 5)
    wait_for(lambda: server.get("/count/asked").text == "5", "all have asked")
    assert server.get("/count/made").text == "1"
    server.get("/go")
    for thread in threads:
        thread.join()
    assert all("500" in answer for answer in answers) and len(answers) == 5
    server.wait_log("GET /fails .*no value", 5)
    server.get("/fails")
    assert server.get("/count/made").text == "2"


@pytest.mark.parametrize("workers", [1, 2])
def test_who_makes_it_may_leave(serve, workers):
    """Then another one of those who wait makes it."""
    server = serve(SITE, workers=workers)
    with server.connect() as first:
        first.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: server.get("/count/made").text == "1", "begun")
        threads, answers = ask_many(server, "/slow", 3)
        wait_for(lambda: server.get("/count/asked").text == "4", "all ask")
        first.reset()
        wait_for(lambda: server.get("/count/made").text == "2", "begun again")
    server.get("/go")
    for thread in threads:
        thread.join()
    assert answers == ["value2"] * 3


def test_a_value_that_asks_for_itself_is_an_error(serve):
    server = serve(SITE, workers=1)
    assert server.get("/itself").status == 500
    server.wait_log("pl.cached: the function that makes 'itself' asks for it")
    assert server.get("/itself").status == 500


def test_what_is_kept(serve):
    server = serve(SITE, workers=1)
    assert server.get("/none").text == "nil nothing there"
    assert server.get("/none").text == "nil nothing there"
    assert server.get("/count/made").text == "2"
    assert server.get("/false").text == server.get("/false").text == "false"
    assert server.get("/count/made").text == "3"
    assert server.get("/object").text == server.get("/object").text == "call 4"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("(1, 'k', 1, print)", "the name must be a string, not a number"),
        ("('n', {}, 1, print)", "the key must be a string, not a table"),
        ("('n', 'k', 1)", "a function is needed, not a nil"),
        ("('n', 'k', 0, print)", "the time to live must be seconds"),
        ("('n', 'k', 'soon', print)", "the time to live must be seconds"),
    ],
)
def test_misuse(command, call, message):
    site = f'require "perilune".cached{call}'
    done = command("check", "site.lua", files={"site.lua": site})
    assert f"site.lua:1: pl.cached: {message}" in done.stderr
