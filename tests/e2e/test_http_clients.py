"""Other people's clients and proxies in front."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.ports import free_port, listens
from harness.server import Server, environment
from harness.wait import GUARD, wait_for

FILE = "".join(f"line {n}\n" for n in range(10_000))
SITE = """
local pl = require "perilune"
pl.get("/", function(req) return "hello over " .. req.version end)
pl.post("/upload", function(req)
  local size = 0
  for data in function() return req:read(65536) end do size = size + #data end
  return size .. " bytes"
end)
pl.get("/stream", function(req, res)
  for n = 1, 1000 do res:write("piece " .. n .. "\\n") end
end)
pl.get("/forwarded", function(req) return req.headers["x-forwarded-for"] end)
pl.static("/files", { root = "files" })
"""


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(SITE, files={"files/lines.txt": FILE}, workers=1)


def needs(name: str):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return pytest.mark.skipif(not found, reason=f"{name} is not installed")


# ---- curl ----

pytestmark = needs("curl")


def curl(*words, input=None) -> subprocess.CompletedProcess:
    """-q comes first: the user's own settings are none of ours."""
    return subprocess.run(
        ["curl", "-q", "-sS", "--max-time", str(int(GUARD)), *map(str, words)],
        input=input,
        capture_output=True,
        env=environment(),
        check=True,
    )


def test_curl_http_1_0(server):
    done = curl("-0", "-i", server.url())
    assert done.stdout.startswith(b"HTTP/1.1 200 OK\r\n")
    assert done.stdout.endswith(b"\r\n\r\nhello over 1.0")
    done = curl("-0", server.url("/stream"))
    assert done.stdout.endswith(b"piece 1000\n")


def test_curl_head(server):
    done = curl("-I", server.url("/files/lines.txt"))
    head = done.stdout.decode().lower()
    assert f"content-length: {len(FILE)}\r\n" in head
    assert head.endswith("\r\n\r\n")


def test_curl_uses_a_connection_again(server):
    urls = [server.url(), server.url("/stream"), server.url("/nowhere")] * 3
    done = curl("-v", *urls)
    said = done.stderr.decode()
    assert said.count("Re-using existing connection") == len(urls) - 1
    assert said.count("Connected to") == 1


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_curl_uploads(server, tmp_path, size):
    path = tmp_path / "body"
    path.write_bytes(b"u" * size)
    url = server.url("/upload")
    assert curl("--data-binary", f"@{path}", url).stdout == b"%d bytes" % size
    chunked = curl("-X", "POST", "-T", "-", url, input=path.read_bytes())
    assert chunked.stdout == b"%d bytes" % size


def test_curl_waits_for_100_continue(server, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"u" * 2_000_000)
    done = curl(
        "-v", "--expect100-timeout", GUARD, "-H", "Expect: 100-continue",
        "--data-binary", f"@{path}", server.url("/upload"),
    )
    assert done.stdout == b"2000000 bytes"
    assert b"HTTP/1.1 100 Continue" in done.stderr


def test_curl_is_told_early_that_a_body_is_not_wanted(server, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"u" * 2_000_000)
    done = curl(
        "-v", "--expect100-timeout", GUARD, "-H", "Expect: 100-continue",
        "--data-binary", f"@{path}", server.url("/nowhere"),
    )
    assert b"HTTP/1.1 404 " in done.stderr
    assert b"100 Continue" not in done.stderr


@pytest.mark.parametrize("what", ["0-9", "100-", "-7", "5-5"])
def test_curl_ranges(server, what):
    first, _, last = what.partition("-")
    if not first:
        want = FILE[-int(last) :]
    else:
        want = FILE[int(first) : int(last) + 1 if last else None]
    done = curl("-r", what, server.url("/files/lines.txt"))
    assert done.stdout.decode() == want


