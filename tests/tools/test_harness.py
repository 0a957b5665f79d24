"""The harness of the tests from outside, on a stand-in for perilune."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.server import Server
from harness.wire import BadResponse, Closed

STANDIN = Path(__file__).with_name("standin.py")
REQUEST = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def start(tmp_path):
    servers = []

    def run(*args) -> Server:
        words = [sys.executable, STANDIN, *args]
        servers.append(Server(words, tmp_path, {}))
        return servers[-1]

    yield run
    for server in servers:
        server.finish()


@pytest.mark.parametrize("how", ["whole", "bytewise", [1, 7, 20]])
def test_sends_in_pieces(start, how):
    with start().connect() as wire:
        wire.send(REQUEST % b"", how)
        response = wire.response()
        assert (response.status, response.body) == (200, b"hello")
        assert response.framing == "length" and response.keeps_alive


def test_reads_one_response_after_another(start):
    with start().connect() as wire:
        wire.send(REQUEST % b"" + REQUEST % b"chunked")
        first, second = wire.responses(2)
        assert first.body == b"hello"
        assert second.body == b"one two" and second.trailers == [("T", "1")]
        assert wire.request("POST", "/", body=b"echo").body == b"echo"
        assert wire.request("HEAD", "/").body == b""
        assert wire.get("/").body == b"hello"
        assert wire.pending() == b""


def test_body_until_the_connection_ends(start):
    with start().connect() as wire:
        response = wire.get("/old")
        assert response.body == b"until the end"
        assert not response.keeps_alive
        wire.expect_closed()
        with pytest.raises(Closed):
            wire.response()


@pytest.mark.parametrize("target", ["/both", "/bare"])
def test_bad_framing_is_refused(start, target):
    with start().connect() as wire, pytest.raises(BadResponse):
        wire.get(target)


def test_log_is_followed_until_the_end(start):
    server = start()
    server.get("/one")
    server.get("/two")
    assert len(server.wait_log("GET", 2)) == 2
    assert server.stop() == 0
    with pytest.raises(AssertionError, match="it ended"):
        server.wait_log("never")


def test_server_that_does_not_start_is_shown(start):
    with pytest.raises(AssertionError, match="no such file"):
        start("--silent").addresses()


def test_exit_code_and_report_are_faults(start):
    server = start("--fails")
    server.get("/report")
    server.wait_log("AddressSanitizer")
    faults = server.finish()
    assert len(faults) == 2, faults


def test_expected_exit_code_is_no_fault(start):
    server = start("--fails")
    server.addresses()
    assert server.stop() == 3
    assert server.finish() == []


def test_proc_counts(start):
    server = start()
    server.addresses()
    before = server.proc.sockets()
    with server.connect() as wire:
        wire.get("/")
        assert server.proc.sockets() == before + 1
    assert server.proc.threads() >= 1 and server.proc.rss_kib() > 1000
    assert server.proc.alive()
    server.stop()
    assert not server.proc.alive()


def test_only_its_own_processes_are_ended(start):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1)
    server = start()
    server.addresses()
    server.finish()
    assert other.poll() is None
    other.communicate(b"\n")
    assert other.returncode == 0
