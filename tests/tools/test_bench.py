"""The bench's arithmetic, its parsers, its verdicts and its pages."""

import importlib.machinery
import importlib.util
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/bench"))

import budgets  # noqa: E402
import chart  # noqa: E402
import load  # noqa: E402
import process  # noqa: E402
import publish  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
import stats  # noqa: E402
import subjects  # noqa: E402
from bench import Results, Run  # noqa: E402
from scenarios import QUICK, SCENARIOS  # noqa: E402
from subjects import C, CADDY, FLOOR, H2O, LUA, NGINX  # noqa: E402

RUN = Run(1000, 2.0, 10.0, 1.0, 0.9, 0.01, 2048, 500.0, 900.0, 50.0)


def load_micro():
    path = str(TOP / "tests/bench/micro/run.py")
    loader = importlib.machinery.SourceFileLoader("micro_run", path)
    spec = importlib.util.spec_from_loader("micro_run", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


micro = load_micro()


def results(**totals) -> Results:
    """Of hello-64: CPU µs of each run, by server."""
    made = Results()
    for word, values in totals.items():
        name = word.replace("_", " ")
        for value in values:
            made.add("hello-64", name, replace(RUN, total=value))
    return made


# ---- arithmetic ----


def test_median_and_noise():
    assert stats.spread([3.0]) == (3.0, 0.0)
    assert stats.spread([1.0, 2.0, 4.0]) == (2.0, 1.5)
    middle, noise = stats.spread([5.0, 6.0, 7.0, 8.0, 100.0])
    assert middle == 7.0 and 0 < noise < 60


def test_pairs_take_out_a_machine_that_slows_down():
    floors = [5.0, 6.0, 7.0, 8.0]
    made = results(perilune_C=[f * 1.05 for f in floors], floor=floors)
    ratio, noise = made.ratio("hello-64", C, FLOOR)
    assert ratio == pytest.approx(1.05) and noise == pytest.approx(0)


def test_each_round_goes_the_other_way():
    order = list(stats.turns(["a", "b", "c"], 3, ["a", "b"], 5))
    assert order == [*"abc", *"cba", *"abc", *"ba", *"ab"]
    assert list(stats.turns(["a", "b"], 2, [], 9)) == [*"ab", *"ba"]


# ---- what tools say ----

WRK = (
    "Running 2s test @ http://127.0.0.1:1/\n"
    "wrk: requests=1000.0 us=2000000.0 p50=300.0 p99=900.0 deviation=20.5 "
    "connect=0.0 broken=%.1f status=%.1f timeout=0.0\n"
)
H2LOAD = """
finished in 2.00s, 500.00 req/s, 20.13MB/s
requests: 1000 total, 1064 started, 1000 done, 1000 succeeded, %d failed, 0 err
status codes: %d 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 40.27MB (42222222) total
                     min         max         mean         sd        +/- sd
time for request:      112us      9.13ms       540us       1.5ms    92.77%%
"""


def test_wrk_is_read():
    answers = load.read_wrk(WRK % (0, 0), load.Load())
    assert (answers.requests, answers.seconds) == (1000, 2.0)
    assert (answers.p50, answers.p99, answers.deviation) == (300, 900, 20.5)


@pytest.mark.parametrize("broken,status", [(1, 0), (0, 1)])
def test_errors_seen_by_wrk_fail_the_run(broken, status):
    with pytest.raises(load.Failed):
        load.read_wrk(WRK % (broken, status), load.Load())


def test_a_closed_connection_is_no_error_where_it_is_asked_for():
    load.read_wrk(WRK % (1, 0), load.Load(close=True))
    with pytest.raises(load.Failed):
        load.read_wrk("wrk: cannot connect", load.Load(close=True))


def test_h2load_is_read():
    answers = load.read_h2load(H2LOAD % (0, 1000), load.Load())
    assert (answers.requests, answers.deviation) == (1000, 1500)


@pytest.mark.parametrize("failed,good", [(1, 1000), (0, 999)])
def test_errors_seen_by_h2load_fail_the_run(failed, good):
    with pytest.raises(load.Failed):
        load.read_h2load(H2LOAD % (failed, good), load.Load())


def test_tls_load_is_read():
    what = load.Load("/", 16)
    said = "requests %d resumed %d us 2000000\n"
    assert load.read_tls_load(said % (1000, 984), what).requests == 1000
    with pytest.raises(load.Failed, match="resumed"):
        load.read_tls_load(said % (1000, 983), what)
    with pytest.raises(load.Failed):
        load.read_tls_load("no answer", what)


def test_words_for_wrk():
    words = load.wrk_words(load.Load("/a", 8, depth=16), "http://b", 3)
    assert {"-c8", "-d3s", "http://b/a", "depth=16"} < set(words)


def test_missing_tool_is_a_failed_run(monkeypatch):
    monkeypatch.setitem(load.TOOLS, "wrk", (lambda *_: ["no-such"], None))
    with pytest.raises(load.Failed):
        load.run(load.Load(), "http://127.0.0.1:1", 1, "0")


PERF = (
    "# started on Sun Nov 22\n\n"
    "2166,,raw_syscalls:sys_enter,1000,100.00,,\n"
    "1000,,syscalls:sys_enter_recvfrom,1000,100.00,,\n"
    "1000,,syscalls:sys_enter_sendto,1000,100.00,,\n"
    "166,,syscalls:sys_enter_epoll_wait,1000,100.00,,\n"
    "0,,syscalls:sys_enter_read,1000,100.00,,\n"
)
STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 56.73    0.198607          34      1000           sendto
 41.12    0.143979          25      1010        10 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.350095          29      2010        10 total
"""


def test_perf_is_read():
    calls = process.read_perf(PERF).per(1000)
    assert calls["total"] == 2.166
    assert list(calls["names"]) == ["recvfrom", "sendto", "epoll_wait"]
    with pytest.raises(load.Failed):
        process.read_perf("event syntax error: 'raw_syscalls:sys_enter'")


def test_strace_is_read():
    calls = process.read_strace(STRACE)
    assert calls.total == 2010
    assert calls.names == {"sendto": 1000, "recvfrom": 1010}
    with pytest.raises(load.Failed):
        process.read_strace("strace: Process 1 attached\n")


def test_busy_time_of_one_processor():
    stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 1 2 3 400 50 6 7 8 0 0\ncpu11 1\n"
    assert process.busy_of(stat, "1") == 27 / process.TICK


def test_answers_are_split():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    assert servers.split_answer(head + b"hell") is None
    assert servers.split_answer(head + b"hello") == (head, b"hello")
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert servers.split_answer(head + b"5\r\nhello\r\n") is None
    whole = head + b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
    assert servers.split_answer(whole) == (head, b"hello!")


# ---- what is measured ----


def test_scenarios_have_names_of_their_own_and_known_servers():
    keys = [scenario.key for scenario in SCENARIOS]
    assert len(set(keys)) == len(keys)
    for scenario in SCENARIOS:
        assert set(scenario.subjects) <= set(subjects.SUBJECTS)
        assert set(scenario.close) <= set(scenario.names)
        assert scenario.floor is None or scenario.floor in scenario.subjects


def test_every_budget_is_measured_in_a_hurry_too():
    """Each budget finds its figures where only what QUICK=1 runs is there."""
    made = Results()
    for scenario in SCENARIOS:
        if scenario.quick:
            for name in QUICK & set(scenario.names):
                made.add(scenario.key, name, RUN)
    for name in ("calls C", "calls Lua", "calls file", "mallocs C", "start",
                 "mallocs file", "mallocs close", "mallocs Lua", "resident",
                 "size", "idle TLS", "idle HTTP/2", "parked Lua",
                 "parked fiber"):  # fmt: skip
        made.figures[name] = (0, 0)
    made.tables["idle"] = {C: {"bytes": 80}}
    made.tables["websocket"] = {C: {"idle": 180}}
    rows, _ = budgets.judge(made)
    assert not [row for row in rows if row["verdict"] == "not measured"]


def test_configurations_leave_nothing_open(tmp_path):
    subjects.make_site(tmp_path)
    place = subjects.Place(tmp_path, tmp_path, 1234)
    for path in (TOP / "tests/bench/peers").iterdir():
        values = dict.fromkeys(
            ("modules", "http", "locations", "magnet", "tls", "speaks",
             "version"), ""
        )
        text = place.configure(path.name, **values).read_text()
        assert "@" not in text, path


# ---- verdicts ----


@pytest.mark.parametrize(
    "ours,verdict",
    [
        ([10.1, 10.2, 10.1, 10.2], "kept"),
        ([9.0, 13.0, 10.0, 12.0], "kept, within noise"),
        ([12.0, 12.1, 12.0, 12.1], "MISSED"),
    ],
)
def test_budget_is_judged_with_its_noise(ours, verdict):
    made = results(perilune_C=ours, floor=[10.0] * 4)
    rows, good = budgets.judge(made, budgets.BUDGETS[:1])
    assert rows[0]["verdict"] == verdict
    assert good == (verdict != "MISSED")


def test_a_budget_that_was_not_measured_is_not_kept():
    rows, good = budgets.judge(results(floor=[1.0]))
    assert {row["verdict"] for row in rows} == {"not measured"} and not good


def test_who_is_ahead_is_told_only_beyond_noise():
    made = results(perilune_C=[10.0] * 4, h2o=[9.0] * 4, floor=[1.0] * 4,
                   nginx=[9.0, 11.0, 9.5, 10.5])  # fmt: skip
    told = report.standing(made, SCENARIOS)
    assert "h2o (0.90" in told and "nginx" not in told and FLOOR not in told
    told = report.standing(results(perilune_C=[1.0], nginx=[2.0]), SCENARIOS)
    assert told.startswith("No peer")


def test_a_disturbed_machine_is_told():
    made = results(nginx=[1.0])
    assert report.disturbance(made) is None
    made.add("close", NGINX, replace(RUN, others=0.49))
    assert "25 %" in report.disturbance(made)


# ---- pages ----


@pytest.mark.parametrize(
    "top,last", [(0.5, 0.5), (7.9, 8), (10, 10), (33, 40), (640, 800)]
)
def test_axes_end_at_round_numbers(top, last):
    marks = chart.ticks(top)
    assert marks[0] == 0 and marks[-1] == last and 2 <= len(marks) <= 7


def test_labels_are_kept_apart():
    assert chart.spaced([10, 11, 40], 15) == [10, 25, 40]
    assert chart.spaced([50, 11, 10], 15) == [50, 25, 10]


MACHINE = {"date": "2026-01-01", "processor": "P", "processors": 2,
           "memory_gib": 1.5, "kernel": "Linux 1", "compiler": "gcc",
           "versions": {"wrk": "4"}}  # fmt: skip


def test_pages_and_charts_are_written(tmp_path):
    made = results(perilune_C=[10.0], h2o=[9.0], floor=[8.0])
    made.add("hello-8", C, RUN)
    made.add("lua-64", LUA, RUN)
    made.calls["hello-64"] = {H2O: {"total": 3.1, "names": {"read": 1.0}}}
    made.tables["idle"] = {C: {"bytes": 80.0, "full_mib": 3.0}}
    made.notes.append(f"{CADDY}: not installed")
    rows, _ = budgets.judge(made)
    publish.write(made, MACHINE, rows, tmp_path)
    kept, machine = publish.read(tmp_path / "results.json")
    assert kept == made and machine == MACHINE
    page = (tmp_path / "results.md").read_text()
    for said in ("**perilune C**", "| h2o | 9.00", "read 1", CADDY, "Linux 1"):
        assert said in page
    drawn = sorted(path.name for path in (tmp_path / "charts").iterdir())
    assert drawn == [
        "by-connections-c.svg", "hello-64.svg", "hello-8.svg", "lua-64.svg"
    ]  # fmt: skip
    for name in drawn:
        assert f"charts/{name}" in page
        tree = ElementTree.parse(tmp_path / "charts" / name)
        style = tree.getroot().find("{http://www.w3.org/2000/svg}style").text
        assert "prefers-color-scheme: dark" in style


# ---- instructions ----


@pytest.mark.parametrize(
    "got,known,says",
    [(100, None, "new"), (102, 100, "same"), (104, 100, "MORE"),
     (90, 100, "less")],
)  # fmt: skip
def test_instructions_are_compared_with_the_baseline(got, known, says):
    assert micro.verdict(got, known).startswith(says)


def test_a_baseline_is_only_lowered():
    known = {"a": 10.0, "b": 10.0, "gone": 1.0}
    counts = {"a": 12.0, "b": 9.0, "new": 5.0}
    there = {"a", "b", "new"}
    assert micro.lowered(known, counts, there) == {"a": 10, "b": 9, "new": 5}


def test_small_operations_are_counted_oftener(monkeypatch):
    asked = []

    def instructions(program, count):
        asked.append(count)
        return 5000 + cost * count

    monkeypatch.setattr(micro, "instructions", instructions)
    cost = 10 * micro.SMALL
    assert micro.cost("program") == cost
    assert asked == [micro.FEW, micro.MANY]
    cost = micro.SMALL // 10
    assert micro.cost("program") == cost
    assert asked[-1] == 10 * micro.MANY


def test_callgrind_is_read():
    assert micro.summary("events: Ir\nfn=a\n1 2\nsummary: 1234\n") == 1234
    assert micro.summary("events: Ir\n") is None


@pytest.fixture
def counted(monkeypatch, tmp_path, capsys):
    """main() of the counter, where each operation has so many instructions."""

    def run(costs: dict, made: dict, *words: str) -> tuple[int, str]:
        monkeypatch.setattr(micro, "BASELINE", tmp_path / "baseline.json")
        there = dict.fromkeys(costs, "program")
        monkeypatch.setattr(micro, "programs", lambda: there)
        monkeypatch.setattr(micro, "made_with", lambda program: made)
        monkeypatch.setattr(micro, "count_all", lambda wanted: costs)
        monkeypatch.setattr(sys, "argv", ["run.py", *words])
        return micro.main(), capsys.readouterr().out

    return run


def test_growth_fails_and_another_compiler_is_told(counted):
    gcc12, gcc13 = {"compiler": "gcc 12"}, {"compiler": "gcc 13"}
    assert counted({"a": 100.0}, gcc12, "--write")[0] == 0
    assert counted({"a": 102.0}, gcc12)[0] == 0
    code, said = counted({"a": 104.0}, gcc12)
    assert code == 1 and "+4.0 %" in said
    code, said = counted({"a": 104.0}, gcc13)
    assert code == 0 and "not judged" in said and "gcc 12" in said
