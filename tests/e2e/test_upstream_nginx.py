"""pl.proxy with nginx: as the server behind it, and as the front before it."""

import contextlib
import os
import shutil
import subprocess

import pytest

from harness.ports import free_port, listens
from harness.server import environment
from harness.wait import GUARD, wait_for

pytestmark = pytest.mark.skipif(
    shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") is None,
    reason="nginx is not installed",
)

CONFIG = """
daemon off; master_process off; pid @FOLDER@/nginx.pid; error_log stderr info;
events { }
http {
  access_log off; client_body_temp_path @FOLDER@/b;
  proxy_temp_path @FOLDER@/p; fastcgi_temp_path @FOLDER@/f;
  uwsgi_temp_path @FOLDER@/u; scgi_temp_path @FOLDER@/s;
  default_type text/plain;
  server { listen 127.0.0.1:@PORT@; client_max_body_size 100m; @MORE@ }
}
"""
BACK = """
    root @FOLDER@/files;
    keepalive_requests 7;
    location = /hello { return 200 "hello from nginx"; }
    location = /moved { return 301 /files/a; }
    location = /gone { return 204; }
    location /packed { gzip on; gzip_types text/plain; gzip_proxied any;
                       alias @FOLDER@/files; }
"""
FRONT = """
    location / { proxy_pass http://127.0.0.1:@SERVER@; proxy_http_version 1.1;
                 proxy_set_header Connection ""; }
"""
TEXT = bytes(range(32, 127)) * 30_000


@pytest.fixture
def nginx(tmp_path):
    started = []

    def start(more, **values):
        port = free_port()
        text = CONFIG.replace("@MORE@", more)
        for name, value in {"PORT": port, "FOLDER": tmp_path, **values}.items():
            text = text.replace(f"@{name}@", str(value))
        path = tmp_path / "nginx.conf"
        path.write_text(text)
        process = subprocess.Popen(
            ["nginx", "-e", "stderr", "-p", str(tmp_path), "-c", str(path)],
            env={**environment(), "PATH": os.environ["PATH"] + ":/usr/sbin"},
            stderr=(tmp_path / "nginx.out").open("w"),
        )
        started.append(process)
        wait_for(
            lambda: process.poll() is not None or listens(port), "nginx"
        )
        assert process.poll() is None, (tmp_path / "nginx.out").read_text()
        return port

    yield start
    for process in started:
        process.terminate()
        process.wait(GUARD)


def test_nginx_behind(serve, nginx, tmp_path):
    (tmp_path / "files").mkdir(mode=0o755)
    (tmp_path / "files/a").write_bytes(TEXT)
    with contextlib.suppress(PermissionError):
        for folder in [tmp_path, *tmp_path.parents[:2]]:
            folder.chmod(0o755)
    port = nginx(BACK)
    server = serve(
        f"""
local pl = require "perilune"
pl.proxy("/up", {{ to = "http://127.0.0.1:{port}", strip = true }})
""",
        workers=1,
    )
    with server.connect() as wire:
        for _ in range(50):  # nginx closes each seventh
            assert wire.get("/up/hello").text == "hello from nginx"
        answer = wire.get("/up/a")
        assert answer.body == TEXT and answer.header("etag")
        part = wire.get("/up/a", {"Range": "bytes=10-19"})
        assert (part.status, part.body) == (206, TEXT[10:20])
        same = wire.get("/up/a", {"If-None-Match": answer.header("etag")})
        assert same.status == 304
        assert wire.request("HEAD", "/up/a").header("content-length") == str(
            len(TEXT)
        )
        assert wire.get("/up/gone").status == 204
        assert wire.get("/up/nowhere").status == 404
        moved = wire.get("/up/moved", {"Host": f"127.0.0.1:{port}"})
        assert moved.header("location") == "/up/files/a"
    assert "upstream: " not in server.log()


def test_nginx_before_and_behind(serve, nginx, tmp_path):
    """Three servers in a row, bodies in both directions."""
    back = serve(
        """
local pl = require "perilune"
pl.post("/", { max_body = "64m" }, function(req) return req:body() end)
pl.get("/who", function(req) return req.headers["x-forwarded-for"] end)
""",
        workers=1,
    )
    middle = serve(
        f"""
local pl = require "perilune"
pl.set {{ trusted = "127.0.0.1" }}
pl.proxy("/", "http://127.0.0.1:{back.port}")
""",
        workers=1,
    )
    port = nginx(FRONT, SERVER=middle.port)
    address = ("127.0.0.1", port)
    with middle.connect(address) as wire:
        for _ in range(3):
            body = TEXT[:2_000_000]
            assert wire.request("POST", "/", None, body).body == body
        assert wire.get("/who").text == "127.0.0.1"
