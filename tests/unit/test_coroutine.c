/* test_coroutine.c - Lua tasks: their life, their tree, what ends them. */
#include "lua_world.h"

#include "lua/coroutine.h"
#include "lua/wait.h"

/* Snippets of Lua and what they note; the VM is committed. */
struct scene {
    const char *what, *code, *want;
};

static void play(const struct scene *scenes, size_t n)
{
    commit();
    for (size_t i = 0; i < n; i++) {
        run_ok(scenes[i].code, scenes[i].what);
        turn(3);
        check_noted(scenes[i].want, scenes[i].what);
    }
    CHECK_STR("", pl_str_c(reports), "nothing reported");
}

/* ---- spawn, join, cancel ---- */

static void test_spawn__joins_and_cancels(void **state)
{
    static const struct scene scenes[] = {
        {"results",
         "note(pl.spawn(function(...) pl.sleep(1) return ... end, "
         "1, nil, 3):join())",
         "1 nil 3"},
        {"over before the join",
         "local t = pl.spawn(function() return 'x' end) pl.sleep(1) "
         "note(t:status(), t:join())",
         "done x"},
        {"twice joined",
         "local t = pl.spawn(pl.sleep, 1) local n = 0 "
         "local function f() t:join() n = n + 1 end pl.all{f, f, f} note(n)",
         "3"},
        {"an error",
         "local t = pl.spawn(function() pl.sleep(1) error('e', 0) end) "
         "note(pcall(t.join, t)) note(t:status())",
         "false e failed"},
        {"not waited for", "pl.spawn(note, 'runs')", "runs"},
        {"started from the run queue, in order",
         "pl.spawn(note, 1) pl.spawn(note, 2) note(0) pl.sleep(0.001)",
         "0 1 2"},
        {"cancelled",
         "local t = pl.spawn(function() note(pcall(pl.sleep, 100)) "
         "note(pcall(pl.sleep, 100)) pl.sleep(1) note('never') end) "
         "pl.sleep(1) t:cancel() note(t:status()) note(pcall(t.join, t)) "
         "note(t:status())",
         "running false pl.sleep: canceled false pl.sleep: canceled false "
         "pl.sleep: canceled canceled"},
        {"cancelled before it runs",
         "local t = pl.spawn(function() note('runs') pl.sleep(0) "
         "note('never') end) t:cancel() note(pcall(t.join, t))",
         "runs false pl.sleep: canceled"},
        {"the join is cancelled, not the task",
         "local t = pl.spawn(function() pl.sleep(2) note('done') end) "
         "note(pl.timeout(1, t.join, t)) t:join()",
         "nil pl.timeout: timed out done"},
        {"itself",
         "local t t = pl.spawn(function() note(pcall(t.join, t)) end)"
         " t:join()",
         "false test:1: task:join: a task cannot wait for itself"},
        {"collected while it runs",
         "pl.spawn(function() pl.sleep(1) note('done') end) collectgarbage() "
         "pl.sleep(2)",
         "done"},
        {"no function", "note(pcall(pl.spawn, 1))",
         "false test:1: pl.spawn: a function is needed, not a number"},
    };

    (void)state;
    play(scenes, PL_COUNT(scenes));
}

static void test_spawn__an_error_that_nobody_joins_is_reported(void **state)
{
    (void)state;
    commit();
    run_ok("local function inner() error('lost') end "
           "pl.spawn(function() pl.sleep(1) inner() end) pl.sleep(2)",
           "spawn");
    CHECK(strstr(reports, "inner") != NULL, "has a traceback");
    check_reports("test:1: lost\nstack traceback:", "reported");
    run_ok("local t = pl.spawn(pl.sleep, 1) pl.sleep(0) t:cancel() pl.sleep(1)",
           "cancelled");
    CHECK_STR("", pl_str_c(reports), "cancelling is not an error");
}

/* ---- all, race, timeout ---- */

