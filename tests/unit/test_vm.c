/* test_vm.c - a VM from new to free: loading, the commit, timers, settings. */
#include "lua_world.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* ---- loading ---- */

static const struct {
    const char *code;
    int err;
    const char *where, *text;
} faults[] = {
    {"x = = 1", PL_ERR_SYNTAX, "test:1", "unexpected symbol near '='"},
    {"\n\nerror('broken')", PL_ERR_STATE, "test:3", "broken"},
    {"\nerror('bare', 0)", PL_ERR_STATE, "test:2", "bare"},
    {"\nerror({})", PL_ERR_STATE, "test:2", "table: "},
    {"\nerror()", PL_ERR_STATE, "test:2", "nil"},
    {"\npl.env('PL_TEST_UNDEFINED')", PL_ERR_STATE, "test:2",
     "pl.env: environment variable PL_TEST_UNDEFINED is not set"},
    {"\n\n\npl.on('birthday', print)", PL_ERR_STATE, "test:4",
     "pl.on: no such event (there are start, stop, reload, message): birthday"},
    {"require 'perilune.core.task'", PL_ERR_STATE, "test:1",
     "module 'perilune.core.task' not found:"},
    {"require 'nowhere'", PL_ERR_STATE, "test:1",
     "module 'nowhere' not found:"},
    {"pl.sleep('soon')", PL_ERR_STATE, "test:1",
     "pl.sleep: bad number of seconds (soon)"},
    {"pl.every(0, print)", PL_ERR_STATE, "test:1",
     "pl.every: the seconds must be a number, at least 0.001"},
    {"local t = pl.spawn(print) t:join()", PL_ERR_STATE, "test:1",
     "task:join: the task starts when the site has been loaded"},
    {"coroutine.wrap(function() pl.sleep(0.01) error('deep') end)()",
     PL_ERR_STATE, "test:1", "test:1: deep"},
};

static void test_load__names_the_place_of_a_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++) {
        CHECK_INT(faults[i].err, run(faults[i].code), faults[i].code);
        CHECK_STR(faults[i].where, pl_str_c(load.error.where), faults[i].code);
        CHECK(strncmp(load.error.text, faults[i].text,
                      strlen(faults[i].text)) == 0,
              load.error.text);
    }
    CHECK_STR("", pl_str_c(reports), "who loads is told, not the log");
}

static void test_load__returns_a_number(void **state)
{
    (void)state;
    run_ok("return 3", "number");
    CHECK_INT(3, load.value, "number");
    run_ok("return 'x', 3", "string");
    CHECK_INT(0, load.value, "not a number");
}

static void test_load__of_a_file_that_is_not_there(void **state)
{
    (void)state;
    pl_vm_load_begin(&load, vm, "/nowhere/site.lua");
    CHECK_INT(PL_ERR_NOT_FOUND, finish(&load.op), "missing");
    CHECK(strstr(load.error.text, "/nowhere/site.lua") != NULL,
          load.error.text);
}

static void test_load__can_be_cancelled(void **state)
{
    (void)state;
    pl_vm_load_text_begin(&load, vm, "=test", PL_STR("pl.sleep(1000)"));
    pass(1);
    pl_op_cancel(&load.op);
    CHECK_INT(PL_ERR_CANCELED, finish(&load.op), "canceled");
}

/* ---- a site in files ---- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0, path);
    fclose(file);
}

static void test_require__finds_the_modules_of_the_site(void **state)
{
    char folder[] = "/tmp/pl-vm-XXXXXX", path[200], sub[200];
    struct pl_vm_options options = vm_options();

    (void)state;
    CHECK(mkdtemp(folder) != NULL, "folder");
    snprintf(sub, sizeof(sub), "%s/sub", folder);
    CHECK_INT(0, mkdir(sub, 0700), sub);
    write_file(folder, "m.lua", "pl.sleep(0.01) return {name = ...}");
    write_file(sub, "init.lua", "count = (count or 0) + 1");
    write_file(folder, "bad.lua", "\nerror('in a module')");
    write_file(folder, "main.lua",
               "note((require 'm').name, (require 'sub'), (require 'sub'), "
               "count)\n"
               "note(pcall(require, 'bad')) require 'bad'");
    options.folder = folder;
    free_vm(vm);
    vm = new_vm(&options);
    snprintf(path, sizeof(path), "%s/main.lua", folder);
    pl_vm_load_begin(&load, vm, path);
    CHECK_INT(PL_ERR_STATE, finish(&load.op), load.error.text);
    CHECK(strncmp(noted, "m true true 1 false ", 20) == 0, noted);
    CHECK_STR("in a module", pl_str_c(load.error.text), "a module's error");
    snprintf(path, sizeof(path), "%s/bad.lua:2", folder);
    CHECK_STR(path, pl_str_c(load.error.where), "a module's place");
    for (const char *const *name =
             (const char *const[]){"m.lua", "sub/init.lua", "sub", "bad.lua",
                                   "main.lua", "", NULL};
         *name != NULL; name++) {
        snprintf(path, sizeof(path), "%s/%s", folder, *name);
        CHECK_INT(0, remove(path), path);
    }
}

static void test_require__two_tasks_load_a_module_once(void **state)
{
    (void)state;
    commit();
    run_ok("package.preload.m = function() pl.sleep(1) note('loaded') "
           "return 'm' end "
           "local f = function() return (require 'm') end "
           "note(pl.all{f, f, f})",
           "together");
    check_noted("loaded m m m", "once");
    run_ok("local n = 0 package.preload.f = function() n = n + 1 pl.sleep(1) "
           "if n == 1 then error('first', 0) end return n end "
           "local f = function() return select(2, pcall(require, 'f')) end "
           "note(pl.all{f, f})",
           "the first fails");
    check_noted("first 2", "the second tries again");
}

static void test_require__circles_are_errors(void **state)
{
    (void)state;
    commit();
    run_ok("package.preload.a = function() return (require 'b') end "
           "package.preload.b = function() return (require 'a') end "
           "note(pcall(require, 'a'))",
           "one task");
    check_noted("false test:1: loop or previous error loading module 'a'",
                "one task");
    run_ok("package.preload.a = function() pl.sleep(1) return (require 'b') "
           "end "
           "package.preload.b = function() pl.sleep(1) return (require 'a') "
           "end "
           "local function f(m) return function() note(pcall(require, m)) end "
           "end pl.all{f 'a', f 'b'}",
           "two tasks");
    CHECK(strstr(noted, "loop or previous error") != NULL, noted);
}

/* ---- recording and the commit ---- */

