/* lib_process.c - pl.process: child processes, from Lua
 * (lua/perilune/lib/process.lua).
 *
 * A child belongs to the task that starts it; when that ends, the pointer of
 * its object here becomes NULL (os/process.h). */
#include "os/process.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

extern char **environ;

static const char run_name[] = "pl.process.run";
static const char child_name[] = "pl.process.child";

struct child {
    struct pl_process *process; /* NULL: the task has ended, or not begun */
    struct pl_process_start_op start;
    struct pl_process_io_op io[PL_PROCESS_STREAMS];
};

/* ---- what to start ---- */

/* The list of strings in field, as C has it: in a userdata on the stack. */
static char *const *get_strings(lua_State *L, int spec, const char *field)
{
    const char **list;
    size_t n;

    lua_getfield(L, spec, field);
    if (lua_isnil(L, -1))
        return NULL;
    n = lua_rawlen(L, -1);
    list = lua_newuserdata(L, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -2, (int)i + 1);
        list[i] = luaL_checkstring(L, -1);
        lua_pop(L, 1); /* the table keeps it */
    }
    list[n] = NULL;
    return (char *const *)list;
}

static double get_number(lua_State *L, int spec, const char *field)
{
    double number;

    lua_getfield(L, spec, field);
    number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
}

static enum pl_process_use get_use(lua_State *L, int spec, const char *field)
{
    static const char *const words[] = {"capture", "null", "inherit", "merge"};
    const char *word;
    int use = 0;

    lua_getfield(L, spec, field);
    word = luaL_checkstring(L, -1);
    while (use < PL_PROCESS_MERGE && strcmp(words[use], word) != 0)
        use++;
    lua_pop(L, 1);
    return (enum pl_process_use)use;
}

/* Reads the table at spec. What *out points to stays on the stack. */
static void get_spec(lua_State *L, int spec, struct pl_process_spec *out)
{
    luaL_checkstack(L, 12, NULL);
    *out = (struct pl_process_spec){
        .argv = get_strings(L, spec, "argv"),
        .env = get_strings(L, spec, "env"),
        .use = {get_use(L, spec, "stdin"), get_use(L, spec, "stdout"),
                get_use(L, spec, "stderr")},
        .grace = (uint64_t)(get_number(L, spec, "grace") * 1e9),
    };
    lua_getfield(L, spec, "cwd");
    out->folder = lua_tostring(L, -1); /* stays there */
}

/* ---- run ---- */

/* new_run() -> run */
static int new_run(lua_State *L)
{
    struct pl_process_run *run = lua_newuserdata(L, sizeof(*run));

    memset(run, 0, sizeof(*run));
    luaL_setmetatable(L, run_name);
    return 1;
}

static struct pl_process_run *check_run(lua_State *L)
{
    return luaL_checkudata(L, 1, run_name);
}

static int run_gc(lua_State *L)
{
    pl_process_run_fini(check_run(L));
    return 0;
}

/* run(run, spec) -> 0 or PL_ERR_*. The run keeps spec, and so its input. */
static int run_begin(lua_State *L)
{
    struct pl_process_run *run = check_run(L);
    struct pl_co *co = pl_co_may_wait(L, "pl.process.run");
    struct pl_process_spec spec;

    get_spec(L, 2, &spec);
    lua_getfield(L, 2, "input");
    run->input.data = lua_tolstring(L, -1, &run->input.len);
    run->max_output = (size_t)get_number(L, 2, "max_output");
    run->timeout = (uint64_t)(get_number(L, 2, "timeout") * 1e9);
    lua_pushvalue(L, 2);
    lua_setuservalue(L, 1);
    pl_process_run_begin(run, &co->task, &spec);
    return pl_co_wait(L, co, &run->op, 1);
}