static void test_all__returns_in_order_or_raises_the_first_error(void **state)
{
    static const struct scene scenes[] = {
        {"nothing", "note(select('#', pl.all{}))", "0"},
        {"in order",
         "note(pl.all{function() pl.sleep(3) return 'a', 'cut' end, "
         "function() end, function() pl.sleep(1) return 'c' end})",
         "a nil c"},
        {"at the same time",
         "local t = pl.now() local f = function() pl.sleep(1) end "
         "pl.all{f, f, f} note(math.floor(pl.now() - t + 0.5))",
         "1"},
        {"the first error ends the others",
         "note(pcall(pl.all, {function() note(pcall(pl.sleep, 9)) end, "
         "function() pl.sleep(1) error('e1', 0) end, "
         "function() pl.sleep(2) error('e2', 0) end})) ",
         "false pl.sleep: canceled false e1"},
        {"waits for the defers of those it ends",
         "pcall(pl.all, {function() pl.defer(function() pl.sleep(1) "
         "note('deferred') end) pl.sleep(9) end, "
         "function() error('e') end}) note('after')",
         "deferred after"},
        {"nested",
         "note(pl.all{function() return (pl.all{function() pl.sleep(1) return "
         "'x' end}) end, function() return 'y' end})",
         "x y"},
        {"a cancelled parent ends its children",
         "local t = pl.spawn(function() pl.all{function() pl.sleep(9) end, "
         "function() pl.defer(function() note('child') end) pl.sleep(9) end} "
         "end) pl.sleep(1) t:cancel() note(pcall(t.join, t))",
         "child false pl.all: canceled"},
        {"in a coroutine",
         "note(coroutine.wrap(function() return pl.all{function() pl.sleep(1) "
         "return 1 end, function() return 2 end} end)())",
         "1 2"},
        {"not functions", "note(pcall(pl.all, {1})) note(pcall(pl.all))",
         "false test:1: pl.all: a function is needed, not a number "
         "false test:1: pl.all: a list of functions is needed, not a nil"},
    };

    (void)state;
    play(scenes, PL_COUNT(scenes));
}

static void test_race__has_one_winner(void **state)
{
    static const struct scene scenes[] = {
        {"the first",
         "note(pl.race{function() pl.sleep(2) note('never') end, "
         "function() pl.sleep(1) return 'b', nil, 'c' end})",
         "2 b nil c"},
        {"the loser's defers are over",
         "pl.race{function() pl.defer(function() pl.sleep(3) note('deferred') "
         "end) pl.sleep(9) end, function() pl.sleep(1) end} note('after')",
         "deferred after"},
        {"an error wins too",
         "note(pcall(pl.race, {function() pl.sleep(2) end, "
         "function() pl.sleep(1) error('e', 0) end}))",
         "false e"},
        {"both at once: one",
         "note(pl.race{function() return 1 end, "
         "function() return 2 end})",
         "1 1"},
        {"nobody", "note(pcall(pl.race, {}))",
         "false test:1: pl.race: the list of functions is empty"},
    };

    (void)state;
    play(scenes, PL_COUNT(scenes));
}

static void test_timeout__cancels(void **state)
{
    static const struct scene scenes[] = {
        {"in time",
         "note(pl.timeout(2, function(a, b) pl.sleep(1) return a, b "
         "end, 1, 2))",
         "1 2"},
        {"too late",
         "local r, err = pl.timeout(1, function() pl.sleep(2) note('never') "
         "end) note(r, err.code, err)",
         "nil timeout pl.timeout: timed out"},
        {"an error of its own",
         "note(pcall(pl.timeout, 1, function() error('e', 0) end))", "false e"},
        {"swallowing the cancellation does not help",
         "note((pl.timeout(1, function() while true do "
         "if not pcall(pl.sleep, 9) and not pcall(pl.sleep, 9) then break end "
         "end error('x') end)))",
         "nil"},
        {"the outer limit is shorter",
         "note(pl.timeout(1, function() return pl.timeout(9, pl.sleep, 8) "
         "end))",
         "nil pl.timeout: timed out"},
        {"in a coroutine in a time-out",
         "note((pl.timeout(1, coroutine.wrap(function() pl.sleep(9) end))))",
         "nil"},
        {"zero",
         "note(pl.timeout(0, function() return 'quick' end)) "
         "note((pl.timeout(0, pl.sleep, 1)))",
         "quick nil"},
        {"endless", "note(pl.timeout(math.huge, function() return 1 end))",
         "1"},
        {"not a number", "note(pcall(pl.timeout, 0/0, note))",
         "false test:1: pl.timeout: the seconds must be a number"},
    };

    (void)state;
    play(scenes, PL_COUNT(scenes));
}

