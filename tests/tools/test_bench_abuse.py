"""What the bench of attacks reads, and how it judges."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

from attacks.attack import Attack, once
from attacks.catalogue import ATTACKS
from harness.h2wire import GOAWAY, frame

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))


def load_run():
    path = BENCH / "abuse/run.py"
    spec = importlib.util.spec_from_file_location("abuse_run", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["abuse_run"] = module
    spec.loader.exec_module(module)
    return module


run = load_run()
LAST_WORDS = {
    "h1": (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 408 Slow\r\n\r\n", "408"),
    "h2": (frame(GOAWAY, 0, 0, bytes([0, 0, 0, 9, 0, 0, 0, 11])),
           "ENHANCE_YOUR_CALM"),
    "ws": (b"HTTP/1.1 101 Go\r\n\r\n\x88\x02\x03\xf1", "1009"),
    "tls": (b"\x15\3\3\0\2\2\x64", "alert 100"),
    "proxy": (b"", "closed"),
}


@pytest.mark.parametrize("wire", LAST_WORDS)
def test_the_last_words_tell_the_code(wire):
    words, code = LAST_WORDS[wire]
    assert run.code_of(wire, words) == code


def test_what_the_attackers_report_is_read():
    counts = "opened 9 ended 2 reset 1 left 0 sent 100"
    words = b"HTTP/1.1 400".hex()
    toll = run.read_flood(f"{counts}\n-\n{words}\n", "h1")
    assert (toll.opened, toll.ended) == (9, 3)
    assert toll.codes == Counter({"closed": 1, "400": 1})


def row(**changes):
    attack = Attack("one", "h1", once(b""), ends="400", connections=2)
    values = {"attack": attack, "waits": [1.0] * 200, "failures": [],
              "cpu": 0.5, "peak_kib": 34 * 1024,
              "toll": run.Toll(3, 3, Counter({"400": 3}))}  # fmt: skip
    return run.Row(**{**values, **changes})


def test_a_good_row_has_no_faults():
    assert row().faults() == []
    assert row(waits=[1.0] * 199 + [5000.0]).faults() == []  # one of 200


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"waits": [1.0] * 190 + [101.0] * 10}, "p99 is 101 ms"),
        ({"failures": ["Closed: no"]}, "Closed: no"),
        ({"peak_kib": 34 * 1024 + 1}, "34 MiB"),
        ({"toll": run.Toll(3, 3, Counter({"408": 3}))}, "400 was expected"),
    ],
)
def test_each_fault_is_named(changes, says):
    assert row(**changes).faults() == [says]


def test_every_attack_has_a_name_of_its_own():
    names = [(attack.wire, attack.name) for attack in ATTACKS]
    assert len(names) == len(set(names))
    assert run.chosen(["rapid reset"]) == [
        attack for attack in ATTACKS if attack.name == "rapid reset"
    ]