/* A name, or a number for those that have none. */
static void push_signal(lua_State *L, int number)
{
    const char *name = sigabbrev_np(number);

    if (number == 0)
        lua_pushnil(L);
    else if (name != NULL)
        lua_pushstring(L, name);
    else
        lua_pushinteger(L, number);
}

/* run_result(run) -> stdout, stderr, status, signal */
static int run_result(lua_State *L)
{
    struct pl_process_run *run = check_run(L);
    const struct pl_process_output *out = &run->out, *err = &run->err;

    lua_pushlstring(L, out->data == NULL ? "" : out->data, out->len);
    lua_pushlstring(L, err->data == NULL ? "" : err->data, err->len);
    lua_pushinteger(L, run->status);
    push_signal(L, run->signal);
    pl_process_run_fini(run);
    return 4;
}

/* run_problem(run) -> text, or nil if it is not the start that has failed */
static int run_problem(lua_State *L)
{
    const char *problem = check_run(L)->problem;

    if (problem[0] == '\0')
        lua_pushnil(L);
    else
        lua_pushstring(L, problem);
    return 1;
}

/* ---- spawn ---- */

static struct child *check_child(lua_State *L)
{
    return luaL_checkudata(L, 1, child_name);
}

/* The child, if it is still there. */
static struct pl_process *check_process(lua_State *L, const char *call)
{
    struct child *child = check_child(L);

    if (child->process == NULL)
        pl_lua_fail(L,
                    "%s: the process was closed, or the task that started "
                    "it has ended",
                    call);
    return child->process;
}

/* new_child() -> child */
static int new_child(lua_State *L)
{
    struct child *child = lua_newuserdata(L, sizeof(*child));

    child->process = NULL;
    luaL_setmetatable(L, child_name);
    return 1;
}

static int child_gc(lua_State *L)
{
    struct child *child = check_child(L);

    if (child->process != NULL)
        pl_process_forget(child->process);
    child->process = NULL;
    return 0;
}

/* start(child, spec) -> 0 or PL_ERR_* */
static int start(lua_State *L)
{
    struct child *child = check_child(L);
    struct pl_co *co = pl_co_may_wait(L, "pl.process.spawn");
    struct pl_process_spec spec;

    get_spec(L, 2, &spec);
    if (pl_process_new(&co->task, &spec, &child->process) < 0) {
        lua_pushinteger(L, PL_ERR_NOMEM);
        return 1;
    }
    pl_process_start_begin(&child->start, child->process);
    return pl_co_wait(L, co, &child->start.offload.op, 1);
}

/* problem(child, result) -> text, of a start that has failed */
static int start_problem(lua_State *L)
{
    struct child *child = check_child(L);
    int result = (int)luaL_checkinteger(L, 2);

    if (child->process == NULL) {
        lua_pushstring(L, pl_err_text(result));
        return 1;
    }
    lua_pushstring(L, pl_process_problem(child->process, result));
    pl_process_release(child->process);
    return 1;
}

/* close(child) */
static int close_child(lua_State *L)
{
    struct child *child = check_child(L);

    if (child->process != NULL)
        pl_process_release(child->process);
    return 0;
}

/* pid(child) */
static int push_pid(lua_State *L)
{
    lua_pushinteger(L, check_process(L, "process")->pid);
    return 1;
}

/* wait(child) -> 0 or PL_ERR_* */
static int wait_begin(lua_State *L)
{
    struct pl_process *process = check_process(L, "process:wait");
    struct pl_co *co = pl_co_may_wait(L, "process:wait");
    struct pl_process_wait_op *wait = lua_newuserdata(L, sizeof(*wait));

    pl_process_wait_begin(wait, process);
    return pl_co_wait(L, co, &wait->op, lua_gettop(L));
}

/* status(child) -> status, signal */
static int push_status(lua_State *L)
{
    struct pl_process *process = check_process(L, "process:wait");

    lua_pushinteger(L, process->status);
    push_signal(L, process->signal);
    return 2;
}

