"""examples/terminal-chat: people at terminals, on several workers."""

import shutil

from harness.server import TOP
from harness.wire import Wire

SOURCE = TOP / "examples" / "terminal-chat" / "main.lua"


def enter(port, name):
    wire = Wire(("127.0.0.1", port))
    assert wire.read_until(b"? ") == b"Who are you? "
    wire.send(name + b"\n")
    assert wire.read_until(b"\n") == b"Hello, " + name + b"!\n"
    return wire


def test_people_hear_each_other(serve, tmp_path):
    site = tmp_path / "main.lua"
    shutil.copy(SOURCE, site)
    site.write_text(site.read_text().replace("127.0.0.1:7070", "127.0.0.1:0"))
    server = serve(site, workers=2)
    found = server.wait_log(r"listening on tcp://127\.0\.0\.1:(\d+)")
    port = int(found[0][1])
    ann = enter(port, b"Ann")
    bob = enter(port, b"Bob")
    assert ann.read_until(b"\n") == b"Bob: (has come)\n"
    ann.send(b"hi \x07Bob\n")
    assert bob.read_until(b"\n") == b"Ann: hi Bob\n"
    head = "content-type: application/x-www-form-urlencoded"
    answer = server.request(
        "POST", "/say", dict([head.split(": ")]), b"text=hello"
    )
    assert answer.json() == {"heard_by": 2}
    assert ann.read_until(b"\n") == b"web: hello\n"
    assert bob.read_until(b"\n") == b"web: hello\n"
    bob.close()
    assert ann.read_until(b"\n") == b"Bob: (has gone)\n"
    ann.close()
