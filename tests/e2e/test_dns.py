"""pl.dns: questions to a name server of the test's own; what is kept, what is
asked again, and what servers say that is wrong."""

import socket
import struct

import pytest

from harness.dns import NameServer, make

HEAD = """
local pl = require "perilune"
local names = pl.dns.resolver { servers = os.getenv "SERVER", timeout = TIMEOUT,
  tries = TRIES }
local function same(list, text)
  local got = table.concat(list, " ")
  assert(got == text, got)
end
local function refused(code, value, err)
  assert(value == nil and err and err.code == code, tostring(err))
  return err
end
"""


@pytest.fixture
def script(command):
    def run(text, server, timeout='"5s"', tries=2, **options):
        head = HEAD.replace("TIMEOUT", timeout).replace("TRIES", str(tries))
        env = {"SERVER": server.address, **options.pop("env", {})}
        files = {"script.lua": head + text, **options.pop("files", {})}
        done = command("run", "script.lua", files=files, env=env, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


WORLD = {
    ("www.test", "A"): [(60, "192.0.2.1"), (60, "192.0.2.2")],
    ("www.test", "AAAA"): [(60, "2001:db8::1")],
    ("alias.test", "A"): [("alias.test", "CNAME", 60, "www.test"),
                          ("www.test", "A", 60, "192.0.2.1")],
    ("alias.test", "CNAME"): [(60, "www.test")],
    ("test", "MX"): [(60, (20, "b.test")), (30, (10, "a.test"))],
    ("test", "NS"): [(60, "ns1.test")],
    ("test", "TXT"): [(60, ["v=spf1 ", "-all"]), (60, "second; \\ \"x\"")],
    ("_http._tcp.test", "SRV"): [(60, (5, 7, 8080, "www.test"))],
    ("1.2.0.192.in-addr.arpa", "PTR"): [(60, "www.test")],
    ("odd.test", "CNAME"): [(60, "a b.c\xff.test")],
}


def test_records_of_all_types(script):
    with NameServer(WORLD) as server:
        script(
            """
local list = assert(names:query("www.test", "A"))
assert(#list == 2 and list[1].type == "A" and list[1].ttl == 60)
assert(list[1].address == "192.0.2.1" and list[2].address == "192.0.2.2")
assert(names:query("www.test")[1].address == "192.0.2.1")
assert(names:query("WWW.test", "AAAA")[1].address == "2001:db8::1")
assert(names:query("alias.test", "CNAME")[1].host == "www.test")
list = assert(names:query("alias.test", "A"))
assert(#list == 1 and list[1].address == "192.0.2.1")
list = names:query("test", "MX")
assert(list[1].host == "a.test" and list[1].priority == 10)
assert(list[1].ttl == 30)
assert(list[2].host == "b.test" and list[2].priority == 20)
assert(names:query("test", "NS")[1].host == "ns1.test")
list = names:query("test", "TXT")
assert(list[1].text == "v=spf1 -all" and list[2].text == [[second; \\ "x"]])
local service = names:query("_http._tcp.test", "SRV")[1]
assert(service.priority == 5 and service.weight == 7 and service.port == 8080)
assert(service.host == "www.test")
assert(names:query("1.2.0.192.in-addr.arpa", "PTR")[1].host == "www.test")
assert(names:query("odd.test", "CNAME")[1].host == [[a\\032b.c\\255.test]])
assert(#assert(names:query("www.test", "TXT")) == 0)
local err = refused("not_found", names:query("nobody.test", "A"))
assert(err.message == "resolver:query: nobody.test: there is no such name",
  err.message)
""",
            server,
        )


def test_addresses(script):
    """Both families; digits and localhost are asked of nobody."""
    with NameServer(WORLD) as server:
        script(
            """
local list = assert(names:lookup "www.test.")
table.sort(list)
same(list, "192.0.2.1 192.0.2.2 2001:db8::1")
same(names:lookup "192.0.2.77", "192.0.2.77")
same(names:lookup "2001:db8::77", "2001:db8::77")
same(names:lookup "localhost", "127.0.0.1 ::1")
same(names:lookup "a.LocalHost.", "127.0.0.1 ::1")
refused("not_found", names:lookup "nobody.test.")
refused("not_found", names:lookup "test.")
same(pl.dns.lookup "localhost", "127.0.0.1 ::1")
""",
            server,
        )
        assert not server.asked("localhost", "A")
        assert server.asked("www.test", "AAAA") == 1


def test_search_domains(script, tmp_path):
    """resolv.conf says servers and domains; a name with a dot at its end is
    whole."""
    with NameServer(WORLD) as server:
        script(
            """
local own = pl.dns.resolver { config = "resolv.conf", servers =
  os.getenv "SERVER" }
local list = assert(own:lookup "www")
table.sort(list)
same(list, "192.0.2.1 192.0.2.2 2001:db8::1")
refused("not_found", own:lookup "www.")
""",
            server,
            files={"resolv.conf": "search test\noptions ndots:1\n"},
        )


def test_answers_are_kept(script):
    """For their time; 0: not at all; that there is none: for a while."""
    world = {**WORLD, ("brief.test", "A"): [(0, "192.0.2.9")]}
    with NameServer(world) as server:
        script(
            """
for _ = 1, 5 do
  assert(#names:query("www.test", "A") == 2)
  assert(#names:query("WWW.Test", "A") == 2)
  assert(names:query("brief.test", "A")[1].address == "192.0.2.9")
  refused("not_found", names:query("nobody.test", "A"))
  assert(#names:query("www.test", "MX") == 0)
end
-- What is asked already is not asked again.
local function ask() return names:query("alias.test", "A") end
pl.all { ask, ask, ask }
""",
            server,
        )
        assert server.asked("www.test", "A") == 1
        assert server.asked("www.test", "MX") == 1
        assert server.asked("nobody.test", "A") == 1
        assert server.asked("brief.test", "A") == 5
        assert server.asked("alias.test", "A") == 1


def test_an_answer_that_is_too_old_is_asked_for_again(script):
    world = {("brief.test", "A"): [(1, "192.0.2.9")]}
    with NameServer(world) as server:
        script(
            """
names:query("brief.test", "A")
local began = pl.now()
repeat
  pl.sleep(0.02)
  names:query("brief.test", "A")
until pl.now() - began > 1.2
""",
            server,
        )
        assert server.asked("brief.test", "A") == 2


def test_more_answers_than_are_kept(script):
    """The oldest ones go."""
    records = {(f"n{i}.test", "A"): [(60, "192.0.2.1")] for i in range(1100)}
    with NameServer(records) as server:
        script(
            """
for i = 0, 1099 do
  assert(names:query("n" .. i .. ".test", "A"))
end
assert(names:query("n1099.test", "A") and names:query("n200.test", "A"))
names:query("n0.test", "A")
""",
            server,
        )
        assert server.asked("n1099.test", "A") == 1
        assert server.asked("n200.test", "A") == 1
        assert server.asked("n0.test", "A") == 2


def test_long_answers_come_by_tcp(script):
    world = {("big.test", "TXT"): [(60, "x" * 250)] * 40}
    with NameServer(world) as server:
        script(
            """
local list = assert(names:query("big.test", "TXT"))
assert(#list == 40 and list[40].text == ("x"):rep(250))
""",
            server,
        )
        assert server.over_tcp == 1


def refuse(rcode):
    return lambda query: make(query, rcode=rcode)


def cut(query):
    """An address that is three bytes long."""
    answer = make(query, [("x.test", "A", 60, "192.0.2.1")])
    return answer[:-6] + struct.pack(">H", 3) + answer[-4:-1]


def forever(query):
    """A name that is a pointer at itself."""
    answer = make(query, [("x.test", "NS", 60, "y.test")])
    at = len(answer) - 8
    return answer[:at] + struct.pack(">H", 0xC000 | at) + answer[at + 2 :]


@pytest.mark.parametrize(
    "kind, answer, code",
    [
        ("A", refuse(2), "unreachable"),
        ("A", refuse(5), "unreachable"),
        ("A", refuse(1), "proto"),
        ("A", cut, "proto"),
        ("NS", forever, "proto"),
        ("A", lambda query: None, "timeout"),
        ("A", lambda query: b"\0\0" + make(query)[2:], "timeout"),
        ("A", lambda query: query[:7], "timeout"),
    ],
)
def test_bad_answers(script, kind, answer, code):
    """Nothing of them is kept."""
    with NameServer({("x.test", kind): answer}) as server:
        script(
            f"""
refused("{code}", names:query("x.test", "{kind}"))
refused("{code}", names:query("x.test", "{kind}", {{ timeout = "5s" }}))
""",
            server,
            timeout="0.05",
            tries=1,
        )
        assert server.asked("x.test", kind) >= 2


def test_nobody_answers(script):
    """The time-out of the question ends it, however patient the resolver."""
    with NameServer({("x.test", "A"): lambda query: None}) as server:
        script(
            """
refused("timeout", names:query("x.test", "A", { timeout = "50ms" }))
local first = pl.race { function() names:query("x.test", "A") end,
  function() pl.sleep(0.05) end }
assert(first == 2, first)
-- Who leaves does not end it for who stays.
local stayed
pl.all {
  function() stayed = { names:query("x.test", "A", { timeout = "200ms" }) } end,
  function() pl.timeout(0.01, function() names:query("x.test", "A") end) end,
}
refused("timeout", stayed[1], stayed[2])
""",
            server,
            timeout='"60s"',
        )
        assert server.asked("x.test", "A") == 1


def test_no_server(command):
    """Its port is nobody's."""
    with socket.socket(type=socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = f"""
local pl = require "perilune"
local names = pl.dns.resolver {{ servers = "127.0.0.1:{port}",
  timeout = "50ms" }}
local list, err = names:query("x.test", "A")
assert(list == nil and (err.code == "unreachable" or err.code == "timeout"),
  tostring(err))
"""
    done = command("run", "s.lua", files={"s.lua": text})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "call, message",
    [
        ('pl.dns.query(1)', "pl.dns.query: the name must be a string, not a"),
        ('pl.dns.query("a", "X")', "pl.dns.query: the type must be one of A, "
         "AAAA, CNAME, MX, NS, PTR, SRV, TXT"),
        ('pl.dns.lookup()', "pl.dns.lookup: the host must be a string"),
        ('pl.dns.lookup("a", { x = 1 })', "pl.dns.lookup: "),
        ('pl.dns.lookup("a", { timeout = "x" })', "option 'timeout'"),
        ('pl.dns.resolver { servers = "name" }', "must be addresses"),
        ('pl.dns.resolver { tries = 0 }', "option 'tries'"),
        ('pl.dns.is_public()', "pl.dns.is_public: the address must be"),
    ],
)
def test_misuse(command, call, message):
    text = f'local pl = require "perilune"\n{call}\n'
    done = command("run", "s.lua", files={"s.lua": text})
    assert done.returncode == 1
    assert message in done.stderr and "s.lua:2: " in done.stderr, done.stderr


def test_names_that_are_none(script):
    with NameServer({}) as server:
        script(
            """
refused("invalid", names:query("", "A"))
refused("invalid", names:query(("a"):rep(300), "A"))
refused("invalid", names:query("a\\0b", "A"))
local value, err = names:query(("a"):rep(64) .. ".test", "A")
assert(value == nil and err)
value, err = names:query("a..b", "A")
assert(value == nil and err)
""",
            server,
        )


def test_is_public(command):
    text = """
local pl = require "perilune"
for _, a in ipairs { "8.8.8.8", "2001:4860::1", "100.63.0.1", "172.32.0.1" } do
  assert(pl.dns.is_public(a), a)
end
for _, a in ipairs { "127.0.0.1", "10.1.2.3", "169.254.169.254", "::1",
  "::ffff:10.0.0.1", "fe80::1", "fd00::1", "name", "" } do
  assert(not pl.dns.is_public(a), a)
end
"""
    done = command("run", "s.lua", files={"s.lua": text})
    assert done.returncode == 0, done.stderr


def test_a_changed_resolv_conf_is_read(script):
    """What was known by then is forgotten."""
    world = {("www.one.test", "A"): [(3600, "192.0.2.1")],
             ("www.two.test", "A"): [(3600, "192.0.2.2")]}
    with NameServer(world) as server:
        script(
            """
local own = pl.dns.resolver { config = "resolv.conf", servers =
  os.getenv "SERVER" }
same(own:lookup "www", "192.0.2.1")
assert(pl.fs.write("resolv.conf", "search two.test\\noptions ndots:1\\n"))
repeat
  pl.sleep(0.05)
  local list = assert(own:lookup "www")
until list[1] == "192.0.2.2"
""",
            server,
            files={"resolv.conf": "search one.test\noptions ndots:1\n"},
        )


def test_requests_that_leave(serve):
    """A handler whose client goes away lets go of its question."""
    with NameServer({("x.test", "A"): lambda query: None}) as server:
        site = """
local pl = require "perilune"
local names = pl.dns.resolver { servers = os.getenv "SERVER", timeout = "60s" }
local gone = 0
pl.get("/ask", function()
  pl.defer(function() gone = gone + 1 end)
  names:query("x.test", "A", { timeout = "60s" })
end)
pl.get("/gone", function() return { gone = gone } end)
"""
        running = serve(site, env={"SERVER": server.address}, workers=1)
        wires = [running.connect() for _ in range(3)]
        for wire in wires:
            wire.send(b"GET /ask HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_asked("x.test", "A")
        for wire in wires:
            wire.reset()
        while running.get("/gone").json()["gone"] < 3:
            pass
        assert server.asked("x.test", "A") == 1
