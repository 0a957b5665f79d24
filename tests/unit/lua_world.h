/* lua_world.h - world.h with a Lua VM in it, driven by snippets of Lua. */
#ifndef PL_TESTS_LUA_WORLD_H
#define PL_TESTS_LUA_WORLD_H

#include "world.h"

#include <stdlib.h>

#include "lua/vm.h"

static struct pl_vm *vm;
static struct pl_vm_load load;
static char reports[4096]; /* errors that nobody caught, with tracebacks */
static int stopped;        /* status of pl.stop */

static void on_report(void *ctx, struct pl_task *task, struct pl_str text)
{
    size_t len = strlen(reports);

    (void)ctx;
    (void)task;
    snprintf(reports + len, sizeof(reports) - len, "%.*s\n", PL_STR_ARG(text));
}

static void on_stop(void *ctx, int status)
{
    (void)ctx;
    stopped = status;
}

/* note(...): values for check_noted(), with spaces between them. */
static char noted[1024];

static int lua_note(lua_State *L)
{
    for (int i = 1; i <= lua_gettop(L); i++) {
        size_t len = strlen(noted);

        snprintf(noted + len, sizeof(noted) - len, "%s%s", len == 0 ? "" : " ",
                 luaL_tolstring(L, i, NULL));
        lua_pop(L, 1);
    }
    return 0;
}

PL_UNUSED static void check_noted(const char *want, const char *what)
{
    CHECK_STR(want, pl_str_c(noted), what);
    noted[0] = '\0';
}

/* The JIT-off lane of tests/unit/meson.build sets PL_TEST_JIT=off. */
PL_UNUSED static struct pl_vm_options vm_options(void)
{
    const char *jit = getenv("PL_TEST_JIT");

    return (struct pl_vm_options){
        .workers = 1,
        .jit_off = jit != NULL && strcmp(jit, "off") == 0,
        .report = on_report,
        .stop = on_stop,
    };
}

PL_UNUSED static struct pl_vm *new_vm(const struct pl_vm_options *options)
{
    struct pl_error error = {0};
    struct pl_vm *made = NULL;

    CHECK_INT(0, pl_vm_new(&sched, options, &made, &error), error.text);
    lua_pushcfunction(pl_vm_state(made), lua_note);
    lua_setglobal(pl_vm_state(made), "note");
    lua_getglobal(pl_vm_state(made), "require");
    lua_pushliteral(pl_vm_state(made), "perilune");
    lua_call(pl_vm_state(made), 1, 1);
    lua_setglobal(pl_vm_state(made), "pl");
    return made;
}

PL_UNUSED static int make_lua_world(void **state)
{
    struct pl_vm_options options = vm_options();

    make_world(state);
    reports[0] = noted[0] = '\0';
    stopped = -1;
    vm = new_vm(&options);
    return 0;
}

/* Time passes in steps of a millisecond until op is DONE. */
PL_UNUSED static int finish(struct pl_op *op)
{
    for (int i = 0; op->state != PL_OP_DONE && i < 100000; i++)
        pass(1);
    CHECK_INT(PL_OP_DONE, op->state, "it ends");
    return op->result;
}

PL_UNUSED static void free_vm(struct pl_vm *which)
{
    struct pl_op drained;

    pl_vm_stop_begin(&drained, which);
    finish(&drained);
    CHECK_INT(0, pl_vm_stats(which).tasks, "no task is left");
    pl_vm_free(which);
}

PL_UNUSED static int end_lua_world(void **state)
{
    free_vm(vm);
    return end_world(state);
}

/* Runs text as a task, until it is over. Returns its error code. */
PL_UNUSED static int run(const char *text)
{
    pl_vm_load_text_begin(&load, vm, "=test", pl_str_c(text));
    return finish(&load.op);
}

/* The same, and it must succeed. */
PL_UNUSED static void run_ok(const char *text, const char *what)
{
    int err = run(text);

    if (err != 0)
        fail_msg("%s: %s: %s: %s", what, pl_err_name(err), load.error.where,
                 load.error.text);
}

PL_UNUSED static void commit(void)
{
    CHECK_INT(0, pl_vm_commit(vm, NULL), "commit");
    turn(2);
}

PL_UNUSED static void check_reports(const char *part, const char *what)
{
    if (strstr(reports, part) == NULL)
        fail_msg("%s: no \"%s\" in \"%s\"", what, part, reports);
    reports[0] = '\0';
}

#define LUA_TEST(name)                                                         \
    cmocka_unit_test_setup_teardown(name, make_lua_world, end_lua_world)

#endif
