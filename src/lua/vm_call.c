/* vm_call.c - what a VM calls by itself: core's functions, each in a task. The
 * site is loaded by one, its timers and tasks are started by another.
 *
 * A new generation takes the timers of the one before: each goes on from when
 * it was due. */
#include "base/check.h"
#include "base/features.h"
#include "base/str.h"
#include "lua/failure.h"
#include "lua/move.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"

struct call {
    struct pl_co *co;
    enum pl_vm_call call;
    struct pl_str args[2]; /* absent ones are not passed */
    int count;
};

/* On the main state: what is pushed onto co->L itself would not be protected.
 */
static int push_call(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);

    pl_vm_push_call(L, call->co->vm, call->call);
    for (size_t i = 0; i < PL_COUNT(call->args); i++) {
        if (call->args[i].data == NULL)
            continue;
        lua_pushlstring(L, call->args[i].data, call->args[i].len);
        call->count++;
    }
    lua_xmove(L, call->co->L, call->count + 1);
    return 0;
}

/* A task that will call one of core's functions; NULL: out of memory. */
static struct pl_co *new_call(struct pl_vm *vm, struct call *call)
{
    struct pl_co *co = pl_co_new(vm, NULL, NULL);

    if (co == NULL)
        return NULL;
    call->co = co;
    if (pl_vm_protect(vm->main, push_call, call) == 0)
        return co;
    lua_pop(vm->main, 1);
    pl_task_end(&co->task, PL_ERR_NOMEM);
    return NULL;
}

int pl_vm_start_call(struct pl_vm *vm, enum pl_vm_call which,
                     const struct pl_co_hooks *hooks)
{
    struct call call = {.call = which};
    struct pl_co *co = new_call(vm, &call);

    if (co == NULL)
        return PL_ERR_NOMEM;
    co->hooks = hooks;
    pl_co_start(co, call.count);
    return 0;
}

/* ---- loading ---- */

/* Nobody needs to be shown where a file was not found. */
static void take_error(struct pl_vm_load *load, struct pl_co *co)
{
    int err = pl_lua_error_get(co->vm->main, co->L, &load->error);

    if (load->script && err != PL_ERR_SYNTAX && err != PL_ERR_NOT_FOUND)
        pl_vm_report(co->vm, &co->task, co->L);
}

static void on_load_returned(struct pl_co *co, int status, int n)
{
    struct pl_vm_load *load = co->ctx;

    if (status != 0)
        take_error(load, co);
    else if (n > 0 && lua_type(co->L, -n) == LUA_TNUMBER)
        load->value = (int)lua_tointeger(co->L, -n);
}

static void on_load_over(struct pl_co *co)
{
    struct pl_vm_load *load = co->ctx;

    load->co = NULL;
    pl_op_complete(&load->op, load->error.code);
}

static void cancel_load(struct pl_op *op)
{
    pl_task_cancel(&PL_CONTAINER_OF(op, struct pl_vm_load, op)->co->task);
}

static void init_load(struct pl_vm_load *load, struct pl_vm *vm, bool script)
{
    pl_op_init(&load->op, vm->sched, cancel_load);
    pl_op_begin(&load->op);
    load->value = 0;
    load->script = script;
    load->error = (struct pl_error){0};
    load->co = NULL;
}

static void fail_load(struct pl_vm_load *load)
{
    pl_error_set(&load->error, PL_ERR_NOMEM, "", "no memory for a task");
    pl_op_complete(&load->op, PL_ERR_NOMEM);
}

static void start_load(struct pl_vm_load *load, struct pl_vm *vm,
                       struct call *call)
{
    static const struct pl_co_hooks hooks = {on_load_returned, on_load_over};

    load->co = new_call(vm, call);
    if (load->co == NULL) {
        fail_load(load);
        return;
    }
    load->co->hooks = &hooks;
    load->co->ctx = load;
    pl_co_start(load->co, call->count);
}

void pl_vm_load_begin(struct pl_vm_load *load, struct pl_vm *vm,
                      const char *path)
{
    init_load(load, vm, false);
    start_load(
        load, vm,
        &(struct call){.call = PL_VM_CALL_load_file, .args = {pl_str_c(path)}});
}

