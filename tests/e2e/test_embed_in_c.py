"""examples/embed-in-c: a C program around libperilune, over real sockets."""

import gzip
import json
import re
import socket
import ssl
import subprocess
import sys

import pytest

from conformance.websocket.frames import TEXT, Client, closing, frame
from harness.server import TOP, Server, build_folder

sys.path.insert(0, str(TOP / "tools"))

import docblocks  # noqa: E402

EXAMPLE = TOP / "examples/embed-in-c"
TOUR = TOP / "docs/c-api.md"


@pytest.fixture
def example(tmp_path):
    program = build_folder() / "examples/embed-in-c/embed-in-c"
    words = [program, "127.0.0.1:0", EXAMPLE, tmp_path, f"unix:{tmp_path}/raw"]
    server = Server(words, tmp_path, {})
    yield server
    faults = server.finish()
    print(server.log())
    assert not faults, "; ".join(faults)


def test_all_of_it_over_tls(tmp_path):
    program = build_folder() / "examples/embed-in-c/embed-in-c"
    words = [program, "127.0.0.1:0", EXAMPLE, tmp_path, f"unix:{tmp_path}/raw",
             "127.0.0.1:0"]
    server = Server(words, tmp_path, {})
    try:
        (match,) = server.wait_log(r"listening on https://127\.0\.0\.1:(\d+)/")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with server.connect(("127.0.0.1", int(match[1]))) as wire:
            wire.socket = context.wrap_socket(wire.socket)
            assert wire.get("/hello").text == "Hello, world!\n"
    finally:
        faults = server.finish()
    assert not faults, "; ".join(faults)


def text(server, target: str) -> str:
    response = server.get(target)
    assert response.status == 200, target
    return response.body.decode()


def test_words_are_counted_and_escaped(example):
    page = text(example, "/words?text=a%20%3Cb%26%22%3E%20a%20%C3%A9'")
    assert set(page.splitlines()) == {
        '<li><a href="?text=a">a</a>: 2',
        '<li><a href="?text=%3Cb%26%22%3E">&lt;b&amp;&quot;&gt;</a>: 1',
        "<li><a href=\"?text=%C3%A9%27\">\u00e9&#39;</a>: 1",
    }
    assert text(example, "/words") == ""


def test_arguments_and_parameters(example):
    assert text(example, "/hello") == "Hello, world!\n"
    assert text(example, "/hello?name=the%20moon") == "Hello, the moon!\n"
    assert text(example, "/users/42") == '{"id":42}\n'
    assert example.get("/users/x").status == 404
    assert example.request("POST", "/users/42").status == 405
    assert text(example, "/sleep?ms=1") == "Good morning.\n"


def test_workers_share_the_counter(example):
    """Each connection may be served by another worker."""
    for _ in range(20):
        text(example, "/hello")
    assert text(example, "/counter") == "21\n"


def test_streams(example):
    response = example.get("/countdown")
    assert response.header("transfer-encoding") == "chunked"
    assert response.body == b"3...\n2...\n1...\nLift-off.\n"


def test_raw_connections(example, tmp_path):
    text(example, "/hello")  # it is ready
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(f"{tmp_path}/raw")
        peer.sendall(b"one\ntw")
        with peer.makefile("rb") as answers:
            assert answers.readline() == b"one\n"
            peer.sendall(b"o\n")
            assert answers.readline() == b"two\n"


def test_workers_share_a_dictionary(example):
    for n in range(1, 21):
        assert text(example, "/visits/home") == f"{n}\n"
    assert text(example, "/visits/away") == "1\n"


def test_a_template_shows_a_struct(example):
    empty = example.get("/visits")
    assert empty.header("content-type") == "text/html; charset=utf-8"
    assert empty.body.endswith(b"<ul>\n</ul>\n<p>None yet.\n")
    for page in "home", "home", "a%3Cb":
        text(example, f"/visits/{page}")
    page = text(example, "/visits")
    assert "<li>home: 2\n" in page and "<li>a&lt;b: 1\n" in page
    assert "None yet" not in page


def test_json_shows_the_same_struct(example):
    assert text(example, "/visits.json") == '{"visits":[]}'
    for page in "home", "home", "a%22%3C":
        text(example, f"/visits/{page}")
    response = example.get("/visits.json")
    assert response.header("content-type") == "application/json"
    visits = json.loads(response.body)["visits"]
    assert sorted(visits, key=lambda visit: visit["page"]) == [
        {"page": 'a"<', "times": 1},
        {"page": "home", "times": 2},
    ]


def total(example, order: bytes):
    return example.request("POST", "/total", body=order)


def test_json_is_read_and_written(example):
    order = [
        {"name": 'tea \U0001f375 "\n', "price": 2.5, "count": 2},
        {"name": "milk", "price": 1},
        {"price": 0.1, "count": 1e1, "more": [None, True, {}]},
    ]
    for dumped in json.dumps(order), json.dumps(order, ensure_ascii=False):
        answer = total(example, dumped.encode())
        assert answer.status == 200
        assert json.loads(answer.body) == {"total": 7.0, "order": order}
    assert total(example, b"[]").text == '{"total":0,"order":[]}'
    assert total(example, b'[{"price": "1"}]').status == 422


def test_json_that_is_none_is_refused_with_its_place(example):
    valid = json.dumps([{"price": 1.5, "name": "\u00e4"}]).encode()
    for cut in range(len(valid)):
        refused = total(example, valid[:cut])
        assert refused.status == 400
        assert refused.text.startswith("line 1, column ")
    assert total(example, b"[\n{]").text == (
        "line 2, column 2: a string was expected as a key\n"
    )
    assert total(example, b"[" * 129).status == 413
    assert total(example, b"[" * (2 << 20)).status == 413


