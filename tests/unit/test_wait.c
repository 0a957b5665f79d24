/* test_wait.c - where Lua may wait, and where it is refused: every row of
 * docs/waiting.md, on both Luas. */
#include "lua_world.h"

#include <unistd.h>

/* Is this row for the Lua that runs? "LuaJIT: ..." and "5.4: ..." say so. */
static bool applies(const char *what)
{
    struct pl_str other = PL_LUAJIT ? PL_STR("5.4: ") : PL_STR("LuaJIT: ");

    return !pl_str_starts(pl_str_c(what), other);
}

/* The wait must happen, and values must come through. */
static const struct {
    const char *what, *code;
} allowed[] = {
    {"the main chunk", "pl.sleep(0.01) note('ok')"},
    {"a function in a function",
     "local function f(n) if n == 0 then pl.sleep(0.01) return 'ok' end "
     "return (f(n - 1)) end note(f(50))"},
    {"pcall", "note(select(2, pcall(function(v) pl.sleep(0.01) return v end, "
              "'ok')))"},
    {"xpcall", "note(select(2, xpcall(function() pl.sleep(0.01) return 'ok' "
               "end, debug.traceback)))"},
    {"an error after the wait",
     "local _, err = pcall(function() pl.sleep(0.01) error('ok', 0) end) "
     "note(err)"},
    {"an iterator of for",
     "for v in function(_, last) pl.sleep(0.01) if not last then return 'ok' "
     "end end do note(v) end"},
    {"__index", "local t = setmetatable({}, {__index = function(_, k) "
                "pl.sleep(0.01) return k end}) note(t.ok)"},
    {"__newindex", "setmetatable({}, {__newindex = function(_, _, v) "
                   "pl.sleep(0.01) note(v) end}).x = 'ok'"},
    {"__call", "note(setmetatable({}, {__call = function(_, v) pl.sleep(0.01) "
               "return v end})('ok'))"},
    {"__add", "note(setmetatable({}, {__add = function() pl.sleep(0.01) "
              "return 'ok' end}) + 1)"},
    {"__concat", "note(setmetatable({}, {__concat = function() pl.sleep(0.01) "
                 "return 'ok' end}) .. 'x')"},
    {"__eq", "local m = {__eq = function() pl.sleep(0.01) return true end} "
             "if setmetatable({}, m) == setmetatable({}, m) then note('ok') "
             "end"},
    {"__lt", "local m = {__lt = function() pl.sleep(0.01) return true end} "
             "if setmetatable({}, m) < setmetatable({}, m) then note('ok') "
             "end"},
    {"coroutine.wrap",
     "note(coroutine.wrap(function(v) pl.sleep(0.01) return v end)('ok'))"},
    {"coroutine.resume",
     "note(select(2, coroutine.resume(coroutine.create(function(v) "
     "pl.sleep(0.01) return v end), 'ok')))"},
    {"three coroutines deep",
     "note(coroutine.wrap(function(a) return coroutine.wrap(function(b) "
     "return coroutine.wrap(function(c) pl.sleep(0.01) return c end)(b) "
     "end)(a) end)('ok'))"},
    {"a generator that waits between its values",
     "local n = 0 for v in coroutine.wrap(function() for i = 1, 3 do "
     "pl.sleep(0.01) coroutine.yield(i) pl.sleep(0.01) end end) do n = n + v "
     "end if n == 6 then note('ok') end"},
    {"require", "package.preload.m = function() pl.sleep(0.01) return 'ok' end "
                "note((require 'm'))"},
    {"a module of a module",
     "package.preload.a = function() pl.sleep(0.01) return (require 'b') end "
     "package.preload.b = function() pl.sleep(0.01) return 'ok' end "
     "note((require 'a'))"},
    {"dofile", "note(dofile(waiting_file))"},
    {"pl.all", "note((pl.all{function() pl.sleep(0.01) return 'ok' end}))"},
    {"pl.race",
     "note(select(2, pl.race{function() pl.sleep(0.01) return 'ok' end}))"},
    {"pl.timeout",
     "note(pl.timeout(1, function() pl.sleep(0.01) return 'ok' end))"},
    {"pl.defer", "pl.defer(function() pl.sleep(0.01) note('ok') end)"},
    {"LuaJIT: tostring",
     "note(tostring(setmetatable({}, {__tostring = function() pl.sleep(0.01) "
     "return 'ok' end})))"},
    {"5.4: __pairs",
     "for k in pairs(setmetatable({}, {__pairs = function() pl.sleep(0.01) "
     "return next, {ok = 1} end})) do note(k) end"},
    {"5.4: __close",
     "do local x <close> = setmetatable({}, {__close = function() "
     "pl.sleep(0.01) note('ok') end}) end"},
};

