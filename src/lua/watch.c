/* watch.c - alarms for Lua that holds its worker.
 *
 *     handler (signal)    arms the hook; LuaJIT: gives the VM the profiler and
 *                         raises its flag, so that a trace leaves
 *     hook                gives the profiler back, tells where it was called,
 *                         and goes away, or raises
 *     end of the run      whatever is left of both
 *
 * The handler runs on the thread of the VM, so nothing here is shared but the
 * profiler, and that passes from hand to hand by slot.owner.
 *
 * The error that is raised is "not enough memory", the only one for which Lua
 * calls no message handler: one that loops would run with hooks disabled. */
#include "lua/watch_priv.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "base/check.h"
#include "base/str.h"
#include "lua/failure.h"
#include "lua/vm_priv.h"
#include "task/meter.h"

/* ---- where Lua is: needs no memory ---- */

enum { LEVELS = 24 };

struct text {
    char *at, *end; /* of what is free; end is the place of the last NUL */
};

PL_PRINTF(2, 3) static void add(struct text *text, const char *fmt, ...)
{
    size_t room = (size_t)(text->end - text->at);
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text->at, room + 1, fmt, ap);
    va_end(ap);
    text->at += PL_MIN((size_t)PL_MAX(n, 0), room);
}

static bool is_ours(const lua_Debug *ar)
{
    return strncmp(ar->source, "=perilune/", 10) == 0;
}

/* "site.lua:3 in spin", "find in C" */
static void add_level(struct text *text, const lua_Debug *ar, const char *begin)
{
    if (text->at > begin)
        add(text, " < ");
    if (ar->currentline > 0)
        add(text, "%s:%d", ar->short_src, ar->currentline);
    if (ar->name != NULL)
        add(text, "%s%s", ar->currentline > 0 ? " in " : "", ar->name);
    if (ar->currentline <= 0)
        add(text, "%s", ar->name != NULL ? " in C" : "C");
}

/* The library's own functions are left out. */
static void add_stack(struct text *text, lua_State *L, const char *begin)
{
    lua_Debug ar;

    for (int level = 0; level < LEVELS && lua_getstack(L, level, &ar) != 0;
         level++) {
        if (lua_getinfo(L, "Sln", &ar) != 0 && !is_ours(&ar))
            add_level(text, &ar, begin);
    }
}

static void say_where(lua_State *L, const struct pl_co *co, char *out,
                      size_t size)
{
    struct text text = {out, out + size - 1};

    out[0] = '\0';
    add_stack(&text, L, out);
    if (L != co->L) /* L is a coroutine inside the task */
        add_stack(&text, co->L, out);
}

