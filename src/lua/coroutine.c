/* coroutine.c - the life of a Lua task, from a spare thread to a spare thread.
 *
 * Invariants: vm->running is set while a task's Lua runs, and only then; co->op
 * is set while the task waits by pl_co_wait(), and only then; a spare pl_co has
 * a thread with an empty stack. */
#include "lua/coroutine.h"

#include "base/check.h"
#include "base/log.h"
#include "base/pool.h"
#include "lua/failure.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

/* ---- threads ---- */

static int new_thread(lua_State *L)
{
    struct pl_co *co = lua_touserdata(L, 1);
    lua_State *thread;

    lua_createtable(L, 2, 0);
    thread = lua_newthread(L);
    lua_rawseti(L, -2, 1);
    lua_pushboolean(L, 0); /* a place for pl_co_wait(keep) */
    lua_rawseti(L, -2, 2);
    co->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    co->L = thread;
    return 0;
}

/* Returns 0 or PL_ERR_NOMEM. */
static int add_thread(struct pl_co *co, lua_State *L)
{
    if (pl_vm_protect(L, new_thread, co) != 0) {
        lua_pop(L, 1);
        return PL_ERR_NOMEM;
    }
    co->vm->threads++;
    return 0;
}

static void drop_thread(struct pl_co *co)
{
    if (co->L == NULL)
        return;
#if !PL_LUAJIT
    lua_resetthread(co->L); /* closes what the failed function left open */
#endif
    luaL_unref(co->vm->main, LUA_REGISTRYINDEX, co->anchor);
    co->L = NULL;
}

static void free_co(struct pl_co *co)
{
    struct pl_pool *pool = pl_loop_pool(co->vm->sched->loop);

    drop_thread(co);
    pl_pool_put(pool, co, sizeof(*co));
}

static struct pl_co *fresh_co(struct pl_vm *vm, lua_State *L)
{
    struct pl_co *co = pl_pool_get(pl_loop_pool(vm->sched->loop), sizeof(*co));

    if (co == NULL)
        return NULL;
    co->vm = vm;
    co->L = NULL;
    if (add_thread(co, L == NULL ? vm->main : L) != 0) {
        free_co(co);
        return NULL;
    }
    return co;
}

static inline struct pl_co *take_spare(struct pl_vm *vm)
{
    struct pl_list *node = vm->spare.prev; /* the last one: warm in the cache */

    if (node == &vm->spare)
        return NULL;
    pl_list_remove(node);
    vm->spare_count--;
    return PL_LIST_ENTRY(node, struct pl_co, node);
}

PL_COLD void pl_co_trim(struct pl_vm *vm, unsigned keep)
{
    while (vm->spare_count > keep)
        free_co(take_spare(vm));
}

struct pl_co *pl_co_new(struct pl_vm *vm, lua_State *L, struct pl_task *parent)
{
    struct pl_co *co;

    if (vm->phase >= PL_VM_STOPPING)
        return NULL;
    co = take_spare(vm);
    if (co == NULL)
        co = fresh_co(vm, L);
    if (co == NULL)
        return NULL;
    co->defers = LUA_NOREF;
    co->phase = PL_CO_NEW;
    co->background = co->keeping = false;
    co->op = NULL;
    co->hooks = NULL;
    pl_task_init(&co->task, &pl_co_type, vm->sched, parent);
    pl_list_push(&vm->live, &co->node);
    vm->live_count++;
    return co;
}

void pl_co_start(struct pl_co *co, int args)
{
    co->args = args;
    pl_task_start(&co->task);
}

struct pl_co *pl_co_current(void)
{
    struct pl_task *task = pl_task_current();
    struct pl_co *co;

    if (task == NULL || task->type != &pl_co_type)
        return NULL;
    co = PL_CONTAINER_OF(task, struct pl_co, task);
    return co->vm->running ? co : NULL;
}

/* ---- ending ---- */

static void end_exit(struct pl_co *co)
{
    pl_task_exit_end(&co->task);
    luaL_unref(co->vm->main, LUA_REGISTRYINDEX, co->defers);
    co->defers = LUA_NOREF;
    pl_task_end(&co->task, co->task.result);
}

static void run(struct pl_co *co, int args);

PL_COLD static void run_defers(struct pl_co *co)
{
    co->phase = PL_CO_DEFERS;
    if (co->L == NULL && add_thread(co, co->vm->main) != 0) {
        pl_log(PL_LOG_ERROR, "lua", "no memory to run what pl.defer was given");
        end_exit(co);
        return;
    }
    pl_vm_push_call(co->L, co->vm, PL_VM_CALL_run_defers);
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, co->defers);
    run(co, 1);
}

static void begin_exit(struct pl_co *co)
{
    co->phase = PL_CO_JOIN;
    pl_task_exit_begin(&co->task, co->exit);
    if (!pl_task_prepare_wait(&co->task, &co->exit->children))
        run_defers(co);
}