static const char waiting[] = "pl.sleep(0.01) return 'ok'";

static void test_wait__where_it_is_allowed(void **state)
{
    char path[] = "/tmp/pl-wait-XXXXXX", text[80];
    int fd = mkstemp(path);

    (void)state;
    CHECK(fd >= 0 && write(fd, waiting, strlen(waiting)) > 0, "file");
    close(fd);
    snprintf(text, sizeof(text), "waiting_file = '%s'", path);
    run_ok(text, "file");
    for (size_t i = 0; i < PL_COUNT(allowed); i++) {
        uint64_t before = clock_ns;

        if (!applies(allowed[i].what))
            continue;
        run_ok(allowed[i].code, allowed[i].what);
        check_noted("ok", allowed[i].what);
        CHECK(clock_ns - before >= 10 * MS, allowed[i].what);
    }
    unlink(path);
}

#define INSIDE                                                                 \
    "pl.sleep: cannot wait inside a function that C code calls (string.gsub, " \
    "table.sort, a finalizer, ...)"

/* `wait` catches the error, so that the C function around it goes on. */
static const char wait_there[] =
    "function wait() local ok, err = pcall(pl.sleep, 0.01) "
    "  note(ok and 'waited' or err) end";

static const struct {
    const char *what, *code;
} refused[] = {
    {"string.gsub", "string.gsub('x', 'x', wait)"},
    {"table.sort",
     "local once table.sort({2, 1}, function(a, b) if not once then "
     "once = true wait() end return a < b end)"},
    {"load with a reader", "load(wait)"},
    {"5.4: tostring",
     "tostring(setmetatable({}, {__tostring = function() wait() "
     "return '' end}))"},
    {"print", "print(setmetatable({}, {__tostring = function() wait() "
              "return '' end}))"},
    {"string.format", "string.format('%s', setmetatable({}, {__tostring = "
                      "function() wait() return '' end}))"},
    {"5.4: table.unpack",
     "table.unpack(setmetatable({}, {__index = function() wait() end}), 1, 1)"},
    {"5.4: coroutine.close",
     "local co = coroutine.create(function() local x <close> = "
     "setmetatable({}, {__close = wait}) coroutine.yield() end) "
     "coroutine.resume(co) coroutine.close(co)"},
    {"a message handler", "xpcall(error, function(err) wait() return err end)"},
    {"a coroutine in string.gsub",
     "string.gsub('x', 'x', function() coroutine.wrap(wait)() end)"},
    {"a coroutine's coroutine in table.sort",
     "local once table.sort({2, 1}, function(a, b) if not once then "
     "once = true coroutine.wrap(function() coroutine.wrap(wait)() end)() end "
     "return a < b end)"},
};

static void test_wait__where_it_is_refused(void **state)
{
    (void)state;
    run_ok(wait_there, "helpers");
    for (size_t i = 0; i < PL_COUNT(refused); i++) {
        if (!applies(refused[i].what))
            continue;
        run_ok(refused[i].code, refused[i].what);
        if (strncmp(noted, "test:1: ", 8) == 0)
            memmove(noted, noted + 8, strlen(noted + 8) + 1);
        check_noted(INSIDE, refused[i].what);
    }
    run_ok("pl.sleep(0.01) note('still alive')", "afterwards");
    check_noted("still alive", "afterwards");
}

static void test_wait__a_finalizer_is_refused(void **state)
{
    (void)state;
    run_ok(wait_there, "helpers");
    run_ok("if newproxy then getmetatable(newproxy(true)).__gc = wait "
           "else setmetatable({}, {__gc = wait}) end "
           "collectgarbage() collectgarbage()",
           "finalizer");
    CHECK(strstr(noted, INSIDE) != NULL, noted);
}

