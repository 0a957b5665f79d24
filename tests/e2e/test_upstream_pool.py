"""pl.proxy: which server is asked, which connections are used, who waits, and
what is found out about the servers' health. Beside and behind nginx, too."""

import contextlib
import threading
from collections import Counter

import pytest


from harness.admin import status
from harness.upstream import Upstream, always
from harness.wait import wait_for


def named(name):
    return always(name.encode())


@pytest.fixture
def group(serve):
    """Starts a server before several upstreams; those named None are down."""
    opened = []

    def start(talks, options="", servers=None, before="", **more):
        upstreams = []
        for talk in talks:
            upstream = Upstream(talk or always())
            if talk is None:
                upstream.close()
            upstreams.append(upstream)
            opened.append(upstream)
        servers = servers or ["{}"] * len(talks)
        to = ", ".join(
            text.replace("{}", f'{{ "{upstream.url}" }}').replace(
                "URL", f'"{upstream.url}"'
            )
            for text, upstream in zip(servers, upstreams)
        )
        more.setdefault("workers", 1)
        site = f"""
local pl = require "perilune"
{before}
pl.proxy("/", {{ to = {{ {to} }}, {options} }})
"""
        return serve(site, **more), upstreams

    yield start
    for upstream in opened:
        upstream.__exit__(None)


def count(server, times, **fields) -> Counter:
    with server.connect() as wire:
        return Counter(
            wire.get("/", fields).body.decode() for _ in range(times)
        )


# ---- choosing ----


def test_turns(group):
    server, _ = group([named("a"), named("b"), named("c")])
    assert count(server, 9) == {"a": 3, "b": 3, "c": 3}


def test_weights(group):
    server, _ = group(
        [named("a"), named("b")],
        servers=["{ URL, weight = 3 }", "{ url = URL, weight = 1 }"],
    )
    assert count(server, 8) == {"a": 6, "b": 2}


def test_least_connections(group):
    go = threading.Event()

    def slow(talk):
        while talk.request():
            go.wait(60)
            talk.say(b"slow")

    server, (a, b) = group([slow, named("b")], 'balance = "least_connections"')
    with contextlib.ExitStack() as stack:
        waiting = []
        while not a.requests:  # one gets there
            wire = stack.enter_context(server.connect())
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_for(lambda: a.requests or wire.pending(), "an answer")
            waiting.append(wire)
        assert count(server, 10) == {"b": 10}
        go.set()
        assert waiting[-1].response().body == b"slow"


@pytest.mark.parametrize(
    "hash, field",
    [("header:X-Who", "X-Who"), ("cookie:who", None)],
)
def test_hash_keeps_clients_where_they_are(group, hash, field):
    server, upstreams = group(
        [named("a"), named("b"), named("c")], f'hash = "{hash}"'
    )

    def place(i):
        headers = {field: str(i)} if field else {"Cookie": f"who={i}"}
        return server.get("/", headers).text

    places = {i: place(i) for i in range(40)}
    assert len(set(places.values())) == 3
    assert all(place(i) == places[i] for i in range(40))
    upstreams[0].close()
    for conn in upstreams[0].conns:
        with contextlib.suppress(OSError):
            conn.shutdown(2)
    moved = [i for i in range(40) if place(i) != places[i]]
    assert moved == [i for i in range(40) if places[i] == "a"]


def test_hash_by_a_function(group):
    server, _ = group(
        [named("a"), named("b"), named("c")],
        "hash = function(req) return req.args.who end",
    )
    places = {i: server.get(f"/?who={i}").text for i in range(30)}
    assert len(set(places.values())) == 3
    for i in range(30):
        assert server.get(f"/other?who={i}").text == places[i]


def test_hash_is_the_same_for_all_workers(group):
    server, _ = group(
        [named("a"), named("b"), named("c")], 'hash = "path"', workers=3
    )
    for i in range(10):
        assert len({server.get(f"/{i}").text for _ in range(6)}) == 1


def test_backups_wait(group):
    server, (a, b) = group(
        [named("a"), named("b")], "max_failures = 1",
        servers=["{}", "{ URL, backup = true }"],
    )  # fmt: skip
    assert count(server, 5) == {"a": 5}
    a.close()
    for conn in a.conns:
        conn.shutdown(2)
    assert count(server, 5) == {"b": 5}


# ---- retries ----