/* The line of the site that runs: "site.lua:3: " or "". */
static void say_line(lua_State *L, char *out, size_t size)
{
    lua_Debug ar;

    out[0] = '\0';
    for (int level = 0; lua_getstack(L, level, &ar) != 0; level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && !is_ours(&ar)) {
            snprintf(out, size, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
}

static void hook(lua_State *L, lua_Debug *ar);

/* ---- the profiler of LuaJIT ---- */

#if PL_LUAJIT

/* Its interval, in ms: never. */
#define NEVER "i1000000000"

static struct {
    lua_State *dummy;               /* NULL: not in use */
    lua_State *_Atomic owner;       /* dummy; a VM's; NULL: on its way back */
    void (*raise_flag)(int signal); /* LuaJIT's handler of SIGPROF */
    bool works;
} slot;

static void on_sample(void *data, lua_State *L, int samples, int state)
{
}

/* Nobody ever sends SIGPROF, nor is there a timer that would: all that is
 * wanted of LuaJIT's handler is what it does to the owner. */
static void find_handler(void)
{
    static const struct itimerval off;
    struct sigaction theirs;

    setitimer(ITIMER_PROF, &off, NULL);
    sigaction(SIGPROF, NULL, &theirs);
    slot.raise_flag = theirs.sa_handler;
}

static void take_profiler(lua_State *L)
{
    luaJIT_profile_stop(slot.dummy);
    luaJIT_profile_start(L, NEVER, on_sample, NULL);
    slot.owner = L;
}

/* Empties L's traces twice, which must not happen in a signal handler. */
static void give_profiler_back(lua_State *L)
{
    slot.owner = NULL;
    luaJIT_profile_stop(L);
    luaJIT_profile_start(slot.dummy, NEVER, on_sample, NULL);
    luaJIT_profile_start(L, "l", on_sample, NULL); /* "in use", but see top */
    slot.owner = slot.dummy;
}

int pl_lua_watch_open(void)
{
    PL_ASSERT(slot.dummy == NULL);
    slot.dummy = luaL_newstate();
    if (slot.dummy == NULL)
        return PL_ERR_NOMEM;
    signal(SIGPROF, SIG_IGN); /* while nobody has the profiler */
    luaJIT_profile_start(slot.dummy, NEVER, on_sample, NULL);
    find_handler();
    slot.owner = slot.dummy;
    slot.works = false; /* until the probe */
    return 0;
}

void pl_lua_watch_close(void)
{
    if (slot.dummy == NULL)
        return;
    luaJIT_profile_stop(slot.dummy);
    lua_close(slot.dummy);
    slot.dummy = NULL;
    slot.owner = NULL;
}

void pl_watch_init(struct pl_vm *vm)
{
    if (slot.dummy != NULL && !vm->options.jit_off)
        luaJIT_profile_start(vm->main, "l", on_sample, NULL);
}

/* ---- the probe: a compiled loop, and an alarm out of its allocations ---- */

enum { PROBE_ALARM = 20000, PROBE_END = 60000 };

static struct probe {
    lua_Alloc alloc;
    void *arg;
    lua_State *L;
    int count;
    bool reached;
} probe;

static void probe_hook(lua_State *L, lua_Debug *ar)
{
    lua_sethook(L, NULL, 0, 0);
    probe.reached = true;
    luaL_error(L, "reached");
}

static void *probe_alloc(void *arg, void *block, size_t was, size_t size)
{
    if (++probe.count == PROBE_ALARM) {
        lua_sethook(probe.L, probe_hook, LUA_MASKCOUNT, 1);
        take_profiler(probe.L);
        slot.raise_flag(SIGPROF);
    }
    return probe.alloc(probe.arg, block, was, size);
}

static int run_probe(lua_State *L)
{
    static const char loop[] = "local n, t = ..., {}\n"
                               "for i = 1, n do\n"
                               "t[i % 8] = { i }\n"
                               "end\n";

    lua_pushcfunction(L, luaopen_jit);
    lua_pushliteral(L, LUA_JITLIBNAME);
    lua_call(L, 1, 0);
    if (luaL_loadstring(L, loop) != 0)
        return lua_error(L);
    lua_pushinteger(L, PROBE_END);
    lua_call(L, 1, 0);
    return 0;
}

bool pl_lua_watch_probe(void)
{
    lua_State *L = slot.dummy == NULL ? NULL : luaL_newstate();

    if (L == NULL)
        return false;
    probe = (struct probe){.L = L};
    luaJIT_profile_start(L, "l", on_sample, NULL);
    probe.alloc = lua_getallocf(L, &probe.arg);
    lua_setallocf(L, probe_alloc, NULL);
    lua_cpcall(L, run_probe, NULL);
    if (slot.owner == L)
        give_profiler_back(L);
    lua_setallocf(L, probe.alloc, probe.arg);
    lua_close(L);
    slot.works = probe.reached;
    return probe.reached;
}

/* ---- arming ---- */

/* LuaJIT's hooks are those of the whole VM. */
static void set_hook(struct pl_vm *vm, lua_State *L)
{
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
}

static void arm(struct pl_vm *vm, lua_State *L)
{
    set_hook(vm, L);
    if (!slot.works || slot.owner == NULL)
        return;
    if (slot.owner == slot.dummy)
        take_profiler(vm->main);
    if (slot.owner == vm->main)
        slot.raise_flag(SIGPROF);
}

static void release_profiler(struct pl_vm *vm)
{
    if (slot.owner == vm->main)
        give_profiler_back(vm->main);
}

static void disarm(struct pl_vm *vm, lua_State *L)
{
    vm->watch.armed = false;
    lua_sethook(L, NULL, 0, 0);
}

void pl_lua_open_watch(lua_State *L, struct pl_vm *vm)
{
}

#else /* Lua 5.4: a hook belongs to one coroutine */

int pl_lua_watch_open(void)
{
    return 0;
}

void pl_lua_watch_close(void)
{
}

bool pl_lua_watch_probe(void)
{
    return true;
}

void pl_watch_init(struct pl_vm *vm)
{
}

static void set_hooks(struct pl_vm *vm, lua_State *root, lua_Hook fn, int mask)
{
    lua_sethook(root, fn, mask, 1);
    for (struct pl_watch_link *at = vm->watch.inner; at != NULL; at = at->outer)
        lua_sethook(at->L, fn, mask, 1);
}

static void set_hook(struct pl_vm *vm, lua_State *root)
{
    set_hooks(vm, root, hook, LUA_MASKCOUNT);
}

static void arm(struct pl_vm *vm, lua_State *root)
{
    set_hook(vm, root);
}

static void release_profiler(struct pl_vm *vm)
{
}

static void disarm(struct pl_vm *vm, lua_State *root)
{
    vm->watch.armed = false;
    set_hooks(vm, root, NULL, 0);
}

/* core.resume(co, ...): coroutine.resume, which also notes who runs. */
static int resume(lua_State *L)
{
    struct pl_watch *watch = &pl_vm_upvalue(L)->watch;
    lua_State *co = lua_tothread(L, 1);
    struct pl_watch_link link = {co, watch->inner};
    int n = lua_gettop(L) - 1, status;

    if (!lua_checkstack(co, n)) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "too many arguments to resume");
        return 2;
    }
    lua_xmove(L, co, n);
    watch->inner = &link;
    status = lua_resume(co, L, n, &n);
    watch->inner = link.outer;
    if (status != LUA_OK && status != LUA_YIELD)
        n = 1; /* the error */
    if (!lua_checkstack(L, n + 1)) {
        lua_pop(co, n);
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "too many results to resume");
        return 2;
    }
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    lua_xmove(co, L, n);
    return n + 1;
}