/* What a failed task leaves open is closed when nothing runs any more. */
static void test_wait__closing_a_failed_task_is_refused(void **state)
{
    (void)state;
    if (PL_LUAJIT)
        return;
    run_ok(wait_there, "helpers");
    CHECK_INT(PL_ERR_STATE,
              run("local x <close> = setmetatable({}, {__close = wait}) "
                  "error('e')"),
              "fails");
    CHECK(strstr(noted, "pl.sleep: may only be called inside a task") != NULL,
          noted);
}

/* The same call from C, outside of any task. */
static void test_wait__outside_a_task_is_refused(void **state)
{
    lua_State *L = pl_vm_state(vm);

    (void)state;
    run_ok("function f() pl.sleep(1) end function g() coroutine.wrap(f)() end "
           "function h() pl.all{} end function d() pl.defer(f) end",
           "helpers");
    for (const char *name = "fghd"; *name != '\0'; name++) {
        const char *text, *call = *name == 'h'   ? "pl.all"
                                  : *name == 'd' ? "pl.defer"
                                                 : "pl.sleep";
        char want[200], function[] = {*name, '\0'};

        snprintf(want, sizeof(want),
                 "test:1: %s: may only be called inside a task (a handler, "
                 "timer or spawned function)",
                 call);
        lua_getglobal(L, function);
        CHECK(lua_pcall(L, 0, 0, 0) != 0, "refused");
        text = lua_tostring(L, -1);
        CHECK(text != NULL && strstr(text, want) != NULL, text);
        lua_pop(L, 1);
    }
}

static void test_wait__yielding_from_a_task_is_refused(void **state)
{
    (void)state;
    run_ok("note(coroutine.isyieldable(), pcall(coroutine.yield, 1))", "yield");
    check_noted("false false attempt to yield from outside a coroutine",
                "nobody to yield to");
}

/* ---- descriptors ---- */

static int ends[2]; /* the far ends of descriptors `a` and `b` */

/* send("a" | "b", text); reset("a" | "b") */
static int far_of(lua_State *L)
{
    return ends[luaL_checkstring(L, 1)[0] - 'a'];
}

static int lua_send(lua_State *L)
{
    pl_script_send(pl_script_of(loop), far_of(L),
                   pl_str_c(luaL_checkstring(L, 2)));
    return 0;
}

static int lua_reset(lua_State *L)
{
    pl_script_reset(pl_script_of(loop), far_of(L));
    return 0;
}

static int make_descriptors(void **state)
{
    make_lua_world(state);
    for (int i = 0; i < 2; i++) {
        char name[] = {(char)('a' + i), '\0'};

        lua_pushinteger(pl_vm_state(vm),
                        pl_script_pair(pl_script_of(loop), &ends[i]));
        lua_setglobal(pl_vm_state(vm), name);
    }
    lua_pushcfunction(pl_vm_state(vm), lua_send);
    lua_setglobal(pl_vm_state(vm), "send");
    lua_pushcfunction(pl_vm_state(vm), lua_reset);
    lua_setglobal(pl_vm_state(vm), "reset");
    return 0;
}

static int end_descriptors(void **state)
{
    static const char *const names[] = {"a", "b"};

    for (int i = 0; i < 2; i++) {
        lua_getglobal(pl_vm_state(vm), names[i]);
        pl_loop_close_fd(loop, (int)lua_tointeger(pl_vm_state(vm), -1));
        lua_pop(pl_vm_state(vm), 1);
    }
    return end_lua_world(state);
}

