"""pl.basic: who may enter, by name and password."""

import base64
import crypt
import os
import shutil
import subprocess

import pytest

from harness.wait import wait_for

PASSWORD = "Zwölf Boxkämpfer: \"jagen\" \\ %"


def basic(user, password, scheme="Basic"):
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"{scheme} {token}"}


def by_htpasswd(flag):
    def make(password):
        if not shutil.which("htpasswd"):
            pytest.skip("there is no htpasswd (apache2-utils)")
        out = subprocess.run(["htpasswd", "-nb" + flag, "x", password],
                             capture_output=True, text=True, check=True)
        return out.stdout.strip().split(":", 1)[1]
    return make


def by_openssl(flag):
    def make(password):
        out = subprocess.run(["openssl", "passwd", flag, password],
                             capture_output=True, text=True, check=True)
        return out.stdout.strip()
    return make


def by_crypt(prefix):
    return lambda password: crypt.crypt(password, prefix + "abcdefgh$")


def by_yescrypt(password):
    return crypt.crypt(password, "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$")


FORMATS = {
    "bcrypt": by_htpasswd("B"),
    "apr1": by_htpasswd("m"),
    "apr1 of openssl": by_openssl("-apr1"),
    "sha1": by_htpasswd("s"),
    "sha256-crypt": by_openssl("-5"),
    "sha512-crypt": by_openssl("-6"),
    "md5-crypt": by_openssl("-1"),
    "sha512-crypt of libcrypt": by_crypt("$6$"),
    "yescrypt": by_yescrypt,
}

FILE = """
local pl = require "perilune"
pl.use(pl.basic { file = "htpasswd", realm = [[a "quoted" \\ realm]] })
pl.get("/", function(req) return "hello " .. req.user end)
"""

ARGON2 = """
local pl = require "perilune"
io.write(assert(pl.crypto.password.hash(arg[1], { memory = "64k" })))
"""


def check_one(server, user, password):
    good = server.get("/", basic(user, password))
    assert (good.status, good.text) == (200, f"hello {user}")
    assert server.get("/", basic(user, password)).status == 200
    for wrong in (password + "x", password[:-1], "", password.swapcase()):
        bad = server.get("/", basic(user, wrong))
        assert bad.status == 401, wrong
        assert bad.header("www-authenticate") == (
            r'Basic realm="a \"quoted\" \\ realm", charset="UTF-8"')


@pytest.mark.parametrize("name", FORMATS)
def test_each_kind_of_hash(serve, name):
    made = FORMATS[name](PASSWORD)
    server = serve(FILE, files={"htpasswd": f"# users\n\nsally:{made}\n"})
    check_one(server, "sally", PASSWORD)


def test_argon2(serve, command):
    made = command("run", "hash.lua", PASSWORD, files={"hash.lua": ARGON2})
    assert made.stdout.startswith("$argon2id$"), made.stderr
    server = serve(FILE, files={"htpasswd": f"sally:{made.stdout}\n"})
    check_one(server, "sally", PASSWORD)


def test_known_hashes(serve):
    """Of the documents and of other programs, so that two equal mistakes of
    maker and verifier would be seen."""
    lines = {
        "apr": "$apr1$xxxxxxxx$dxHfLAsjHkDRmG83UXe8K0",  # Apache: "password"
        "sha": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "bcrypt": "$2a$05$CCCCCCCCCCCCCCCCCCCCC."  # of crypt_blowfish
                  "E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "sha256": "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    }
    passwords = {"bcrypt": "U*U", "sha256": "Hello world!"}
    text = "".join(f"{name}:{made}\n" for name, made in lines.items())
    server = serve(FILE, files={"htpasswd": text})
    for name in lines:
        said = passwords.get(name, "password")
        assert server.get("/", basic(name, said)).status == 200, name
        assert server.get("/", basic(name, said + "!")).status == 401, name


def test_files_of_lwan(serve):
    server = serve(FILE, files={
        "htpasswd": "sally = pass word: 1\n  # nobody\n\tneil\t=moon\n"})
    check_one(server, "sally", "pass word: 1")
    check_one(server, "neil", "moon")
    assert server.get("/", basic("nobody", "moon")).status == 401


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"Authorization": "Basic"},
        {"Authorization": "Basic "},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic c2FsbHk="},  # no colon
        {"Authorization": "Bearer c2FsbHk6bW9vbg=="},
        {"Authorization": "BasicX c2FsbHk6bW9vbg=="},
        basic("sally", "moon\n"),
        basic("sal\0ly", "moon"),
        basic("", "moon"),
        basic("nobody", "moon"),
        basic("sally", "m" * 5000),
    ],
)
def test_what_is_no_password(serve_module, said):
    server = serve_module(FILE, files={"htpasswd": "sally = moon\n"})
    assert server.get("/", said).status == 401
    assert server.get("/", basic("sally", "moon", "bASIC")).status == 200


