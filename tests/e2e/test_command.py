"""The command line: every option, every way to get it wrong, exit codes."""

import os
import re
import socket
import subprocess
from pathlib import Path
from signal import SIGINT

import pytest

from harness.ports import free_port
from harness.server import TOP, environment, program
from harness.wait import wait_for

HELLO = """
local pl = require "perilune"
pl.get("/", function() return "hello" end)
"""
ONE_LINE = re.compile(r"perilune: [^\n]+\n")
USAGE, SITE, LISTEN = 2, 3, 4


def refused(done, code: int, *words: str):
    """It ended with code, and one line on stderr has all the words."""
    assert done.returncode == code, (done.returncode, done.stderr)
    assert ONE_LINE.fullmatch(done.stderr), done.stderr
    for word in words:
        assert word in done.stderr, (word, done.stderr)
    assert "listening on" not in done.stdout


# ---- help and version ----


def test_help_is_what_the_manual_shows(command):
    done = command("--help")
    manual = (TOP / "docs/command.md").read_text()
    assert done.returncode == 0 and done.stderr == ""
    assert f"```text\n{done.stdout}```\n" in manual
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_h_alone_is_help(command):
    assert command("-h").stdout == command("--help").stdout


def test_version_names_features_and_libraries(command):
    done = command("--version")
    version = (TOP / "VERSION").read_text().strip()
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"perilune {version}"
    assert re.match(r"features: .*http/1\.1", lines[1])
    assert re.match(r"libraries: .*Lua.*zlib", lines[2])
    plugins = [line for line in lines[3:] if line.startswith("plug-ins:  ")]
    assert plugins == lines[3:] == sorted(plugins)
    for name in ("auth", "crypto"):
        told = re.compile(rf"plug-ins:  {name} (\(OpenSSL 3|is not)")
        assert any(told.match(line) for line in plugins), name


# ---- bad command lines ----


@pytest.mark.parametrize(
    "words",
    [
        ["-x"],
        ["-6x"],
        ["--no-such-option"],
        ["-p"],
        ["-p", ""],
        ["-p", "http"],
        ["-p", "-1"],
        ["-p", "65536"],
        ["-p", "80x"],
        ["-c", "0"],
        ["-c", "many"],
        ["-c", "100000"],
        ["--pid"],
        ["--pid="],
        ["--quiet=1"],
        ["--version=1"],
        ["a.lua", "b.lua"],
        [""],
        ["run"],
        ["run", "--no-such-option", "a.lua"],
    ],
    ids=" ".join,
)
def test_bad_command_line(command, words):
    refused(command(*words), USAGE)


def test_bad_option_is_named(command):
    refused(command("--wrokers", "2"), USAGE, "--wrokers", "--help")
    refused(command("-p", "80x"), USAGE, "-p", "80x", "65535")


def test_a_command_that_does_not_come_first_is_named(command):
    refused(command("-p", "0", "check", "a.lua"), USAGE, "commands come first")


# ---- what is served ----


def test_a_file_is_a_site(serve):
    assert serve(HELLO).get("/").text == "hello"


def test_a_folder_with_main_lua(serve, tmp_path):
    server = serve(tmp_path, files={"main.lua": HELLO, "other.txt": "x"})
    assert server.get("/").text == "hello"
    assert server.get("/other.txt").status == 404
    assert server.get("/main.lua").status == 404


def test_a_folder_with_public_html(serve, tmp_path):
    files = {
        "main.lua": HELLO,
        "public_html/index.html": "<p>index",
        "public_html/a.txt": "file",
        "secret.txt": "secret",
    }
    server = serve(tmp_path, files=files)
    assert server.get("/").text == "hello", "the script's routes come first"
    assert server.get("/a.txt").text == "file"
    assert server.get("/secret.txt").status == 404
    assert server.get("/../secret.txt").status in (400, 404)


def test_a_folder_without_a_script(serve, tmp_path):
    folder = tmp_path / "files"
    files = {"files/index.html": "<p>index", "files/.hidden": "x"}
    server = serve(folder, files=files)
    assert server.get("/").text == "<p>index"
    assert server.get("/.hidden").status == 404


def test_no_argument_is_the_current_folder(serve, tmp_path):
    (tmp_path / "main.lua").write_text(HELLO)
    server = serve(Path("."))
    assert server.get("/").text == "hello"