/* kill(child, number) -> 0 or PL_ERR_* */
static int send_signal(lua_State *L)
{
    struct pl_process *process = check_process(L, "process:kill");

    lua_pushinteger(L,
                    pl_process_signal(process, (int)luaL_checkinteger(L, 2)));
    return 1;
}

static int check_stream(lua_State *L)
{
    int stream = (int)luaL_checkinteger(L, 2);

    luaL_argcheck(L, stream >= 0 && stream < PL_PROCESS_STREAMS, 2, "stream");
    return stream;
}

/* ready(child, stream, call) -> 0 or PL_ERR_* */
static int ready_begin(lua_State *L)
{
    const char *call = luaL_checkstring(L, 3);
    struct pl_process *process = check_process(L, call);
    struct pl_co *co = pl_co_may_wait(L, call);
    int stream = check_stream(L);
    struct pl_process_io_op *io = &check_child(L)->io[stream];

    if (process->io[stream] != NULL)
        return pl_lua_fail(L, "%s: another task waits for it", call);
    pl_process_io_begin(io, process, stream);
    return pl_co_wait(L, co, &io->op, 1);
}

enum { READ_MAX = 1 << 20 };

/* take(child, stream, n, call) -> string, "" at the end; or a code */
static int take(lua_State *L)
{
    struct pl_process *process = check_process(L, luaL_checkstring(L, 4));
    size_t n = (size_t)luaL_checkinteger(L, 3);
    char block[16 * 1024], *to = block;
    ssize_t got;

    n = PL_MIN(n, (size_t)READ_MAX);
    if (n > sizeof(block))
        to = lua_newuserdata(L, n);
    got = pl_process_take(process, check_stream(L), to, n);
    if (got < 0)
        lua_pushinteger(L, got);
    else
        lua_pushlstring(L, to, (size_t)got);
    return 1;
}

/* give(child, data, from) -> how many bytes were taken, or a code */
static int give(lua_State *L)
{
    struct pl_process *process = check_process(L, "process:write");
    size_t len, from = (size_t)luaL_checkinteger(L, 3);
    const char *data = luaL_checklstring(L, 2, &len);

    luaL_argcheck(L, from <= len, 3, "beyond the end");
    lua_pushinteger(L, pl_process_give(process, data + from, len - from));
    return 1;
}

/* close_stream(child, stream) */
static int close_stream(lua_State *L)
{
    struct child *child = check_child(L);

    if (child->process != NULL)
        pl_process_close(child->process, check_stream(L));
    return 0;
}

/* ---- small things ---- */

/* environ() -> { "NAME=value", ... } */
static int push_environ(lua_State *L)
{
    lua_newtable(L);
    for (int i = 0; environ != NULL && environ[i] != NULL; i++) {
        lua_pushstring(L, environ[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* signal("TERM") -> number, or nil */
static int signal_number(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *known;

    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (int i = 1; i < SIGRTMIN; i++) {
        known = sigabbrev_np(i);
        if (known != NULL && strcmp(known, name) == 0) {
            lua_pushinteger(L, i);
            return 1;
        }
    }
    return 0;
}

/* open(): makes the types. */
static int open_process(lua_State *L)
{
    pl_vm_type(L, run_name, run_gc);
    pl_vm_type(L, child_name, child_gc);
    return 0;
}

const luaL_Reg pl_lua_process[] = {
    {"open", open_process},
    {"new_run", new_run},
    {"run", run_begin},
    {"run_result", run_result},
    {"run_problem", run_problem},
    {"new_child", new_child},
    {"start", start},
    {"problem", start_problem},
    {"close", close_child},
    {"pid", push_pid},
    {"wait", wait_begin},
    {"status", push_status},
    {"kill", send_signal},
    {"ready", ready_begin},
    {"take", take},
    {"give", give},
    {"close_stream", close_stream},
    {"environ", push_environ},
    {"signal", signal_number},
    {NULL, NULL},
};
