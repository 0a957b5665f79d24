#include "lua/vm.h"

#include "base/check.h"
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "lua/failure.h"
#include "lua/json.h"
#include "lua/lib_socket.h"
#include "lua/module.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"

/* ---- calls ---- */

int pl_vm_protect(lua_State *L, lua_CFunction fn, void *arg)
{
#if PL_LUAJIT
    return lua_cpcall(L, fn, arg);
#else
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, arg);
    return lua_pcall(L, 1, 0, 0);
#endif
}

void pl_vm_register(lua_State *L, struct pl_vm *vm, const luaL_Reg *functions)
{
    lua_pushlightuserdata(L, vm);
    luaL_setfuncs(L, functions, 1);
}

void pl_vm_type(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

static int on_panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);

    pl_assert_failed(text == NULL ? "error outside of a protected call" : text);
}

/* ---- errors ---- */

struct report {
    struct pl_vm *vm;
    struct pl_task *task;
    lua_State *from;
};

static void tell(struct pl_vm *vm, struct pl_task *task, struct pl_str text)
{
    if (vm->options.report != NULL)
        vm->options.report(vm->options.ctx, task, text);
    else
        pl_log(PL_LOG_ERROR, "lua", "%.*s task=%llu", PL_STR_ARG(text),
               task == NULL ? 0ULL : (unsigned long long)task->id);
}

static int report(lua_State *L)
{
    struct report *report = lua_touserdata(L, 1);
    struct pl_str text;

    lua_settop(L, 0);
    pl_vm_push_call(L, report->vm, PL_VM_CALL_describe);
    pl_lua_error_take(L, report->from);
    if (report->from == report->vm->main)
        lua_pushnil(L);
    else
        luaL_traceback(L, report->from, NULL, 0);
    lua_call(L, 2, 1);
    text.data = luaL_tolstring(L, -1, &text.len);
    tell(report->vm, report->task, text);
    return 0;
}

void pl_vm_report(struct pl_vm *vm, struct pl_task *task, lua_State *L)
{
    struct report what = {vm, task, L};

    if (vm->phase == PL_VM_DETACHED) { /* a finalizer; describe() has gone */
        tell(vm, task,
             pl_str_c(lua_isstring(L, -1) ? lua_tostring(L, -1)
                                          : "an error in a finalizer"));
        return;
    }
    if (pl_lua_error_code(L, -1) == PL_ERR_CANCELED)
        return;
    if (L == vm->main)
        pl_lua_error_set_aside(L);
    if (pl_vm_protect(vm->main, report, &what) != 0) {
        lua_pop(vm->main, 1);
        tell(vm, task, PL_STR("an error, and no memory to say which"));
    }
}

/* core.report(text): of an error that Lua code has caught for us. */
static int lua_report(lua_State *L)
{
    struct pl_str text;

    text.data = luaL_checklstring(L, 1, &text.len);
    tell(pl_vm_upvalue(L), pl_task_current(), text);
    return 0;
}

/* ---- opening ---- */

static void open_core(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"report", lua_report},
        {NULL, NULL},
    };

    lua_newtable(L);
    pl_vm_register(L, vm, functions);
    pl_lua_open_error(L, vm);
    pl_lua_open_wait(L, vm);
    pl_lua_open_tasks(L, vm);
    pl_lua_open_system(L, vm);
    pl_lua_open_watch(L, vm);
    pl_lua_open_member(L, vm);
}