def test_another_server_is_asked(group):
    server, (_, b) = group([None, named("b")])
    for method in ("GET", "POST"):
        for _ in range(4):
            body = b"x" if method == "POST" else None
            assert server.request(method, "/", None, body).body == b"b"


def test_a_body_is_sent_again_only_if_it_is_there(group):
    """A PUT whose server breaks off before a word: the next one gets it."""

    def broken(talk):
        talk.request()

    server, (a, b) = group([broken, always()], "max_failures = false")
    for _ in range(4):
        assert server.request("PUT", "/", None, b"whole").status == 200
    assert all(request.body == b"whole" for request in b.requests)
    assert len(b.requests) == 4 and a.requests


def test_a_post_is_not_sent_twice(group):
    def broken(talk):
        talk.request()

    server, (a, b) = group([broken, broken], "max_failures = false")
    assert server.request("POST", "/", None, b"x").status == 502
    assert len(a.requests) + len(b.requests) == 1


def test_nothing_is_sent_again_behind_a_word_of_an_answer(group):
    def broken(talk):
        talk.request()
        talk.send(b"HTTP/1.1 200")

    server, (a, b) = group([broken, broken], "max_failures = false")
    assert server.get("/").status == 502
    assert len(a.requests) + len(b.requests) == 1


def test_retries_have_a_limit(group):
    def broken(talk):
        talk.request()

    server, upstreams = group([broken] * 5, "retries = 1, max_failures = false")
    assert server.get("/").status == 502
    assert sum(len(each.requests) for each in upstreams) == 2


def test_a_stale_connection_costs_nothing(group):
    """The upstream closes what it has kept while the next request is on its
    way: another connection is used."""

    def once(talk):
        if talk.request():
            talk.say(b"x")
        if talk.head():  # and closes
            talk.upstream.requests.pop()

    server, (upstream,) = group([once])
    with server.connect() as wire:
        for _ in range(10):
            assert wire.get("/").body == b"x"
    assert "upstream: " not in server.log()


def test_keep_alive_hint(group):
    server, (upstream,) = group(
        [always(b"x", "200 OK", "Keep-Alive: timeout=1")]
    )
    server.get("/")
    upstream.wait_ended(1)  # perilune lets go before the upstream would


# ---- connections ----


def test_idle_connections_have_a_limit(group):
    barrier = threading.Barrier(6)

    def together(talk):
        while talk.request():
            if talk.number <= 6:
                barrier.wait(60)
            talk.say(b"x")

    server, (upstream,) = group([together], "keepalive = 2")
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(6)]
        for wire in wires:
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert all(wire.response().body == b"x" for wire in wires)
    upstream.wait_ended(4)
    assert upstream.accepted == 6


def test_idle_connections_are_closed(group):
    server, (upstream,) = group([always()], 'keepalive_timeout = "200ms"')
    server.get("/")
    upstream.wait_ended(1)


def test_no_keepalive(group):
    server, (upstream,) = group([always()], "keepalive = 0")
    assert count(server, 3) == {"hello": 3}
    upstream.wait_ended(3)


def test_who_waits_is_served_in_turn(group):
    together, most = [0], [0]
    lock = threading.Lock()

    def busy(talk):
        while talk.request():
            with lock:
                together[0] += 1
                most[0] = max(most[0], together[0])
            threading.Event().wait(0.02)
            with lock:
                together[0] -= 1
            talk.say(b"x")

    server, _ = group([busy], "max_connections = 2")
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(20)]
        for wire in wires:
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert all(wire.response().status == 200 for wire in wires)
    assert most[0] <= 2


def test_the_queue_has_limits(group):
    go = threading.Event()

    def slow(talk):
        while talk.request():
            go.wait(60)
            talk.say(b"x")

    server, (upstream,) = group(
        [slow], 'max_connections = 1, queue = 1, queue_timeout = "2s"'
    )
    with contextlib.ExitStack() as stack:
        first, second, third = (
            stack.enter_context(server.connect()) for _ in range(3)
        )
        text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        first.send(text)
        upstream.wait_requests(1)
        second.send(text)
        third.send(text)
        answers = [second.response(), third.response()]
        assert [answer.status for answer in answers] == [503, 503]
        assert answers[0].header("retry-after") == "1"
        go.set()
        assert first.response().body == b"x"
    log = server.log()
    assert "all servers are busy" in log and "no server was free in time" in log


