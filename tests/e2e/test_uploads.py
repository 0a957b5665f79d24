"""Uploads: forms with files, bodies saved and spooled, and what goes wrong."""

import hashlib
import json
import random
import resource
import shutil
import socket
import subprocess

import pytest

from harness.server import sanitized
from harness.wait import wait_for

SITE = """
local pl = require "perilune"
pl.set { temp_folder = "tmp", body_rate = 0 }

pl.post("/parts", function(req)
  local list = {}
  for part in req:parts() do
    list[#list + 1] = {
      name = part.name, filename = part.filename, raw = part.raw_filename,
      type = part.type, x = part.headers["X-Extra"], text = part:text(),
    }
  end
  return pl.json.array(list)
end)
pl.post("/sizes", function(req)
  local sizes = {}
  for part in req:parts { max_parts = 10 } do
    local n = 0
    for piece in part:chunks(10000) do n = n + #piece end
    sizes[part.filename or part.name] = n
  end
  return sizes
end)
pl.post("/save", { max_parts = 20 }, function(req)
  local list = {}
  for part in req:parts() do
    if part.filename then
      local size, err = part:save("up/" .. part.filename)
      list[part.filename] = size or err.code
    else
      part:skip()
    end
  end
  return list
end)
pl.post("/body/:name", function(req)
  local size, err = req:save("up/" .. req.params.name, {
    mode = "600", exclusive = req.args.new ~= nil, sync = true,
    max = req.args.max,
  })
  if not size then return nil, err end
  return { size = size }
end)
pl.post("/names", function(req)
  local n = 0
  for _ in pairs(req:form()) do n = n + 1 end
  return tostring(n)
end)
pl.post("/lost", function(req) return req:save("nowhere/x") end)
pl.post("/form", { max_body = "8m", max_form_fields = 5 }, function(req)
  local form, err = req:form()
  if not form then return nil, err end
  local out = {}
  for name, value in pairs(form) do
    if type(value) == "table" then
      local n = 0
      for piece in value:chunks(100000) do n = n + #piece end
      assert(n == value.size and #value:text() == n)
      assert(value:save("up/" .. value.filename) == n)
      assert(value:save("up/" .. value.filename) == n)
      out[name] = { size = n, memory = value.data ~= nil, type = value.type }
    else
      out[name] = value
    end
  end
  return out
end)
pl.post("/whole", { max_body = "64m" }, function(req)
  return tostring(#req:body())
end)
pl.post("/echo", { max_body = "8m" }, function(req) return req:body() end)
pl.post("/memory", { max_body = "8m", body_spool = 0 }, function(req)
  return tostring(#req:body())
end)
pl.post("/discard", function(req) return tostring(req:discard()) end)
pl.post("/upload", { max_upload = "100k" }, function(req)
  return tostring(req:discard())
end)
pl.post("/refuse", function() return 401 end)
pl.post("/part-limit", function(req)
  for part in req:parts { max_size = 1000 } do part:text() end
  return "small"
end)
pl.post("/total-limit", function(req)
  for part in req:parts { max_total = "2k" } do part:skip() end
  return "small"
end)
pl.post("/save-limit", function(req)
  for part in req:parts() do part:save("up/limited", { max = "1k" }) end
  return "small"
end)
pl.post("/fail", function(req)
  for part in req:parts() do part:read(10); error "no" end
end)
pl.post("/stale", function(req)
  local kept
  for part in req:parts() do
    if kept then
      return (select(2, pcall(kept.read, kept)))
    end
    kept = part
  end
end)
pl.post("/twice", function(req)
  local first = req:body()
  local ok, err = pcall(req.save, req, "up/x")
  return first .. " " .. tostring(ok) .. " " .. tostring(err)
end)
"""
FOLDERS = {"tmp/.keep": "", "up/.keep": ""}
FORM = {"Content-Type": "multipart/form-data; boundary=B"}


def part(name, data=b"", filename=None, fields=""):
    head = f'--B\r\nContent-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    return f"{head}\r\n{fields}\r\n".encode() + data + b"\r\n"


def form(*parts):
    return b"".join(parts) + b"--B--\r\n"


@pytest.fixture(scope="module")
def site(serve_module):
    return serve_module(SITE, files=FOLDERS)


