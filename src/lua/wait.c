#include "lua/wait.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "lua/failure.h"
#include "lua/vm_priv.h"

/* Its address is WAITS. Not const: const objects may be merged. */
static char waits;

/* ---- errors with the caller's position ---- */

PL_COLD bool pl_lua_find_line(lua_State *L, int level, lua_Debug *ar)
{
    for (; lua_getstack(L, level, ar); level++) {
        lua_getinfo(L, "Sl", ar);
        if (ar->currentline > 0 && strncmp(ar->source, "=perilune/", 10) != 0)
            return true;
    }
    return false;
}

PL_COLD void pl_lua_push_caller(lua_State *L)
{
    lua_Debug ar;

    if (pl_lua_find_line(L, 1, &ar))
        lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
    else
        lua_pushliteral(L, "?");
}

/* Without a position where there is none (tail calls leave no trace). */
PL_COLD int pl_lua_fail(lua_State *L, const char *fmt, ...)
{
    lua_Debug ar;
    va_list ap;

    if (pl_lua_find_line(L, 1, &ar))
        lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
    else
        lua_pushliteral(L, "");
    va_start(ap, fmt);
    lua_pushvfstring(L, fmt, ap);
    va_end(ap);
    lua_concat(L, 2);
    return lua_error(L);
}

/* ---- waiting ---- */

static bool is_canceled(const struct pl_task *task)
{
    return task->canceled && (task->exit == NULL || task->exit->expired);
}

/* Can all coroutines from L outwards to the task suspend? `chain` says who has
 * resumed whom (core/coroutine.lua). One that is not in it was resumed by a C
 * library, which would not know what to do with our yield. */
static PL_NOINLINE bool all_can_suspend(lua_State *L, struct pl_co *co)
{
    lua_State *at = L;

    lua_rawgeti(L, LUA_REGISTRYINDEX, co->vm->chain);
    lua_pushthread(L);
    while (at != NULL && at != co->L) {
        lua_rawget(L, -2);
        at = lua_isboolean(L, -1) ? co->L : lua_tothread(L, -1);
        if (at != NULL && !lua_isyieldable(at))
            at = NULL;
    }
    lua_pop(L, 2);
    return at != NULL;
}

static inline bool can_suspend(lua_State *L, struct pl_co *co)
{
    return lua_isyieldable(L) && (L == co->L || all_can_suspend(L, co));
}

static PL_COLD void refuse(lua_State *L, int code, const char *call)
{
    pl_lua_push_error(L, code, call, NULL);
    lua_error(L);
}

struct pl_co *pl_co_may_wait(lua_State *L, const char *call)
{
    struct pl_co *co = pl_co_current();

    if (co == NULL)
        pl_lua_fail(L,
                    "%s: may only be called inside a task (a handler, timer or "
                    "spawned function)",
                    call);
    if (!can_suspend(L, co))
        pl_lua_fail(L,
                    "%s: cannot wait inside a function that C code calls "
                    "(string.gsub, table.sort, a finalizer, ...)",
                    call);
    if (is_canceled(&co->task))
        refuse(L, PL_ERR_CANCELED, call);
    if (co->op != NULL) /* see unwind() in coroutine.c */
        refuse(L, PL_ERR_NOMEM, call);
    return co;
}

bool pl_co_can_wait(lua_State *L)
{
    struct pl_co *co = pl_co_current();

    return co != NULL && co->op == NULL && can_suspend(L, co);
}

/* In the second place of the table that keeps the thread: it is there already,
 * so this needs no memory. */
static void keep_alive(lua_State *L, struct pl_co *co, int keep)
{
    co->keeping = true;
    lua_rawgeti(L, LUA_REGISTRYINDEX, co->anchor);
    lua_pushvalue(L, keep);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 1);
}

int pl_co_wait(lua_State *L, struct pl_co *co, struct pl_op *op, int keep)
{
    PL_ASSERT(co->op == NULL);
    if (!pl_task_prepare_wait(&co->task, op)) {
        lua_pushinteger(L, op->result);
        return 1;
    }
    co->op = op;
    if (keep != 0)
        keep_alive(L, co, keep);
    lua_pushlightuserdata(L, &waits);
    return lua_yield(L, 1);
}

int pl_co_answer(struct pl_co *co, int result)
{
    PL_ASSERT(lua_touserdata(co->L, -1) == &waits);
    lua_pop(co->L, 1);
    lua_pushinteger(co->L, result);
    return 1;
}

/* core.is_task(): is the caller the task itself, not a coroutine in it? */
static int is_task(lua_State *L)
{
    struct pl_co *co = pl_co_current();

    lua_pushboolean(L, co != NULL && co->L == L);
    return 1;
}

/* ---- core.sleep, core.sleep_until ---- */

/* Seconds as nanoseconds: what is not a number or too large is an error,
 * negative is 0. 2^62 ns are 146 years. */
static uint64_t check_seconds(lua_State *L, int index, const char *call)
{
    double seconds = lua_tonumber(L, index);

    if (!lua_isnumber(L, index) || isnan(seconds) || seconds > 0x1p62 / 1e9)
        pl_lua_fail(L, "%s: bad number of seconds (%s)", call,
                    luaL_tolstring(L, index, NULL));
    return seconds <= 0 ? 0 : (uint64_t)(seconds * 1e9);
}

/* core.sleep(seconds) -> 0 or PL_ERR_CANCELED. */
static int sleep_begin(lua_State *L)
{
    struct pl_co *co = pl_co_may_wait(L, "pl.sleep");
    uint64_t ns = check_seconds(L, 1, "pl.sleep");

    pl_sleep_begin(&co->own.sleep, co->task.sched,
                   pl_now(co->task.sched->loop) + ns);
    return pl_co_wait(L, co, &co->own.sleep.op, 0);
}

/* core.sleep_until(core.clock() + seconds): without adding up delays. */
static int sleep_until_begin(lua_State *L)
{
    struct pl_co *co = pl_co_may_wait(L, "pl.every");
    uint64_t due = check_seconds(L, 1, "pl.every");

    pl_sleep_begin(&co->own.sleep, co->task.sched, due);
    return pl_co_wait(L, co, &co->own.sleep.op, 0);
}

void pl_lua_open_wait(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"sleep", sleep_begin},
        {"sleep_until", sleep_until_begin},
        {"is_task", is_task},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
    lua_pushlightuserdata(L, &waits);
    lua_setfield(L, -2, "WAITS");
}
