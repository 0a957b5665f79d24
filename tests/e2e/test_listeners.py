"""Kinds of listeners: UNIX sockets and their files, sockets that others have
opened, what is said when one cannot be opened, what check shows."""

import grp
import os
import pwd
import shutil
import socket
import subprocess

import pytest

from harness.server import environment, program
from harness.wait import wait_for

SITE = """
local pl = require "perilune"
%s
pl.get("/", function(req) return "here " .. (pl.env("LISTEN_FDS", "unset")) end)
"""
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def ask(address, family=socket.AF_UNIX) -> bytes:
    with socket.socket(family) as wire:
        wire.connect(address)
        wire.sendall(REQUEST)
        return wire.makefile("rb").read()


def test_abstract_sockets_have_no_file(serve, tmp_path):
    name = f"perilune-{os.getpid()}-{tmp_path.name}"
    server = serve(SITE % f'pl.listen {{ "unix:@{name}" }}', listen=False)
    server.wait_log(f"listening on unix:@{name}$")
    assert ask("\0" + name).endswith(b"here unset")
    assert not (tmp_path / f"@{name}").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_files_of_unix_sockets_may_belong_to_others(serve, tmp_path):
    user, group = pwd.getpwnam("nobody"), grp.getgrnam("daemon")
    listens = (
        f'pl.listen {{ "unix:{tmp_path}/a", mode = "660", owner = "nobody", '
        'group = "daemon" }\n'
        f'pl.listen {{ "unix:{tmp_path}/b", group = "{group.gr_gid}" }}'
    )
    serve(SITE % listens, listen=False)
    a, b = (tmp_path / "a").stat(), (tmp_path / "b").stat()
    assert (a.st_uid, a.st_gid) == (user.pw_uid, group.gr_gid)
    assert a.st_mode & 0o777 == 0o660
    assert (b.st_uid, b.st_gid) == (os.getuid(), group.gr_gid)


@pytest.mark.parametrize(
    "listen, error",
    [
        ('"unix:x", owner = "no-such-user"', "there is no user 'no-such-user'"),
        ('"unix:x", group = "no-such-group"', "there is no group 'no-such-g"),
        ('"unix:@x", owner = "root"', "are for UNIX sockets with a file"),
        ('"fd:77"', "cannot listen on fd:77: it is not open"),
        ('"fd:1"', "cannot listen on fd:1: it is no socket"),
        ('"fd:x"', "'fd:x': a descriptor is a number"),
        ('"fd:3", mode = "660"', "the socket is open already: mode, owner"),
        ('"systemd"', "systemd has passed no sockets to this process"),
        ('"systemd:"', "'systemd:' lacks a name"),
        ('"unix:x", "unix:x"', "'unix:x' is already taken (site.lua:3)"),
    ],
)
def test_what_cannot_be_opened_is_said(command, tmp_path, listen, error):
    (tmp_path / "site.lua").write_text(SITE % f"pl.listen {{ {listen} }}")
    done = command("site.lua")
    assert done.returncode in (3, 4), done.stderr
    assert "site.lua:3: " in done.stderr and error in done.stderr, done.stderr
    assert not (tmp_path / "x").exists(), "no file is left behind"


