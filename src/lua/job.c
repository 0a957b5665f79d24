#include "lua/job.h"

#include "base/check.h"
#include "base/sys.h"
#include "lua/failure.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char meta_name[] = "pl.job";

/* In front of the data, in the same block. */
struct block {
    const struct pl_lua_job_type *type;
    bool back; /* steps back */
    max_align_t data[];
};

/* The userdata. */
struct job {
    struct pl_offload_op offload;
    struct block *block; /* until it begins: then it is the operation's */
    bool begun;
};

static void free_block(void *arg)
{
    struct block *block = arg;

    if (block->type->fini != NULL)
        block->type->fini(block->data);
    pl_free(block);
}

/* The operation is over by now: a task that waits does not end before. */
static int job_gc(lua_State *L)
{
    struct job *job = lua_touserdata(L, 1);

    if (job->begun)
        pl_offload_end(&job->offload);
    else if (job->block != NULL)
        free_block(job->block);
    return 0;
}

void *pl_lua_job_new(lua_State *L, const struct pl_lua_job_type *type,
                     size_t size)
{
    struct job *job = lua_newuserdata(L, sizeof(*job));

    *job = (struct job){.begun = false};
    if (luaL_newmetatable(L, meta_name)) {
        lua_pushcfunction(L, job_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    job->block = pl_calloc(1, sizeof(*job->block) + size);
    if (job->block == NULL)
        luaL_error(L, "not enough memory");
    job->block->type = type;
    return job->block->data;
}

static int do_work(void *arg)
{
    struct block *block = arg;

    return block->type->work(block->data);
}

void pl_lua_job_step_back(void *data)
{
    PL_CONTAINER_OF((max_align_t *)data, struct block, data[0])->back = true;
}

/* job_begin(job) -> result. Waits. */
static int job_begin(lua_State *L)
{
    struct job *job = luaL_checkudata(L, 1, meta_name);
    struct pl_co *co = pl_co_may_wait(L, job->block->type->call);
    struct pl_sched *sched = pl_vm_upvalue(L)->sched;
    bool back = job->block->back && sched->background != NULL;

    PL_ASSERT(!job->begun);
    job->begun = true;
    pl_offload_begin_on(&job->offload, sched,
                        back ? sched->background : sched->offload, do_work,
                        job->block, free_block);
    return pl_co_wait(L, co, &job->offload.op, 1);
}

/* job_end(job, call, result) -> what push() gives, or nil, err */
static int job_end(lua_State *L)
{
    struct job *job = luaL_checkudata(L, 1, meta_name);
    int result = (int)lua_tointeger(L, 3), n;

    if (job->offload.job != NULL) {
        n = job->block->type->push(L, job->block->data, result);
        pl_offload_end(&job->offload);
        return n;
    }
    if (result != PL_ERR_CANCELED)
        return pl_lua_return_error(L, result, lua_tostring(L, 2), NULL);
    pl_lua_push_error(L, result, lua_tostring(L, 2), NULL);
    return lua_error(L);
}

/* job_call(job) -> its call, for errors; the block may be gone later */
static int job_call(lua_State *L)
{
    struct job *job = luaL_checkudata(L, 1, meta_name);

    lua_pushstring(L, job->block->type->call);
    return 1;
}

void pl_lua_job_open(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"job_call", job_call},
        {"job_begin", job_begin},
        {"job_end", job_end},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
    lua_pushvalue(L, -1);
    pl_lua_run_lib(L, "job");
}
