"""The access log and the error log: format, levels, ids, no forged lines."""

import re

import pytest

from harness.wait import wait_for

SITE = """
local pl = require "perilune"
pl.get("/", function() return "hello" end)
pl.get("/fail", function() error "out of cheese" end)
pl.get("/late", function(req, res) res:write "x" error "too late" end)
pl.get("/say", function(req)
  for _, level in ipairs { "debug", "info", "notice", "warn", "error" } do
    pl.log[level]("level " .. level)
  end
  pl.log.error(req.args.text or "")
end)
pl.spawn(function() error "in the background" end)
"""
ACCESS = re.compile(
    r"(?P<host>\S+) - - "
    r"\[(?P<time>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<request>[^"]*)" (?P<status>\d{3}) (?P<size>\d+) '
    r'"(?P<referer>[^"]*)" "(?P<agent>[^"]*)" '
    r"(?P<seconds>\d+\.\d{6}) (?P<id>[0-9a-f]{16}|-)"
)
ERROR = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|notice|warn|error) "
    r"\w+: .+|    .*"
)


class Logs:
    def __init__(self, server, access, error):
        self.server, self.access, self.error = server, access, error

    def lines(self, count: int) -> list[dict]:
        """The access lines, once there are count of them."""

        def enough():
            lines = self.access.read_text().splitlines(keepends=True)
            return len(lines) >= count and lines[-1].endswith("\n") and lines

        lines = wait_for(enough, f"{count} lines in the access log")
        matches = [ACCESS.fullmatch(line.rstrip("\n")) for line in lines]
        assert all(matches), lines
        assert len(lines) == count, lines
        return [match.groupdict() for match in matches]

    def wait_error(self, pattern: str):
        def found():
            return re.search(pattern, self.error.read_text(), re.M)

        return wait_for(found, f"{pattern!r} in the error log")

    def errors(self) -> list[str]:
        """The lines of the error log, all well-formed."""
        lines = self.error.read_text().splitlines()
        for line in lines:
            assert ERROR.fullmatch(line), line
        return lines


@pytest.fixture
def logs(serve, tmp_path):
    def start(*args, site=SITE, **more):
        access, error = tmp_path / "access.log", tmp_path / "error.log"
        args = ("--access-log", access, "--log", error, *args)
        server = serve(site, *args, workers=1, **more)
        return Logs(server, access, error)

    return start


# ---- access ----


def test_an_access_line(logs):
    log = logs()
    fields = {"Referer": "http://r.example/", "User-Agent": "me"}
    log.server.get("/?a=b", fields)
    [line] = log.lines(1)
    assert line["host"] == "127.0.0.1"
    assert line["request"] == "GET /?a=b HTTP/1.1"
    assert line["status"] == "200" and line["size"] == "5"
    assert line["referer"] == "http://r.example/" and line["agent"] == "me"
    assert len(line["id"]) == 16


def test_every_answer_has_a_line(logs):
    log = logs()
    with log.server.connect() as wire:
        wire.request("HEAD", "/")
        wire.request("GET", "/nowhere")
        wire.request("POST", "/", body=b"x")
        wire.get("/fail")
        wire.send(b"GET / HTTP/1.0\r\n\r\n")
        wire.response()
    lines = log.lines(5)
    got = [(line["request"], line["status"], line["size"]) for line in lines]
    assert got[0] == ("HEAD / HTTP/1.1", "200", "0")
    assert got[1][:2] == ("GET /nowhere HTTP/1.1", "404")
    assert got[2][:2] == ("POST / HTTP/1.1", "405")
    assert got[3][:2] == ("GET /fail HTTP/1.1", "500")
    assert got[4] == ("GET / HTTP/1.0", "200", "5")
    ids = {line["id"] for line in lines}
    assert len(ids) == 5


def test_a_refused_request_has_a_line(logs):
    log = logs()
    with log.server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert wire.response().status == 400
    [line] = log.lines(1)
    assert line["request"] == "-" and line["status"] == "400"
    assert line["host"] == "127.0.0.1" and line["id"] == "-"


@pytest.mark.parametrize("settings, host", [
    ("", "127.0.0.1"), ('trusted = "127.0.0.1"', "192.0.2.7"),
], ids=["direct", "through a proxy"])
def test_a_request_that_no_route_sees_has_its_client(logs, settings, host):
    log = logs(site=f'require "perilune".set {{ {settings} }}' + SITE)
    field = {"X-Forwarded-For": "192.0.2.7"}
    log.server.request("BREW", "/", field)
    log.server.request("GET", "/%zz", field)
    lines = log.lines(2)
    assert [line["status"] for line in lines] == ["501", "400"]
    assert [line["host"] for line in lines] == [host, host]


