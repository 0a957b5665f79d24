/* system.c - what scripts ask of their surroundings: time, environment, the
 * log, the worker. Nothing here waits. */
#include <stdlib.h>

#include "base/log.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

/* pl.env(name [, default]) -> string or default. Without a default an undefined
 * variable is an error, so that a site does not start half configured. */
static int env(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *value = getenv(name);

    if (value != NULL)
        lua_pushstring(L, value);
    else if (lua_gettop(L) >= 2)
        lua_pushvalue(L, 2);
    else
        return pl_lua_fail(L,
                           "environment variable %s is not set (a default is "
                           "the second argument of pl.env)",
                           name);
    return 1;
}

/* pl.stop([status]): ends the program, once the running requests are over. */
static int stop(lua_State *L)
{
    const struct pl_vm_options *options = &pl_vm_upvalue(L)->options;
    int status = (int)luaL_optinteger(L, 1, 0);

    if (options->stop == NULL)
        return pl_lua_fail(L, "pl.stop: there is nothing to stop here");
    options->stop(options->ctx, status);
    return 0;
}

/* core.log(level, text). A script's line is never left out for coming too
 * often: each call counts as a site of its own. */
static int log_line(lua_State *L)
{
    struct pl_str text, level;
    struct pl_log_site site = {0};
    enum pl_level number;

    level.data = luaL_checklstring(L, 1, &level.len);
    text.data = luaL_checklstring(L, 2, &text.len);
    if (!pl_log_level_parse(level, &number))
        return luaL_argerror(L, 1, "no such level");
    if (number >= pl_log_level)
        pl_log_write(&site, number, "site", "%.*s", PL_STR_ARG(text));
    return 0;
}

static struct pl_loop *loop_of(lua_State *L)
{
    return pl_vm_upvalue(L)->sched->loop;
}

/* pl.now() -> seconds that only go forwards, with fractions. */
static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pl_now(loop_of(L)) / 1e9);
    return 1;
}

/* pl.time() -> seconds since 1970. */
static int wall(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)pl_loop_wall(loop_of(L)));
    return 1;
}

/* core.caller() -> "file:line" of the site's code that called the library. */
static int caller(lua_State *L)
{
    pl_lua_push_caller(L);
    return 1;
}

/* core.fail(text): raises it with that position. */
static int fail(lua_State *L)
{
    return pl_lua_fail(L, "%s", luaL_checkstring(L, 1));
}

/* core.is_loading(): before the commit, when things are only recorded. */
static int is_loading(lua_State *L)
{
    lua_pushboolean(L, pl_vm_upvalue(L)->phase == PL_VM_LOADING);
    return 1;
}

void pl_lua_open_system(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"env", env},      {"stop", stop},
        {"log", log_line}, {"now", now},
        {"time", wall},    {"caller", caller},
        {"fail", fail},    {"is_loading", is_loading},
        {NULL, NULL},
    };
    const struct pl_vm_options *options = &vm->options;

    pl_vm_register(L, vm, functions);
    lua_pushliteral(L, PL_VERSION);
    lua_setfield(L, -2, "version");
    lua_pushinteger(L, (lua_Integer)options->worker);
    lua_setfield(L, -2, "worker");
    lua_pushinteger(L, (lua_Integer)options->workers);
    lua_setfield(L, -2, "workers");
    if (options->folder != NULL) {
        lua_pushstring(L, options->folder);
        lua_setfield(L, -2, "folder");
    }
}