def test_modules_beside_the_site_are_found(serve, tmp_path):
    folder = tmp_path / "deep"
    files = {
        "deep/word.lua": 'return "from the module"',
        "deep/site.lua": """
            local word = require "word"
            require "perilune".get("/", function() return word end)
        """,
    }
    server = serve(folder / "site.lua", files=files)
    assert server.get("/").text == "from the module"


# ---- sites that cannot be served ----


def test_missing_site(command):
    refused(command("nowhere.lua"), SITE, "nowhere.lua")
    refused(command("check", "nowhere.lua"), SITE, "nowhere.lua")


@pytest.mark.parametrize("how", [[], ["check"]], ids=["serve", "check"])
def test_faults_name_file_and_line(command, how):
    files = {
        "syntax.lua": "local x = 1\nlocal y = = 2\n",
        "raise.lua": '\n\nerror("out of cheese")\n',
        "module.lua": '\nrequire "no.such.module"\n',
        "env.lua": '\nrequire "perilune".env "PERILUNE_NOT_SET"\n',
        "route.lua": '\nrequire "perilune".get("no slash", print)\n',
        "set.lua": '\nrequire "perilune".set { wrokers = 2 }\n',
        "listen.lua": '\nrequire "perilune".listen { ":http" }\n',
    }
    refused(command(*how, "syntax.lua", files=files), SITE, "syntax.lua:2: ")
    refused(command(*how, "raise.lua"), SITE, "raise.lua:3: out of cheese")
    refused(command(*how, "module.lua"), SITE, "module.lua:2: ", "no.such")
    refused(command(*how, "env.lua"), SITE, "env.lua:2: ", "PERILUNE_NOT_SET")
    refused(command(*how, "route.lua"), SITE, "route.lua:2: ")
    refused(command(*how, "set.lua"), SITE, "set.lua:2: ", "workers")
    refused(command(*how, "listen.lua"), SITE, "listen.lua:2: ", "http")


def test_errors_without_a_position_name_it(command):
    """Objects, what the library gives, and what io.open says."""
    files = {
        "object.lua": "\nerror({})\n",
        "level.lua": 'local function fail() error("no where", 0) end\nfail()',
        "file.lua": '\nassert(io.open("no.json"))\n',
        "read.lua": '\nassert(require "perilune".fs.read("no.json"))\n',
    }
    refused(command("object.lua", files=files), SITE, "object.lua:2: ")
    refused(command("level.lua"), SITE, "level.lua:1: no where")
    refused(command("file.lua"), SITE, "file.lua:2: ", "no.json: No such")
    refused(command("read.lua"), SITE, "read.lua:2: ", "no.json: No such")


def test_a_fault_in_a_module_names_its_line(command):
    files = {
        "a.lua": 'require "lib.syntax"',
        "lib/syntax.lua": "\nlocal x = = 1\n",
        "b.lua": 'require "lib.raise"',
        "lib/raise.lua": '\n\nerror("no luck")\n',
    }
    done = command("a.lua", files=files)
    refused(done, SITE, "perilune: ./lib/syntax.lua:2: ", "module 'lib.syntax'")
    refused(command("b.lua"), SITE, "perilune: ./lib/raise.lua:3: no luck")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_site(command, tmp_path):
    command("--help", files={"site.lua": HELLO, "folder/main.lua": HELLO})
    (tmp_path / "site.lua").chmod(0)
    refused(command("site.lua"), SITE, "site.lua", "Permission denied")
    (tmp_path / "folder").chmod(0)
    refused(command("folder"), SITE, "folder")
    (tmp_path / "folder").chmod(0o700)


# ---- addresses ----


def test_busy_port(command, serve):
    port = serve(HELLO).port
    done = command("-h", "127.0.0.1", "-p", port, files={"b.lua": HELLO})
    refused(done, LISTEN, f"127.0.0.1:{port}", "in use")
    files = {"c.lua": f'require "perilune".listen {{ "127.0.0.1:{port}" }}'}
    refused(command("c.lua", files=files), LISTEN, "c.lua:1: ", str(port))


def test_address_that_is_not_ours(command):
    done = command("-h", "192.0.2.1", files={"main.lua": HELLO})
    refused(done, LISTEN, "192.0.2.1:8080")


@pytest.mark.parametrize(
    "address", ["", "[::1", "a:b:c", "unix:", "unix:" + "x" * 200]
)
def test_no_address(command, address):
    files = {"a.lua": f'require "perilune".listen {{ "{address}" }}\n'}
    refused(command("a.lua", files=files), SITE, "a.lua:1: ")
    refused(command("check", "a.lua"), SITE, "a.lua:1: ")