@pytest.mark.parametrize(
    "text, wrong",
    [
        (None, "htpasswd: cannot read the list of users: not found"),
        ("a:b\n", "htpasswd:1: user 'a': no hash of a kind that is known"),
        ("# x\n\nno line\n", "htpasswd:3: a line is \"name:hash\""),
        ("a = b\nb=c\n", "htpasswd:2: a line is"),
        (":x\n", "htpasswd:1: the name of a user is empty"),
        ("a:$9$x\n", "htpasswd:1: user 'a': no hash"),
        ("a:" + "$" * 600, "htpasswd:1: user 'a': no hash"),
        ("x" * 300 + " = y", "htpasswd:1: the name of a user is empty or has"),
    ],
)
def test_a_file_that_is_not_good_does_not_load(command, text, wrong):
    files = {"site.lua": FILE}
    if text is not None:
        files["htpasswd"] = text
    done = command("check", "site.lua", files=files)
    assert done.returncode != 0
    assert wrong in done.stderr + done.stdout
    assert "site.lua:3: pl.basic: " in done.stderr + done.stdout


OPTIONS = """
local pl = require "perilune"
local basic = pl.basic { users = { sally = "moon", neil = "%s" }, cache = %s }
pl.get("/open", function() return "open" end)
pl.get("/route", { auth = basic }, function(req) return req.user end)
pl.group("/group", { auth = basic }, function()
  pl.get("/", function(req) return req.user end)
  pl.static("/files", { root = "public" })
end)
pl.static("/static", { root = "public", auth = basic })
pl.group("/more", { use = { basic, function(req, res, next)
  res:header("x-user", req.user)
  next()
end } }, function()
  pl.get("/", function(req) req.user = { name = req.user } return req.user end)
end)
pl.get("/after", function(req) return tostring(req.user) end)
"""


@pytest.mark.parametrize("cache", ["'1m'", "false"])
def test_on_routes_groups_and_files(serve, cache):
    made = crypt.crypt("moon", crypt.mksalt(crypt.METHOD_SHA512, rounds=1000))
    server = serve(OPTIONS % (made, cache), files={"public/a.txt": "a"})
    assert server.get("/open").text == "open"
    assert server.get("/after").text == "nil"
    for path in ("/route", "/group/", "/group/files/a.txt", "/static/a.txt",
                 "/more/"):
        assert server.get(path).status == 401, path
        for user in ("sally", "neil"):
            for _ in range(2):
                answer = server.get(path, basic(user, "moon"))
                assert answer.status == 200, path
                want = "a" if path.endswith("txt") else user
                assert want in answer.text
            assert server.get(path, basic(user, "mars")).status == 401, path
    more = server.get("/more/", basic("neil", "moon"))
    assert more.header("x-user") == "neil"


CHECK = """
local pl = require "perilune"
pl.get("/", { auth = pl.basic { check = function(user, password, req)
  pl.sleep(0.001)
  if user == "boom" then return nil, "the database is away" end
  if password ~= "moon" then return false end
  if user == "table" then return { name = "a table" } end
  return user == "other" and "somebody" or true
end } }, function(req)
  return type(req.user) == "table" and req.user.name or req.user
end)
"""


def test_a_function_that_decides(serve):
    server = serve(CHECK, "--access-log", "-")
    for user, want in (("sally", "sally"), ("other", "somebody"),
                       ("table", "a table")):
        assert server.get("/", basic(user, "moon")).text == want
        assert server.get("/", basic(user, "mars")).status == 401
    assert server.get("/").status == 401
    assert server.get("/", basic("boom", "x")).status == 500
    server.wait_log("the database is away")
    server.wait_log(r"127\.0\.0\.1 - somebody \[")