/* ---- defer ---- */

static void test_defer__runs_however_the_task_ends(void **state)
{
    static const struct scene scenes[] = {
        {"last first",
         "pl.defer(function() note(1) end) "
         "pl.defer(function() note(2) end) note(0)",
         "0 2 1"},
        {"after an error",
         "pcall(pl.all, {function() pl.defer(function() pl.sleep(1) note('d') "
         "end) error('e') end})",
         "d"},
        {"waits although it was cancelled",
         "pl.timeout(1, function() pl.defer(function() pl.sleep(1) "
         "note('waited') end) pl.sleep(9) end)",
         "waited"},
        {"one in another",
         "pl.defer(function() pl.defer(function() note('inner') end) "
         "note('outer') end)",
         "outer inner"},
        {"results survive",
         "note(pl.spawn(function() pl.defer(function() pl.sleep(1) return 'no' "
         "end) return 'yes' end):join())",
         "yes"},
        {"with children of its own",
         "pl.defer(function() note(pl.all{function() pl.sleep(1) return 'x' "
         "end}) end)",
         "x"},
        {"not a function", "note(pcall(pl.defer))",
         "false test:1: pl.defer: a function is needed, not a no value"},
    };

    (void)state;
    play(scenes, PL_COUNT(scenes));
}

static void test_defer__an_error_does_not_stop_the_next(void **state)
{
    (void)state;
    run_ok("pl.defer(function() note('runs') end) "
           "pl.defer(function() error('broken') end)",
           "defer");
    check_noted("runs", "the other one");
    check_reports("test:1: broken", "reported");
}

static void test_defer__waits_for_a_limited_time(void **state)
{
    uint64_t before = clock_ns;

    (void)state;
    run_ok("pl.defer(function() note('the next runs', pcall(pl.sleep, 1)) end)"
           "pl.defer(function() note(pcall(pl.sleep, 1000)) end)",
           "defer");
    check_noted("false pl.sleep: canceled the next runs false pl.sleep: "
                "canceled",
                "both");
    CHECK(clock_ns - before < 2 * PL_DEFER_LIMIT_NS, "not for ever");
}

/* ---- errors and threads ---- */

static void test_coroutine__finished_threads_are_used_again(void **state)
{
    uint64_t threads;

    (void)state;
    commit();
    run_ok("pl.all{function() pl.sleep(1) end}", "warm up");
    threads = pl_vm_stats(vm).threads;
    run_ok("for i = 1, 100 do pl.all{function() pl.sleep(0.001) end} end",
           "many tasks");
    CHECK_INT(threads, pl_vm_stats(vm).threads, "no new thread");
    run_ok("for i = 1, 10 do pl.spawn(function() error('e') end) end", "fail");
    turn(3);
    CHECK(strstr(reports, "test:1: e") != NULL, "reported");
    run_ok("note('fine')", "after failures");
    check_noted("fine", "after failures");
}

static void test_coroutine__spare_threads_go_when_idle(void **state)
{
    (void)state;
    commit();
    run_ok("for i = 1, 200 do pl.spawn(pl.sleep, 0.001) end pl.sleep(1)",
           "a burst");
    CHECK(pl_vm_stats(vm).spare >= 200, "kept");
    pl_vm_idle(vm);
    CHECK(pl_vm_stats(vm).spare <= 16, "trimmed");
}

static int returned, over, returned_status;
static char returned_text[64];

static void on_returned(struct pl_co *co, int status, int n)
{
    returned = n;
    returned_status = status;
    snprintf(returned_text, sizeof(returned_text), "%s",
             lua_tostring(co->L, -1));
    CHECK(!over, "returned comes first");
}

static void on_over(struct pl_co *co)
{
    (void)co;
    over = 1;
}

static const struct pl_co_hooks hooks = {on_returned, on_over};