def test_events_reach_whoever_listens(example):
    wires = [example.connect() for _ in range(4)]
    for wire in wires:
        wire.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"text/event-stream")
    assert example.request("POST", "/events", body=b"hello").text == "4\n"
    for wire in wires:
        wire.read_until(b"data: ")
        wire.read_until(b"hello")
        wire.reset()


def test_a_timer_tells_whoever_listens(example):
    text(example, "/hello")
    with example.connect() as wire:
        wire.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(2):
            wire.read_until(b"requests: 2")
        wire.reset()


def test_uploads_are_saved_part_by_part(example):
    large = bytes(range(256)) * 4000

    def upload(body):
        kind = {"Content-Type": "multipart/form-data; boundary=B"}
        return example.request("POST", "/upload", kind, body)

    def part(name, data):
        head = f'--B\r\nContent-Disposition: form-data; name="f"{name}'
        return head.encode() + b"\r\n\r\n" + data + b"\r\n"

    parts = (
        part('; filename="../../a.bin"', large)
        + part("", b"text")
        + part('; filename=""', b"")
        + part('; filename="b"', b"")
    )
    assert upload(parts + b"--B--").text == "a.bin 1024000\nb 0\n"
    assert (example.folder / "1-a.bin").read_bytes() == large
    assert (example.folder / "2-b").read_bytes() == b""
    assert text(example, "/upload").split("\n")[:2] == ["1-a.bin", "2-b"]
    assert upload(parts).status == 400
    assert example.request("POST", "/upload", {}, b"x").status == 501


def test_sleeping_holds_nobody_up(example):
    """More naps at a time than there are workers, on one connection each."""
    wires = [example.connect() for _ in range(200)]
    for wire in wires:
        wire.send(b"GET /sleep?ms=50 HTTP/1.1\r\nHost: a\r\n\r\n")
    for wire in wires:
        assert wire.response().body == b"Good morning.\n"
        wire.close()


def test_bodies_of_any_length(example):
    body = bytes(range(256)) * 10000
    response = example.request("POST", "/sum", body=body)
    assert response.body == b"%d\n" % sum(body)


def test_files(example):
    source = (EXAMPLE / "main.c").read_bytes()
    response = example.get("/file?name=main.c")
    assert response.body == source
    assert response.header("content-type").startswith("text/x-c")
    assert example.get("/files/main.c").body == source
    ranged = example.get("/file?name=main.c", {"Range": "bytes=3-8"})
    assert (ranged.status, ranged.body) == (206, source[3:9])
    assert example.get("/file?name=../../VERSION").status == 404
    assert example.get("/file?name=").status == 404


def test_programs(example):
    lines = (EXAMPLE / "main.c").read_text().count("\n")
    assert text(example, "/lines").strip() == str(lines)


def test_a_program_works_while_the_body_arrives(example):
    body = bytes(range(256)) * 10000
    response = example.request("POST", "/gzip", body=body)
    assert response.header("content-type") == "application/gzip"
    assert gzip.decompress(response.body) == body
    large = example.request("POST", "/gzip", body=bytes((8 << 20) + 1))
    assert large.status == 413


def test_blocking_calls_and_kept_values(example):
    for _ in range(2):
        assert text(example, "/resolve?host=localhost") == "127.0.0.1\n"
    assert example.get("/resolve?host=not%20a%20host").status == 404
    assert example.get("/resolve").status == 400


def test_term_finishes_what_runs(example):
    with example.connect() as wire:
        wire.send(b"GET /countdown HTTP/1.1\r\nHost: a\r\n\r\n")
        begun = wire.read_until(b"3...")
        example.send_signal()
        wire.buffer = begun + wire.buffer
        assert wire.response().body.endswith(b"Lift-off.\n")
    assert example.wait() == 0


def test_websockets(example):
    with Client(example.port, "/echo") as client:
        client.send(frame(TEXT, b"hello"))
        assert client.read().data == b"hello"
        client.send(closing(4000))
        assert client.read().data == b"\x0f\xa0" and client.at_end()
    with Client(example.port, "/room") as one:
        with Client(example.port, "/room") as two:
            two.send(frame(TEXT, b"to all"))
            assert one.read().data == two.read().data == b"to all"
    assert example.get("/echo").status == 426


def test_the_tour_shows_the_example():
    source = (EXAMPLE / "main.c").read_text()
    shown = [b for b in docblocks.blocks(TOUR) if b.language == "c"]
    assert shown
    for block in shown:
        if "int main(" not in block.text or "#include" not in block.text:
            assert block.text in source, f"{TOUR.name}:{block.line}"


@pytest.mark.parametrize(
    "block",
    [b for b in docblocks.blocks(TOUR) if "#include <perilune.h>" in b.text],
    ids=lambda b: b.text.split()[1],
)
def test_programs_of_the_tour_compile(block, tmp_path):
    file = tmp_path / "program.c"
    file.write_text(block.text)
    done = subprocess.run(
        ["cc", "-std=c11", "-Wall", "-Werror", "-fsyntax-only",
         f"-I{TOP / 'include'}", file],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_tour_lists_all_settings():
    table = (TOP / "src/route/settings.c").read_text()
    names = re.findall(r'^    (?:ROW|TEXT)\("(\w+)"', table, re.MULTILINE)
    assert len(names) > 10
    listed = TOUR.read_text()
    assert [name for name in names if f"`{name}`" not in listed] == []
