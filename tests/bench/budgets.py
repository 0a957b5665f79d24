"""budgets - what must hold, and whether it does."""

from dataclasses import dataclass

from bench import Results
from subjects import (
    C, FCGI, FCGI_C, FCGI_PHP, FILES, FLOOR, H2O, LIGHTTPD, LUA, NGINX,
    NGINX_LUA,
)  # fmt: skip


@dataclass(frozen=True)
class Budget:
    what: str
    limit: float
    unit: str
    figure: object  # Results -> (value, noise)


def figure(name: str):
    return lambda results: results.figures[name]


def ratio(scenario: str, one: str, other: str, of: str = "total"):
    return lambda results: results.ratio(scenario, one, other, of)


BUDGETS = [
    Budget("hello from C / floor", 1.08, "x", ratio("hello-64", C, FLOOR)),
    Budget(
        "hello from Lua - hello from C",
        0.5,
        "µs",
        lambda results: results.difference("lua-64", LUA, C),
    ),
    Budget(
        "hello from Lua / nginx+Lua, user time",
        0.5,
        "x",
        ratio("lua-64", LUA, NGINX_LUA, "user"),
    ),
    Budget(
        "file / floor, 100 connections",
        1.08,
        "x",
        ratio("file-100", FILES, FLOOR),
    ),
    Budget(
        "file / floor, 1000 connections",
        1.08,
        "x",
        ratio("file-1000", FILES, FLOOR),
    ),
    Budget("pipelined, C", 0.8, "µs", lambda r: r.value("pipelined", C)),
    Budget("pipelined, Lua", 1.5, "µs", lambda r: r.value("pipelined", LUA)),
    Budget("close after each, C / h2o", 1, "x", ratio("close", C, H2O)),
    Budget("HTTP/2, C / lighttpd", 1, "x", ratio("http2", C, LIGHTTPD)),
    Budget("HTTP/2, C / h2o", 1, "x", ratio("http2", C, H2O)),
    Budget("10 000 busy, C / nginx", 1, "x", ratio("hello-10000", C, NGINX)),
    Budget(
        "10 000 busy, Lua / nginx+Lua",
        1,
        "x",
        ratio("lua-10000", LUA, NGINX_LUA),
    ),
    Budget(
        "10 000 busy, Lua, resident",
        20,
        "MiB",
        lambda r: (r.middle("lua-10000", LUA, "peak_kib") / 1024, 0),
    ),
    Budget("FastCGI / libfcgi", 0.85, "x", ratio("fastcgi", FCGI, FCGI_C)),
    Budget("FastCGI / php-fpm", 0.4, "x", ratio("fastcgi", FCGI, FCGI_PHP)),
    Budget("system calls, C", 2.1, "", figure("calls C")),
    Budget("system calls, Lua", 2.1, "", figure("calls Lua")),
    Budget("system calls, file", 2.1, "", figure("calls file")),
    Budget("malloc a request, C", 0, "", figure("mallocs C")),
    Budget("malloc a request, file", 0, "", figure("mallocs file")),
    Budget("malloc a request, Lua (C side)", 0, "", figure("mallocs Lua")),
    Budget("malloc a connection, C", 0, "", figure("mallocs close")),
    Budget(
        "idle connection",
        96,
        "bytes",
        # resident memory grows by pages
        lambda r: (r.tables["idle"][C]["bytes"], 4),
    ),
    Budget("idle connection, TLS", 15 * 1024, "bytes", figure("idle TLS")),
    Budget("idle connection, HTTP/2", 8 * 1024, "bytes", figure("idle HTTP/2")),
    Budget(
        "idle WebSocket",
        192,
        "bytes",
        lambda r: (r.tables["websocket"][C]["idle"], 4),
    ),
    Budget("handler that waits, Lua", 2048, "bytes", figure("parked Lua")),
    Budget("handler that waits, C", 8 * 1024, "bytes", figure("parked fiber")),
    Budget("start to first byte", 4, "ms", figure("start")),
    Budget("resident after start", 5, "MiB", figure("resident")),
    Budget("stripped core program", 300, "KiB", figure("size")),
]


def judge(results: Results, budgets=None) -> tuple[list[dict], bool]:
    """A budget is missed if the figure is over it by more than its noise; one
    that was not measured is not kept either."""
    rows, good = [], True
    for budget in BUDGETS if budgets is None else budgets:
        row = {"what": budget.what, "limit": budget.limit, "unit": budget.unit}
        try:
            value, noise = budget.figure(results)
        except (KeyError, TypeError):
            row["verdict"] = "not measured"
        else:
            row.update(value=value, noise=noise)
            if round(value, 3) <= budget.limit:
                row["verdict"] = "kept"
            elif value - noise <= budget.limit:
                row["verdict"] = "kept, within noise"
            else:
                row["verdict"] = "MISSED"
        good = good and row["verdict"].startswith("kept")
        rows.append(row)
    return rows, good