def folder(site, name):
    """The files in a folder of the site, with their contents."""
    path = site.folder / name
    return {
        p.name: p.read_bytes() for p in path.iterdir() if p.name != ".keep"
    }


def no_rest(site):
    """Nothing that is not complete has a name, and no file is still open."""
    assert folder(site, "tmp") == {}
    assert not [n for n in folder(site, "up") if n.startswith(".perilune")]
    wait_for(lambda: not open_files(site), "temporary files are closed")


def open_files(site):
    """Files without a name that the server has open."""
    return [
        target
        for target in site.proc.fd_targets()
        if target.startswith(str(site.folder)) and "(deleted)" in target
    ]


@pytest.fixture(autouse=True)
def clean(request):
    if "site" not in request.fixturenames:
        yield
        return
    site = request.getfixturevalue("site")
    yield
    no_rest(site)
    for name in folder(site, "up"):
        (site.folder / "up" / name).unlink()


# ---- parts ------------------------------------------------------------------


@pytest.mark.parametrize("how", ["whole", "bytewise"])
def test_parts_as_they_come(site, how):
    body = form(
        part("a", b"1\r\n2"),
        part("f", b"x" * 100, "C:\\d\\..\\e%22.txt", "X-Extra: y\r\n"),
        part("empty", b"", ""),
    )
    with site.connect() as wire:
        wire.send(
            b"POST /parts HTTP/1.1\r\nHost: a\r\nContent-Type: "
            b"multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n"
            % len(body)
            + body,
            how=how,
        )
        assert wire.response().json() == [
            {"name": "a", "text": "1\r\n2"},
            {
                "name": "f",
                "filename": 'e".txt',
                "raw": 'C:\\d\\..\\e".txt',
                "x": "y",
                "text": "x" * 100,
            },
            {"name": "empty", "raw": "", "text": ""},
        ]
        assert wire.request("POST", "/discard", body=b"abc").text == "3"


@pytest.mark.parametrize(
    "body, status",
    [
        (form(part("a"))[:-5], 400),
        (part("a") + b"--B", 400),
        (b"", 400),
        (b"nonsense", 400),
        (form(b"--B\r\nX: y\r\n\r\n\r\n"), 400),
        (form(*[part(f"a{i}") for i in range(1001)]), 413),
        (form(part("a", b"x" * (1 << 20 | 1))), 413),
        (form(part("a" * 1025)), 413),
        (form(part("a", fields="X: " + "y" * 9000 + "\r\n")), 413),
    ],
)
def test_bad_forms_answer_by_themselves(site, body, status):
    assert site.request("POST", "/parts", FORM, body).status == status
    assert "traceback" not in site.log()


def test_other_types_are_no_forms(site):
    for kind in ("text/plain", "multipart/mixed; boundary=B"):
        headers = {"Content-Type": kind}
        assert site.request("POST", "/parts", headers, b"x").status == 415
        assert site.request("POST", "/form", headers, b"x").status == 415
    headers = {"Content-Type": "multipart/form-data"}
    assert site.request("POST", "/parts", headers, b"x").status == 400


@pytest.mark.parametrize(
    "path, body, status",
    [
        ("/part-limit", form(part("a", b"x" * 1000)), 200),
        ("/part-limit", form(part("a", b"x" * 1001)), 413),
        ("/part-limit", form(part("a", b"x"), part("b", b"x" * 2000)), 413),
        ("/total-limit", form(part("a", b"x" * 1500)), 200),
        ("/total-limit", form(part("a", b"x" * 2500)), 413),
        ("/save-limit", form(part("a", b"x" * 1024)), 200),
        ("/save-limit", form(part("a", b"x" * 1025)), 413),
        ("/upload", b"x" * 102400, 200),
        ("/upload", b"x" * 102401, 413),
    ],
)
def test_limits_of_calls_and_routes(site, path, body, status):
    assert site.request("POST", path, FORM, body).status == status
    if status == 413:
        chunked = {**FORM, "Transfer-Encoding": "chunked"}
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        with site.connect() as wire:
            wire.send(
                f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode()
                + "".join(f"{k}: {v}\r\n" for k, v in chunked.items()).encode()
                + b"\r\n"
                + body
            )
            assert wire.response().status == 413


def test_a_part_ends_with_the_next_one(site):
    answer = site.request("POST", "/stale", FORM, form(part("a"), part("b")))
    assert "part used after the next one was asked for" in answer.text


