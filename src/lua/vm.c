#include "lua/vm.h"

#include "base/check.h"
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"
#include "lua/chunks.h"
#include "lua/failure.h"
#include "lua/json.h"
#include "lua/lib_socket.h"
#include "lua/module.h"
#include "lua/move.h"
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
    if (PL_WITH_FASTCGI)
        pl_request_complain(pl_request_of_task(task), text);
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
    if (PL_WITH_RELOAD && vm->options.chunks != NULL)
        pl_lua_open_chunks(L, vm);
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

static void free_memory(struct pl_vm *vm)
{
    if (PL_WITH_RELOAD)
        pl_chunks_drop(vm->options.chunks);
    pl_free(vm);
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
    if (PL_WITH_RELOAD)
        pl_chunks_take(options->chunks);
    vm->timers = LUA_NOREF;
    pl_account_init(&vm->account, options->account, options->memory_limit);
    pl_list_init(&vm->live);
    pl_list_init(&vm->kept);
    pl_list_init(&vm->websockets);
    pl_list_init(&vm->spare);
    pl_list_init(&vm->modules);
    if (PL_WITH_RELOAD)
        pl_vm_init_moves(vm);
    vm->main = luaL_newstate();
    if (vm->main != NULL)
        return vm;
    free_memory(vm);
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
    free_memory(vm);
    return err;
}

void pl_vm_free(struct pl_vm *vm)
{
    if (vm == NULL)
        return;
    PL_CHECK(vm, PL_VM_MAGIC);
    PL_ASSERT(vm->live_count == 0 && !vm->running);
    if (PL_WITH_RELOAD)
        pl_vm_end_moves(vm);
    if (PL_WITH_SOCKETS || PL_WITH_SQL)
        pl_lua_close_kept(vm);
    pl_co_trim(vm, 0);
    if (PL_WITH_MODULES)
        pl_vm_unload_modules(vm);
    pl_vm_close_state(vm);
    if (PL_WITH_MODULES)
        pl_vm_drop_modules(vm);
    vm->magic = 0;
    free_memory(vm);
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
