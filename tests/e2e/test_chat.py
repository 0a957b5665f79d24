"""examples/chat, in browsers that sit in one room with different workers."""

import json

import pytest

from harness.browser import PROGRAM as CHROMIUM
from harness.browser import Browser
from harness.server import TOP
from harness.wait import wait_for

CHAT = TOP / "examples/chat"
LINES = """[...document.querySelectorAll("#log li")]
  .map(li => li.textContent)"""


def enter(page, url, name, room="lobby"):
    page.open(url)
    page.value(f"""(() => {{
      const form = document.getElementById("enter");
      form.elements.name.value = {json.dumps(name)};
      form.elements.room.value = {json.dumps(room)};
      form.requestSubmit();
    }})()""")
    wait_for(lambda: f"{name} has come" in lines(page), f"{name} in {room}")


def say(page, text):
    page.value(f"""(() => {{
      const form = document.getElementById("say");
      form.elements.text.value = {json.dumps(text)};
      form.requestSubmit();
    }})()""")


def lines(page) -> list[str]:
    return page.value(LINES)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_chat_of_browsers(serve):
    server = serve(CHAT, workers=4)
    with Browser() as browser:
        ada, bob, eve = [browser.page(500, scripts=True) for _ in range(3)]
        enter(ada, server.url("/"), "Ada")
        enter(bob, server.url("/"), "Bob")
        enter(eve, server.url("/"), "Eve", "attic")
        say(ada, "hello, <b>moon</b> \u2600")
        for page in (ada, bob):
            wait_for(
                lambda: "Adahello, <b>moon</b> \u2600" in lines(page), "said"
            )
        say(bob, "hello, Ada")
        wait_for(lambda: "Bobhello, Ada" in lines(ada), "answered")
        assert lines(eve) == ["Eve has come"], "another room"
        ada.close()
        wait_for(lambda: "Ada has gone" in lines(bob), "gone")
        late = browser.page(500, scripts=True)
        enter(late, server.url("/"), "Dan")
        assert "Bobhello, Ada" in lines(late), "what was said before"
        for _ in range(8):
            say(late, "again and again")
        wait_for(lambda: "not so fast" in lines(late), "told to be slower")
        server.send_signal()
        wait_for(
            lambda: "down" in late.value("document.getElementById('state')"
                                         ".textContent"),
            "told that the server is gone",
        )
    assert server.wait() == 0


def test_the_page_of_another_site_may_not_enter(serve):
    server = serve(CHAT, workers=1)
    with server.connect() as wire:
        wire.send(
            b"GET /rooms/lobby?name=x HTTP/1.1\r\nHost: a\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nOrigin: http://evil.example\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert wire.response().status == 403