static const struct {
    const char *what, *code, *want;
} waits[] = {
    {"writable", "note(pl.wait(a, 'w'), pl.wait(a, 'rw'))", "w w"},
    {"time-out", "local ok, err = pl.wait(a, 'r', 0.01) note(ok, err)",
     "nil pl.wait: timed out"},
    {"at once", "local ok, err = pl.wait(a, 'r', 0) note(ok, err.code)",
     "nil timeout"},
    {"any, late",
     "local i, err = pl.wait_any { a, b, timeout = '10ms' } note(i, err.code)",
     "nil timeout"},
    {"readable",
     "pl.spawn(function() pl.sleep(0.01) send('a', 'x') end) "
     "note(pl.wait(a), pl.wait(a, 'rw'), pl.wait(a, 'w'))",
     "r rw w"},
    {"an object", "note(pl.wait { getfd = function() return a end })", "r"},
    {"any", "note((pl.wait_any { a, b }), pl.wait_any { b, { a, 'r' } })",
     "1 2 r"},
    {"any to write", "note(pl.wait_any { b, { a, 'w' } })", "2 w"},
    {"all, late",
     "local ok, err = pl.wait_all { a, b, timeout = 0.01 } note(ok, err.code)",
     "nil timeout"},
    {"all",
     "pl.spawn(function() pl.sleep(0.01) send('b', 'x') end) "
     "note(pl.wait_all { a, b, timeout = 1 })",
     "true"},
    {"twice in one wait",
     "local i, err = pl.wait_any { a, a } note(i, err.code, err)",
     "nil exists pl.wait_any: descriptor %d: another task waits for it, or it "
     "is the server's own"},
    {"two tasks",
     "local task = pl.spawn(function() return pl.wait(b, 'r') end) "
     "pl.sleep(0.01) local ok, err = pl.wait(b, 'w') note(task:join(), ok) ",
     "r w"},
    {"canceled",
     "local task = pl.spawn(function() reset('b') pl.wait(a, 'w') end) "
     "task:join() note(pl.timeout(0.01, pl.wait_all, { b }))",
     "true"},
    {"hang-up", "note(pl.wait(b, 'r'), pl.wait(b, 'w'), pl.wait(b, 'rw'))",
     "r w rw"},
};

static void test_wait__for_descriptors(void **state)
{
    char want[200];

    (void)state;
    if (!PL_WITH_SOCKETS)
        skip();
    commit();
    lua_getglobal(pl_vm_state(vm), "a");
    for (size_t i = 0; i < PL_COUNT(waits); i++) {
        run_ok(waits[i].code, waits[i].what);
        snprintf(want, sizeof(want), waits[i].want,
                 (int)lua_tointeger(pl_vm_state(vm), -1));
        check_noted(want, waits[i].what);
    }
    lua_pop(pl_vm_state(vm), 1);
}

/* Who waits in vain can be cancelled, and what is asked wrongly is said. */
static void test_wait__for_descriptors_ends_and_is_checked(void **state)
{
    (void)state;
    if (!PL_WITH_SOCKETS)
        skip();
    commit();
    run_ok("note(select(2, pl.timeout(0.01, pl.wait, a)).code, "
           "select(2, pl.timeout(0.01, pl.wait_any, { a, b })).code) "
           "local task = pl.spawn(function() pl.wait(a) end) pl.sleep(0.01) "
           "note(select(2, pl.wait(a)).code) task:cancel() "
           "note(select(2, pcall(task.join, task)).code, pl.wait(a, 'w'))",
           "canceled");
    check_noted("timeout timeout exists canceled w", "canceled");
    run_ok("for _, f in ipairs { function() pl.wait() end, "
           "function() pl.wait(-1) end, function() pl.wait(1.5) end, "
           "function() pl.wait({}) end, function() pl.wait(a, 'x') end, "
           "function() pl.wait(a, 'r', 'soon') end, "
           "function() pl.wait_any() end, function() pl.wait_all {} end, "
           "function() pl.wait_any { a, timeout = 'x' } end, "
           "function() pl.wait_any { a, timout = 1 } end } do "
           "local ok, err = pcall(f) note(ok == false and "
           "(err:gsub('^test:1: ', '')) or 'no error') note(';') end",
           "misuse");
    check_noted(
        "pl.wait: a descriptor is needed (a number, or an object with getfd), "
        "not a nil ; "
        "pl.wait: a descriptor is needed (a number, or an object with getfd), "
        "not -1 ; "
        "pl.wait: a descriptor is needed (a number, or an object with getfd), "
        "not 1.5 ; "
        "pl.wait: a descriptor is needed (a number, or an object with getfd), "
        "not a table ; "
        "pl.wait: the events must be \"r\", \"w\" or \"rw\" ; "
        "pl.wait: the seconds must be a number ; "
        "pl.wait_any: a list of 1 to 4096 things to wait for is needed ; "
        "pl.wait_all: a list of 1 to 4096 things to wait for is needed ; "
        "pl.wait_any: option 'timeout' must be a string like \"10s\" or "
        "seconds ; "
        "pl.wait_any: unknown option 'timout'; did you mean 'timeout'? (there "
        "are timeout) ;",
        "misuse");
}