def test_a_body_is_used_in_one_way(site):
    answer = site.request("POST", "/twice", body=b"abc").text
    assert answer.startswith("abc false ") and "in another way" in answer
    assert "site.lua:" in answer


# ---- files ------------------------------------------------------------------


def curl(site, path, *words):
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", *words, site.url(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_sends_large_files_in_flat_memory(site, tmp_path):
    random.seed(1)
    sizes = {"a.bin": 50 << 20, "b.bin": 50 << 20, "c d'é.txt": 12345, "e": 0}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(random.randbytes(size))
    words = ["-F", "title=x"]
    for name in sizes:
        words += ["-F", f"f=@{tmp_path / name}"]
    before = site.proc.peak_kib()
    assert curl(site, "/sizes", *words) == {**sizes, "title": 1}
    assert curl(site, "/save", *words) == sizes
    if not sanitized():
        assert site.proc.peak_kib() - before < 8 << 10
    for name in sizes:
        ours = (tmp_path / name).read_bytes()
        assert (site.folder / "up" / name).read_bytes() == ours


def test_a_body_becomes_a_file_at_once(site):
    path = site.folder / "up/x"
    for body in (b"one", b"x" * 300_000, b""):
        answer = site.request("POST", "/body/x", body=body)
        assert answer.json() == {"size": len(body)}
        assert path.read_bytes() == body
        assert path.stat().st_mode & 0o777 == 0o600
    assert site.request("POST", "/body/x?new=1", body=b"y").status == 500
    assert site.request("POST", "/body/y?new=1", body=b"y").status == 200
    site.wait_log("exists already")
    assert site.request("POST", "/body/z?max=2", body=b"abc").status == 413
    assert folder(site, "up") == {"x": b"", "y": b"y"}


def test_a_folder_that_is_not_there(site):
    assert site.request("POST", "/lost", body=b"x").status == 500
    site.wait_log("req:save: not found")


def test_forms_with_files(site):
    large = random.randbytes(3 << 20)
    body = form(
        part("title", b"hello"),
        part("small", b"s" * 60000, "s.txt", "Content-Type: text/x\r\n"),
        part("large", large, "l.bin"),
        part("title", b"second"),
    )
    assert site.request("POST", "/form", FORM, body).json() == {
        "title": "hello",
        "small": {"size": 60000, "memory": True, "type": "text/x"},
        "large": {"size": 3 << 20, "memory": False},
    }
    assert folder(site, "up") == {"s.txt": b"s" * 60000, "l.bin": large}


def test_form_floods_are_refused(site):
    plain = {"Content-Type": "application/x-www-form-urlencoded"}
    five = "&".join(f"a{i}=1" for i in range(5))
    for kind, good, bad in (
        (plain, five.encode(), (five + "&b=1").encode()),
        (
            FORM,
            form(*[part(f"a{i}") for i in range(5)]),
            form(*[part(f"a{i}") for i in range(6)]),
        ),
    ):
        assert site.request("POST", "/form", kind, good).status == 200
        assert site.request("POST", "/form", kind, bad).status == 413
    whole = form(part("a", b"x", "f"), part("b", b"y" * (8 << 20)))
    assert site.request("POST", "/form", FORM, whole).status == 413


def test_names_that_collide_are_only_names(site):
    """LuaJIT hashes a long name by its ends and its middle alone."""
    names = [f"{'x' * 18}{i:04}{'y' * 42}" for i in range(1000)]
    text = "&".join(f"{name}=1" for name in names)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert site.request("POST", "/names", kind, text.encode()).text == "1000"
    more = f"{text}&z=1".encode()
    assert site.request("POST", "/names", kind, more).status == 413


def test_large_bodies_are_spooled(site):
    body = random.randbytes(4_000_000)
    assert site.request("POST", "/echo", body=body).body == body
    with site.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000")
        wire.send(b"\r\n\r\n" + body[:200_000])
        wait_for(lambda: open_files(site), "a temporary file")
        wire.send(body[200_000:300_000])
        assert wire.response().body == body[:300_000]
        wait_for(lambda: not open_files(site), "it is closed")
        wire.send(b"POST /memory HTTP/1.1\r\nHost: a\r\nContent-Length: 300000")
        wire.send(b"\r\n\r\n" + body[:300_000])
        assert wire.response().text == "300000"


