"""Native modules: what they offer, how they are refused, how they live."""

import re
import threading
from signal import SIGHUP

import pytest

from harness.load import Wrk, missing
from harness.modules import build
from harness.server import TOP
from harness.wait import wait_for

HEAD = """
#include <perilune.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
"""
MODULE = HEAD + "PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);\n"

# What seed-scripts 1.7 says, as it was written for 80s.
OLD = """
#include <stdio.h>
#include "80s.h"
void on_load(void *ctx, serve_params *p, int reload)   { \
printf("load %d %d\\n", p->workerid, reload); fflush(stdout); }
void on_unload(void *ctx, serve_params *p, int reload) { \
printf("unload %d %d\\n", p->workerid, reload); fflush(stdout); }
"""

OFFERS = MODULE + """
PL_HANDLER(echo)
{
    struct pl_str body;
    int err = pl_request_body(req, &body);

    if (err == 0)
        err = pl_sleep(req, 1);
    return err < 0 ? err : pl_respond(res, 200, "text/plain", body);
}
PL_HANDLER(wrong) { return PL_ERR_NOT_FOUND; }
static int later(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_respondf(res, 200, "text/plain", "%s\\n", (const char *)arg);
}
PL_LUA_METHOD(types)
{
    char text[PL_LUA_CALL_MAX + 1] = "";

    for (unsigned i = 0; i < pl_lua_args(call); i++)
        text[i] = "-bns"[pl_lua_arg_type(call, i + 1)];
    return pl_lua_return_str(call, pl_str_c(text));
}
PL_LUA_METHOD(nap)
{
    struct pl_str text;
    double ms;
    int err;

    if (!pl_lua_arg_number(call, 1, &ms) || !pl_lua_arg_str(call, 2, &text))
        return PL_ERR_INVALID;
    err = pl_sleep(req, (uint64_t)ms);
    pl_lua_return_str(call, text);
    pl_lua_return_number(call, ms / 2);
    pl_lua_return_bool(call, true);
    pl_lua_return_str(call, pl_str_c(NULL));
    return err;
}
PL_LUA_METHOD(many)
{
    int err = 0;

    for (int i = 1; i <= PL_LUA_CALL_MAX && err == 0; i++)
        err = pl_lua_return_number(call, i);
    return err == 0 && pl_lua_return_bool(call, true) == PL_ERR_LIMIT
               ? 0
               : PL_ERR_STATE;
}
PL_LUA_FUNCTION(twice)
{
    lua_pushinteger(L, 2 * luaL_checkinteger(L, 1));
    return 1;
}
int on_load(void *ctx, struct pl_module_params *params, int reload)
{
    static char greeting[64];
    const char *given = pl_module_option(params, "greeting");

    snprintf(greeting, sizeof(greeting), "%s", given ? given : "none");
    lua_pushinteger(ctx, (int)params->workers);
    lua_setglobal(ctx, "module_workers");
    return pl_module_handler(params, "later", later, greeting);
}
"""

SITE = """
local pl = require "perilune"
local m = pl.module("offers.so", { greeting = "hi", n = 3, yes = true })
assert(pl.module("offers.so") == m)
pl.post("/echo", { max_body = "64" }, pl.handler "echo")
pl.get("/wrong", pl.handler "wrong")
pl.group("/in", function() pl.any("/later", pl.handler("later")) end)
pl.get("/types", function(req) return req:types("a", 1.5, true, nil) end)
pl.get("/nap", function(req)
  local text, half, yes, none = req:nap(10, "z")
  return ("%s %s %s %s"):format(text, half, yes, none)
end)
pl.get("/many", function(req) return table.concat({ req:many() }, " ") end)
pl.get("/bad", function(req) req:nap("x", "z") end)
pl.get("/none", function(req) req:nap() end)
pl.get("/table", function(req) req:types({}) end)
pl.get("/nine", function(req) req:types(1, 2, 3, 4, 5, 6, 7, 8, 9) end)
pl.get("/notreq", function(req) req.nap({}, 1, "x") end)
pl.get("/all", function(req)
  local a, b = pl.all { function() return req:nap(20, "a") end,
    function() return req:nap(10, "b") end }
  return a .. b
end)
pl.get("/timeout", function(req)
  local ok, err = pl.timeout(0.02, function() return req:nap(60000, "x") end)
  return tostring(ok) .. " " .. err.code
end)
pl.get("/twice", function() return m.twice(21) .. " " .. module_workers end)
"""


@pytest.fixture(scope="module")
def offers(tmp_path_factory):
    return build(OFFERS, tmp_path_factory.mktemp("m") / "offers.so")


@pytest.fixture
def served(serve, offers):
    return serve(SITE, files={"offers.so": offers.read_bytes()}, workers=2)