@pytest.mark.parametrize(
    "options, wrong",
    [
        ("{}", "pl.basic: one of the options file, users, check is needed"),
        ("{ file = 'a', check = print }", "one of the options"),
        ("{ users = { 'x' } }", "the name of a user must be a string"),
        ("{ users = { a = 1 } }", "the hash of a must be a string"),
        ("{ users = { a = '$9$' } }", "user 'a': no hash of a kind"),
        ("{ users = {}, relm = 'x' }", "did you mean 'realm'?"),
        ("{ users = {}, realm = 'a\\nb' }", "the realm has control characters"),
        ("{ users = {}, cache = 'x' }", "option 'cache' is no time"),
        ("{ check = 1 }", "a function is needed"),
    ],
)
def test_misuse(command, options, wrong):
    done = command("check", "site.lua", files={
        "site.lua": f'local pl = require "perilune"\npl.basic {options}\n'})
    assert done.returncode != 0
    assert "site.lua:2: " in done.stderr + done.stdout
    assert wrong in done.stderr + done.stdout


@pytest.mark.parametrize("value", ["5", "{}", "io.stdout", "'x'"])
def test_what_is_no_filter(command, value):
    done = command("check", "site.lua", files={
        "site.lua": 'local pl = require "perilune"\n'
                    f'pl.get("/", {{ auth = {value} }}, function() end)\n'})
    said = done.stderr + done.stdout
    assert done.returncode != 0
    assert "pl.get: option 'auth': a function is needed" in said


def write(path, text):
    """As an editor that is careful."""
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


def status(server, user, password):
    return server.get("/", basic(user, password)).status


def test_changes_of_the_file_are_seen(serve):
    server = serve(FILE, workers=1, files={"htpasswd": "sally = moon\n"})
    path = server.folder / "htpasswd"

    def comes(user, code, what):
        wait_for(lambda: status(server, user, "moon") == code, what)

    def is_logged(text):
        wait_for(lambda: status(server, "neil", "moon") == 200
                 and text in server.log(), text)

    comes("sally", 200, "the first list")
    write(path, "sally = mars\nneil = moon\n")
    comes("neil", 200, "a new user")
    comes("sally", 401, "another password")
    write(path, "not a list\n")
    is_logged("htpasswd:1: a line is")
    path.unlink()
    is_logged("htpasswd: cannot read the list of users: not found (the former")
    write(path, "buzz = moon\n")
    comes("buzz", 200, "the list after that")
    comes("neil", 401, "the list after that")


def test_each_worker_sees_changes(serve):
    server = serve(FILE, workers=2, files={"htpasswd": "sally = moon\n"})
    assert status(server, "sally", "moon") == 200
    write(server.folder / "htpasswd", "neil = moon\n")
    wait_for(lambda: all(status(server, "neil", "moon") == 200
                         for _ in range(12)), "all workers")


def test_many_at_once_are_verified_once(serve):
    """A burst with one password takes one thread; all get their answer, also
    those that go away in the middle."""
    made = crypt.crypt("moon", crypt.mksalt(crypt.METHOD_SHA512))
    server = serve(FILE, files={"htpasswd": f"sally:{made}\n"})
    wires = [server.connect() for _ in range(30)]
    try:
        head = basic("sally", "moon")["Authorization"]
        for wire in wires:
            wire.send(f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {head}"
                      "\r\n\r\n".encode())
        for wire in wires[::3]:
            wire.close()
        for i, wire in enumerate(wires):
            if i % 3:
                assert wire.response().status == 200
    finally:
        for wire in wires:
            wire.close()


def test_guessing_does_not_take_all_threads(serve):
    made = crypt.crypt("moon", crypt.mksalt(crypt.METHOD_SHA512,
                                            rounds=200000))
    server = serve(FILE, workers=1, files={"htpasswd": f"sally:{made}\n"})
    wires = [server.connect() for _ in range(80)]
    try:
        for n, wire in enumerate(wires):
            head = basic("sally", f"guess {n}")["Authorization"]
            wire.send(f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {head}"
                      "\r\n\r\n".encode())
        codes = [wire.response().status for wire in wires]
    finally:
        for wire in wires:
            wire.close()
    assert set(codes) <= {401, 503} and codes.count(401) >= 64


def test_the_log_and_the_counts(serve, tmp_path):
    server = serve(FILE, "--access-log", "-", "--admin",
                   str(tmp_path / "admin"), workers=1,
                   files={"htpasswd": "sally ride = moon\n"})
    server.get("/", basic("sally ride", "moon"))
    server.get("/", basic("sally ride", "x"))
    server.wait_log(r"127\.0\.0\.1 - sally\\x20ride \[[^\]]+\] \"GET /")
    server.wait_log(r"127\.0\.0\.1 - - \[[^\]]+\] \"GET / HTTP/1.1\" 401")
