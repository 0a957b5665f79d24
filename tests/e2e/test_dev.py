"""--dev: errors in the browser, for who develops the site and nobody else; and
logs for people."""

import os
import pty
import re
import signal
import subprocess

import pytest

from harness.browser import PROGRAM as CHROMIUM
from harness.browser import Browser
from harness.html import Page
from harness.server import program
from harness.wait import GUARD, wait_for

SITE = """local pl = require "perilune"
local orbit = require "lib.orbit"

pl.get("/speed/:height", function(req)
  -- <tags> & such
  local speed = orbit.speed(tonumber(req.params.height))
  return speed
end)
pl.get("/local", function()
  local user
  return user.name
end)
pl.get("/forged", function(req)
  error("x\\nstack traceback:\\n\\t" .. req.args.file .. ":1: in function 'f'")
end)
pl.group("/filter", function()
  pl.use(function(_, _, next) next() end)
  pl.get("/", function() error("inside", 0) end)
end)
pl.get("/late", function(_, res)
  res:write("begun")
  error("after the head")
end)
"""
ORBIT = """local M = {}
function M.speed(height)
  if height < 0 then
    error("below the ground: " .. height .. " m")
  end
  return "fast"
end
return M
"""
FILES = {"lib/orbit.lua": ORBIT, "secret.txt": "the secret of the site\n"}
HTML = {"Accept": "text/html,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


def local(**more):
    return {"Host": "127.0.0.1", **more}


@pytest.fixture
def dev(serve):
    server = serve(SITE, "--dev", files=FILES)
    return server


# ---- the page --------------------------------------------------------------


def test_page_has_message_source_and_request(dev):
    response = dev.get("/speed/-5?name=Neil+A", local(**HTML))
    assert response.status == 500
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert response.header("cache-control") == "no-store"
    assert "default-src 'none'" in response.header("content-security-policy")
    page = Page(response.text)
    assert page.faults == []
    text = response.text
    assert "<h1>below the ground: -5 m</h1>" in text
    assert "lib/orbit.lua:4" in text and "site.lua:6" in text
    assert re.search(r"<mark><code><b>4</b>    error\(", text)
    assert "-- &lt;tags&gt; &amp; such" in text
    for value in ("/speed/-5", "height", "Neil A", "127.0.0.1"):
        assert value in text
    assert "perilune/core" not in text.split("As it is in the log")[0]


def test_secrets_are_not_shown(dev):
    headers = local(
        Cookie="id=sesame1",
        Authorization="Bearer sesame2",
        **{"X-Api-Key": "sesame3", "X-Plain": "shown"},
        **HTML,
    )
    text = dev.get("/speed/-5?token=sesame4&password=sesame5", headers).text
    assert "sesame" not in text
    assert "shown" in text and "14 bytes, not shown" in text


def test_text_for_curl_and_json_if_asked(dev):
    response = dev.get("/speed/-5", local(Accept="*/*"))
    assert response.header("content-type") == "text/plain; charset=utf-8"
    assert ">     4 |     error(" in response.text
    assert "stack traceback:" in response.text
    response = dev.get("/speed/-5", local(**JSON))
    assert response.header("content-type") == "application/json"
    answer = response.json()
    assert answer["error"] == "below the ground: -5 m"
    assert answer["place"].endswith("lib/orbit.lua:4")
    assert len(answer["frames"]) == 2
    assert re.fullmatch("[0-9a-f]{16}", answer["id"])


def test_line_of_an_error_of_lua_itself(dev):
    answer = dev.get("/local", local(**JSON)).json()
    assert answer["place"].endswith("site.lua:11")
    assert answer["frames"][0]["place"].endswith("site.lua:11")
    assert ">    11 |   return user.name" in dev.get("/local", local()).text


def test_error_behind_a_filter(dev):
    answer = dev.get("/filter/", local(**JSON)).json()
    assert answer["error"] == "inside" and answer["place"] == ""
    assert len(answer["frames"]) >= 1


def test_message_does_not_lead_to_other_files(dev):
    for name in ("/etc/passwd", "secret.txt", "../site.lua", "./secret.txt"):
        text = dev.get("/forged?file=" + name, local(**HTML)).text
        assert "root:" not in text and "the secret" not in text


def test_after_the_head_there_is_no_page(dev):
    with dev.connect() as wire:
        wire.send(b"GET /late HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"after the head" not in wire.read_to_end()


# ---- for whom --------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        local(Forwarded="for=192.0.2.1"),
        local(**{"X-Forwarded-For": "192.0.2.1"}),
        local(Via="1.1 proxy"),
    ],
)
def test_nobody_else_is_told(dev, headers):
    response = dev.get("/speed/-5", headers)
    assert response.status == 500
    assert response.text == "500 Internal Server Error\n"