void pl_vm_load_text_begin(struct pl_vm_load *load, struct pl_vm *vm,
                           const char *name, struct pl_str text)
{
    init_load(load, vm, false);
    start_load(load, vm,
               &(struct call){.call = PL_VM_CALL_load_text,
                              .args = {pl_str_c(name), text}});
}

struct script {
    const char *path;
    char **args;
};

static int set_args(lua_State *L)
{
    const struct script *script = lua_touserdata(L, 1);

    lua_newtable(L);
    lua_pushstring(L, script->path);
    lua_rawseti(L, -2, 0);
    for (int i = 0; script->args != NULL && script->args[i] != NULL; i++) {
        lua_pushstring(L, script->args[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
    return 0;
}

void pl_vm_script_begin(struct pl_vm_load *load, struct pl_vm *vm,
                        const char *path, char **args)
{
    struct script script = {path, args};

    init_load(load, vm, true);
    if (pl_vm_protect(vm->main, set_args, &script) != 0) {
        lua_pop(vm->main, 1);
        fail_load(load);
        return;
    }
    start_load(load, vm,
               &(struct call){.call = PL_VM_CALL_run_script,
                              .args = {pl_str_c(path)}});
}

/* ---- from the commit on ---- */

/* keep_timers(timers): the next generation goes on from what is in it. */
static int keep_timers(lua_State *L)
{
    lua_settop(L, 1);
    pl_vm_upvalue(L)->timers = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

const luaL_Reg pl_lua_timer[] = {
    {"keep_timers", keep_timers},
    {NULL, NULL},
};

struct inherit {
    struct pl_vm *vm, *from;
};

/* Timers of Lua: a table from name and period to the time when it is due. */
static int copy_timers(lua_State *L)
{
    struct inherit *both = lua_touserdata(L, 1);
    lua_State *from = both->from->main;

    lua_rawgeti(L, LUA_REGISTRYINDEX, both->vm->timers);
    lua_rawgeti(from, LUA_REGISTRYINDEX, both->from->timers);
    for (lua_pushnil(from); lua_next(from, -2); lua_pop(from, 1)) {
        lua_pushstring(L, lua_tostring(from, -2));
        lua_pushnumber(L, lua_tonumber(from, -1));
        lua_rawset(L, -3);
    }
    return 0;
}

static int retire(lua_State *L)
{
    struct pl_vm *vm = lua_touserdata(L, 1);

    pl_vm_push_call(L, vm, PL_VM_CALL_retire);
    lua_call(L, 0, 0);
    return 0;
}

/* Without memory they only begin anew. */
static void inherit_timers(struct pl_vm *vm, struct pl_vm *from)
{
    struct inherit both = {vm, from};

    if (vm->timers != LUA_NOREF && from->timers != LUA_NOREF &&
        pl_vm_protect(vm->main, copy_timers, &both) != 0)
        lua_settop(vm->main, 0);
    lua_settop(from->main, 0);
    if (pl_vm_protect(from->main, retire, from) != 0)
        lua_settop(from->main, 0);
}

int pl_vm_commit(struct pl_vm *vm, struct pl_vm *previous)
{
    struct call call = {.call = PL_VM_CALL_commit};
    struct pl_co *co = new_call(vm, &call);

    PL_ASSERT(vm->phase == PL_VM_LOADING);
    if (co == NULL)
        return PL_ERR_NOMEM;
    if (PL_WITH_RELOAD && vm->options.serving != NULL)
        *vm->options.serving = vm;
    if (PL_WITH_RELOAD && previous != NULL) {
        inherit_timers(vm, previous);
        pl_vm_take_over(vm, previous);
    }
    vm->phase = PL_VM_RUNNING;
    co->background = true;
    pl_co_start(co, call.count);
    pl_vm_stand(vm);
    return 0;
}

int pl_vm_emit(struct pl_vm *vm, const char *event, struct pl_join_op *done)
{
    struct call call = {.call = PL_VM_CALL_emit, .args = {pl_str_c(event)}};
    struct pl_co *co = new_call(vm, &call);

    if (co == NULL)
        return PL_ERR_NOMEM;
    if (done != NULL)
        pl_task_join_begin(done, &co->task);
    pl_co_start(co, call.count);
    return 0;
}
