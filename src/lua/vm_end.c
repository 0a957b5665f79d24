/* vm_end.c - the end of a VM, in any number of steps: its own tasks are told
 * (quiet), it is waited for (drain) or all is cancelled (stop), what it kept is
 * forgotten (detach) and collected bit by bit. pl_vm_free() is the last. */
#include "base/check.h"
#include "base/features.h"
#include "base/str.h"
#include "lua/lib_socket.h"
#include "lua/module.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"

void pl_vm_settle(struct pl_vm *vm)
{
    if (vm->drained == NULL || vm->live_count > 0 ||
        !pl_list_empty(&vm->websockets))
        return;
    pl_op_complete(vm->drained, 0);
    vm->drained = NULL;
}

void pl_vm_drain_begin(struct pl_op *drained, struct pl_vm *vm)
{
    PL_ASSERT(vm->drained == NULL);
    pl_op_init(drained, vm->sched, NULL);
    pl_op_begin(drained);
    vm->drained = drained;
    pl_vm_settle(vm);
}

void pl_vm_quiet(struct pl_vm *vm)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &vm->live) {
        struct pl_co *co = PL_LIST_ENTRY(node, struct pl_co, node);

        if (co->background)
            pl_task_cancel(&co->task);
    }
}

void pl_vm_stop(struct pl_vm *vm)
{
    struct pl_list *node;

    vm->phase = PL_VM_STOPPING;
    pl_vm_stand_down(vm);
    PL_LIST_FOREACH (node, &vm->live)
        pl_task_cancel(&PL_LIST_ENTRY(node, struct pl_co, node)->task);
    pl_lua_close_websockets(vm);
}

void pl_vm_stop_begin(struct pl_op *drained, struct pl_vm *vm)
{
    pl_vm_drain_begin(drained, vm);
    pl_vm_stop(vm);
}

/* ---- without tasks ---- */

/* What the library keeps by reference, what was loaded, and the globals. Types
 * stay: finalizers know their things by them. Closures that finalizers use have
 * their globals still. */
static int forget(lua_State *L)
{
#if PL_LUAJIT
    const int keep = 0;

    lua_newtable(L);
    lua_replace(L, LUA_GLOBALSINDEX);
#else
    const int keep = LUA_RIDX_LAST;

    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
#endif
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_pushnil(L);
    while (lua_next(L, LUA_REGISTRYINDEX) != 0) {
        bool reference = lua_type(L, -2) == LUA_TNUMBER &&
                         lua_tonumber(L, -2) > (lua_Number)keep;

        lua_pop(L, 1);
        if (!reference)
            continue;
        lua_pushvalue(L, -1); /* a field that is there may become nil */
        lua_pushnil(L);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    return 0;
}

/* The cycle that was under way, in which what was made during it survives; a
 * whole one; and one for what finalizers have kept until then. */
enum { LAST_CYCLES = 3 };

void pl_vm_detach(struct pl_vm *vm)
{
    PL_ASSERT(vm->live_count == 0 && !vm->running);
    if (PL_WITH_SOCKETS || PL_WITH_SQL)
        pl_lua_close_kept(vm);
    pl_co_trim(vm, 0);
    pl_web_trim(vm, 0);
    if (PL_WITH_MODULES)
        pl_vm_unload_modules(vm); /* they are told while all is there still */
    vm->phase = PL_VM_DETACHED;
    vm->options.member = NULL;
    if (pl_vm_protect(vm->main, forget, NULL) != 0)
        lua_settop(vm->main, 0); /* no memory: it all goes when it is freed */
}

bool pl_vm_collect_step(struct pl_vm *vm)
{
    PL_ASSERT(vm->phase == PL_VM_DETACHED);
    if (pl_vm_collect(vm, LUA_GCSTEP))
        vm->cycles++;
    return vm->cycles >= LAST_CYCLES;
}