def test_an_address_in_other_words_is_found_out(command, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = f'pl.listen {{ "127.0.0.1:{port}", "localhost:{port}" }}'
    (tmp_path / "site.lua").write_text(SITE % text)
    done = command("site.lua")
    assert done.returncode == 4
    assert (
        f"cannot listen on 127.0.0.1:{port}: this site does already"
        in done.stderr
    )


def curl(*words) -> str:
    return subprocess.run(
        ["curl", "-q", "-sk", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout


SEES = """
local pl = require "perilune"
pl.listen { "127.0.0.1:0", %s }
pl.get("/", function(req)
  return req.scheme .. " " .. req.version .. " " .. req.remote
end)
"""


def test_one_port_for_tls_and_clear_text(serve):
    server = serve(
        SEES % 'tls = "dev", protocol = "auto", trusted = "127.0.0.1"',
        listen=False,
    )
    address = f"127.0.0.1:{server.port}/"
    one, two = "--http1.1", "--http2-prior-knowledge"
    assert curl(one, f"http://{address}") == "http 1.1 127.0.0.1"
    assert curl(two, f"http://{address}") == "http 2 127.0.0.1"
    assert curl(one, f"https://{address}") == "https 1.1 127.0.0.1"
    assert curl("--http2", f"https://{address}") == "https 2 127.0.0.1"
    line = "--haproxy-protocol"
    assert curl(line, f"https://{address}") == "https 2 127.0.0.1"
    assert curl(line, two, f"http://{address}") == "http 2 127.0.0.1"
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
    for size in (1, 7, 1000):
        with socket.create_connection(("127.0.0.1", server.port)) as wire:
            text = header + REQUEST
            for i in range(0, len(text), size):
                wire.sendall(text[i : i + size])
            assert wire.makefile("rb").read().endswith(b"http 1.0 192.0.2.1")


def test_a_port_may_speak_one_version_only(serve):
    one = serve(SEES % 'protocol = "http/1.1"', listen=False)
    two = serve(SEES % 'protocol = "h2"', listen=False)
    known = "--http2-prior-knowledge"
    assert curl(one.url("/")) == "http 1.1 127.0.0.1"
    assert curl(known, one.url("/")) == ""
    assert curl("--http2", one.url("/")) == "http 1.1 127.0.0.1"
    assert curl(known, two.url("/")) == "http 2 127.0.0.1"
    assert curl(two.url("/")) == ""


def test_alpn_offers_what_the_port_speaks(serve):
    one = serve(SEES % 'tls = "dev", protocol = "http/1.1"', listen=False)
    two = serve(SEES % 'tls = "dev", protocol = "h2"', listen=False)
    for server, version in ((one, "1.1"), (two, "2")):
        url = f"https://127.0.0.1:{server.port}/"
        assert curl("--http2", url) == f"https {version} 127.0.0.1"


def listening(family=socket.AF_INET, address=("127.0.0.1", 0)):
    door = socket.socket(family)
    door.bind(address)
    door.listen()
    return door


def test_a_descriptor_that_listens_is_served(tmp_path):
    door = listening(socket.AF_UNIX, str(tmp_path / "door"))
    tcp = listening()
    text = (
        f'pl.listen {{ "fd:{tcp.fileno()}", protocol = "http/1.1" }}\n'
        f'pl.listen {{ "fd:{door.fileno()}" }}'
    )
    (tmp_path / "site.lua").write_text(SITE % text)
    with subprocess.Popen(
        [program(), "site.lua"],
        cwd=tmp_path,
        pass_fds=(door.fileno(), tcp.fileno()),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said = [process.stdout.readline() for _ in range(2)]
            port = tcp.getsockname()[1]
            assert said[0] == f"listening on http://127.0.0.1:{port}/\n"
            assert ask(tcp.getsockname(), socket.AF_INET).endswith(b"unset")
            assert ask(str(tmp_path / "door")).endswith(b"here unset")
        finally:
            process.terminate()
        assert process.wait(60) == 0
    assert (tmp_path / "door").exists(), "its file is not ours"


@pytest.mark.parametrize("kind", ["datagram", "connected"])
def test_other_sockets_are_refused(command_with, tmp_path, kind):
    if kind == "datagram":
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
    else:
        sockets = list(socket.socketpair())
    fd = sockets[0].fileno()
    done = command_with(SITE % f'pl.listen {{ "fd:{fd}" }}', fds=[fd])
    assert done.returncode == 4
    what = "is no stream socket" if kind == "datagram" else "does not listen"
    assert f"cannot listen on fd:{fd}: it {what}" in done.stderr


@pytest.fixture
def command_with(tmp_path):
    def run(site: str, fds):
        (tmp_path / "site.lua").write_text(site)
        return subprocess.run(
            [program(), "site.lua"],
            cwd=tmp_path,
            pass_fds=fds,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None,
    reason="systemd-socket-activate is not installed",
)


@needs_systemd
def test_sockets_of_systemd_are_known_by_name(tmp_path):
    text = (
        'pl.listen { "systemd:web" }\n'
        'pl.listen { "systemd:local", protocol = "http/1.1" }'
    )
    (tmp_path / "site.lua").write_text(SITE % text)
    paths = [tmp_path / "web", tmp_path / "local"]
    with subprocess.Popen(
        ["systemd-socket-activate"]
        + [f"--listen={path}" for path in paths]
        + ["--fdname=web:local", str(program()), "site.lua"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            wait_for(lambda: all(p.exists() for p in paths), "the sockets")
            for path in paths:
                assert ask(str(path)).endswith(b"here unset"), path
        finally:
            process.terminate()
        assert process.wait(60) == 0
    assert all(path.exists() for path in paths), "they are systemd's"


def test_the_wrong_process_takes_no_sockets(command, tmp_path):
    (tmp_path / "site.lua").write_text(SITE % 'pl.listen { "systemd" }')
    done = command(
        "site.lua", env={"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    )
    assert done.returncode == 4
    assert "systemd has passed no sockets to this process" in done.stderr


def test_systemd_is_told(serve, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(60)
        site = SITE % 'print("sees " .. pl.env("NOTIFY_SOCKET", "nothing"))'
        server = serve(site, env={"NOTIFY_SOCKET": str(path)})
        assert notify.recv(100) == b"READY=1"
        assert server.get("/").status == 200
        server.stop()
        assert notify.recv(100) == b"STOPPING=1"


def test_check_shows_what_listeners_are(command, tmp_path):
    (tmp_path / "site.lua").write_text(
        SITE
        % """
        pl.set { trusted = "::1" }
        pl.listen { ":80", protocol = "http/1.1", backlog = 7, reuseport = 2,
          v6only = true, defer_accept = false }
        pl.listen { "unix:/x", mode = "660", owner = "me", group = "us" }
        pl.listen { "[::1]:443", proxy_protocol = "optional",
          trusted = { "10.0.0.0/8", "unix:" }, forwarded = "forwarded" }
        pl.listen { "systemd:web", proxy_protocol = true, forwarded = false }
        """
    )
    done = command("check", "site.lua")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "listen" in line]
    assert lines == [
        "listen  :80 protocol=http/1.1 backlog=7 reuseport=2 v6only "
        "defer_accept=false  (site.lua:5)",
        "listen  unix:/x mode=660 owner=me group=us  (site.lua:7)",
        "listen  [::1]:443 proxy_protocol=optional trusted=10.0.0.0/8,unix: "
        "forwarded=forwarded  (site.lua:8)",
        "listen  systemd:web proxy_protocol=required forwarded=none  "
        "(site.lua:10)",
    ]
