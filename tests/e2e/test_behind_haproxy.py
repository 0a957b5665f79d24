"""HAProxy in front, with the PROXY protocol: what it says, request for
request."""

import os
import re
import shutil
import subprocess

import pytest

from harness.ports import free_port, listens
from harness.server import environment
from harness.wait import GUARD, wait_for

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin") is None
    or shutil.which("openssl") is None,
    reason="haproxy or openssl is not installed",
)

SITE = """
local pl = require "perilune"
pl.listen { "127.0.0.1:0", proxy_protocol = true, trusted = "127.0.0.1" }
pl.get("/", function(req)
  local said = req.proxy or {}
  local tls = said.tls or {}
  return table.concat({ req.scheme, req.remote, said.version or 0,
    said.address or "-", said.port or 0, said.authority or "-",
    said.unique_id or "-", tls.version or "-", tls.cn or "-",
    tostring(tls.verified), said.alpn or "-" }, " ")
end)
"""
CONFIG = """
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend plain
  bind 127.0.0.1:@PLAIN@
  default_backend one
frontend secure
  bind 127.0.0.1:@SECURE@ @TLS@
  unique-id-format id-%pid-%rt
  default_backend two
backend one
  server site 127.0.0.1:@SERVER@ send-proxy
backend two
  server site 127.0.0.1:@SERVER@ send-proxy-v2-ssl-cn @OPTIONS@
"""
TLS = "ssl crt @PEM@ ca-file @PEM@ verify optional alpn http/1.1"
OPTIONS = "proxy-v2-options crc32c,unique-id,authority"


@pytest.fixture
def front(serve, tmp_path):
    server = serve(SITE, listen=False)
    pem = tmp_path / "site.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
        + ["-keyout", tmp_path / "key", "-out", tmp_path / "cert"]
        + ["-subj", "/CN=a.example", "-days", "2"],
        check=True,
        capture_output=True,
        timeout=GUARD,
    )
    pem.write_bytes(
        (tmp_path / "cert").read_bytes() + (tmp_path / "key").read_bytes()
    )
    plain, secure = free_port(), free_port()
    names = {"PLAIN": plain, "SECURE": secure, "SERVER": server.port}
    text = CONFIG.replace("@TLS@", TLS).replace("@OPTIONS@", OPTIONS)
    text = text.replace("@PEM@", str(pem))
    for name, value in names.items():
        text = text.replace(f"@{name}@", str(value))
    (tmp_path / "haproxy.cfg").write_text(text)
    with subprocess.Popen(
        ["haproxy", "-db", "-f", tmp_path / "haproxy.cfg"],
        env={**environment(), "PATH": os.environ["PATH"] + ":/usr/sbin"},
        stdin=subprocess.DEVNULL,
        stdout=(tmp_path / "haproxy.out").open("wb"),
        stderr=subprocess.STDOUT,
    ) as process:
        wait_for(
            lambda: process.poll() is not None or listens(secure), "haproxy"
        )
        assert process.poll() is None, (tmp_path / "haproxy.out").read_text()
        yield plain, secure
        process.terminate()


def curl(*words) -> str:
    return subprocess.run(
        ["curl", "-q", "-sk", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=True,
    ).stdout


def test_the_text_form(front):
    plain, _ = front
    assert curl(f"http://127.0.0.1:{plain}/") == (
        f"http 127.0.0.1 1 127.0.0.1 {plain} - - - - nil -"
    )


def test_the_binary_form_with_tls_unique_id_and_checksum(front, tmp_path):
    _, secure = front
    where = ["--resolve", f"a.example:{secure}:127.0.0.1"]
    url = f"https://a.example:{secure}/"
    want = (
        rf"https 127\.0\.0\.1 2 127\.0\.0\.1 {secure} a\.example "
        r"id-\d+-\d+ TLSv1\.\d {} {} (-|http/1\.1)"
    )
    got = curl(*where, url)
    assert re.fullmatch(want.format("-", "false"), got), got
    pem = tmp_path / "site.pem"
    got = curl(*where, "--cert", pem, url)
    assert re.fullmatch(want.format(r"a\.example", "true"), got), got
