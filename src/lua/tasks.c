/* tasks.c - pl.spawn, pl.defer: Lua's handles on tasks. The rest of their
 * logic is in lua/perilune/lib/task.lua and core/task.lua. */
#include "base/check.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char handle_name[] = "pl.task";

/* A userdata. The task may outlive it, and it the task. */
struct handle {
    struct pl_co *co; /* NULL: the task is over */
};

static void on_over(struct pl_co *co)
{
    struct handle *handle = co->ctx;

    if (handle != NULL)
        handle->co = NULL;
}

/* start(fn, ...) -> handle: a task without a parent that calls fn(...)
 * from the run queue. */
static int start(lua_State *L)
{
    static const struct pl_co_hooks hooks = {NULL, on_over};
    struct pl_vm *vm = pl_vm_upvalue(L);
    int args = lua_gettop(L) - 1;
    struct handle *handle = lua_newuserdata(L, sizeof(*handle));
    struct pl_co *co, *current;

    handle->co = NULL;
    luaL_setmetatable(L, handle_name);
    lua_insert(L, 1);
    co = pl_co_new(vm, L, NULL);
    if (co == NULL)
        return pl_lua_fail(L, "cannot start a task: %s",
                           vm->phase >= PL_VM_STOPPING ? "the site is stopping"
                                                       : "out of memory");
    current = pl_co_current();
    co->background = current == NULL || current->background;
    co->hooks = &hooks;
    co->ctx = handle;
    handle->co = co;
    if (!lua_checkstack(co->L, args + 1)) {
        pl_task_end(&co->task, PL_ERR_NOMEM);
        return pl_lua_fail(L, "cannot start a task: too many arguments");
    }
    lua_xmove(L, co->L, args + 1);
    pl_co_start(co, args);
    return 1;
}

static struct handle *check_handle(lua_State *L)
{
    return luaL_checkudata(L, 1, handle_name);
}

static int handle_gc(lua_State *L)
{
    struct handle *handle = check_handle(L);

    if (handle->co != NULL)
        handle->co->ctx = NULL;
    return 0;
}

/* foreground(handle): it may finish what it does when its generation ends. */
static int foreground(lua_State *L)
{
    struct handle *handle = check_handle(L);

    if (handle->co != NULL)
        handle->co->background = false;
    return 0;
}

/* cancel(handle) */
static int cancel(lua_State *L)
{
    struct handle *handle = check_handle(L);

    if (handle->co != NULL)
        pl_task_cancel(&handle->co->task);
    return 0;
}

/* join(handle) -> 0 when the task is over, or PL_ERR_CANCELED. */
static int join_begin(lua_State *L)
{
    struct handle *handle = check_handle(L);
    struct pl_co *co = pl_co_may_wait(L, "task:join");

    if (handle->co == NULL) {
        lua_pushinteger(L, 0);
        return 1;
    }
    if (handle->co == co)
        return pl_lua_fail(L, "task:join: a task cannot wait for itself");
    pl_task_join_begin(&co->own.join, &handle->co->task);
    return pl_co_wait(L, co, &co->own.join.op, 0);
}

/* core.task_id() -> a number that no other task of this worker has or had, or
 * nil outside a task. */
static int current(lua_State *L)
{
    struct pl_co *co = pl_co_current();

    if (co == NULL)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (lua_Number)co->task.id);
    return 1;
}

/* core.defer(fn): the list is a table in the registry; its [0] is the memory of
 * the task's exit. */
static int defer(lua_State *L)
{
    struct pl_co *co = pl_co_current();

    if (co == NULL)
        return pl_lua_fail(L, "pl.defer: may only be called inside a task (a "
                              "handler, timer or spawned function)");
    if (!lua_isfunction(L, 1))
        return pl_lua_fail(L, "pl.defer: a function is needed, not a %s",
                           luaL_typename(L, 1));
    if (co->defers == LUA_NOREF) {
        lua_createtable(L, 1, 1);
        co->exit = lua_newuserdata(L, sizeof(*co->exit));
        lua_rawseti(L, -2, 0);
        co->defers = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, co->defers);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
    return 0;
}

static int open_task(lua_State *L)
{
    pl_vm_type(L, handle_name, handle_gc);
    return 0;
}

const luaL_Reg pl_lua_task[] = {
    {"open", open_task},  {"start", start},           {"cancel", cancel},
    {"join", join_begin}, {"foreground", foreground}, {NULL, NULL},
};

void pl_lua_open_tasks(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"task_id", current},
        {"defer", defer},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
}
