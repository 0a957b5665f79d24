/* lib_chunk.c - files of Lua, compiled once for all workers (chunks.h): what
 * core/require.lua loads, and lib/chunk.lua waits for. */
#include <string.h>

#include "base/sys.h"
#include "lua/bytecode.h"
#include "lua/chunks.h"
#include "lua/job.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

/* A turn that has lasted this long gives way before one more file is loaded. */
enum { TURN_NS = 1000000 };

static bool turn_is_long(const struct pl_loop *loop)
{
    uint64_t since = pl_loop_busy_since(loop);

    return since != 0 && pl_clock_monotonic() > since + TURN_NS;
}

/* Does somebody wait who could be served meanwhile? */
static bool gives_way(lua_State *L, const struct pl_vm *vm)
{
    bool serves = vm->phase != PL_VM_LOADING ||
                  (vm->options.serving != NULL && *vm->options.serving != NULL);

    return serves && pl_co_can_wait(L);
}

/* ---- reading: on an offload thread, or here ---- */

struct reading {
    struct pl_chunks *chunks;
    struct pl_chunk *chunk;
    char *path, *message;
    bool anew;
};

static int read_work(void *data)
{
    struct reading *reading = data;

    return pl_chunks_read(reading->chunks, reading->path, reading->anew,
                          &reading->chunk, &reading->message);
}

/* TAKES chunk. Pushes its function, or raises: out of memory. */
static int push_chunk(lua_State *L, struct pl_chunk *chunk)
{
    const struct pl_bytecode *code = pl_chunk_code(chunk);
    int status = luaL_loadbuffer(L, code->bytes, code->len, "=?");

    pl_chunk_drop(chunk);
    return status == 0 ? 1 : lua_error(L);
}

static int read_push(lua_State *L, void *data, int result)
{
    struct reading *reading = data;
    struct pl_chunk *chunk = reading->chunk;

    reading->chunk = NULL;
    if (result == 0)
        return push_chunk(L, chunk);
    if (reading->message == NULL)
        return luaL_error(L, "not enough memory");
    lua_pushnil(L);
    lua_pushstring(L, reading->message);
    return 2;
}

static void read_fini(void *data)
{
    struct reading *reading = data;

    pl_chunk_drop(reading->chunk);
    pl_chunks_drop(reading->chunks);
    pl_free(reading->message);
    pl_free(reading->path);
}

/* Pushes a job that gives what load_chunk() does. */
static struct reading *new_reading(lua_State *L)
{
    static const struct pl_lua_job_type type = {"require", read_work, read_push,
                                                read_fini};
    struct pl_str path;
    struct reading *reading;

    path.data = luaL_checklstring(L, 1, &path.len);
    reading = pl_lua_job_new(L, &type, sizeof(*reading));
    pl_lua_job_step_back(reading);
    reading->chunks = pl_chunks_take(pl_vm_upvalue(L)->options.chunks);
    reading->anew = lua_toboolean(L, 2);
    reading->path = pl_malloc(path.len + 1);
    if (reading->path == NULL)
        luaL_error(L, "not enough memory");
    memcpy(reading->path, path.data, path.len + 1);
    return reading;
}

/* chunk_job(path, anew) */
static int chunk_job(lua_State *L)
{
    new_reading(L);
    return 1;
}

/* ---- loading ---- */

/* load_chunk(path [, anew [, now]]) -> function; or nil, message; or false:
 * that would hold the worker, lib/chunk.lua waits for it. */
static int load_chunk(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    const char *path = luaL_checkstring(L, 1);
    bool anew = lua_toboolean(L, 2);
    bool later = !lua_toboolean(L, 3) && gives_way(L, vm);
    struct pl_chunk *chunk = NULL;
    struct reading *reading;

    if (!later || !turn_is_long(vm->sched->loop))
        chunk = pl_chunks_find(vm->options.chunks, path, anew);
    if (chunk != NULL)
        return push_chunk(L, chunk);
    if (later) {
        lua_pushboolean(L, false);
        return 1;
    }
    reading = new_reading(L);
    return read_push(L, reading, read_work(reading));
}

/* note_file(path): the site depends on it. */
static int note_file(lua_State *L)
{
    pl_chunks_note(pl_vm_upvalue(L)->options.chunks, luaL_checkstring(L, 1));
    return 0;
}

void pl_lua_open_chunks(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"load_chunk", load_chunk},
        {"note_file", note_file},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
}

/* open(c): adds c.run_job. */
static int open_chunk(lua_State *L)
{
    lua_settop(L, 1);
    pl_lua_job_open(L, pl_vm_upvalue(L));
    return 0;
}

const luaL_Reg pl_lua_chunk[] = {
    {"open", open_chunk},
    {"chunk_job", chunk_job},
    {"load_chunk", load_chunk},
    {NULL, NULL},
};
