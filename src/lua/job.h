/* job.h - work of the library that takes too long for a worker: it runs on an
 * offload thread while the task of Lua waits.
 *
 *     static int hash_job(lua_State *L)            function crypto.hash(text)
 *     {                                              return run(natives
 *         struct hash *hash = pl_lua_job_new(                .hash_job(text))
 *             L, &type, sizeof(*hash));            end
 *         ... copy the arguments into *hash ...
 *         return 1;
 *     }
 *
 * The data of a job is a heap block: a task that is cancelled does not wait for
 * the thread, which goes on with it. */
#ifndef PL_LUA_JOB_H
#define PL_LUA_JOB_H

#include "lua/compat.h"

struct pl_lua_job_type {
    const char *call; /* for errors */
    /* On an offload thread. The result is for push(). */
    int (*work)(void *data);
    /* Back on the worker: pushes what the call gives, and returns how many
     * values that are. May raise. */
    int (*push)(lua_State *L, void *data, int result);
    /* Frees what data points to, not the block itself; may be NULL. Called on
     * the worker, exactly once. */
    void (*fini)(void *data);
};

/* Pushes a job and returns its data, all zero; raises when out of memory. */
void *pl_lua_job_new(lua_State *L, const struct pl_lua_job_type *type,
                     size_t size);

/* That one is a long computation: it steps back behind those who answer. */
void pl_lua_job_step_back(void *data);

/* Adds run_job to the table on top: run_job(job) waits and gives what push()
 * has pushed; or nil, err when there was no thread for it. Raises when the task
 * is cancelled. */
struct pl_vm;
void pl_lua_job_open(lua_State *L, struct pl_vm *vm);

#endif
