/* stopping.c - the C half of pl.stopping (lua/perilune/lib/stopping.lua). */
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static int is_stopping(lua_State *L)
{
    lua_pushboolean(L, pl_vm_upvalue(L)->sched->stopping);
    return 1;
}

/* wait(seconds) -> 1 when the worker stops, 0 after seconds (2^62 ns and more:
 * never), or PL_ERR_CANCELED */
static int wait_begin(lua_State *L)
{
    struct pl_co *co = pl_co_may_wait(L, "pl.stopping");
    double ns = lua_tonumber(L, 1) * 1e9;
    uint64_t due = 0;

    if (ns < 0x1p62)
        due = pl_now(co->task.sched->loop) + (ns <= 0 ? 0 : (uint64_t)ns);
    pl_stop_wait_begin(&co->own.stop, co->task.sched, due);
    return pl_co_wait(L, co, &co->own.stop.op, 0);
}

const luaL_Reg pl_lua_stopping[] = {
    {"is_stopping", is_stopping},
    {"wait", wait_begin},
    {NULL, NULL},
};
