"""browser - Chromium without a window, told what to do over two pipes.

It speaks the DevTools protocol (JSON, ended by NUL): real layout at any width,
and a list of everything a page asks for. Waits for answers, never for time.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from .wait import GUARD

PROGRAM = shutil.which("chromium")
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-dev-shm-usage --disable-background-networking --disable-sync
--disable-component-update --disable-default-apps --disable-extensions
--remote-debugging-pipe""".split()


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="perilune-browser-")
        to_read, self.to_write = os.pipe()
        self.to_hear, to_say = os.pipe()
        # It reads commands from descriptor 3 and answers on descriptor 4.
        shell = f'exec "$@" 3<&{to_read} 4>&{to_say}'
        words = [PROGRAM, *FLAGS, f"--user-data-dir={self.folder}"]
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *words, "about:blank"],
            pass_fds=(to_read, to_say),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_say)
        self.rest, self.number, self.events = b"", 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("Browser.close")
        os.close(self.to_write)
        os.close(self.to_hear)
        self.process.wait(GUARD)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _message(self) -> dict:
        end = time.monotonic() + GUARD
        while b"\0" not in self.rest:
            left = max(end - time.monotonic(), 0)
            ready, _, _ = select.select([self.to_hear], [], [], left)
            data = os.read(self.to_hear, 1 << 20) if ready else b""
            assert data, "the browser has ended or says nothing"
            self.rest += data
        text, _, self.rest = self.rest.partition(b"\0")
        return json.loads(text)

    def call(self, method: str, session: str | None = None, **params) -> dict:
        """Sends a command and returns its result; events are kept."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": params}
        if session:
            command["sessionId"] = session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self.to_write, data) :]
        while True:
            message = self._message()
            if message.get("id") == self.number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self.events.append(message)

    def wait_event(self, session: str, method: str) -> dict:
        """The next event of that name since the last one was taken. A page that
        never stops talking is not waited for without end."""
        end = time.monotonic() + 5 * GUARD
        while time.monotonic() < end:
            for i, event in enumerate(self.events):
                if (event["method"], event.get("sessionId")) == (
                    method,
                    session,
                ):
                    return self.events.pop(i)["params"]
            self.events.append(self._message())
        raise AssertionError(f"the browser never said {method}")

    def page(
        self, width: int, height: int = 800, dark=False, scripts=False
    ) -> "Page":
        return Page(self, width, height, dark, scripts)


class Page:
    """One tab, of a fixed size. Scripts of the page run only if asked for."""

    def __init__(self, browser, width, height, dark, scripts):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")
        self.target = target["targetId"]
        self.session = browser.call(
            "Target.attachToTarget", targetId=self.target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(domain + ".enable")
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = "dark" if dark else "light"
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def call(self, method: str, **params) -> dict:
        return self.browser.call(method, self.session, **params)

    def open(self, url: str):
        """Loads the page, with its frames."""
        result = self.call("Page.navigate", url=url)
        assert "errorText" not in result, (url, result)
        self.wait_load()

    def wait_load(self):
        self.browser.wait_event(self.session, "Page.loadEventFired")

    def value(self, expression: str):
        """What a JavaScript expression of ours yields in the page."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def requests(self) -> list[str]:
        """The addresses asked for so far."""
        return [
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event.get("sessionId") == self.session
            and event["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path: Path, whole=True):
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