/* How C starts a task: no Lua around it. */
static void start_from_c(const char *text)
{
    struct pl_co *co = pl_co_new(vm, NULL, NULL);

    CHECK(co != NULL, "new");
    returned = over = returned_status = 0;
    co->hooks = &hooks;
    CHECK_INT(0, luaL_loadbuffer(co->L, text, strlen(text), "=c"), text);
    lua_pushliteral(co->L, "arg");
    pl_co_start(co, 1);
}

static void test_coroutine__c_starts_tasks_and_sees_them_end(void **state)
{
    (void)state;
    start_from_c("return 1, ...");
    CHECK_INT(2, returned, "results");
    CHECK_STR("arg", pl_str_c(returned_text), "the last result");
    CHECK(over, "at once");
    start_from_c(
        "pl.defer(function() pl.sleep(1) note('d') end) error('e', 0)");
    CHECK_INT(LUA_ERRRUN, returned_status, "error");
    CHECK_STR("e", pl_str_c(returned_text), "its message");
    CHECK(!over, "defers follow");
    pass(1000);
    CHECK(over, "over");
    check_noted("d", "deferred");
}

/* An operation begins, then there is no memory to suspend. */
static int begin_and_fail(lua_State *L)
{
    struct pl_co *co = pl_co_may_wait(L, "begin_and_fail");

    pl_sleep_begin(&co->own.sleep, &sched, pl_now(loop) + 1000 * MS);
    CHECK(pl_task_prepare_wait(&co->task, &co->own.sleep.op), "pending");
    co->op = &co->own.sleep.op;
    return luaL_error(L, "no memory");
}

static void test_coroutine__a_wait_that_cannot_suspend_ends_the_task(void **s)
{
    uint64_t before = clock_ns;

    (void)s;
    lua_pushcfunction(pl_vm_state(vm), begin_and_fail);
    lua_setglobal(pl_vm_state(vm), "begin_and_fail");
    CHECK_INT(PL_ERR_STATE, run("begin_and_fail()"), "uncaught");
    CHECK_STR("no memory", pl_str_c(load.error.text), "uncaught");
    run_ok("pl.defer(function() pl.sleep(0.01) note('deferred') end) "
           "note(pcall(begin_and_fail)) note(pcall(pl.sleep, 1))",
           "caught");
    check_noted("false no memory false pl.sleep: out of memory deferred",
                "caught");
    CHECK_INT(0, pl_vm_stats(vm).tasks, "over");
    CHECK(clock_ns - before < 500 * MS, "the operation was cancelled");
}

static void test_vm__stopping_cancels_everything(void **state)
{
    struct pl_op drained;

    (void)state;
    commit();
    run_ok("pl.every(1, function() pl.sleep(100) end) "
           "pl.spawn(function() pl.defer(function() "
           "  note(pcall(pl.spawn, note)) end) pl.sleep(100) end) "
           "pl.spawn(function() pl.all{function() pl.sleep(100) end} end) "
           "pl.sleep(1.5)",
           "many tasks");
    CHECK(pl_vm_stats(vm).tasks >= 5, "running");
    pl_vm_stop_begin(&drained, vm);
    finish(&drained);
    CHECK_INT(0, pl_vm_stats(vm).tasks, "none");
    check_noted("false test:1: cannot start a task: the site is stopping",
                "none is added");
    CHECK_STR("", pl_str_c(reports), "quietly");
}

RUN_TESTS(LUA_TEST(test_spawn__joins_and_cancels),
          LUA_TEST(test_spawn__an_error_that_nobody_joins_is_reported),
          LUA_TEST(test_all__returns_in_order_or_raises_the_first_error),
          LUA_TEST(test_race__has_one_winner), LUA_TEST(test_timeout__cancels),
          LUA_TEST(test_defer__runs_however_the_task_ends),
          LUA_TEST(test_defer__an_error_does_not_stop_the_next),
          LUA_TEST(test_defer__waits_for_a_limited_time),
          LUA_TEST(test_coroutine__finished_threads_are_used_again),
          LUA_TEST(test_coroutine__spare_threads_go_when_idle),
          LUA_TEST(test_coroutine__c_starts_tasks_and_sees_them_end),
          LUA_TEST(test_coroutine__a_wait_that_cannot_suspend_ends_the_task),
          LUA_TEST(test_vm__stopping_cancels_everything))
