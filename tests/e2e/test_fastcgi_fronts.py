"""examples/fastcgi: each web server in front of perilune, with the
configuration that is shown there."""

import concurrent.futures
import os
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.ports import free_port, listens
from harness.server import TOP, environment, program
from harness.wait import GUARD, wait_for
from harness.wire import Wire

EXAMPLE = TOP / "examples/fastcgi"
PATH = os.environ["PATH"] + ":/usr/sbin"

NGINX = """
daemon off; master_process off; pid @FOLDER@/nginx.pid; error_log stderr info;
events { }
http {
  access_log off; client_body_temp_path @FOLDER@/b;
  proxy_temp_path @FOLDER@/p; fastcgi_temp_path @FOLDER@/f;
  uwsgi_temp_path @FOLDER@/u; scgi_temp_path @FOLDER@/s;
  include @FOLDER@/front;
}
"""
LIGHTTPD = """
server.modules = ()
server.bind = "127.0.0.1"
server.upload-dirs = ( "@FOLDER@" )
mimetype.assign = ( ".txt" => "text/plain" )
include "@FOLDER@/front"
"""
APACHE = """
ServerRoot "@FOLDER@"
ServerName localhost
PidFile "@FOLDER@/apache.pid"
DefaultRuntimeDir "@FOLDER@"
ErrorLog "|/bin/cat"
@USER@
LoadModule mpm_event_module @MODULES@/mod_mpm_event.so
LoadModule authz_core_module @MODULES@/mod_authz_core.so
LoadModule proxy_module @MODULES@/mod_proxy.so
LoadModule proxy_fcgi_module @MODULES@/mod_proxy_fcgi.so
Listen 127.0.0.1:@PORT@
Include "@FOLDER@/front"
"""
CADDY = """
{
  admin off
  auto_https off
  storage file_system @FOLDER@/caddy
}
import @FOLDER@/front
"""
HAPROXY = "global\n  log stderr local0\n"


@dataclass
class Kind:
    """A web server: its program, the file of the example, what goes around
    that, and the words that start it with the file "config"."""

    program: str
    example: str
    around: str
    words: list
    port: tuple = ("", "")  # how the example says it, and how we do
    more: dict = field(default_factory=dict)
    files: bool = True  # it sends files of its own

    def text(self, values):
        text = (EXAMPLE / self.example).read_text()
        old, new = self.port
        assert old in text
        text = text.replace(old, new)
        for old, new in [
            ("/run/lighttpd/", "@FOLDER@/"),
            ("/run/perilune/", "@FOLDER@/"),
            ("/srv/www", "@FOLDER@/www"),
            ("/usr/bin/perilune ", "@PROGRAM@ --no-supervisor "),
            *self.more.items(),
        ]:
            text = text.replace(old, new)
        return replace(text, values), replace(self.around, values)


def replace(text, values):
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


KINDS = {
    "nginx": Kind(
        "nginx", "nginx.conf", NGINX,
        ["nginx", "-e", "stderr", "-p", "@FOLDER@", "-c", "@FOLDER@/config"],
        ("listen 80;", "listen 127.0.0.1:@PORT@;"),
        {"include fastcgi_params": "include /etc/nginx/fastcgi_params"},
    ),
    "lighttpd": Kind(
        "lighttpd", "lighttpd.conf", LIGHTTPD,
        ["lighttpd", "-D", "-f", "@FOLDER@/config"],
        ("server.port = 80", "server.port = @PORT@"),
    ),
    "apache": Kind(
        "apache2", "apache.conf", APACHE,
        ["apache2", "-DFOREGROUND", "-f", "@FOLDER@/config"],
        ("*:80>", "127.0.0.1:@PORT@>"),
    ),
    "caddy": Kind(
        "caddy", "Caddyfile", CADDY,
        ["caddy", "run", "--adapter", "caddyfile", "--config",
         "@FOLDER@/config"],
        (":80 {", ":@PORT@ {\n\tbind 127.0.0.1"),
    ),
    "haproxy": Kind(
        "haproxy", "haproxy.cfg", HAPROXY,
        ["haproxy", "-db", "-f", "@FOLDER@/config", "-f", "@FOLDER@/front"],
        ("bind :80", "bind 127.0.0.1:@PORT@"),
        files=False,
    ),
}


@pytest.fixture(scope="module")
def folder():
    """For users of other names, too: Apache becomes one."""
    path = Path(tempfile.mkdtemp(prefix="perilune-fronts-"))
    path.chmod(0o755)
    www = path / "www"
    (www / "lua").mkdir(parents=True)
    (www / "static").mkdir()
    (www / "static/file.txt").write_text("a file\n")
    for script in (EXAMPLE / "scripts").iterdir():
        shutil.copy(script, www / "lua")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def site(serve_module, folder):
    mask = os.umask(0)  # web servers may connect
    server = serve_module(
        EXAMPLE, env={"FASTCGI": f"unix:{folder}/site.sock"}, listen=False,
        workers=2)
    serve_module(
        folder / "www", "--fastcgi", f"unix:{folder}/scripts.sock",
        "--dialect", "magnet", listen=False, workers=1)
    os.umask(mask)
    return server


class Front:
    def __init__(self, kind, port):
        self.kind, self.port = kind, port

    def connect(self):
        return Wire(("127.0.0.1", self.port))

    def request(self, *args):
        with self.connect() as wire:
            return wire.request(*args)

    def get(self, target, headers=None):
        return self.request("GET", target, headers)


