"""subjects - the servers that are measured: how each is started and ended."""

import os
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from measure import SERVER_CPU, Failed

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PERILUNE_BUILD", TOP / "build-bench"))
PEERS = TOP / "build-bench/peers"
FILE_SIZE = 6150  # of /files/file.html

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid;
error_log stderr crit;
{modules}
events {{ worker_connections 20000; }}
http {{
    access_log off; keepalive_requests 1000000000; server_tokens off;
    types {{ text/html html; }} default_type text/plain;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    {lua}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = / {{ return 200 "Hello, world!"; }}
        location /files/ {{ alias {folder}/public/; }}
        {location}
    }}
}}
"""
NGINX_LUA = """location = /echo { content_by_lua_block {
    ngx.print("Hello, " .. ngx.var.arg_name .. "!") } }"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Subject:
    """A running server, alone on its processor."""

    name: str
    process: subprocess.Popen
    port: int

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def spawn(name: str, words: list, folder: Path, port=None, env=None) -> Subject:
    """Waits until it answers. port None: it says where it listens."""
    log = folder / f"{name.replace(' ', '-')}.log"
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CPU, *map(str, words)],
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        said = re.search(r"listening on http://[^:]+:(\d+)/", log.read_text())
        at = port or (said and int(said.group(1)))
        if at:
            try:
                socket.create_connection(("127.0.0.1", at)).close()
                return Subject(name, process, at)
            except ConnectionError:
                pass
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise Failed(f"{name} did not start: {log.read_text()[-500:]}")


def make_site(folder: Path):
    (folder / "public").mkdir()
    text = "<!doctype html>" + "perilune " * 1000
    (folder / "public/file.html").write_text(text[:FILE_SIZE])
    shutil.copy(Path(__file__).with_name("site.lua"), folder)


def need(path: Path) -> Path:
    if not path.exists():
        raise Failed(f"{path} is not there")
    return path


def perilune_words(port: int = 0) -> list[str]:
    program = need(BUILD / "perilune")
    words = [program, "site.lua", "-h", "127.0.0.1", "-p", port, "-c", 1]
    return [str(word) for word in words]


def start_perilune(folder: Path) -> Subject:
    return spawn("perilune Lua", perilune_words(), folder)


def start_hello_c(folder: Path) -> Subject:
    return spawn("perilune C", [need(BUILD / "tests/bench/hello")], folder)


def start_floor(folder: Path, name: str, response: bytes) -> Subject:
    path = folder / f"{name}.response"
    path.write_bytes(response)
    return spawn(name, [need(BUILD / "tests/bench/floor"), path], folder)


def start_nginx(folder: Path, lua: bool = False) -> Subject:
    name = "nginx+Lua" if lua else "nginx"
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if program is None:
        raise Failed("nginx is not installed")
    place = folder / name
    place.mkdir()
    (place / "public").symlink_to(folder / "public")
    port = free_port()
    values = {"modules": "", "lua": "", "location": ""}
    env = {}
    if lua:
        need(PEERS / "complete")
        modules = PEERS / "usr/lib/nginx/modules"
        values = {
            "modules": f"load_module {modules}/ndk_http_module.so;"
            f"load_module {modules}/ngx_http_lua_module.so;",
            "lua": f'lua_package_path "{PEERS}/usr/share/lua/5.1/?.lua;;";',
            "location": NGINX_LUA,
        }
        env["LD_LIBRARY_PATH"] = str(PEERS / "usr/lib/x86_64-linux-gnu")
    conf = place / "nginx.conf"
    conf.write_text(NGINX.format(folder=place, port=port, **values))
    words = [program, "-p", place, "-c", conf]
    return spawn(name, words, folder, port, env)


def response_of(subject: Subject, target: str) -> bytes:
    """The bytes of its answer, as wrk will get them."""
    with socket.create_connection(subject.address) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                raise Failed(f"{subject.name} closed on {target}")
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not head.startswith(b"HTTP/1.1 200") or not length:
            raise Failed(f"{subject.name} answered {head!r} to {target}")
        while len(body) < int(length.group(1)):
            body += sock.recv(65536)
        return head + b"\r\n\r\n" + body
