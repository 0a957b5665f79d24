/* lib_watchdog.c - pl.watchdog: what the watchdog knows of this worker. */
#include "loop/loop.h"
#include "lua/args.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Those that are empty are left out at the end. */
static void push_histogram(lua_State *L, const struct pl_turns *turns)
{
    int last = PL_TURN_BUCKETS - 1;

    while (last > 0 && get(&turns->buckets[last]) == 0)
        last--;
    lua_createtable(L, last + 1, 0);
    for (int i = 0; i <= last; i++) {
        lua_createtable(L, 0, 2);
        pl_lua_set_number(L, "below",
                          (double)((uint64_t)1 << (PL_TURN_FIRST + i)) / 1e9);
        pl_lua_set_integer(L, "turns", (int64_t)get(&turns->buckets[i]));
        lua_rawseti(L, -2, i + 1);
    }
}

/* pl.watchdog.stats() -> { turns, seconds, longest, held, aborted, histogram }
 */
static int stats(lua_State *L)
{
    const struct pl_turns *turns = pl_loop_turns(pl_vm_upvalue(L)->sched->loop);

    lua_createtable(L, 0, 6);
    pl_lua_set_integer(L, "turns", (int64_t)get(&turns->count));
    pl_lua_set_number(L, "seconds", (double)get(&turns->total) / 1e9);
    pl_lua_set_number(L, "longest", (double)get(&turns->longest) / 1e9);
    pl_lua_set_integer(L, "held", (int64_t)get(&turns->held));
    pl_lua_set_integer(L, "aborted", (int64_t)get(&turns->aborted));
    push_histogram(L, turns);
    lua_setfield(L, -2, "histogram");
    return 1;
}

const luaL_Reg pl_lua_watchdog[] = {
    {"stats", stats},
    {NULL, NULL},
};