def test_what_peers_send_forges_nothing(logs):
    log = logs()
    evil = 'a" 200 5 "-" "-" 0.000001 0123456789abcdef \\ \x80 \t end'
    log.server.get('/"%0a%0d\\', {"User-Agent": evil, "Referer": '"'})
    [line] = log.lines(1)
    assert line["status"] == "404" or line["status"] == "400"
    assert "\\x22" in line["request"]
    assert line["referer"] == "\\x22"
    assert line["agent"].startswith("a\\x22 200 5 \\x22-\\x22")
    assert "\\x5c \\x80 \\x09 end" in line["agent"]


def test_long_fields_are_cut_one_by_one(logs):
    log = logs()
    log.server.get("/" + "a" * 7000, {"User-Agent": '"' * 3000})
    [line] = log.lines(1)
    assert line["request"] == f"GET /{'a' * 7000} HTTP/1.1"
    assert line["agent"].endswith("\\x22...") and len(line["agent"]) < 2100
    assert line["status"] == "404" and len(line["id"]) == 16


def test_access_log_on_standard_output(serve):
    server = serve(SITE, "--access-log", "-")
    server.get("/")
    server.wait_log(r'^127\.0\.0\.1 .*"GET / HTTP/1\.1" 200 5 ')


def test_access_log_as_a_setting(serve, tmp_path):
    site = f'require "perilune".set {{ access_log = "{tmp_path}/a" }}' + SITE
    serve(site).get("/")
    wait_for(lambda: " 200 5 " in (tmp_path / "a").read_text(), "the line")


def test_a_peer_over_a_unix_socket(logs, tmp_path):
    log = logs("-h", f"unix:{tmp_path}/s", listen=False)
    log.server.get("/")
    [line] = log.lines(1)
    assert line["host"] in ("-", "unix:"), "it has no address"


# ---- errors ----


def test_an_error_names_its_request(logs):
    log = logs()
    log.server.get("/fail?secret=1")
    [line] = log.lines(1)
    log.wait_error(rf"lua: GET /fail request={line['id']}: .*out of cheese")
    failures = [x for x in log.errors() if "out of cheese" in x]
    assert len(failures) == 1, "one line for a failure"
    assert "site.lua:4" in failures[0]
    assert any("site.lua:4" in x for x in log.errors() if x.startswith(" "))


def test_an_error_after_the_head_is_said_once(logs):
    log = logs()
    with log.server.connect() as wire:
        wire.send(b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not wire.read_to_end().endswith(b"0\r\n\r\n"), "cut off"
    log.wait_error("too late")
    assert len([x for x in log.errors() if "too late" in x]) == 1


def test_an_error_in_the_background(logs):
    log = logs()
    log.wait_error("error lua: .*in the background")
    assert len([x for x in log.errors() if "in the background" in x]) == 1


@pytest.mark.parametrize(
    "level, seen",
    [("debug", 5), ("info", 4), ("notice", 3), ("warn", 2), ("error", 1)],
)
def test_levels(logs, level, seen):
    log = logs("--log-level", level)
    log.server.get("/say?text=over")
    log.wait_error("over")
    levels = [x.split()[1] for x in log.errors() if ": level " in x]
    assert levels == ["debug", "info", "notice", "warn", "error"][5 - seen :]


def test_info_is_the_default(logs):
    log = logs()
    log.server.get("/say?text=over")
    log.wait_error("over")
    levels = [x.split()[1] for x in log.errors() if ": level " in x]
    assert levels == ["info", "notice", "warn", "error"]


def test_a_script_cannot_forge_a_line_with_a_peers_text(logs):
    log = logs()
    forged = "2026-01-01T00:00:00.000Z error net: forged"
    log.server.get("/say?text=x%0a" + forged.replace(" ", "%20") + "%0d%1b[2J")
    log.wait_error("forged")
    assert not any(line.startswith("2026-01-01") for line in log.errors())
    assert "\x1b" not in log.error.read_text()


def test_refusals_are_explained_to_who_asks(logs):
    log = logs("--log-level", "debug")
    with log.server.connect() as wire:
        wire.send(b"GET / HTTP/9.9\r\nHost: a\r\n\r\n")
        assert wire.response().status == 505
    log.wait_error(r"debug http: refused: .* status=505 peer=127\.0\.0\.1:\d+")