# ---- when it goes wrong -----------------------------------------------------


def begin_upload(site, path, sent):
    """Half of a form: the connection, when the server has begun to write."""
    wire = site.connect()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 7000000\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\n\r\n"
    )
    wire.send(head.encode() + part("f", b"x" * sent, "half")[:-2])
    wait_for(lambda: open_files(site), "a temporary file")
    return wire


@pytest.mark.parametrize("path", ["/save", "/form", "/body/half", "/echo"])
def test_a_client_that_leaves_leaves_nothing(site, path):
    begin_upload(site, path, 300_000).close()
    no_rest(site)
    assert folder(site, "up") == {}


def test_an_error_in_the_handler_leaves_nothing(site):
    body = form(part("f", b"x" * 300_000, "half"))
    assert site.request("POST", "/fail", FORM, body).status == 500
    no_rest(site)


def test_a_stop_in_the_middle_leaves_nothing(serve):
    site = serve(
        SITE + 'pl.set { stop_timeout = "100ms" }', files=FOLDERS
    )
    wire = begin_upload(site, "/save", 300_000)
    site.stop()
    wire.close()
    assert folder(site, "up") == {} and folder(site, "tmp") == {}


def test_a_kill_in_the_middle_leaves_nothing(serve):
    site = serve(SITE, files=FOLDERS)
    wire = begin_upload(site, "/save", 300_000)
    site.send_signal(9)
    assert site.wait() == -9
    wire.close()
    assert folder(site, "up") == {} and folder(site, "tmp") == {}


def test_a_full_disk_is_507(serve):
    site = serve(SITE, files=FOLDERS)
    resource.prlimit(site.pid, resource.RLIMIT_FSIZE, (500_000, 500_000))
    full = b"x" * 1_000_000
    form_body = form(part("f", full, "full"))
    for path, headers, body in (
        ("/echo", {}, full),
        ("/body/full", {}, full),
        ("/form", FORM, form_body),
    ):
        assert site.request("POST", path, headers, body).status == 507, path
    answer = site.request("POST", "/save", FORM, form_body)
    assert answer.json() == {"full": "no_space"}
    site.wait_log("no space left on the disk", 3)
    no_rest(site)
    assert folder(site, "up") == {}
    assert site.request("POST", "/echo", body=b"x" * 100_000).status == 200


def test_a_missing_temp_folder_is_500(serve):
    site = serve(SITE, files={"up/.keep": ""})
    assert site.request("POST", "/echo", body=b"x" * 9).status == 200
    assert site.request("POST", "/echo", body=b"x" * 100_000).status == 500
    site.wait_log("a temporary file failed: not found")


# ---- 100-continue, and answers that come first ------------------------------


def test_continue_waits_for_the_handler_to_read(site):
    head = (
        "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\nExpect: 100-continue\r\n\r\n"
    )
    body = form(part("a", b"1"))
    for path in ("/parts", "/save", "/body/x", "/form", "/discard"):
        with site.connect() as wire:
            wire.send(head.format(path, len(body)).encode())
            assert wire.response(interim=True).status == 100, path
            wire.send(body)
            assert wire.response().status == 200, path
    for path, status in (("/refuse", 401), ("/upload", 413), ("/nosuch", 404)):
        with site.connect() as wire:
            wire.send(head.format(path, 1 << 30).encode())
            assert wire.response().status == status  # and no 100 before it
            assert wire.read_to_end() == b""


def test_an_early_answer_reaches_a_client_that_still_sends(site):
    with socket.create_connection(("127.0.0.1", site.port)) as peer:
        peer.settimeout(60)
        peer.sendall(
            b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n"
            b"\r\n" + b"x" * 100_000
        )
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 401 ")


def test_what_was_saved_is_what_was_sent(site):
    data = random.randbytes(700_000)
    body = form(part("f", data, "h"))
    with site.connect() as wire:
        wire.send(
            b"POST /save HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/"
            b"form-data; boundary=B\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        at = 0
        while at < len(body):
            n = random.randint(1, 20_000)
            piece = body[at : at + n]
            wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            at += n
        wire.send(b"0\r\n\r\n")
        assert wire.response().json() == {"h": len(data)}
    saved = (site.folder / "up/h").read_bytes()
    assert hashlib.sha256(saved).digest() == hashlib.sha256(data).digest()
