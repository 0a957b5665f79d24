"""HTTP/2 under attack (tests/attacks/http2.py): others are answered, memory
stays small, and who attacks is told why it ends."""

import re
import threading

import pytest

from attacks import http2
from attacks.catalogue import SITE
from conformance.http2.case import get
from harness.h2wire import H2Wire, window
from harness.server import sanitized
from harness.wire import Closed

ATTACKERS, LIMIT_KIB = 16, 1024


@pytest.fixture
def server(serve):
    return serve(SITE, workers=1)


class Friend:
    """A client that behaves, and is answered all the time, however often it
    asks: it gives back what the answers took of its connection's window."""

    def __init__(self, server):
        self.wire = H2Wire(server.addresses()[0])
        self.wire.greet()
        self.next = 1

    def asks(self):
        self.wire.send(get(self.next))
        answer = self.wire.answer(self.next)
        assert answer.body == b"hello over 2"
        self.wire.send(window(0, len(answer.body)))
        self.next += 2


def run_all(server, attack, then):
    wires = [H2Wire(server.addresses()[0]) for _ in range(ATTACKERS)]
    codes = []

    def one(wire):
        wire.send(attack.opening)
        try:
            codes.append(then(wire))
        except (Closed, OSError) as error:
            codes.append(error)

    threads = [threading.Thread(target=one, args=(wire,)) for wire in wires]
    for thread in threads:
        thread.start()
    return wires, threads, codes


def small_enough(server, before: int) -> bool:
    """Resident memory, in KiB; sanitizers keep what was freed."""
    most = ATTACKERS * LIMIT_KIB + 32 * 1024
    return sanitized() or server.proc.peak_kib() - before < most


@pytest.mark.parametrize("attack", http2.ENDED, ids=lambda a: a.name)
def test_attack_is_ended(server, attack):
    """GOAWAY with the code of RFC 9113, one line in the log, others are
    answered, and memory stays small."""
    friend = Friend(server)
    friend.asks()
    before = server.proc.rss_kib()
    wires, threads, codes = run_all(
        server, attack, lambda wire: wire.expect_goaway()
    )
    while any(thread.is_alive() for thread in threads):
        friend.asks()
    assert len(codes) == ATTACKERS
    assert attack.ends in map(str, codes), codes
    server.wait_log("ENHANCE_YOUR_CALM")
    lines = re.findall("ENHANCE_YOUR_CALM", server.log())
    assert len(lines) <= ATTACKERS
    friend.asks()
    assert small_enough(server, before)
    for wire in wires:
        wire.wire.close()


@pytest.mark.parametrize("attack", http2.HELD, ids=lambda a: a.name)
def test_attack_holds_little(server, attack):
    """What a connection can make the server hold is bounded."""
    friend = Friend(server)
    friend.asks()
    before = server.proc.rss_kib()
    wires, threads, _ = run_all(server, attack, lambda wire: None)
    while any(thread.is_alive() for thread in threads):
        friend.asks()
    for wire in wires: # all of it has been taken in
        try:
            wire.ping(b"all-seen")
        except (Closed, OSError):
            pass
        friend.asks()
    assert small_enough(server, before)
    for wire in wires:
        wire.wire.close()
    friend.asks()