/* Ready for the next function, or thrown away. A thread that is kept keeps
 * nobody's socket. */
static void end_thread(struct pl_co *co, int status)
{
    if (status != 0) {
        drop_thread(co);
        return;
    }
    lua_settop(co->L, 0);
    if (!co->keeping)
        return;
    co->keeping = false;
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, co->anchor);
    lua_pushboolean(co->L, 0);
    lua_rawseti(co->L, -2, 2); /* is there already: needs no memory */
    lua_pop(co->L, 1);
}

/* The Lua function is over; status is that of lua_resume. */
static void leave(struct pl_co *co, int status, int n)
{
    int result = status == 0            ? 0
                 : co->task.canceled    ? PL_ERR_CANCELED
                 : status == LUA_ERRMEM ? PL_ERR_NOMEM
                 : pl_lua_error_code(co->L, -1) == PL_ERR_ABORTED
                     ? PL_ERR_ABORTED
                     : PL_ERR_STATE;

    if (co->phase == PL_CO_RUN && co->hooks != NULL &&
        co->hooks->returned != NULL)
        co->hooks->returned(co, status, n);
    else if (status != 0)
        pl_vm_report(co->vm, &co->task, co->L);
    end_thread(co, status);
    /* At its limit LuaJIT fails without looking for garbage. */
    if (PL_LUAJIT && status == LUA_ERRMEM)
        pl_vm_collect(co->vm, LUA_GCCOLLECT);
    if (co->phase == PL_CO_DEFERS) {
        end_exit(co);
    } else if (co->defers != LUA_NOREF) {
        co->task.result = result;
        begin_exit(co);
    } else {
        pl_task_end(&co->task, result);
    }
}

/* ---- running ---- */

/* An operation has begun, but then there was no memory to suspend the
 * coroutines between it and the task, and the error has ended the task. The
 * task is over when the operation is. */
static void unwind(struct pl_co *co, int status, int n)
{
    co->unwinds = co->phase;
    co->phase = PL_CO_UNWIND;
    co->status = status;
    co->args = n;
    pl_op_cancel(co->op);
}

static void end_unwind(struct pl_co *co)
{
    co->op = NULL;
    co->phase = co->unwinds;
    leave(co, co->status, co->args);
}

/* May release co. */
static void run(struct pl_co *co, int args)
{
    struct pl_vm *vm = co->vm;
    int status, n = 0;

    PL_ASSERT(!vm->running);
    vm->running = true;
    vm->sched->lua_depth++;
    if (PL_UNLIKELY(co->task.meter != NULL))
        pl_vm_measure(vm, co->task.meter);
    status = pl_lua_resume(co->L, NULL, args, &n);
    if (PL_UNLIKELY(vm->meter != NULL))
        pl_vm_measured(vm, status);
    vm->sched->lua_depth--;
    vm->running = false;
    if (PL_UNLIKELY(vm->watch.armed))
        status = pl_watch_end(co, status);
    if (PL_LIKELY(co->op != NULL)) {
        if (status != LUA_YIELD)
            unwind(co, status, n);
        return;
    }
    if (status == LUA_YIELD) {
        /* From a C library: our own coroutine.yield refuses. */
        lua_pushliteral(co->L, "attempt to yield from outside a coroutine");
        status = LUA_ERRRUN;
    }
    leave(co, status, n);
}

static void resume(struct pl_task *task)
{
    struct pl_co *co = PL_CONTAINER_OF(task, struct pl_co, task);
    int result;

    switch ((enum pl_co_phase)co->phase) {
    case PL_CO_NEW:
        co->phase = PL_CO_RUN;
        run(co, co->args);
        break;
    case PL_CO_RUN:
    case PL_CO_DEFERS:
        result = co->op->result;
        co->op = NULL;
        run(co, pl_co_answer(co, result));
        break;
    case PL_CO_UNWIND:
        end_unwind(co);
        break;
    case PL_CO_JOIN:
        run_defers(co);
        break;
    }
}

static void release(struct pl_task *task)
{
    struct pl_co *co = PL_CONTAINER_OF(task, struct pl_co, task);
    struct pl_vm *vm = co->vm;

    if (co->hooks != NULL && co->hooks->over != NULL)
        co->hooks->over(co);
    pl_list_remove(&co->node);
    if (co->L != NULL && vm->spare_count < PL_VM_SPARE_MAX) {
        pl_list_push(&vm->spare, &co->node);
        vm->spare_count++;
    } else {
        free_co(co);
    }
    vm->live_count--;
    pl_vm_settle(vm);
}

const struct pl_task_type pl_co_type = {
    .name = "coroutine",
    .resume = resume,
    .release = release,
};
