/* test_watch.c - alarms for Lua that runs, raised out of the Lua itself: a
 * function arm("report" or "abort") does what a handler of a signal does. */
#include "lua_world.h"

#include "lua/watch.h"

static struct pl_alarm alarm_;
static int heard;
static char where[1000];

static void on_heard(struct pl_alarm *alarm)
{
    heard++;
    snprintf(where, sizeof(where), "%s", alarm->where);
}

static int lua_arm(lua_State *L)
{
    bool abort = strcmp(luaL_checkstring(L, 1), "abort") == 0;

    alarm_ = (struct pl_alarm){.kind = abort ? PL_ALARM_ABORT : PL_ALARM_REPORT,
                               .status = 500,
                               .why = "it ran on",
                               .heard = on_heard};
    lua_pushboolean(L, pl_lua_alarm(pl_sched_seen(&sched), &alarm_));
    return 1;
}

static int make_watch_world(void **state)
{
    struct pl_vm_options options = vm_options();

    make_world(state);
    reports[0] = noted[0] = where[0] = '\0';
    heard = 0;
    CHECK_INT(0, pl_lua_watch_open(), "open");
    options.watched = true;
    vm = new_vm(&options);
    lua_pushcfunction(pl_vm_state(vm), lua_arm);
    lua_setglobal(pl_vm_state(vm), "arm");
    return 0;
}

static int end_watch_world(void **state)
{
    free_vm(vm);
    pl_lua_watch_close();
    return end_world(state);
}

static void test_watch__a_report_says_where_and_lets_go(void **state)
{
    run_ok("local function inner()\n"
           "  arm('report')\n"
           "  local x = 0\n"
           "  for i = 1, 1000 do x = x + i end\n"
           "  note(x)\n"
           "end\n"
           "inner()",
           "runs to its end");
    check_noted("500500", "result");
    CHECK_INT(1, heard, "heard once");
    CHECK(strstr(where, "test:") == where, where);
    CHECK(strstr(where, "inner") != NULL, where);
}

/* Each of them would run for ever, or catches what is raised. */
static const struct {
    const char *what, *text;
} endless[] = {
    {"a loop", "arm('abort') while true do end"},
    {"in a function", "local function f() arm('abort') while true do end end "
                      "f() note('not reached')"},
    {"pcall", "while true do pcall(function() arm('abort') while true do end "
              "end) end"},
    {"a message handler", "local function spin() while true do end end "
                          "xpcall(function() arm('abort') spin() end, spin) "
                          "spin()"},
    {"a coroutine", "coroutine.wrap(function() arm('abort') while true do end "
                    "end)() note('not reached')"},
    {"a caught coroutine",
     "while true do pcall(coroutine.wrap(function() pcall(coroutine.wrap("
     "function() arm('abort') while true do end end)) while true do end end)) "
     "end"},
    {"a callback of C", "local s = ('x'):rep(100):gsub('x', function() "
                        "arm('abort') while true do end end)"},
    {"C that calls C", "arm('abort') local s = ('x'):rep(100):gsub('x', pcall) "
                       "note('not reached')"},
    {"a metamethod", "local t = setmetatable({}, {__index = function() "
                     "arm('abort') while true do end end}) note(t.x)"},
    {"before a wait", "arm('abort') pl.sleep(1) note('not reached')"},
    {"what looks like a wait", "arm('abort') while true do "
                               "pcall(pl.sleep, 0) end"},
};

static void test_watch__an_abort_cannot_be_swallowed(void **state)
{
    for (size_t i = 0; i < PL_COUNT(endless); i++) {
        heard = 0;
        CHECK_INT(PL_ERR_ABORTED, run(endless[i].text), endless[i].what);
        CHECK(strstr(load.error.text, "aborted: it ran on") != NULL,
              load.error.text);
        CHECK_STR("test:1", pl_str_c(load.error.where), endless[i].what);
        CHECK_INT(1, heard, endless[i].what);
        check_noted("", endless[i].what);
    }
    run_ok("note(('x'):rep(3)) pl.sleep(0.001) note(#string.rep('x', 100000))",
           "the VM goes on");
    check_noted("xxx 100000", "and has its memory");
}

/* Many aborts: nothing stays behind. */
static void test_watch__aborts_leave_no_memory(void **state)
{
    size_t before = 0;

    for (int i = 0; i < 100; i++) {
        CHECK_INT(PL_ERR_ABORTED,
                  run("local t = {} for i = 1, 100 do t[i] = { i } end "
                      "arm('abort') while true do pcall(arm, 'abort') end"),
                  "abort");
        for (int n = 0; n < 100 && !pl_vm_idle(vm); n++)
            ;
        if (i == 20)
            before = pl_vm_stats(vm).bytes;
    }
    CHECK(pl_vm_stats(vm).bytes < before + 16 * 1024, "no growth");
}

static void test_watch__the_others_go_on(void **state)
{
    commit();
    run_ok("pl.every(0.01, function() note('tick') end)\n"
           "pl.spawn(function() arm('abort') while true do end end)\n"
           "pl.spawn(function() pl.sleep(0.002) note('other') end)",
           "start");
    pass(5);
    pass(10);
    check_noted("other tick", "others");
    check_reports("aborted: it ran on", "one is aborted");
}

static void test_watch__a_timer_outlives_an_abort(void **state)
{
    commit();
    run_ok("local n = 0\n"
           "pl.every(0.01, function() n = n + 1 note(n)\n"
           "  if n == 2 then arm('abort') while true do end end end)",
           "start");
    for (int i = 0; i < 100 && strchr(noted, '4') == NULL; i++)
        pass(1);
    check_noted("1 2 3 4", "ticks");
    check_reports("aborted: it ran on", "told");
}

static void test_watch__children_tell_their_parent(void **state)
{
    run_ok("local ok, err = pcall(pl.all, {\n"
           "  function() arm('abort') while true do end end,\n"
           "  function() pl.sleep(60) end })\n"
           "note(ok, err.code)",
           "pl.all");
    check_noted("false aborted", "it raises");
    reports[0] = '\0';
}

static void test_watch__nothing_to_alarm_outside_of_lua(void **state)
{
    alarm_ = (struct pl_alarm){.heard = on_heard};
    CHECK(!pl_lua_alarm(pl_sched_seen(&sched), &alarm_), "no task");
    CHECK(!pl_lua_where(pl_sched_seen(&sched), where, sizeof(where)), "either");
}

/* Compiled code is only reached where it was compiled for that: this says that
 * it is, on the LuaJIT that we build with. */
static void test_watch__reaches_compiled_code(void **state)
{
    CHECK(pl_lua_watch_probe(), "probe");
    CHECK(pl_lua_watch_probe(), "and again: the profiler was given back");
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, make_watch_world, end_watch_world)
    const struct CMUnitTest tests[] = {
        TEST(test_watch__a_report_says_where_and_lets_go),
        TEST(test_watch__an_abort_cannot_be_swallowed),
        TEST(test_watch__aborts_leave_no_memory),
        TEST(test_watch__the_others_go_on),
        TEST(test_watch__a_timer_outlives_an_abort),
        TEST(test_watch__children_tell_their_parent),
        TEST(test_watch__nothing_to_alarm_outside_of_lua),
        TEST(test_watch__reaches_compiled_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