static void test_commit__starts_what_was_recorded(void **state)
{
    (void)state;
    run_ok("pl.on('start', function() note('start') end) "
           "pl.every(1, function() note('tick') end) "
           "spawned = pl.spawn(note, 'spawned') "
           "never = pl.spawn(note, 'never') never:cancel() "
           "pl.every(1, function() note('never') end):cancel() "
           "note(spawned:status(), never:status()) pl.sleep(3)",
           "load");
    check_noted("pending canceled", "nothing starts before the commit");
    commit();
    check_noted("start spawned", "after the commit");
    run_ok("note(pcall(never.join, never)) note(spawned:status())", "handles");
    check_noted("false task: canceled done", "handles");
}

static void test_emit__runs_handlers_in_order(void **state)
{
    struct pl_join_op done;

    (void)state;
    run_ok("pl.on('stop', function() pl.sleep(1) note(1) end) "
           "pl.on('stop', function() error('broken') end) "
           "pl.on('stop', function() note(3) end)",
           "load");
    commit();
    CHECK_INT(0, pl_vm_emit(vm, "stop", &done), "emit");
    CHECK_INT(0, finish(&done.op), "emit");
    check_noted("1 3", "in order");
    check_reports("test:1: broken", "an error");
    CHECK_INT(0, pl_vm_emit(vm, "reload", NULL), "nobody listens");
}

/* ---- timers ---- */

static void tick_to(uint64_t ms)
{
    while (clock_ns < ms * MS)
        pass(1);
}

static void test_every__keeps_its_grid(void **state)
{
    (void)state;
    run_ok("n = 0 pl.every(0.1, function() n = n + 1 "
           "note(math.floor(pl.now() * 1000 + 0.5)) "
           "if n == 2 then pl.sleep(0.25) end end)",
           "load");
    commit();
    tick_to(1750);
    check_noted("1100 1200 1500 1600 1700", "late ones are left out");
}

static void test_every__goes_on_after_errors_until_cancelled(void **state)
{
    (void)state;
    commit();
    run_ok("timer = pl.every(1, function() note('tick') error('oops') end) "
           "pl.sleep(2.5) timer:cancel() pl.sleep(2)",
           "every");
    check_noted("tick tick", "twice");
    check_reports("test:1: oops", "reported");
}

static void test_every__is_inherited(void **state)
{
    static const char site[] =
        "pl.every(1, function() note(who, math.floor(pl.now() * 10 + 0.5)) end)"
        "pl.every(0.4, function() note(who, 'named') end, {name = who})";
    struct pl_vm_options options = vm_options();
    struct pl_vm *old = vm;

    (void)state;
    run_ok("who = 'old'", "old");
    run_ok(site, "old");
    commit();
    tick_to(1650);
    check_noted("old named", "before");
    vm = new_vm(&options);
    run_ok("who = 'new'", "new");
    run_ok(site, "new");
    CHECK_INT(0, pl_vm_commit(vm, old), "commit");
    tick_to(2250);
    check_noted("new 20 new named", "the first keeps its due time");
    CHECK_INT(0, pl_vm_stats(old).tasks, "the old timers are over");
    free_vm(old);
}

static void test_every__runs_on_one_worker(void **state)
{
    struct pl_vm_options options = vm_options();

    (void)state;
    options.worker = 1;
    options.workers = 2;
    free_vm(vm);
    vm = new_vm(&options);
    run_ok("pl.every(1, function() note('one') end) "
           "pl.every(1, function() note('each') end, {each_worker = true}) "
           "note(pl.workers.id, pl.workers.count)",
           "load");
    commit();
    pass(1001);
    check_noted("1 2 each", "the second worker");
}