def test_a_client_may_leave_the_queue(group):
    go = threading.Event()

    def slow(talk):
        while talk.request():
            go.wait(60)
            talk.say(b"x")

    server, (upstream,) = group([slow], "max_connections = 1")
    with server.connect() as first:
        first.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        upstream.wait_requests(1)
        with server.connect() as second:
            second.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            second.reset()
        go.set()
        assert first.response().body == b"x"
        assert first.get("/").body == b"x"
    assert len(upstream.requests) <= 3


# ---- health ----


def test_a_server_that_fails_is_left_alone(group):
    server, (a, b) = group(
        [None, named("b")], 'max_failures = 2, pause = "1h"'
    )
    assert count(server, 10) == {"b": 10}
    assert len(server.wait_log("left alone for a while")) == 1
    assert "failures=2" in server.log()


def test_all_are_paused_but_asked(group):
    """Nobody is better off with an answer that needs no server."""
    state = {"good": False}

    def talk(talk):
        while talk.head():
            if not state["good"]:
                return
            talk.say(b"back")

    server, _ = group([talk], 'max_failures = 1, pause = "1h"')
    assert server.get("/").status == 502
    state["good"] = True
    assert server.get("/").body == b"back"
    server.wait_log("answers again")


def test_checks(group):
    state = {"status": "200 OK"}

    def checked(talk):
        while request := talk.request():
            if request.target == "/health":
                assert request.header("host") == "check.example"
                talk.say(b"", state["status"], "Connection: close")
                return
            talk.say(b"a")

    server, (a, b) = group(
        [checked, named("b")],
        'check = { path = "/health", interval = "50ms", status = 200, '
        'host = "check.example", falls = 2 }',
        workers=2,
    )
    wait_for(lambda: len(a.requests) > 2, "checks")
    state["status"] = "500 Oh"
    server.wait_log("upstream is down: its check was answered with 500")
    for _ in range(3):
        assert count(server, 6) == {"b": 6}
    state["status"] = "200 OK"
    server.wait_log("upstream is up again")
    assert set(count(server, 6)) == {"a", "b"}


def test_a_check_that_hangs(group):
    def hang(talk):
        request = talk.request()
        if request.target == "/":
            talk.more()
        talk.say(b"a")

    server, _ = group(
        [hang],
        'check = { interval = "50ms", timeout = "200ms" }',
    )
    server.wait_log("its check was not answered in time")
    assert server.get("/x").status == 503, "no server is up"


# ---- around it ----


def test_filters_go_around(serve):
    with Upstream(always()) as upstream:
        server = serve(f"""
local pl = require "perilune"
pl.group("/in", function()
  pl.use(function(req, res, next)
    if req.args.no then return 403 end
    res:header("x-filter", "1")
    next()
  end)
  pl.proxy("/up", {{ to = "{upstream.url}" }})
end)
pl.get("/own", function() return "own" end)
""", workers=1)  # fmt: skip
        assert server.get("/in/up/x?no=1").status == 403
        answer = server.get("/in/up/x")
        assert answer.body == b"hello" and answer.header("x-filter") == "1"
        assert server.get("/own").body == b"own"
        assert [each.target for each in upstream.requests] == ["/in/up/x"]


def test_a_stop_lets_requests_finish(group):
    go = threading.Event()

    def slow(talk):
        while talk.request():
            go.wait(60)
            talk.say(b"late")

    server, (upstream,) = group([slow])
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        upstream.wait_requests(1)
        server.send_signal()
        server.wait_log("running requests are finished")
        go.set()
        assert wire.response().body == b"late"
    assert server.wait() == 0


def test_connections_outlive_reloads(group):
    server, (upstream,) = group([always()])
    server.get("/")
    server.send_signal(1)
    server.wait_log("reload")
    for _ in range(5):
        server.get("/")
    assert upstream.accepted == 1


def test_status_tells(group, tmp_path):
    admin = tmp_path / "admin"
    server, (a, b) = group(
        [always(), None], "max_failures = 1", workers=2,
        before=f'pl.set {{ admin = "{admin}" }}',
    )  # fmt: skip
    count(server, 4)
    server.admin = str(admin)
    told = [
        each
        for worker in status(server)["workers"]
        for each in worker.get("upstreams", ())
    ]
    good = [each for each in told if each["server"] == a.url]
    bad = [each for each in told if each["server"] == b.url]
    assert sum(each["requests"] for each in good) == 4
    assert sum(each["idle"] for each in good) >= 1
    assert sum(each["failed"] for each in bad) == 1
    assert {each["state"] for each in bad} == {"paused"}
