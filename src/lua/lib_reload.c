/* lib_reload.c - pl.reload (lua/perilune/lib/reload.lua). */
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

/* natives.reload() -> a place for what becomes of it */
static int new_reload(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);

    if (vm->options.reload == NULL)
        return pl_lua_fail(L, "pl.reload: there is nothing to reload here");
    if (vm->phase == PL_VM_LOADING)
        return pl_lua_fail(L, "pl.reload: the site is still being loaded");
    *(struct pl_vm_reload_op *)lua_newuserdata(
        L, sizeof(struct pl_vm_reload_op)) = (struct pl_vm_reload_op){0};
    return 1;
}

/* natives.wait(reload) -> 0 or a negative code. Only for what new() gives. */
static int wait_begin(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct pl_co *co = pl_co_may_wait(L, "pl.reload");
    struct pl_vm_reload_op *reload = lua_touserdata(L, 1);

    vm->options.reload(vm->options.ctx, reload);
    return pl_co_wait(L, co, &reload->op, 1);
}

/* natives.result(reload, code) -> true; or nil, err. Cancellation is raised. */
static int result(lua_State *L)
{
    const struct pl_vm_reload_op *reload = lua_touserdata(L, 1);
    int code = (int)lua_tointeger(L, 2);

    if (code < 0)
        return pl_lua_return_error(L, code, "pl.reload",
                                   reload->error.code < 0 ? reload->error.text
                                                          : NULL);
    lua_pushboolean(L, 1);
    return 1;
}

const luaL_Reg pl_lua_reload[] = {
    {"new", new_reload},
    {"wait", wait_begin},
    {"result", result},
    {NULL, NULL},
};
