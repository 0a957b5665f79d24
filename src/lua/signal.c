/* signal.c - one task tells others, for lib/require.lua: signal, await, fire.
 *
 * Firing wakes all that wait now; who awaits later waits for the next time. */
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char signal_name[] = "pl.signal";

/* A userdata, kept alive by everybody who waits for it. */
struct signal {
    struct pl_list waiters; /* pl_signal_op.node */
};

static struct signal *check_signal(lua_State *L)
{
    return luaL_checkudata(L, 1, signal_name);
}

static int signal_new(lua_State *L)
{
    struct signal *signal = lua_newuserdata(L, sizeof(*signal));

    pl_list_init(&signal->waiters);
    luaL_setmetatable(L, signal_name);
    return 1;
}

static void stop_waiting(struct pl_op *op)
{
    pl_list_remove(&PL_CONTAINER_OF(op, struct pl_signal_op, op)->node);
    pl_op_complete(op, PL_ERR_CANCELED);
}

/* await(signal, call) -> 0 or PL_ERR_CANCELED. */
static int signal_await(lua_State *L)
{
    struct signal *signal = check_signal(L);
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 2));
    struct pl_signal_op *wait = &co->own.signal;

    pl_op_init(&wait->op, co->task.sched, stop_waiting);
    pl_op_begin(&wait->op);
    pl_list_push(&signal->waiters, &wait->node);
    return pl_co_wait(L, co, &wait->op, 1);
}

/* fire(signal) */
static int signal_fire(lua_State *L)
{
    struct signal *signal = check_signal(L);
    struct pl_list *node;

    while ((node = pl_list_pop(&signal->waiters)) != NULL)
        pl_op_complete(&PL_LIST_ENTRY(node, struct pl_signal_op, node)->op, 0);
    return 0;
}

static int open_signal(lua_State *L)
{
    luaL_newmetatable(L, signal_name);
    return 0;
}

const luaL_Reg pl_lua_signal[] = {
    {"open", open_signal}, {"signal", signal_new}, {"await", signal_await},
    {"fire", signal_fire}, {NULL, NULL},
};
