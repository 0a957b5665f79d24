/* lib_wait.c - pl.wait, pl.wait_any, pl.wait_all: waiting for descriptors
 * (lua/perilune/lib/wait.lua). */
#include <string.h>

#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char wait_name[] = "pl.wait";

enum { MOST = 4096 }; /* things in one wait */

/* A userdata: one wait for n things. */
struct wait {
    struct pl_many_op many;
    unsigned n;
    struct pl_op **ops; /* of the parts, in the same block */
    struct pl_fd_op parts[];
};

static struct wait *check_wait(lua_State *L)
{
    return luaL_checkudata(L, 1, wait_name);
}

/* new(n) -> wait */
static int new_wait(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    struct wait *wait;
    size_t size;

    luaL_argcheck(L, n > 0 && n <= MOST, 1, "number of things");
    size =
        sizeof(*wait) + (size_t)n * (sizeof(*wait->parts) + sizeof(*wait->ops));
    wait = lua_newuserdata(L, size);
    memset(wait, 0, size);
    wait->n = (unsigned)n;
    wait->ops = (struct pl_op **)(wait->parts + n);
    luaL_getmetatable(L, wait_name);
    lua_setmetatable(L, -2);
    return 1;
}

/* A number of the list at index. */
static int number_at(lua_State *L, int index, unsigned place)
{
    int number;

    lua_rawgeti(L, index, (int)place);
    number = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return number;
}

/* begin(wait, call, { fd, events, fd, events, ... }, all [, seconds]) -> 0 or
 * PL_ERR_* */
static int begin(lua_State *L)
{
    struct wait *wait = check_wait(L);
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 2));
    struct pl_sched *sched = co->task.sched;
    bool all = lua_toboolean(L, 4);
    uint64_t due = 0;

    if (!lua_isnoneornil(L, 5))
        due = pl_now(sched->loop) + (uint64_t)(luaL_checknumber(L, 5) * 1e9);
    luaL_checktype(L, 3, LUA_TTABLE);
    for (unsigned i = 0; i < wait->n; i++) {
        pl_fd_begin(&wait->parts[i], sched, number_at(L, 3, 2 * i + 1),
                    (unsigned)number_at(L, 3, 2 * i + 2), 0);
        wait->ops[i] = &wait->parts[i].op;
    }
    pl_many_begin(&wait->many, sched, wait->ops, wait->n, all, due);
    return pl_co_wait(L, co, &wait->many.op, 1);
}

/* result(wait, i) -> the events that the i-th thing had, or PL_ERR_* */
static int result(lua_State *L)
{
    const struct wait *wait = check_wait(L);
    lua_Integer i = luaL_checkinteger(L, 2);

    luaL_argcheck(L, i >= 1 && i <= (lua_Integer)wait->n, 2, "out of range");
    lua_pushinteger(L, wait->ops[i - 1]->result);
    return 1;
}

/* open(): makes the type. */
static int open_wait(lua_State *L)
{
    luaL_newmetatable(L, wait_name);
    return 0;
}

const luaL_Reg pl_lua_wait[] = {
    {"open", open_wait}, {"new", new_wait}, {"begin", begin},
    {"result", result},  {NULL, NULL},
};