static void find_calls(lua_State *L, struct pl_vm *vm)
{
    static const char *const names[] = {
#define NAME(name) #name,
        PL_VM_CALL_MAP(NAME)
#undef NAME
    };

    for (int i = 0; i < PL_VM_CALLS; i++) {
        lua_getfield(L, -1, names[i]);
        PL_ASSERT(lua_isfunction(L, -1));
        vm->calls[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_getfield(L, -1, "chain");
    vm->chain = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int open_all(lua_State *L)
{
    struct pl_vm *vm = lua_touserdata(L, 1);

    lua_gc(L, LUA_GCSTOP, 0); /* what is made here stays */
    luaL_openlibs(L);
#if PL_LUAJIT
    if (vm->options.jit_off)
        luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
#endif
    if (vm->options.watched)
        pl_watch_init(vm);
    open_core(L, vm);
    pl_lua_json_push(L);
    lua_setfield(L, -2, "json");
    pl_lua_open_library(L, vm);
    pl_lua_json_install_cjson(L);
    find_calls(L, vm);
    lua_gc(L, LUA_GCRESTART, 0);
    return 0;
}

static struct pl_vm *make(struct pl_sched *sched,
                          const struct pl_vm_options *options)
{
    struct pl_vm *vm = pl_calloc(1, sizeof(*vm));

    if (vm == NULL)
        return NULL;
    vm->magic = PL_VM_MAGIC;
    vm->sched = sched;
    vm->options = *options;
    vm->timers = LUA_NOREF;
    pl_account_init(&vm->account, options->account, options->memory_limit);
    pl_list_init(&vm->live);
    pl_list_init(&vm->kept);
    pl_list_init(&vm->websockets);
    pl_list_init(&vm->spare);
    pl_list_init(&vm->modules);
    vm->main = luaL_newstate();
    if (vm->main != NULL)
        return vm;
    pl_free(vm);
    return NULL;
}

int pl_vm_new(struct pl_sched *sched, const struct pl_vm_options *options,
              struct pl_vm **out, struct pl_error *error)
{
    struct pl_vm *vm = make(sched, options);
    int err;

    if (vm == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "no memory for Lua");
    lua_atpanic(vm->main, on_panic);
    err = pl_vm_take_memory(vm);
    if (err < 0) {
        pl_error_set(error, err, "", "the memory limit is too low for Lua");
        goto fail;
    }
    if (pl_vm_protect(vm->main, open_all, vm) != 0) {
        err = PL_ERR_NOMEM; /* the library itself is correct: tests/unit */
        pl_error_set(error, err, "", "cannot open the Lua library: %s",
                     lua_isstring(vm->main, -1) ? lua_tostring(vm->main, -1)
                                                : "unknown error");
        goto fail;
    }
    *out = vm;
    return 0;
fail:
    pl_vm_close_state(vm);
    pl_free(vm);
    return err;
}

void pl_vm_free(struct pl_vm *vm)
{
    if (vm == NULL)
        return;
    PL_CHECK(vm, PL_VM_MAGIC);
    PL_ASSERT(vm->live_count == 0 && !vm->running);
    if (PL_WITH_SOCKETS)
        pl_lua_close_kept(vm);
    pl_co_trim(vm, 0);
    if (PL_WITH_MODULES)
        pl_vm_unload_modules(vm);
    pl_vm_close_state(vm);
    if (PL_WITH_MODULES)
        pl_vm_drop_modules(vm);
    vm->magic = 0;
    pl_free(vm);
}

/* ---- tasks of our own ---- */

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

/* ---- the other calls ---- */

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
    if (PL_WITH_RELOAD && previous != NULL)
        inherit_timers(vm, previous);
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

/* ---- the end ---- */

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
    if (PL_WITH_SOCKETS)
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

/* ---- upkeep ---- */

struct collection {
    int what;
    bool ended;
};

static int collect(lua_State *L)
{
    struct collection *collection = lua_touserdata(L, 1);

    collection->ended = lua_gc(L, collection->what, 0) != 0;
    return 0;
}

bool pl_vm_collect(struct pl_vm *vm, int what)
{
    struct collection collection = {what, false};

    if (pl_vm_protect(vm->main, collect, &collection) != 0) {
        pl_vm_report(vm, NULL, vm->main);
        lua_pop(vm->main, 1);
    }
    return collection.ended;
}

bool pl_vm_idle(struct pl_vm *vm)
{
    if (vm->spare_count > PL_VM_SPARE_IDLE)
        pl_co_trim(vm, PL_VM_SPARE_IDLE);
    pl_web_trim(vm, PL_VM_SPARE_IDLE);
    return pl_vm_collect(vm, LUA_GCSTEP);
}

struct pl_vm_stats pl_vm_stats(const struct pl_vm *vm)
{
    return (struct pl_vm_stats){
        .bytes = vm->account.used,
        .tasks = vm->live_count,
        .spare = vm->spare_count,
        .threads = vm->threads,
    };
}

lua_State *pl_vm_state(struct pl_vm *vm)
{
    return vm->main;
}

const char *pl_vm_version(void)
{
#if PL_LUAJIT
    return LUAJIT_VERSION;
#else
    return LUA_RELEASE;
#endif
}