/* ---- surroundings ---- */

static void test_system__values(void **state)
{
    (void)state;
    setenv("PL_TEST_DEFINED", "yes", 1);
    run_ok("note(pl.env('PL_TEST_DEFINED'), pl.env('PL_TEST_NOT', 'default'), "
           "pl.env('PL_TEST_NOT', nil)) "
           "note(pl.version, pl.now(), type(pl.time())) "
           "note(pl.json.encode({1}), require 'perilune' == pl)",
           "values");
    CHECK(strncmp(noted, "yes default nil " PL_VERSION " 1", 21) == 0, noted);
    CHECK(strstr(noted, "number [1] true") != NULL, noted);
    run_ok("pl.stop(4)", "stop");
    CHECK_INT(4, stopped, "stop");
}

static void test_parts__are_loaded_when_first_used(void **state)
{
    (void)state;
    run_ok("note(rawget(pl, 'log') == nil, type(pl.log), "
           "rawget(pl, 'log') == pl.log, pl.absent, pl[1], "
           "(pcall(require, 'perilune.lib.log')))",
           "part");
    CHECK(strcmp(noted, "true table true nil nil false") == 0, noted);
}

static void test_system__log_lines(void **state)
{
    int out = dup(2), pipes[2];
    char text[8000];
    ssize_t n;

    (void)state;
    CHECK_INT(0, pipe(pipes), "pipe");
    dup2(pipes[1], 2);
    run_ok("for i = 1, 20 do pl.log.info('line', i, nil, {b = 'x y', a = 1}) "
           "end pl.log('plain') pl.log.debug('not seen') pl.log.error()",
           "log");
    dup2(out, 2);
    close(out);
    close(pipes[1]);
    n = read(pipes[0], text, sizeof(text) - 1);
    close(pipes[0]);
    text[PL_MAX(n, 0)] = '\0';
    CHECK(strstr(text, "line 20 nil a=1 b=\"x y\"\n") != NULL, text);
    CHECK(strstr(text, "plain\n") != NULL, text);
    CHECK(strstr(text, "not seen") == NULL, text);
}

static void test_vm__memory_has_a_limit(void **state)
{
    struct pl_vm_options options = vm_options();
    struct pl_account worker;
    struct pl_error error;
    struct pl_vm *none = NULL;

    (void)state;
    pl_account_init(&worker, NULL, 0);
    options.account = &worker;
    options.memory_limit = 8 << 20;
    free_vm(vm);
    vm = new_vm(&options);
    CHECK(worker.used > 50000, "charged");
    CHECK_INT(PL_ERR_STATE,
              run("local t = {} for i = 1, 1e9 do t[i] = 'x' .. i"
                  " end"),
              "refused");
    CHECK_STR("not enough memory", pl_str_c(load.error.text), "refused");
    run_ok("collectgarbage() note('alive')", "afterwards");
    check_noted("alive", "afterwards");
    free_vm(vm);
    CHECK_INT(0, worker.used, "all given back");
    options.memory_limit = 1000;
    CHECK_INT(PL_ERR_LIMIT, pl_vm_new(&sched, &options, &none, &error),
              "too little");
    vm = new_vm(&(struct pl_vm_options){.workers = 1});
}

/* Errors that cannot be turned into text do not break the reporting. */
static void test_vm__reports_odd_errors(void **state)
{
    (void)state;
    commit();
    run_ok("pl.spawn(error) "
           "pl.spawn(error, setmetatable({}, {__tostring = error})) "
           "pl.spawn(error, setmetatable({}, {__tostring = function() "
           "return 'an object' end}))",
           "odd errors");
    turn(3);
    CHECK(strstr(reports, "nil\nstack") != NULL, reports);
    CHECK(strstr(reports, "an error that cannot be shown (table)") != NULL,
          reports);
    check_reports("an object", "an object");
}

RUN_TESTS(LUA_TEST(test_load__names_the_place_of_a_fault),
          LUA_TEST(test_load__returns_a_number),
          LUA_TEST(test_load__of_a_file_that_is_not_there),
          LUA_TEST(test_load__can_be_cancelled),
          LUA_TEST(test_require__finds_the_modules_of_the_site),
          LUA_TEST(test_require__two_tasks_load_a_module_once),
          LUA_TEST(test_require__circles_are_errors),
          LUA_TEST(test_commit__starts_what_was_recorded),
          LUA_TEST(test_emit__runs_handlers_in_order),
          LUA_TEST(test_every__keeps_its_grid),
          LUA_TEST(test_every__goes_on_after_errors_until_cancelled),
          LUA_TEST(test_every__is_inherited),
          LUA_TEST(test_every__runs_on_one_worker),
          LUA_TEST(test_system__values),
          LUA_TEST(test_parts__are_loaded_when_first_used),
          LUA_TEST(test_system__log_lines),
          LUA_TEST(test_vm__memory_has_a_limit),
          LUA_TEST(test_vm__reports_odd_errors))