def test_without_dev_nobody_is_told(serve):
    server = serve(SITE, files=FILES)
    text = server.get("/speed/-5", local(**HTML)).text
    assert "ground" not in text


def test_consent_shows_it_to_everybody(serve):
    server = serve(SITE, "--dev=any", files=FILES)
    text = server.get("/speed/-5", {"Host": "evil.example"}).text
    assert "below the ground" in text


def test_all_addresses_become_that_of_the_machine(serve):
    server = serve(SITE, "--dev", "-h", "0.0.0.0", files=FILES)
    assert "http://127.0.0.1:" in server.url()


@pytest.mark.parametrize(
    ("site", "args"),
    [
        (SITE, ["--dev", "-h", "192.0.2.1"]),
        ('require "perilune".listen "192.0.2.1:0"\n' + SITE, ["--dev"]),
        (
            'local pl = require "perilune"\npl.set { dev = true }\n'
            'pl.listen "[2001:db8::1]:0"\n' + SITE,
            [],
        ),
    ],
)
def test_address_for_others_is_refused(command, tmp_path, site, args):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/orbit.lua").write_text(ORBIT)
    (tmp_path / "site.lua").write_text(site)
    done = command(*args, tmp_path / "site.lua")
    assert done.returncode == 4
    assert "can be reached by others" in done.stderr
    assert "--dev=any" in done.stderr


def test_unknown_value_is_refused(command):
    done = command("--dev=everybody")
    assert done.returncode == 2 and "--dev=any" in done.stderr


# ---- when the site does not load -------------------------------------------


def test_syntax_error_is_shown_with_its_source(command, tmp_path):
    path = tmp_path / "site.lua"
    path.write_text("local pl = 1\n\npl.get(function(\n  return 1\nend)\n")
    done = command("--dev", path)
    assert done.returncode == 3
    assert "site.lua:4: " in done.stderr
    assert ">     4 |   return 1" in done.stderr
    assert command(path).stderr.count("\n") == 1


# ---- logs for people -------------------------------------------------------


def run_on_terminal(path, env, lines):
    """What the server says on a terminal until so many lines are there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm", "NO_COLOR": "", **env})
        words = [program(), "--dev", "-p", "0", "-c", "1", path]
        os.execv(words[0], [str(word) for word in words])
    data = b""

    def read():
        nonlocal data
        data += os.read(terminal, 65536)
        return data

    wait_for(lambda: re.search(rb"http://\S+", read()), "the address")
    url = re.search(rb"http://\S+", data).group().decode()
    for _ in range(2):
        subprocess.run(
            ["curl", "-s", url + "speed/-1"],
            capture_output=True,
            timeout=GUARD,
            check=False,
        )
    wait_for(lambda: len(read().split(b"\n")) > lines, "its lines")
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    os.close(terminal)
    return data.decode()


def test_terminal_gets_colours_and_columns(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/orbit.lua").write_text(ORBIT)
    (tmp_path / "site.lua").write_text(SITE)
    text = run_on_terminal(tmp_path / "site.lua", {}, 10)
    clock = r"\033\[2m\d\d:\d\d:\d\d\.\d\d\d\033\[0m "
    assert re.search(
        clock + r"\033\[1;31merror\033\[0m  \033\[1mlua\033\[0m     GET ", text
    )
    assert re.search(
        clock + r"\033\[1mGET\033\[0m    \033\[1;31m500\033\[0m /speed/-1 ",
        text,
    )
    plain = run_on_terminal(tmp_path / "site.lua", {"NO_COLOR": "1"}, 10)
    assert "\033" not in plain
    assert re.search(r"\d{4}-\d\d-\d\dT\S+ error lua: GET ", plain)


# ---- in a browser ----------------------------------------------------------


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_page_fits_any_width(dev):
    with Browser() as browser:
        for width, dark in ((360, False), (360, True), (1280, False)):
            page = browser.page(width, dark=dark)
            page.open(dev.url("/speed/-5?a=" + "x" * 300))
            size = page.value("document.documentElement.scrollWidth")
            assert size <= width
            shown = page.value("document.querySelector('mark').innerText")
            assert "below the ground" in shown
            page.close()
