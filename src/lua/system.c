/* system.c - what the library asks of its surroundings: the clock, the worker,
 * the caller. Nothing here waits. */
#include "base/str.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

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

/* pl.now() -> seconds that only go forwards, with fractions. */
static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pl_now(pl_vm_upvalue(L)->sched->loop) / 1e9);
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

/* core.parse_size("64m" | 65536) -> bytes, or nil */
static int parse_size(lua_State *L)
{
    struct pl_str text;
    uint64_t size;
    double number = lua_tonumber(L, 1);

    if (lua_type(L, 1) == LUA_TSTRING) {
        text.data = lua_tolstring(L, 1, &text.len);
        number = pl_str_to_size(text, &size) ? (double)size : -1;
    }
    if (!(number >= 0 && number <= 0x1p53))
        return 0;
    lua_pushnumber(L, number);
    return 1;
}

/* core.parse_seconds("10s" | 10) -> seconds, or nil; at most 68 years */
static int parse_seconds(lua_State *L)
{
    struct pl_str text;
    uint64_t ms;
    double number = lua_tonumber(L, 1);

    if (lua_type(L, 1) == LUA_TSTRING) {
        text.data = lua_tolstring(L, 1, &text.len);
        number = pl_str_to_ms(text, &ms) ? (double)ms / 1e3 : -1;
    }
    if (!(number >= 0 && number <= 0x1p31))
        return 0;
    lua_pushnumber(L, number);
    return 1;
}

/* core.error_text(code) -> what it means */
static int error_text(lua_State *L)
{
    lua_pushstring(L, pl_err_text((int)luaL_checkinteger(L, 1)));
    return 1;
}

void pl_lua_open_system(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"stop", stop},
        {"now", now},
        {"caller", caller},
        {"fail", fail},
        {"is_loading", is_loading},
        {"parse_size", parse_size},
        {"parse_seconds", parse_seconds},
        {"error_text", error_text},
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