def test_command_line_wins_over_the_site(serve):
    site = f'require "perilune".listen {{ "127.0.0.1:{free_port()}" }}'
    server = serve(site + HELLO)
    assert server.get("/").status == 200
    assert len(server.wait_log("listening on")) == 1


def test_all_addresses_of_the_site(serve, tmp_path):
    port = free_port()
    site = f"""
    require "perilune".listen {{ "127.0.0.1:{port}" }}
    require "perilune".listen {{ "unix:{tmp_path}/a.sock" }}
    """
    server = serve(site + HELLO, listen=False)
    addresses = server.addresses(2)
    assert addresses == [("127.0.0.1", port), f"{tmp_path}/a.sock"]
    for address in addresses:
        with server.connect(address) as wire:
            assert wire.get("/").text == "hello"
    assert server.stop() == 0
    assert not (tmp_path / "a.sock").exists()


def test_unix_socket_of_a_dead_server_is_taken_over(serve, tmp_path):
    path = tmp_path / "old.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = serve(HELLO, "-h", f"unix:{path}", listen=False)
    with server.connect(str(path)) as wire:
        assert wire.get("/").text == "hello"


def test_unix_socket_that_is_a_file(command, tmp_path):
    done = command(
        "-h", f"unix:{tmp_path}/file", files={"main.lua": HELLO, "file": "mine"}
    )
    refused(done, LISTEN, "file")
    assert (tmp_path / "file").read_text() == "mine"


def has_v6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_v6(), reason="no IPv6 here")
def test_v6(serve):
    loopback = serve(HELLO, "-h", "::1", "-p", "0", listen=False)
    assert loopback.addresses()[0][0] == "::1"
    assert loopback.get("/").text == "hello"
    everywhere = serve(HELLO, "-6", "-p", "0", listen=False)
    assert everywhere.addresses()[0][0] == "::"


def test_quiet(serve, tmp_path):
    port = free_port()
    where = ["-h", "127.0.0.1", "-p", port]
    server = serve(HELLO, "-q", *where, listen=False, announced=False)
    with wait_for(lambda: try_connect(port), "the port to open") as probe:
        probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"hello" in probe.recv(1000)
    assert server.stop() == 0
    assert "listening" not in server.log()


def try_connect(port: int):
    try:
        return socket.create_connection(("127.0.0.1", port))
    except ConnectionRefusedError:
        return None


# ---- other options ----


def test_workers(serve):
    site = """
    local pl = require "perilune"
    local w = pl.workers
    pl.get("/", function() return w.id .. " of " .. w.count end)
    """
    server = serve(site, "-c", "3")
    seen = set()

    def all_seen():
        seen.add(server.get("/").text)
        return len(seen) == 3

    wait_for(all_seen, "an answer of each worker")
    assert seen == {"0 of 3", "1 of 3", "2 of 3"}


def test_options_after_the_site_and_with_equals_sign(serve, tmp_path):
    server = serve(HELLO, f"--pid={tmp_path}/pid", "-c1")
    assert server.get("/").status == 200
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"


def test_a_site_that_begins_with_a_dash(command):
    files = {"-site.lua": HELLO}
    done = command("check", "--", "-site.lua", files=files)
    assert done.returncode == 0, done.stderr


def test_bad_log_level(command):
    done = command("--log-level", "loud", "-p", "0", files={"main.lua": HELLO})
    refused(done, USAGE, "loud", "notice")
    site = 'require "perilune".set { log_level = "loud" }'
    done = command("-p", "0", "a.lua", files={"a.lua": site})
    refused(done, SITE, "a.lua:1: ", "notice")


def test_log_that_cannot_be_opened(command):
    for option in ("--log", "--access-log"):
        done = command("-p", "0", option, "no/x.log", files={"main.lua": HELLO})
        refused(done, 1, "no/x.log")


# ---- check ----


def test_check_lists_addresses_and_routes(command):
    site = """
    local pl = require "perilune"
    pl.listen { "127.0.0.1:1234" }
    pl.get("/a/:b", function() end)
    pl.any("/any", function() end)
    pl.host("b.example", function() pl.post("/c", function() end) end)
    """
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode == 0 and done.stderr == ""
    assert re.search(r"^listen +127\.0\.0\.1:1234 +\(site\.lua:3\)$",
                     done.stdout, re.M)
    assert re.search(r"^route +GET +/a/:b .*site\.lua:4", done.stdout, re.M)
    assert re.search(r"^route +ANY +/any ", done.stdout, re.M)
    assert re.search(r"^route +POST +b\.example/c ", done.stdout, re.M)