def test_handlers(served):
    reply = served.request("POST", "/echo", body=b"moon")
    assert (reply.status, reply.body) == (200, b"moon")
    assert served.request("POST", "/echo", body=b"x" * 65).status == 413
    assert served.get("/echo").status == 405
    assert served.get("/wrong").status == 404
    assert served.get("/in/later").text == "hi\n"


def test_methods(served):
    assert served.get("/types").text == "snb-"
    assert re.fullmatch(r"z 5(\.0)? true nil", served.get("/nap").text)
    assert served.get("/many").text == "1 2 3 4 5 6 7 8"
    assert served.get("/all").text == "ab"
    assert served.get("/timeout").text == "nil timeout"
    assert served.get("/twice").text == "42 2"


@pytest.mark.parametrize(
    "path, text",
    [
        ("/bad", "argument 1 must be a number, not a string"),
        ("/none", "argument 1 must be a number, not nil"),
        ("/table", "argument 1 must be a string, a number, a boolean or nil"),
        ("/nine", "9 arguments are too many"),
        ("/notreq", "a request is needed, not a table"),
    ],
)
def test_misuse_of_methods_names_the_line(served, path, text):
    assert served.get(path).status == 500
    served.wait_log(r"site\.lua:\d+: (req:\w+: )?" + re.escape(text))


def test_check_lists_what_is_there(command, offers):
    files = {"offers.so": offers.read_bytes(), "site.lua": SITE}
    done = command("check", "site.lua", files=files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "module  ./offers.so\n"
        "  handler   echo\n"
        "  handler   wrong\n"
        "  method    req:types()\n"
        "  method    req:nap()\n"
        "  method    req:many()\n"
        "  function  twice()\n"
        "  handler   later\n"
        "route   POST     /echo  (c, site.lua:5)\n"
    )
    done = command("check", "-m", "offers.so", files=files)
    assert done.stdout.startswith("module  offers.so\n  handler   echo\n")


WRONG = [  # of line 3
    ('pl.get("/", pl.handler "ecko")',
     "no module has a handler 'ecko'; did you mean 'echo'?"),
    ('pl.handler "none"', "no module has a handler 'none'"),
    ("pl.handler(1)", "the name must be a string"),
    ('pl.module("none.so")', "none.so cannot be loaded: not found"),
    ('pl.module("site.lua")', "it is no shared object for this machine"),
    ('pl.module("part.so")', "part.so cannot be loaded: it is being"),
    ('pl.module("plain.so")', "is no module of perilune"),
    ('pl.module("abi.so")', "interface 99 of modules, this perilune has 1"),
    ('pl.module("new.so")', "was compiled for a newer perilune"),
    ('pl.module("needs.so")', "undefined symbol: nobody_has_this"),
    ('pl.module("fails.so")', "fails.so: on_load: permission denied"),
    ('pl.module("raises.so")', "raises.so: no luck"),
    ('pl.module("method.so")', "there is a req:body() already"),
    ('pl.module("again.so")', "there are two handlers 'echo'"),
    ('pl.module("offers.so", { a = {} })', "option 'a' must be a string"),
    ('pl.module("offers.so", { a = 1 })', "is loaded already"),
    ('pl.use(pl.handler "echo")', "a function is needed, not a userdata"),
]