void pl_lua_open_watch(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {{"resume", resume}, {NULL, NULL}};

    pl_vm_register(L, vm, functions);
}

#endif

/* ---- the handler of a signal ---- */

static struct pl_co *running_co(const struct pl_task *task)
{
    struct pl_co *co;

    if (task == NULL || task->type != &pl_co_type)
        return NULL;
    co = PL_CONTAINER_OF(task, struct pl_co, task);
    return co->vm->running && co->L != NULL ? co : NULL;
}

bool pl_lua_alarm(const struct pl_task *task, struct pl_alarm *alarm)
{
    struct pl_co *co = running_co(task);
    struct pl_watch *watch;

    if (co == NULL)
        return false;
    watch = &co->vm->watch;
    watch->kind = alarm->kind;
    watch->status = alarm->status;
    memcpy(watch->why, alarm->why, sizeof(watch->why));
    watch->alarm = alarm;
    watch->armed = true;
    arm(co->vm, co->L);
    return true;
}

/* Not by the profiler: the allocation fails at once, also in compiled code, and
 * what catches that is interpreted. */
void pl_watch_abort(struct pl_vm *vm)
{
    struct pl_watch *watch = &vm->watch;

    if (watch->aborted)
        return;
    watch->kind = PL_ALARM_ABORT;
    watch->status = 503;
    watch->aborted = true;
    watch->limit = vm->account.limit;
    watch->where[0] = '\0';
    vm->account.limit = 1;
    watch->armed = true;
    set_hook(vm, pl_co_current()->L);
}

bool pl_lua_where(const struct pl_task *task, char *out, size_t size)
{
    const struct pl_co *co = running_co(task);

    if (co != NULL) {
        lua_State *L = co->L;

        if (co->vm->watch.inner != NULL)
            L = co->vm->watch.inner->L;
        say_where(L, co, out, size);
    }
    return co != NULL;
}

bool pl_lua_waits(const struct pl_task *task, char *out, size_t size)
{
    const struct pl_co *co;

    if (task->type != &pl_co_type)
        return false;
    co = PL_CONTAINER_OF(task, struct pl_co, task);
    if (co->L == NULL)
        return false;
    say_where(co->L, co, out, size);
    return true;
}

/* ---- the hook ---- */

/* From now on Lua gets no memory. */
PL_NORETURN static void abort_run(lua_State *L, struct pl_vm *vm)
{
    vm->account.limit = 1;
    lua_newuserdata(L, 1);
    pl_assert_failed("memory beyond the limit");
}

static void tell(struct pl_watch *watch, lua_State *L, const struct pl_co *co)
{
    struct pl_alarm *alarm = watch->alarm;

    if (alarm == NULL)
        return;
    say_where(L, co, alarm->where, sizeof(alarm->where));
    watch->alarm = NULL;
    alarm->heard(alarm);
}

/* What was armed without a signal has no alarm. */
static void hook(lua_State *L, lua_Debug *ar)
{
    const struct pl_co *co = pl_co_current();
    struct pl_vm *vm = co == NULL ? NULL : co->vm;

    (void)ar;
    if (vm == NULL || !vm->watch.armed) { /* left over in a coroutine */
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    release_profiler(vm);
    tell(&vm->watch, L, co);
    if (vm->watch.kind == PL_ALARM_REPORT) {
        disarm(vm, co->L);
        return;
    }
    if (!vm->watch.aborted) {
        vm->watch.aborted = true;
        vm->watch.limit = vm->account.limit;
        say_line(L, vm->watch.where, sizeof(vm->watch.where));
    }
    abort_run(L, vm);
}

/* ---- the end of a run ---- */

static int push_error(lua_State *L)
{
    struct pl_co *co = lua_touserdata(L, 1);
    struct pl_watch *watch = &co->vm->watch;
    struct pl_meter *meter = co->task.meter;

    if (meter != NULL && meter->over != PL_OVER_NONE) {
        pl_meter_why(meter, watch->why, sizeof(watch->why));
        meter->told = true;
    }
    lua_pushfstring(L, "%saborted: %s", watch->where, watch->why);
    pl_lua_push_error(L, PL_ERR_ABORTED, NULL, lua_tostring(L, -1));
    lua_pushinteger(L, watch->status);
    lua_rawseti(L, -2, 2);
    lua_pop(co->L, 1);
    lua_xmove(L, co->L, 1);
    return 0;
}

int pl_watch_end(struct pl_co *co, int status)
{
    struct pl_vm *vm = co->vm;
    bool aborted = vm->watch.aborted;

    disarm(vm, co->L);
    release_profiler(vm);
    vm->watch.alarm = NULL;
    vm->watch.aborted = false;
    if (aborted)
        vm->account.limit = vm->watch.limit;
    if (!aborted || status == 0 || status == LUA_YIELD)
        return status;
    if (pl_vm_protect(vm->main, push_error, co) == 0)
        return LUA_ERRRUN;
    lua_pop(vm->main, 1);
    return status;
}