def test_check_lists_rules_in_front_of_the_routes(command):
    site = """
    local pl = require "perilune"
    pl.rewrite("^/old/(%d+)$", { to = "/new/%1" })
    pl.host("b.example", function()
      pl.group("/c", function()
        pl.rewrite("x", { to = "https://d.example/", redirect = 301 })
      end)
    end)
    pl.rewrite("y", function() return "/z" end)
    """
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode == 0 and done.stderr == ""
    rules = [line for line in done.stdout.splitlines() if "rule" in line]
    assert [" ".join(rule.split()) for rule in rules] == [
        "rule ^/old/(%d+)$ -> /new/%1 (site.lua:3)",
        "rule 301 b.example/c x -> https://d.example/ (site.lua:6)",
        "rule y -> a function (site.lua:9)",
    ]


def test_check_opens_nothing(command, serve):
    port = serve(HELLO).port
    site = f'require "perilune".listen {{ "127.0.0.1:{port}" }}'
    assert command("check", "b.lua", files={"b.lua": site}).returncode == 0


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["-h", "[::1"], 3, "[::1"),
        (["--dev", "-h", "192.0.2.1"], 4, "can be reached by others"),
        (["--tls-cert", "no.pem"], 4, "no.pem"),
    ],
    ids=["address", "dev", "certificate"],
)
def test_check_fails_as_serving_would(command, words, code, said):
    for how in (["check"], []):
        done = command(*how, *words, files={"main.lua": HELLO})
        refused(done, code, said)


# ---- run ----


def test_run_gives_arguments_and_exit_code(command):
    script = """
    io.write(arg[0], " ", table.concat(arg, ","), " ", select("#", ...), "\\n")
    io.write(io.read("*l"), "\\n")
    return 7
    """
    words = ["a", "-p", "--", "b c"]
    files = {"s.lua": script}
    done = command("run", "s.lua", *words, files=files, input="in")
    assert done.returncode == 7
    assert done.stdout == "s.lua a,-p,--,b c 4\nin\n"


def test_run_waits_like_a_handler(command):
    script = """
    local pl = require "perilune"
    local a, b = pl.all { function() pl.sleep(0.01) return 1 end,
                          function() return 2 end }
    print(a, b)
    """
    done = command("run", "s.lua", files={"s.lua": script})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "2"] or "table" in done.stdout


def test_run_has_no_functions_of_sites(command):
    names = "get", "group", "host", "listen", "set", "static", "use"
    text = "local pl = require 'perilune'\n" + "\n".join(
        f"assert(pl.{name} == nil, '{name}')" for name in names
    )
    done = command("run", "main.lua", files={"main.lua": text})
    assert done.returncode == 0, done.stderr


def test_run_shows_the_traceback_of_an_error(command):
    script = """
    local function inner() error("out of cheese") end
    function outer() inner() end
    outer()
    """
    done = command("run", "s.lua", files={"s.lua": script})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("perilune: s.lua:2: out of cheese\n")
    assert "stack traceback:" in done.stderr and "s.lua:4:" in done.stderr


def test_run_with_pl_stop(command):
    script = """
    local pl = require "perilune"
    pl.defer(function() print "deferred" end)
    pl.spawn(function() pl.sleep(1000) end)
    pl.stop(5)
    pl.sleep(1000)
    """
    done = command("run", "s.lua", files={"s.lua": script})
    assert done.returncode == 5, done.stderr
    assert done.stdout == "deferred\n"


def test_run_of_what_cannot_be_read(command):
    refused(command("run", "no.lua"), SITE, "no.lua")
    files = {"bad.lua": "x = = 1"}
    refused(command("run", "bad.lua", files=files), SITE, "bad.lua:1: ")


# ---- pid file ----


def test_pid_file(serve, tmp_path):
    server = serve(HELLO, "--pid", tmp_path / "pid")
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"
    assert server.stop() == 0
    assert not (tmp_path / "pid").exists()


def test_pid_file_as_a_setting(serve, tmp_path):
    site = f'require "perilune".set {{ pid_file = "{tmp_path}/pid" }}' + HELLO
    server = serve(site)
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"


