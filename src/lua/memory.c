/* memory.c - what Lua holds: charged to the account of its VM and, while a
 * measured task runs, to the budget of that. */
#include "base/sys.h"
#include "lua/vm_priv.h"
#include "task/meter.h"

/* ---- the allocator ---- */

/* Without a limit anywhere counting is all: this runs for each object. */
PL_INLINE int charge(struct pl_account *account, size_t size)
{
    if (PL_UNLIKELY(account->limit != 0 || account->parent != NULL))
        return pl_account_charge(account, size);
    account->used += size;
    return 0;
}

PL_INLINE void discharge(struct pl_account *account, size_t size)
{
    if (PL_UNLIKELY(account->parent != NULL))
        pl_account_release(account, size);
    else
        account->used -= size;
}

/* Counted apart from what is C's, too. */
PL_INLINE void *ask(struct pl_vm *vm, void *block, size_t was, size_t size)
{
    return PL_SYS_DO(lua_alloc, NULL, NULL,
                     vm->alloc(vm->alloc_arg, block, was, size));
}

/* Lua's own allocator (LuaJIT's is faster than malloc), with an account on top.
 * was is no size for a new block in Lua 5.4; making a block smaller must not
 * fail. */
static void *allocate(void *arg, void *block, size_t was, size_t size)
{
    struct pl_vm *vm = arg;
    void *got;

    if (block == NULL)
        was = 0;
    if (size > was) {
        if (charge(&vm->account, size - was) != 0)
            return NULL;
        got = PL_SYS_DO(malloc, NULL, NULL, ask(vm, block, was, size));
        if (got == NULL)
            discharge(&vm->account, size - was);
        return got;
    }
    discharge(&vm->account, was - size);
    return vm->alloc(vm->alloc_arg, block, was, size);
}

/* ---- memory of a request ---- */

/* Lua 5.4 asks for the same again after it has collected its garbage; LuaJIT
 * does not, so its collector begins when half of the budget is held. */
static void refuse(struct pl_vm *vm, struct pl_meter *meter, int64_t more)
{
    bool again = meter->refused == more;

    meter->refused = more;
    if (PL_LUAJIT || again) {
        meter->over = PL_OVER_MEMORY;
        pl_watch_abort(vm);
    }
}

static void nudge(struct pl_vm *vm, struct pl_meter *meter)
{
    bool half = (uint64_t)meter->held > meter->budget.memory / 2;

    if (PL_LUAJIT && half && !meter->nudged)
        lua_gc(vm->main, LUA_GCRESTART, 0);
    meter->nudged = PL_LUAJIT && half;
}

/* What a run frees may be garbage of others: it is not paid for it. */
static void *allocate_measured(void *arg, void *block, size_t was, size_t size)
{
    struct pl_vm *vm = arg;
    struct pl_meter *meter = vm->meter;
    int64_t more = (int64_t)size - (int64_t)(block == NULL ? 0 : was);
    void *got;

    if (more > 0 && meter->budget.memory != 0 &&
        (uint64_t)(meter->held + more) > meter->budget.memory) {
        refuse(vm, meter, more);
        return NULL;
    }
    got = allocate(arg, block, was, size);
    if (got == NULL && size > 0)
        return NULL;
    meter->held = PL_MAX(meter->held + more, 0);
    meter->peak = PL_MAX(meter->peak, meter->held);
    if (more >= meter->refused)
        meter->refused = 0;
    if (meter->budget.memory != 0 && more > 0)
        nudge(vm, meter);
    return got;
}

void pl_vm_measure(struct pl_vm *vm, struct pl_meter *meter)
{
    vm->meter = meter;
    lua_setallocf(vm->main, allocate_measured, vm);
}

void pl_vm_measured(struct pl_vm *vm, int status)
{
    struct pl_meter *meter = vm->meter;

    if (status != 0 && status != LUA_YIELD && meter->refused != 0) {
        meter->over = PL_OVER_MEMORY; /* of which it has ended by itself */
        pl_watch_abort(vm);
    }
    vm->meter = NULL;
    lua_setallocf(vm->main, allocate, vm);
}

PL_COLD int pl_vm_take_memory(struct pl_vm *vm)
{
    size_t held = (size_t)lua_gc(vm->main, LUA_GCCOUNT, 0) * 1024 +
                  (size_t)lua_gc(vm->main, LUA_GCCOUNTB, 0);

    if (pl_account_charge(&vm->account, held) != 0)
        return PL_ERR_LIMIT;
    vm->alloc = lua_getallocf(vm->main, &vm->alloc_arg);
    lua_setallocf(vm->main, allocate, vm);
    return 0;
}

PL_COLD void pl_vm_close_state(struct pl_vm *vm)
{
    /* LuaJIT frees its heap as a whole only if the allocator is its own. */
    if (vm->alloc != NULL)
        lua_setallocf(vm->main, vm->alloc, vm->alloc_arg);
    lua_close(vm->main);
    pl_account_release(&vm->account, vm->account.used);
}
