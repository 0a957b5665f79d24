/* nested.c - the C half of our coroutine library: coroutines of the user's
 * inside a task.
 *
 * resume() here is what coroutine.resume() of lua/perilune/core/coroutine.lua
 * is made of. When the coroutine that it runs waits for an operation, resume()
 * itself yields, outwards; when the task goes on, what it returns is the RELAYS
 * value and the result of the operation, which the Lua function hands to
 * again(), inwards. */
#include "base/check.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static lua_State *check_thread(lua_State *L)
{
    lua_State *thread = lua_tothread(L, 1);

    if (thread == NULL)
        luaL_argerror(L, 1, "coroutine expected");
    return thread;
}

static int refuse(lua_State *L, const char *status)
{
    lua_pushboolean(L, 0);
    lua_pushfstring(L, "cannot resume %s coroutine", status);
    return 2;
}

/* Could thread be resumed? As auxstatus() of Lua's own library. */
static const char *why_not(lua_State *L, lua_State *thread)
{
    lua_Debug ar;

    if (thread == L)
        return "non-suspended";
    switch (lua_status(thread)) {
    case LUA_YIELD:
        return pl_co_mark_of(thread) == PL_CO_NONE ? NULL : "non-suspended";
    case 0: /* not begun, active, or over */
        if (lua_getstack(thread, 0, &ar))
            return "non-suspended";
        return lua_gettop(thread) == 0 ? "dead" : NULL;
    default:
        return "dead";
    }
}

/* Runs inner with the args values on top of it. */
static int run_inner(lua_State *L, lua_State *inner, int args)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    lua_State *top = vm->top;
    bool can_suspend = vm->can_suspend;
    int status, n = 0;

    if (top != NULL) {
        vm->top = inner;
        vm->can_suspend = can_suspend && L == top && lua_isyieldable(L);
    }
    status = pl_lua_resume(inner, L, args, &n);
    vm->top = top;
    vm->can_suspend = can_suspend;
    if (status == LUA_YIELD && pl_co_mark_of(inner) != PL_CO_NONE)
        return pl_co_relay(L);
    if (status != 0 && status != LUA_YIELD) {
        lua_pushboolean(L, 0);
        lua_xmove(inner, L, 1);
        return 2;
    }
    if (!lua_checkstack(L, n + 1)) {
        lua_pop(inner, n);
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "too many results to resume");
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_xmove(inner, L, n);
    return n + 1;
}

/* core.resume(co, ...) -> true, values... | false, error | RELAYS, result. */
static int resume(lua_State *L)
{
    lua_State *inner = check_thread(L);
    int args = lua_gettop(L) - 1;
    const char *obstacle = why_not(L, inner);

    if (obstacle != NULL)
        return refuse(L, obstacle);
    if (!lua_checkstack(inner, args)) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "too many arguments to resume");
        return 2;
    }
    lua_xmove(L, inner, args);
    return run_inner(L, inner, args);
}

/* core.again(co, result): the operation that co waits for is done. */
static int again(lua_State *L)
{
    lua_State *inner = check_thread(L);
    int result = (int)lua_tointeger(L, 2);

    PL_ASSERT(pl_co_mark_of(inner) != PL_CO_NONE);
    return run_inner(L, inner, pl_co_answer(inner, result));
}

/* core.waiting(co): is it suspended by an operation, not by the user? */
static int waiting(lua_State *L)
{
    lua_pushboolean(L, pl_co_mark_of(check_thread(L)) != PL_CO_NONE);
    return 1;
}

static bool is_task(lua_State *L)
{
    struct pl_co *co = pl_co_current();

    return co != NULL && co->L == L;
}

/* coroutine.yield(...): a task itself has nobody to yield to. */
static int yield(lua_State *L)
{
    if (is_task(L))
        return luaL_error(L, "attempt to yield from outside a coroutine");
    return lua_yield(L, lua_gettop(L));
}

/* coroutine.isyieldable() */
static int isyieldable(lua_State *L)
{
    lua_pushboolean(L, lua_isyieldable(L) && !is_task(L));
    return 1;
}

void pl_lua_open_coroutine(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"resume", resume},           {"again", again},
        {"waiting", waiting},         {"yield", yield},
        {"isyieldable", isyieldable}, {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
    pl_co_push_relays(L);
    lua_setfield(L, -2, "RELAYS");
}