@pytest.fixture(scope="module", params=KINDS)
def front(request, site, folder):
    kind = KINDS[request.param]
    if shutil.which(kind.program, path=PATH) is None:
        pytest.skip(f"{kind.program} is not installed")
    values = {
        "FOLDER": folder, "PORT": free_port(), "PROGRAM": program(),
        "MODULES": "/usr/lib/apache2/modules",
        "USER": "User www-data\nGroup www-data" if os.getuid() == 0 else "",
    }
    text, around = kind.text(values)
    (folder / "front").write_text(text)
    (folder / "config").write_text(around)
    out = folder / f"{request.param}.out"
    with subprocess.Popen(
        [replace(word, values) for word in kind.words],
        env={**environment(), "PATH": PATH, "HOME": str(folder)},
        cwd=folder, stdin=subprocess.DEVNULL, stdout=out.open("wb"),
        stderr=subprocess.STDOUT,
    ) as process:
        port = values["PORT"]
        wait_for(lambda: process.poll() is not None or listens(port), "it")
        assert process.poll() is None, out.read_text()
        yield Front(kind, port)
        process.terminate()
        process.wait(GUARD)
    print(out.read_text(errors="replace"))


def test_request(front):
    response = front.get("/")
    assert response.status == 200
    assert response.header("content-type").startswith("text/html")
    assert "127.0.0.1 asks for http://localhost/" in response.text


@pytest.mark.parametrize(
    "name, value",
    [
        ("REQUEST_METHOD", "GET"), ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("QUERY_STRING", "a=%20b&c"), ("REMOTE_ADDR", "127.0.0.1"),
        ("HTTP_X_A", "b c"), ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("HTTP_COOKIE", "a=b; c=d"),
    ],
)
def test_variables(front, name, value):
    headers = {"X-A": "b c", "Cookie": "a=b; c=d"}
    response = front.get(f"/env/{name}?a=%20b&c", headers)
    assert (response.status, response.text) == (200, value)


def test_paths_are_decoded_once(front):
    assert front.get("/env/REQUEST%5fURI").text == "/env/REQUEST%5fURI"
    assert front.get("/env/no%20such").status == 404


@pytest.mark.parametrize("size", [0, 1, 65536, 5_000_000])
def test_bodies_both_ways(front, size):
    if size > 65536 and front.kind.program in ("caddy", "nginx"):
        pytest.skip("it does not send and read at the same time")
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    with front.connect() as wire:
        head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\n" \
            f"Content-Length: {size}\r\n\r\n"
        sender = threading.Thread(
            target=wire.send, args=[head.encode() + body])
        sender.start()  # what it sends comes back meanwhile
        response = wire.response()
        sender.join()
    assert response.header("content-type") == "a/b"
    assert response.body == body


def test_large_upload(front):
    response = front.request("POST", "/size", {}, bytes(5_000_000))
    assert response.text == "5000000\n"


def test_body_whose_length_nobody_knows(front):
    with front.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        wire.send(b"7\r\n second\r\n0\r\n\r\n")
        assert wire.response().body == b"first second"


def test_stream(front):
    response = front.get("/events")
    assert response.header("content-type") == "text/event-stream"
    events = [line for line in response.text.splitlines() if line[:4] == "data"]
    assert events == ["data: number 1", "data: number 2", "data: number 3"]


def test_redirect_and_cookies(front):
    response = front.get("/login")
    assert response.status in (302, 303)
    assert response.header("location").endswith("/")
    cookies = [c.split(";")[0] for c in response.all("set-cookie")]
    assert cookies == ["user=ada", "theme=dark"]


def test_errors_of_the_site(front):
    assert front.get("/none").status == 404
    response = front.request("PUT", "/echo", {}, b"")
    assert response.status == 405 and "POST" in response.header("allow")


def test_head_request(front):
    with front.connect() as wire:
        assert wire.request("HEAD", "/").status == 200
        assert wire.get("/env/REQUEST_METHOD").text == "GET"


def test_files_are_the_web_server_s(front):
    if not front.kind.files:
        pytest.skip("it has none")
    response = front.get("/static/file.txt")
    assert (response.status, response.text) == (200, "a file\n")


def test_scripts_of_the_site(front):
    response = front.get("/scripts/hello.lua/info")
    assert response.status == 200
    assert "Hello from /scripts/hello.lua/info, visitor" in response.text


def test_scripts_by_their_file(front):
    response = front.get("/lua/hello.lua/info")
    assert response.status == 200
    assert "Hello from /lua/hello.lua/info, visitor" in response.text
    assert front.get("/lua/none.lua").status == 404


def test_page_of_the_cache(front):
    front.get("/lua/hello.lua")
    path = "/lua/cache.lua"
    text = front.get(path).text
    assert "<td>hello.lua<td>" in text or front.kind.program == "lighttpd"
    assert "<td>cache.lua<td>" in text
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    response = front.request("POST", path, form, b"path=none")
    assert response.status == 200  # nothing to be done


def test_many_at_the_same_time(front):
    def ask(n):
        with front.connect() as wire:
            return [wire.get(f"/env/QUERY_STRING?{n}.{i}").text
                    for i in range(20)]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        found = list(pool.map(ask, range(20)))
    assert found == [[f"{n}.{i}" for i in range(20)] for n in range(20)]
