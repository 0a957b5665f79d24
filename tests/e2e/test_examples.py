"""examples/clock and examples/livelog: pictures and lines that go on."""

import io
import os
import re
import subprocess

import pytest

from harness.browser import PROGRAM as CHROMIUM
from harness.browser import Browser
from harness.server import TOP
from harness.wait import wait_for

Image = pytest.importorskip("PIL.Image")

CLOCK = TOP / "examples/clock"
LIVELOG = TOP / "examples/livelog"
COLOURS = {
    "clock": {(0x10, 0x14, 0x18), (0xFF, 0x6A, 0x3D), (0xFF, 0xD9, 0xA0)},
    "dali": {(0xF4, 0xEF, 0xE6), (0x2B, 0x3A, 0x67), (0xB5, 0x65, 0x76)},
    "blocks": {(0x0B, 0x0F, 0x1A), (0x4C, 0xC9, 0xF0), (0xF7, 0x25, 0x85),
               (0xF9, 0xC7, 0x4F)},
}


def frames_of(data: bytes) -> list:
    """All frames of a GIF, as pictures; PIL knows the format better than we."""
    image = Image.open(io.BytesIO(data))
    assert image.format == "GIF"
    frames = []
    for n in range(image.n_frames):
        image.seek(n)
        frames.append(image.convert("RGB"))
    return frames


def watch(server, name: str, count: int) -> bytes:
    """The stream up to its frame number count."""
    data = b""
    with server.connect() as wire:
        wire.send(f"GET /{name}.gif HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        head = wire.read_until(b"\r\n\r\n")
        assert b"Content-Type: image/gif\r\n" in head
        while data.count(b"\x21\xf9\x04") < count + 1:
            size = int(wire.read_until(b"\r\n"), 16)
            data += wire.read_exactly(size)
            wire.read_exactly(2)
    return data[: data.rindex(b"\x21\xf9\x04")] + b";"


@pytest.mark.parametrize("name", COLOURS)
def test_clocks_are_sound_pictures(serve, name):
    server = serve(CLOCK, workers=2)
    count = 3 if name == "clock" else 12  # two of which may be of one second
    frames = frames_of(watch(server, name, count))
    assert len(frames) >= count
    for frame in frames:
        colours = {colour for _, colour in frame.getcolors()}
        assert frame.size == frames[0].size
        assert len(colours) > 1 and colours <= COLOURS[name]
    moved = len({frame.tobytes() for frame in frames})
    assert moved >= (4 if name == "dali" else 2), "digits melt, blocks fall"


def test_a_frame_is_drawn_once_for_all(serve):
    server = serve(CLOCK, workers=2)
    wires = [server.connect() for _ in range(10)]
    pieces = []
    for wire in wires:
        wire.send(b"GET /clock.gif HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"\r\n\r\n")
        wire.read_exactly(int(wire.read_until(b"\r\n"), 16) + 2)  # the GIF's
    for _ in range(2):
        pieces = [
            wire.read_exactly(int(wire.read_until(b"\r\n"), 16) + 2)
            for wire in wires
        ]
    assert len(set(pieces)) <= 2, "the same frame, or the next one"
    for wire in wires:
        wire.close()


def test_a_stream_ends_and_the_page_comes_again(serve):
    server = serve(CLOCK, env={"CLOCK_SECONDS": "4"})
    assert 'http-equiv="refresh" content="4"' in server.get("/").text
    whole = server.get("/clock.gif").body
    assert whole.endswith(b";")
    assert len(frames_of(whole)) >= 1


def test_a_stop_ends_the_clocks_whole(serve):
    server = serve(CLOCK, workers=2)
    with server.connect() as wire:
        wire.send(b"GET /blocks.gif HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"\x21\xf9\x04")
        server.send_signal()
        assert wire.read_to_end().endswith(b"\r\n1\r\n;\r\n0\r\n\r\n")
    assert server.wait() == 0
    assert "cut off" not in server.log()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_browser_shows_the_clocks(serve, tmp_path):
    server = serve(CLOCK, workers=2)
    seen = {}
    with Browser() as browser:
        page = browser.page(700, 400, scripts=True)
        page.call("Page.navigate", url=server.url("/"))
        wait_for(lambda: page.value(
            "document.images.length == 3 && "
            "[...document.images].every(i => i.naturalWidth > 100)"), "heads")
        boxes = page.value("""[...document.images].map(i => {
            const r = i.getBoundingClientRect();
            return [r.left, r.top, r.right, r.bottom].map(Math.round); })""")

        def look() -> bool:
            page.screenshot(tmp_path / "shot.png", whole=False)
            shot = Image.open(tmp_path / "shot.png").convert("RGB")
            for n, box in enumerate(boxes):
                seen.setdefault(n, set()).add(shot.crop(box).tobytes())
            return all(len(pictures) > 2 for pictures in seen.values())

        wait_for(look, "all of them move")
        page.close()


# ---- the live log ----


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_browser_follows_a_log(serve, tmp_path):
    log = tmp_path / "some.log"
    log.write_text("the first\n<b>the second</b>\n")
    server = serve(LIVELOG, workers=3, env={"LOG": str(log)})
    with Browser() as browser:
        page = browser.page(700, scripts=True)
        page.call("Page.navigate", url=server.url("/"))

        def lines() -> list[str]:
            return page.value("[...document.querySelectorAll('li')]"
                              ".map(li => li.textContent)") or []

        wait_for(lambda: len(lines()) == 2, "what was there")
        with log.open("a") as out:
            out.write("a third\nhalf of ")
            out.flush()
            wait_for(lambda: len(lines()) == 3, "what is added")
            out.write("a fourth\n")
        wait_for(lambda: len(lines()) == 4, "whole lines")
        os.replace(log, tmp_path / "old.log")
        log.write_text("of a new file\n")
        wait_for(lambda: len(lines()) == 5, "the next file")
        assert lines() == ["the first", "<b>the second</b>", "a third",
                           "half of a fourth", "of a new file"]
        page.close()


def test_lines_come_once_after_a_cut(serve, tmp_path):
    log = tmp_path / "some.log"
    log.write_text("".join(f"line {n}\n" for n in range(20)))
    server = serve(LIVELOG, workers=2, env={"LOG": str(log)})

    def read(last: str | None, until: str) -> str:
        with server.connect() as wire:
            head = "GET /lines HTTP/1.1\r\nHost: a\r\n"
            head += f"Last-Event-ID: {last}\r\n" if last else ""
            wire.send(head.encode() + b"\r\n")
            return wire.read_until(f"data: {until}\n".encode()).decode()

    first = read(None, "line 9")
    last = re.findall(r"id: (\d+)", first)[-1]
    rest = read(last, "line 19")
    assert re.findall(r"line (\d+)", first) == [str(n) for n in range(10)]
    assert re.findall(r"line (\d+)", rest) == [str(n) for n in range(10, 20)]


def test_the_checks_pass():
    from harness.server import program

    for folder in (CLOCK, LIVELOG):
        subprocess.run([program(), "check", folder], check=True)