def test_curl_resumes_a_download(server, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(FILE[:5000])
    curl("-C", "-", "-o", path, server.url("/files/lines.txt"))
    assert path.read_text() == FILE


def test_curl_asks_whether_it_has_changed(server, tmp_path):
    url = server.url("/files/lines.txt")
    tag = tmp_path / "tag"
    curl("--etag-save", tag, "-o", os.devnull, url)
    done = curl("--etag-compare", tag, "-w", "%{http_code}", url)
    assert done.stdout == b"304"


def test_curl_pipelines_of_parallel_requests(server):
    urls = [server.url(f"/files/lines.txt?{n}") for n in range(50)]
    done = curl("-Z", "--parallel-max", "10", *urls)
    assert len(done.stdout) == 50 * len(FILE)


# ---- proxies in front ----


@pytest.fixture
def behind(tmp_path, server):
    """Starts a proxy with a configuration; gives a function that asks it."""
    started = []

    def start(words, config: str):
        port = free_port()
        text = config.replace("@PORT@", str(port)).replace(
            "@SERVER@", f"127.0.0.1:{server.port}"
        ).replace("@FOLDER@", str(tmp_path))
        (tmp_path / "proxy.conf").write_text(text)
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        process = subprocess.Popen(
            [*words, str(tmp_path / "proxy.conf")],
            cwd=tmp_path,
            env={**environment(), "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=(tmp_path / "proxy.out").open("wb"),
            stderr=subprocess.STDOUT,
        )
        started.append(process)
        wait_for(
            lambda: process.poll() is not None or listens(port), "the proxy"
        )
        assert process.poll() is None, (tmp_path / "proxy.out").read_text()
        return port

    yield start
    for process in started:
        process.terminate()
        process.wait(GUARD)


NGINX = """
daemon off; master_process off; pid @FOLDER@/nginx.pid; error_log stderr info;
events { }
http {
  access_log off; client_body_temp_path @FOLDER@/b;
  proxy_temp_path @FOLDER@/p; fastcgi_temp_path @FOLDER@/f;
  uwsgi_temp_path @FOLDER@/u; scgi_temp_path @FOLDER@/s;
  upstream site { server @SERVER@; keepalive 4; }
  server {
    listen 127.0.0.1:@PORT@;
    client_max_body_size 10m;
    location / {
      proxy_pass http://site;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      @MORE@
    }
  }
}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend in
  bind 127.0.0.1:@PORT@
  default_backend site
backend site
  server one @SERVER@
"""


def check_through(port: int, server: Server, tmp_path: Path):
    url = f"http://127.0.0.1:{port}"
    sockets = server.proc.sockets()
    for _ in range(20):
        assert curl(url + "/").stdout == b"hello over 1.1"
        assert curl(url + "/stream").stdout.endswith(b"piece 1000\n")
    assert server.proc.sockets() - sockets <= 4, "connections are kept"
    assert curl(url + "/forwarded").stdout == b"127.0.0.1"
    assert curl(url + "/files/lines.txt").stdout.decode() == FILE
    done = curl("-r", "10-19", url + "/files/lines.txt")
    assert done.stdout.decode() == FILE[10:20]
    path = tmp_path / "upload"
    path.write_bytes(b"u" * 2_000_000)
    for words in (["--data-binary", f"@{path}"], ["-X", "POST", "-T", path]):
        assert curl(*words, url + "/upload").stdout == b"2000000 bytes"
    chunked = curl(
        "-X", "POST", "-T", "-", url + "/upload", input=path.read_bytes()
    )
    assert chunked.stdout == b"2000000 bytes"
    assert curl("-I", url + "/").stdout.startswith(b"HTTP/1.1 200 OK")
    done = curl("-w", "%{http_code}", "-o", os.devnull, url + "/nowhere")
    assert done.stdout == b"404"


@needs("nginx")
@pytest.mark.parametrize("more", ["", "proxy_request_buffering off;"])
def test_behind_nginx(behind, server, tmp_path, more):
    words = ["nginx", "-e", "stderr", "-p", str(tmp_path), "-c"]
    port = behind(words, NGINX.replace("@MORE@", more))
    check_through(port, server, tmp_path)


@needs("haproxy")
def test_behind_haproxy(behind, server, tmp_path):
    check_through(behind(["haproxy", "-db", "-f"], HAPROXY), server, tmp_path)


@needs("nginx")
def test_nginx_gets_every_answer_while_a_server_stops(behind, serve, tmp_path):
    """A stop in the middle of its requests: each is answered or was never
    sent, so that nginx can send it to another server."""
    first = serve(SITE, workers=1, files={"files/x": ""})
    config = NGINX.replace("@MORE@", "").replace(
        "server @SERVER@;",
        f"server 127.0.0.1:{first.port}; server @SERVER@ backup;",
    )
    words = ["nginx", "-e", "stderr", "-p", str(tmp_path), "-c"]
    port = behind(words, config)
    urls = [f"http://127.0.0.1:{port}/stream?{n}" for n in range(200)]
    load = subprocess.Popen(
        ["curl", "-q", "--no-progress-meter", "-Z", "--parallel-max", "8"]
        + ["-w", "%{stderr}%{http_code}\\n", *urls],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: first.proc.sockets() > 3, "requests to come")
    assert first.stop() == 0
    _, said = load.communicate(timeout=GUARD)
    assert re.findall(r"^\d{3}$", said, re.M) == ["200"] * len(urls), said
