#!/usr/bin/python3
"""friend - a well-behaved client, and how long it waits.

    friend.py WIRE PORT SECONDS

Asks once on each of its connections, says "ready", waits for a line, then asks
on each of them, and once in a while on a new one, at a constant rate. A
question has a time at which it is due, and its wait is counted from then: one
that is late because the answer before it was late has waited, too. Prints JSON:
the waits in milliseconds, and what failed.
"""

import gc
import json
import ssl
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from conformance.http2.case import get  # noqa: E402
from conformance.websocket.frames import TEXT, Client, frame  # noqa: E402
from harness.h2wire import H2Wire, settings, window  # noqa: E402
from harness.wire import Wire  # noqa: E402

GUARD = 10  # seconds after which a question has failed
KEPT, EACH = 20, 10  # connections, and questions a second on each
FRESH = 10  # questions a second on new connections
PROXY = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"


class Http1:
    def __init__(self, port: int):
        self.wire = Wire(("127.0.0.1", port), GUARD)

    def ask(self):
        response = self.wire.get("/")
        assert response.text.startswith("hello over 1"), response

    def close(self):
        self.wire.close()


class Proxied(Http1):
    def __init__(self, port: int):
        super().__init__(port)
        self.wire.send(PROXY)


class Secure(Http1):
    def __init__(self, port: int):
        super().__init__(port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.wire.socket = context.wrap_socket(self.wire.socket)


class Http2:
    def __init__(self, port: int):
        self.wire = H2Wire(("127.0.0.1", port))
        self.wire.wire.socket.settimeout(GUARD)
        self.wire.greet(settings(), window(0, 2**30))
        self.stream = 1

    def ask(self):
        self.wire.send(get(self.stream))
        body = self.wire.answer(self.stream).body
        assert body == b"hello over 2", body
        del self.wire.answers[self.stream]
        self.stream += 2

    def close(self):
        self.wire.wire.close()


class WebSocket:
    def __init__(self, port: int):
        self.client = Client(port, "/echo")
        self.client.socket.settimeout(GUARD)

    def ask(self):
        self.client.send(frame(TEXT, b"still there?"))
        assert self.client.read().data == b"still there?"

    def close(self):
        self.client.socket.close()


WIRES = {"h1": Http1, "h2": Http2, "ws": WebSocket, "tls": Secure,
         "proxy": Proxied}  # fmt: skip


class Friend:
    def __init__(self, wire: str, port: int):
        self.connect = lambda: WIRES[wire](port)
        self.kept = [self.connect() for _ in range(KEPT)]
        self.waits: list[float] = []
        self.failures: list[str] = []
        for connection in self.kept:
            connection.ask()

    def ask_anew(self):
        other = self.connect()
        try:
            other.ask()
        finally:
            other.close()

    def ask_when_due(self, ask, due: float) -> bool:
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            ask()
        except (AssertionError, OSError) as failure:
            self.failures.append(f"{type(failure).__name__}: {failure}")
            return False
        self.waits.append((time.monotonic() - due) * 1e3)
        return True

    def ask_often(self, ask, first: float, seconds: float, rate: float):
        """Until one fails: what comes behind it would, too."""
        for n in range(int(seconds * rate)):
            if not self.ask_when_due(ask, first + n / rate):
                return

    def go(self, seconds: float):
        began = time.monotonic()
        plans = [
            (connection.ask, began + n / KEPT / EACH, seconds, EACH)
            for n, connection in enumerate(self.kept)
        ]
        plans.append((self.ask_anew, began, seconds, FRESH))
        threads = [
            threading.Thread(target=self.ask_often, args=plan)
            for plan in plans
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main():
    wire, port, seconds = sys.argv[1:]
    friend = Friend(wire, int(port))
    gc.collect()
    gc.freeze()
    gc.disable()
    print("ready", flush=True)
    sys.stdin.readline()
    friend.go(float(seconds))
    print(json.dumps({"waits": friend.waits, "failures": friend.failures}))


if __name__ == "__main__":
    main()