def test_a_second_server_is_refused(serve, command, tmp_path):
    server = serve(HELLO, "--pid", tmp_path / "pid")
    done = command("-p", "0", "--pid", "pid", files={"main.lua": HELLO})
    refused(done, 1, "pid", str(server.pid), "is running")
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"


def test_pid_file_of_a_crash_is_taken_over(serve, tmp_path):
    (tmp_path / "pid").write_text(f"{os.getpid()}\nand more that was there\n")
    server = serve(HELLO, "--pid", tmp_path / "pid")
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"


def test_pid_file_that_cannot_be_written(command):
    done = command("-p", "0", "--pid", "no/pid", files={"main.lua": HELLO})
    refused(done, 1, "no/pid", "No such file")


# ---- user and group ----

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
WHO = """
local pl = require "perilune"
pl.get("/", function()
  local file = assert(io.open("/proc/thread-self/status"))
  return (file:read("*a"))
end)
"""


@pytest.fixture
def open_folder(tmp_path):
    """tmp_path may be read by everybody."""
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid != os.geteuid() or folder == Path("/"):
            break
        folder.chmod(folder.stat().st_mode | 0o755)
    return tmp_path


@AS_ROOT
def test_user(serve, open_folder):
    server = serve(WHO, "--user", "nobody", "--pid", open_folder / "pid")
    for _ in range(4):
        status = server.get("/").text
        assert re.search(r"^Uid:(\t65534){4}$", status, re.M), status
        assert re.search(r"^Gid:(\t65534){4}$", status, re.M), status
        assert re.search(r"^Groups:\t(65534 )?$", status, re.M), status
    for task in (server.proc.path / "task").iterdir():
        assert "Uid:\t65534\t" in (task / "status").read_text(), "all threads"
    assert server.stop() == 0
    pid = open_folder / "pid"
    assert not pid.exists() or pid.read_text() == "", "root's folder"


@AS_ROOT
def test_user_and_group_as_settings(serve, open_folder):
    site = 'require "perilune".set { user = "nobody", group = "1" }' + WHO
    status = serve(site).get("/").text
    assert re.search(r"^Uid:(\t65534){4}$", status, re.M), status
    assert re.search(r"^Gid:(\t1){4}$", status, re.M), status


def test_unknown_user_and_group(command):
    files = {
        "main.lua": HELLO,
        "g.lua": 'require "perilune".set { group = "no-such-group" }',
    }
    done = command("-p", "0", "--user", "no-such-user", files=files)
    refused(done, 1, "no-such-user")
    refused(command("g.lua"), 1, "no-such-group")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_only_root_becomes_another(command):
    done = command("--user", "root", files={"main.lua": HELLO})
    refused(done, 1, "root", "only root")


@AS_ROOT
def test_only_root_becomes_another_as_nobody(open_folder):
    """The same, from root: the command itself is started as nobody."""
    (open_folder / "main.lua").write_text(HELLO)
    done = subprocess.run(
        [program(), "--user", "root"],
        cwd=open_folder,
        env=environment(),
        user="nobody",
        group="nogroup",
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    refused(done, 1, "root", "only root")


# ---- workers that do not come up ----


def test_only_a_later_worker_fails(command):
    site = """
    local pl = require "perilune"
    pl.defer(function() end)
    if pl.workers.count > 1 and pl.workers.id == 2 then
      error("not me")
    end
    pl.spawn(function() pl.sleep(1000) end)
    pl.on("stop", function() print "stopped" end)
    """
    done = command("-c", "4", "-p", "0", "s.lua", files={"s.lua": site})
    refused(done, SITE, "s.lua:5: not me")
    assert "stopped" not in done.stdout, "nothing had been started"


def test_pl_stop_while_loading(command):
    site = 'require "perilune".stop(9)\n'
    done = command("-p", "0", "s.lua", files={"s.lua": site})
    assert done.returncode == 9 and "listening" not in done.stdout


def test_pl_stop_on_start(serve):
    site = """
    local pl = require "perilune"
    pl.on("start", function() pl.stop(6) end)
    """
    server = serve(site, announced=False)
    assert server.wait() == 6


def test_interrupt_while_the_site_loads(serve, tmp_path):
    site = f"""
    io.open("{tmp_path}/loading", "w"):close()
    while true do end
    """
    server = serve(site, announced=False)
    wait_for((tmp_path / "loading").exists, "the site to load")
    assert server.stop(SIGINT) == -SIGINT
