"""What the bench of reloads makes, reads, and how it judges."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path[:0] = [str(BENCH / "reload"), str(BENCH)]

import page  # noqa: E402
import pages  # noqa: E402
import reloaded  # noqa: E402
from load import Failed, wrk_errors  # noqa: E402


def load_run():
    path = BENCH / "reload/run.py"
    spec = importlib.util.spec_from_file_location("reload_run", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["reload_run"] = module
    spec.loader.exec_module(module)
    return module


run = load_run()
CALM = run.Phase(100_000, 0, 1.0, 10.0)
GOOD = run.Row("perilune", CALM, replace(CALM, p99_ms=1.9), 1000, 5.0,
               10.0, 15.0, 10.4, 4.9, [20.0] * 1000)  # fmt: skip
SAVES = [40.0] * 100


def missed(row, saves=tuple(SAVES)) -> list[str]:
    judged = run.judge(row, 1000, list(saves))
    return [budget.what for budget in judged if not budget.kept]


def test_a_good_run_keeps_all_budgets():
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    "change, what",
    [
        ({"reloads": 999}, "reloads that were not done"),
        ({"busy": replace(CALM, failed=1)}, "failed requests"),
        ({"busy": replace(CALM, p99_ms=2.1)}, "p99 with reloads"),
        ({"end_mib": 10.6}, "memory"),
        ({"turn_ms": 5.1}, "longest turn"),
    ],
)
def test_what_is_missed_is_said(change, what):
    (said,) = missed(replace(GOOD, **change))
    assert said.startswith(what)


def test_saves_are_judged_by_their_median():
    assert missed(GOOD, [40.0] * 51 + [60.0] * 49) == []
    (said,) = missed(GOOD, [40.0] * 49 + [60.0] * 51)
    assert said.startswith("save")


def test_errors_of_wrk_are_told_apart():
    line = "wrk: requests=9.0 us=2e6 p50=1.0 p99=4.0 deviation=1.0 "
    answers, errors = wrk_errors(
        line + "connect=1.0 broken=2.0 status=0.0 timeout=0.0"
    )
    assert (answers.requests, answers.p99) == (9, 4.0)
    assert errors == {"connect": 1, "broken": 2, "status": 0, "timeout": 0}
    with pytest.raises(Failed):
        wrk_errors("unable to connect")


def test_the_site_is_a_mebibyte_of_lua(tmp_path):
    assert 1 << 20 <= pages.make_modules(tmp_path) < 1.1 * (1 << 20)
    assert len(list(tmp_path.glob("part*.lua"))) == pages.MODULES
    pages.save_site(tmp_path, "v7")
    assert '"v7"' in (tmp_path / "site.lua").read_text()


def test_the_tables_have_both_servers(tmp_path, monkeypatch):
    peer = replace(GOOD, name="nginx", turn_ms=None)
    text = page.tables([GOOD, peer], SAVES, True, run.judge(GOOD, 1000, SAVES))
    assert "| under load | perilune | nginx |" in text
    assert "| of which failed | 0 | 0 |" in text
    assert "| longest turn of the loop, ms | 4.9 |  |" in text
    assert "missed" not in text and "`--watch`" in text
    here = {"date": "today", "processor": "one", "processors": 2,
            "memory_gib": 1, "kernel": "Linux", "compiler": "cc",
            "versions": {"nginx": "1.22"}}  # fmt: skip
    monkeypatch.setattr(page.machine, "describe", lambda: here)
    monkeypatch.setattr(page, "PAGE", tmp_path / "reload.md")
    monkeypatch.setattr(page, "FIGURES", tmp_path / "reload.json")
    page.write(text, [], SAVES, SimpleNamespace(reloads=1000, load=0.1))
    assert "nginx 1.22" in (tmp_path / "reload.md").read_text()
    figures = json.loads((tmp_path / "reload.json").read_text())
    assert figures["saves_ms"] == SAVES


def test_a_reload_that_never_comes_is_a_failure(tmp_path, monkeypatch):
    server = reloaded.Reloaded(tmp_path)
    monkeypatch.setattr(reloaded, "GUARD", 0)
    monkeypatch.setattr(server, "save", lambda version: None, raising=False)
    monkeypatch.setattr(server, "version", lambda: "v0")
    server.name = "one"
    server.server = SimpleNamespace(said=lambda: "last words")
    with pytest.raises(Failed, match="one does not serve v1: last words"):
        server.reload()
