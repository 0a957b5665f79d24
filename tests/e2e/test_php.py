"""pl.fastcgi with php-fpm: what docs/php.md promises."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.server import environment
from harness.wait import GUARD, wait_for

PATHS = os.environ["PATH"] + ":/usr/sbin"


def find_fpm() -> str | None:
    for name in ["php-fpm"] + [f"php-fpm8.{n}" for n in range(9, -1, -1)]:
        if path := shutil.which(name, path=PATHS):
            return path
    return None


pytestmark = pytest.mark.skipif(
    find_fpm() is None, reason="php-fpm is not installed"
)

CONFIG = """
[global]
error_log = @FOLDER@/fpm.log
daemonize = no
[www]
listen = @FOLDER@/fpm.sock
pm = static
pm.max_children = @CHILDREN@
pm.max_requests = @REQUESTS@
catch_workers_output = yes
@USER@
php_admin_value[error_log] =
php_admin_flag[log_errors] = on
php_admin_flag[display_errors] = off
php_admin_value[post_max_size] = 64M
php_admin_value[upload_max_filesize] = 64M
php_admin_value[upload_tmp_dir] = @FOLDER@
php_admin_value[session.save_path] = @FOLDER@
"""


@pytest.fixture
def fpm(tmp_path):
    """Starts php-fpm; returns its address."""
    started = []

    def start(children=2, requests=0) -> str:
        path = tmp_path / "fpm.conf"
        root = os.geteuid() == 0
        text = CONFIG.replace("@FOLDER@", str(tmp_path))
        text = text.replace("@CHILDREN@", str(children))
        text = text.replace("@REQUESTS@", str(requests))
        text = text.replace(
            "@USER@", "user = root\ngroup = root" if root else ""
        )
        path.write_text(text)
        process = subprocess.Popen(
            [find_fpm(), "-n", "-F", "-y", path, *(["-R"] if root else [])],
            env={**environment(), "PATH": PATHS},
            stdout=subprocess.DEVNULL,
            stderr=(tmp_path / "fpm.out").open("w"),
        )
        started.append(process)
        sock = tmp_path / "fpm.sock"
        wait_for(
            lambda: process.poll() is not None or sock.exists(), "php-fpm"
        )
        assert process.poll() is None, (tmp_path / "fpm.out").read_text()
        return f"unix:{sock}"

    yield start
    for process in started:
        process.terminate()
        process.wait(GUARD)


SHOW = "<?php header('Content-Type: application/json'); echo json_encode("
FILES = {
    "www/index.php": "<?php echo 'front ', $_SERVER['REQUEST_URI'], ' ', "
    "$_SERVER['SCRIPT_NAME'];",
    "www/show.php": SHOW + "['server' => $_SERVER, 'get' => $_GET, "
    "'post' => $_POST, 'cookie' => $_COOKIE, 'body' => "
    "strlen(file_get_contents('php://input'))]);",
    "www/status.php": "<?php http_response_code(418); echo 'tea';",
    "www/move.php": "<?php header('Location: /elsewhere', true, 303);",
    "www/log.php": "<?php error_log('something odd'); $x = $undefined; "
    "echo 'ok';",
    "www/die.php": "<?php header('X-A: b'); no_such_function();",
    "www/big.php": "<?php for ($i = 0; $i < 200; $i++) "
    "echo str_repeat(chr(65 + $i % 26), 50000);",
    "www/slow.php": "<?php sleep(60);",
    "www/hash.php": "<?php echo md5(file_get_contents('php://input')), ' ', "
    "$_SERVER['CONTENT_LENGTH'];",
    "www/upload.php": "<?php $f = $_FILES['f']; echo $f['name'], ' ', "
    "$f['size'], ' ', md5_file($f['tmp_name']);",
    "www/send.php": "<?php header('X-Sendfile: ' . "
    "realpath(__DIR__ . '/../private/a.txt')); header('Content-Type: x/y');",
    "www/session.php": "<?php session_start(); "
    "echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;",
    "www/wp-admin/index.php": "<?php echo 'admin';",
    "www/style.css": "css",
    "www/photo.jpg": "<?php echo 'evil';",
    "private/a.txt": "private",
}


@pytest.fixture
def php(serve, fpm):
    def start(options="", children=2, requests=0, workers=1):
        return serve(
            f"""