@pytest.fixture(scope="module")
def wrongs(tmp_path_factory, offers):
    folder = tmp_path_factory.mktemp("wrong")
    load = "int on_load(void *ctx, struct pl_module_params *p, int reload) "
    sources = {
        "plain": HEAD,
        "abi": HEAD + "PL_MODULE(99, PL_MODULE_SIZE);",
        "new": HEAD + "PL_MODULE(PL_MODULE_ABI, 4096);",
        "needs": MODULE + "void nobody_has_this(void);"
        "PL_HANDLER(x) { nobody_has_this(); return 0; }",
        "fails": MODULE + load + "{ return PL_ERR_DENIED; }",
        "raises": MODULE + load + '{ return luaL_error(ctx, "no luck"); }',
        "method": MODULE + "PL_LUA_METHOD(body) { return 0; }",
        "again": MODULE + "PL_HANDLER(echo) { return 0; }",
    }
    files = {
        f"{name}.so": build(text, folder / f"{name}.so").read_bytes()
        for name, text in sources.items()
    }
    files["offers.so"] = offers.read_bytes()
    files["part.so"] = files["offers.so"][: len(files["offers.so"]) // 2]
    return files


@pytest.mark.parametrize("line, text", WRONG)
def test_what_is_wrong_is_said_with_its_line(command, wrongs, line, text):
    site = f'local pl = require "perilune"\npl.module("offers.so")\n{line}\n'
    done = command("check", "site.lua", files={**wrongs, "site.lua": site})
    assert done.returncode == 3
    assert "site.lua:3: pl." in done.stderr and text in done.stderr


def test_modules_of_the_command_line_that_fail(command, wrongs):
    for name in "none.so", "fails.so", "raises.so":
        done = command("check", "-m", f"offers.so,{name}", files=wrongs)
        assert done.returncode == 3
        assert done.stderr.startswith(f"perilune: -m: {name}")


def test_modules_of_80s(serve, tmp_path):
    old = build(OLD, tmp_path / "old.so")
    server = serve("", "-m", str(old), workers=2)
    server.addresses()
    found = re.findall(r"^(?:un)?load \d \d$", server.log(), re.MULTILINE)
    assert sorted(found) == ["load 0 0", "load 1 0"]
    assert server.stop() == 0
    found = re.findall(r"^unload \d \d$", server.log(), re.MULTILINE)
    assert sorted(found) == ["unload 0 0", "unload 1 0"]


OLD_CALLS = """
#include "80s.h"
#include <lua.h>
#include <string.h>
#include <unistd.h>

static reload_context *context;

int on_load(lua_State *L, struct serve_params *params, int reload)
{
    char *args[] = {"sh", "-c", "cat; echo err >&2", NULL}, text[64] = "";
    fd_t pipes[2];
    size_t n = 0;

    context = params->reload;
    if (s80_popen(0, pipes, "sh", args) < 0)
        abort();
    s80_write(L, 0, pipes[1], S80_FD_PIPE, "..child", 2, 7);
    s80_close(L, 0, pipes[1], S80_FD_PIPE, 0);
    while (strstr(text, "err\\n") == NULL) {
        ssize_t got = read(pipes[0], text + n, sizeof(text) - 1 - n);
        n += got > 0 ? got : 0;
    }
    s80_close(L, 0, pipes[0], S80_FD_PIPE, 0);
    lua_pushstring(L, text);
    lua_setglobal(L, "said");
    lua_pushinteger(L, params->workers * 10 + params->node.port);
    lua_setglobal(L, "answer");
    return 0;
}

PL_HANDLER(mail)
{
    mailbox_message message = {
        .sender_id = 0, .size = 4, .message = strdup("post")};

    return s80_mail(context->mailboxes + 1, &message) < 0 ? PL_ERR_IO : 0;
}

PL_HANDLER(peer)
{
    uint64_t port = 0;
    char address[64] = "?";
    int seen = 0;
    fd_t fd;

    pl_str_to_u64(pl_request_arg(req, PL_STR("port")), &port);
    fd = s80_connect(NULL, 0, "127.0.0.1", (int)port, 0);
    if (fd < 0 || pl_wait_fd(req, fd, PL_WRITABLE, -1) < 0 ||
        s80_peername(fd, address, sizeof(address), &seen) < 0)
        return PL_ERR_IO;
    s80_close(NULL, 0, fd, S80_FD_SOCKET, 0);
    return pl_respondf(res, 200, "text/plain", "%s %d", address,
                       seen == (int)port);
}

PL_HANDLER(quit) { return s80_quit(context); }
"""

OLD_SITE = """
local pl = require "perilune"
local known = answer
pl.get("/", function() return known .. " " .. said end)
for _, name in ipairs { "mail", "peer", "quit" } do
  pl.get("/" .. name, pl.handler(name))
end
pl.on("message", function(text, from)
  pl.log.info(("worker %d got %s from %d"):format(pl.workers.id,
    text, from))
end)
"""


def test_what_modules_of_80s_call(serve, tmp_path):
    """Globals that are asked for while the site is read are there, too."""
    old = build(OLD_CALLS, tmp_path / "old.so")
    server = serve(OLD_SITE, "-m", str(old), workers=2)
    assert server.get("/").text == "20 childerr\n"
    assert server.get(f"/peer?port={server.port}").text == "127.0.0.1 1"
    assert server.get("/mail").status == 200
    server.wait_log(r"worker 1 got post from 0")
    assert server.get("/quit").status == 200
    assert server.wait() == 0


def test_the_example(serve, tmp_path):
    example = TOP / "examples/module"
    site = tmp_path / "counter"
    site.mkdir()
    (site / "main.lua").write_bytes((example / "main.lua").read_bytes())
    build(example / "counter.c", site / "counter.so")
    server = serve(site, workers=1)
    assert server.get("/").text == "visit 101 of worker 0\n"
    assert server.get("/visits").text == '{"visits":101}'
    assert server.request("POST", "/visits/7").text == '{"visits":108}'
    reply = server.request("POST", "/visits/x")
    assert reply.status == 400 and "req:visits: invalid argument" in reply.text


def test_the_file_may_be_overwritten(serve, offers):
    server = serve(SITE, files={"offers.so": offers.read_bytes()}, workers=2)
    assert server.get("/in/later").text == "hi\n"
    (server.folder / "offers.so").write_bytes(b"\0" * 100000)
    for _ in range(4):
        assert server.request("POST", "/echo", body=b"x").body == b"x"
        assert server.get("/nap").text.startswith("z 5")


def copies(server, name: str) -> int:
    """How many of a module are in its memory."""
    maps = (server.proc.path / "maps").read_text()
    return len(re.findall(rf"^\S+ \S+ 00000000 .*memfd:{name}", maps, re.M))


def test_one_copy_for_all_workers(serve, offers):
    server = serve(SITE, files={"offers.so": offers.read_bytes()}, workers=4)
    server.addresses()
    assert copies(server, "offers.so") == 1


def test_descriptors_and_copies_go_with_the_site(command, offers):
    """A load that fails behind a module leaves by the usual way."""
    site = SITE + "error('late')"
    files = {"offers.so": offers.read_bytes(), "site.lua": site}
    done = command("check", "site.lua", files=files)
    assert done.returncode == 3 and "late" in done.stderr


def reload(server, count: int):
    """Asks for one reload, and waits until so many were done."""
    server.send_signal(SIGHUP)
    server.wait_log(r"reloaded: generation=\d+", count)


def put(path, data: bytes, how: str):
    """As compilers and package managers do it."""
    if how == "in place":
        path.write_bytes(data)
    else:
        new = path.with_suffix(".fresh")
        new.write_bytes(data)
        new.rename(path)


def refuse(server, text: str):
    """A reload changes nothing."""
    count = len(re.findall("not reloaded", server.log()))
    server.send_signal(SIGHUP)
    server.wait_log(f"not reloaded, .*{text}", count + 1)


@pytest.mark.skipif(missing("wrk") != "", reason="needs wrk")
def test_the_example_is_built_anew_while_it_serves(serve, tmp_path):
    """Under load; once it is found half written. Its counter goes on, and no
    request fails."""
    source, site = TOP / "examples/module", tmp_path / "counter"
    site.mkdir()
    (site / "main.lua").write_bytes((source / "main.lua").read_bytes())
    module = site / "counter.so"
    built = [
        build(source / "counter.c", tmp_path / "built.so",
              f'-DGREETING="{name}"').read_bytes()
        for name in ("one", "two")
    ]  # fmt: skip
    module.write_bytes(built[1])
    server = serve(site, workers=1)
    seen, over = [], threading.Event()

    def visit():
        with server.connect() as wire:
            while not over.is_set():
                seen.append(wire.get("/").text)

    visitor, wrk = threading.Thread(target=visit), Wrk(server.url("/visits"))
    visitor.start()
    try:
        for n in range(20):
            how = ("in place", "by rename")[n // 2 % 2]
            put(module, built[n % 2][:5000], how)
            refuse(server, "it is being written")
            put(module, built[n % 2], how)
            reload(server, n + 1)
            at, name = len(seen), ("one", "two")[n % 2]
            wait_for(lambda: len(seen) > at + 1, "visits")
            assert seen[-1].startswith(name)
    finally:
        over.set()
        visitor.join()
        wrk.end()
    assert [int(text.split()[1]) for text in seen] == list(
        range(101, 101 + len(seen))
    )
    wait_for(lambda: copies(server, "counter.so") == 1, "one copy")


def test_a_reload_that_fails_leaves_the_state_alone(serve, tmp_path):
    source, site = TOP / "examples/module", tmp_path / "counter"
    site.mkdir()
    text = (source / "main.lua").read_text()
    (site / "main.lua").write_text(text)
    build(source / "counter.c", site / "counter.so")
    server = serve(site, workers=1)
    assert server.get("/").text == "visit 101 of worker 0\n"
    (site / "main.lua").write_text(text + "error 'later'\n")
    server.send_signal(SIGHUP)
    server.wait_log("later")
    (site / "counter.so").write_bytes(b"")
    assert server.get("/").text == "visit 102 of worker 0\n"
    (site / "main.lua").write_text(text)
    server.send_signal(SIGHUP)
    server.wait_log(r"counter\.so cannot be loaded: it is being written")
    assert server.get("/").text == "visit 103 of worker 0\n"


def test_reloads_of_modules_of_80s(serve, tmp_path):
    old = build(OLD, tmp_path / "old.so")
    server = serve("", "-m", str(old), workers=2)
    server.addresses()
    reload(server, 1)
    server.wait_log(r"^unload \d 1$", 2)
    found = re.findall(r"^(?:un)?load \d 1$", server.log(), re.MULTILINE)
    assert sorted(found) == ["load 0 1", "load 1 1", "unload 0 1", "unload 1 1"]