/* ---- coroutines of the user's ---- */

static void test_coroutine__behaves_as_lua_s_own(void **state)
{
    (void)state;
    run_ok("local co = coroutine.create(function(a, b)"
           "  note(coroutine.status(co or coroutine.running()), a, b)"
           "  local c = coroutine.yield(a + b, 'x')"
           "  note(c, coroutine.isyieldable())"
           "  return 'done', nil end) "
           "note(coroutine.status(co)) "
           "note(coroutine.resume(co, 1, 2)) "
           "note(coroutine.status(co)) "
           "note(coroutine.resume(co, 'c')) "
           "note(coroutine.status(co)) "
           "note(coroutine.resume(co))",
           "by hand");
    check_noted("suspended running 1 2 true 3 x suspended c true true done nil "
                "dead false cannot resume dead coroutine",
                "by hand");
    run_ok("note(pcall(coroutine.wrap(function() error('e', 0) end))) "
           "note(pcall(coroutine.wrap(function() error({}) end)) == false) "
           "local w = coroutine.wrap(function() end) w() "
           "note(pcall(w)) note(pcall(coroutine.resume, 1))",
           "errors");
    CHECK(strstr(noted, "cannot resume dead coroutine") != NULL, noted);
    CHECK(strstr(noted, "bad argument #1 to 'resume' (coroutine expected)"),
          noted);
    noted[0] = '\0';
    run_ok("local co co = coroutine.create(function() "
           "return coroutine.resume(co) end) note(coroutine.resume(co))",
           "itself");
    check_noted("true false cannot resume non-suspended coroutine", "itself");
}

/* Another task must not touch a coroutine that waits. */
static void test_coroutine__waiting_is_not_suspended(void **state)
{
    (void)state;
    commit();
    run_ok("local co = coroutine.create(function() pl.sleep(0.05) "
           "return 'slept' end) "
           "pl.spawn(function() "
           "  note(coroutine.status(co)) "
           "  note(select(2, coroutine.resume(co))) "
           "  if coroutine.close then note(pcall(coroutine.close, co)) "
           "  else note(false, 'cannot close a normal coroutine') end "
           "end) "
           "note(coroutine.resume(co))",
           "waiting");
    check_noted("normal cannot resume non-suspended coroutine "
                "false cannot close a normal coroutine true slept",
                "seen from outside");
}

/* A generator may be begun in one task and go on in another. */
static void test_coroutine__may_change_its_task(void **state)
{
    (void)state;
    commit();
    run_ok("local gen = coroutine.wrap(function() for i = 1, 4 do "
           "pl.sleep(0.01) coroutine.yield(i) end end) "
           "local task = pl.spawn(function() return gen() + gen() end) "
           "note(task:join(), gen(), gen())",
           "handed over");
    check_noted("3 3 4", "handed over");
}

static void test_coroutine__garbage_is_collected_while_it_waits(void **state)
{
    (void)state;
    run_ok("local n = 0 for i = 1, 20 do n = n + coroutine.wrap(function() "
           "  pl.sleep(0) collectgarbage() "
           "  return coroutine.wrap(function() collectgarbage() pl.sleep(0.001)"
           "    collectgarbage() return i end)() end)() end note(n)",
           "collected");
    check_noted("210", "sum");
}

#define FD_TEST(name)                                                          \
    cmocka_unit_test_setup_teardown(name, make_descriptors, end_descriptors)

RUN_TESTS(FD_TEST(test_wait__for_descriptors),
          FD_TEST(test_wait__for_descriptors_ends_and_is_checked),
          LUA_TEST(test_wait__where_it_is_allowed),
          LUA_TEST(test_wait__where_it_is_refused),
          LUA_TEST(test_wait__a_finalizer_is_refused),
          LUA_TEST(test_wait__closing_a_failed_task_is_refused),
          LUA_TEST(test_wait__outside_a_task_is_refused),
          LUA_TEST(test_wait__yielding_from_a_task_is_refused),
          LUA_TEST(test_coroutine__behaves_as_lua_s_own),
          LUA_TEST(test_coroutine__waiting_is_not_suspended),
          LUA_TEST(test_coroutine__may_change_its_task),
          LUA_TEST(test_coroutine__garbage_is_collected_while_it_waits))