local pl = require "perilune"
pl.fastcgi("/", {{
  to = "{fpm(children, requests)}", root = "www", static = true,
  fallback = "index.php", {options}
}})
""",
            files=FILES,
            workers=workers,
        )

    return start


def test_a_request(php):
    server = php()
    answer = server.request(
        "POST",
        "/show.php/extra/path?a[]=1&a[]=2&b=%C3%A4",
        {"Content-Type": "application/x-www-form-urlencoded",
         "Cookie": "c=1; d=2", "Host": "site.example:8080", "X-Own": "yes"},
        b"name=J%C3%B6rg&n=5",
    )  # fmt: skip
    said = answer.json()
    assert answer.header("content-type") == "application/json"
    assert said["get"] == {"a": ["1", "2"], "b": "ä"}
    assert said["post"] == {"name": "Jörg", "n": "5"}
    assert said["cookie"] == {"c": "1", "d": "2"}
    env = said["server"]
    root = os.path.realpath(server.folder / "www")
    assert env["SCRIPT_FILENAME"] == root + "/show.php"
    assert env["PHP_SELF"] == "/show.php/extra/path"
    assert env["PATH_INFO"] == "/extra/path"
    assert env["DOCUMENT_ROOT"] == root
    assert env["HTTP_HOST"] == "site.example:8080"
    assert env["SERVER_NAME"] == "site.example"
    assert env["REMOTE_ADDR"] == "127.0.0.1"
    assert env["HTTP_X_OWN"] == "yes"
    assert env["CONTENT_LENGTH"] == "18"
    assert env["REQUEST_URI"].startswith("/show.php/extra/path?a[]=1")


def test_answers(php):
    server = php()
    answer = server.get("/status.php")
    assert (answer.status, answer.text) == (418, "tea")
    answer = server.get("/move.php")
    assert (answer.status, answer.header("location")) == (303, "/elsewhere")
    assert server.get("/big.php").body == b"".join(
        bytes([65 + i % 26]) * 50_000 for i in range(200)
    )
    head = server.request("HEAD", "/big.php")
    assert (head.status, head.body) == (200, b"")


def test_paths_as_wordpress_has_them(php):
    server = php()
    assert server.get("/").text == "front / /index.php"
    assert server.get("/2024/post/?p=1").text == (
        "front /2024/post/?p=1 /index.php"
    )
    assert server.get("/wp-admin").header("location") == "/wp-admin/"
    assert server.get("/wp-admin/").text == "admin"
    assert server.get("/style.css").text == "css"
    assert server.get("/photo.jpg/x.php").status == 404
    assert server.get("/missing.php").status == 404
    assert server.get("/show.php").text.startswith("{"), "never its source"


def test_errors_are_logged(php):
    server = php()
    assert server.get("/log.php").text == "ok"
    server.wait_log(r"fastcgi: .*something odd.* server=unix:")
    server.wait_log(r"Undefined variable \$undefined")
    assert server.get("/die.php").status == 500
    server.wait_log(r"undefined function no_such_function")


@pytest.mark.parametrize("size", [0, 100, 70_000, 20_000_000])
def test_bodies(php, size):
    from hashlib import md5

    body = os.urandom(size)
    server = php('max_body = "32m"')
    want = f"{md5(body).hexdigest()} {size}"
    assert server.request("PUT", "/hash.php", None, body).text == want
    with server.connect() as wire:
        wire.send(b"PUT /hash.php HTTP/1.1\r\nHost: a\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
        if size:
            wire.send(b"%x\r\n%s\r\n" % (size, body))
        wire.send(b"0\r\n\r\n")
        assert wire.response().text == want


def test_an_upload(php):
    from hashlib import md5

    data = os.urandom(3_000_000)
    server = php()
    body = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
        + data
        + b"\r\n--b--\r\n"
    )
    answer = server.request(
        "POST",
        "/upload.php",
        {"Content-Type": "multipart/form-data; boundary=b"},
        body,
    )
    assert answer.text == f"x.bin {len(data)} {md5(data).hexdigest()}"


def test_a_file_that_php_names(php):
    server = php('sendfile = "private"')
    answer = server.get("/send.php")
    assert (answer.status, answer.text) == (200, "private")
    assert answer.header("content-type").startswith("x/y")


def test_sessions(php):
    server = php()
    first = server.get("/session.php")
    cookie = first.header("set-cookie").split(";")[0]
    assert first.text == "1"
    for want in ("2", "3"):
        assert server.get("/session.php", {"Cookie": cookie}).text == want


@pytest.mark.parametrize("keepalive", [False, 2])
def test_children_that_come_and_go(php, keepalive):
    """They end after 5 requests each; none of ours is lost by that."""
    keep = f"keepalive = {keepalive}" if keepalive else ""
    server = php(keep, children=2, requests=5)
    with server.connect() as wire:
        for n in range(60):
            assert wire.get(f"/x{n}").text == f"front /x{n} /index.php"


def test_time(php):
    server = php('first_byte_timeout = "200ms"')
    assert server.get("/slow.php").status == 504
    server.wait_log("did not answer in time")
    assert server.get("/").status == 200


def test_more_requests_than_children(php):
    """They wait in its queue: each is answered."""
    server = php(children=1, workers=2)
    wires = [server.connect() for _ in range(40)]
    for n, wire in enumerate(wires):
        wire.send(f"GET /n{n} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    for n, wire in enumerate(wires):
        assert wire.response().text == f"front /n{n} /index.php"
        wire.close()


def test_the_example(serve, fpm):
    """examples/php: a site of PHP behind one file of Lua."""
    folder = Path(__file__).resolve().parents[2] / "examples/php"
    server = serve(
        folder, env={"PHP_FPM": fpm()}, workers=1
    )
    page = server.get("/")
    assert page.status == 200 and "<h1>" in page.text
    assert server.get("/articles/first").status == 200
    assert "first" in server.get("/articles/first").text
    assert "text/css" in server.get("/style.css").header("content-type")
    assert server.get("/articles/none").status == 404
    assert server.get("/uploads/note.php").status == 404
