/* coroutine.h - Lua functions as tasks.
 *
 * A task is a pl_co and a Lua thread. A thread whose function has returned is
 * used again for the next task, together with its pl_co: starting one costs no
 * memory. A thread that has failed is thrown away.
 *
 *     pl_co_new -> push a function and arguments on co->L -> pl_co_start
 *
 *     NEW -> RUN <-> (waiting) -> [JOIN -> DEFERS] -> over, spare
 *
 * JOIN and DEFERS only where pl.defer() was used: the children are cancelled
 * and joined, then the deferred functions run, and may wait. */
#ifndef PL_LUA_COROUTINE_H
#define PL_LUA_COROUTINE_H

#include "lua/compat.h"
#include "task/task.h"

struct pl_vm;
struct pl_co;

struct pl_co_hooks {
    /* The function has returned: its results are the n values on top of co->L
     * (status 0). Or it has raised: the error is on top (status is Lua's). Not
     * protected: do nothing that allocates in Lua. The defers still follow. */
    void (*returned)(struct pl_co *co, int status, int n);
    /* The task is over, its children and defers too. The last call. */
    void (*over)(struct pl_co *co);
};

/* A place in the list of who waits for a signal (signal.c). */
struct pl_signal_op {
    struct pl_op op;
    struct pl_list node;
};

union pl_co_op {
    struct pl_sleep_op sleep;
    struct pl_join_op join;
    struct pl_signal_op signal;
    struct pl_stop_op stop;
};

enum pl_co_phase {
    PL_CO_NEW,
    PL_CO_RUN,
    PL_CO_JOIN,
    PL_CO_DEFERS,
    PL_CO_UNWIND /* without memory: see coroutine.c */
};

struct pl_co {
    struct pl_task task;
    struct pl_vm *vm;
    lua_State *L;   /* NULL after a failure */
    int anchor;     /* reference to a table that keeps L */
    int args;       /* for the first resume */
    int defers;     /* reference to the list of pl.defer(), or LUA_NOREF */
    uint8_t phase;  /* enum pl_co_phase */
    uint8_t status; /* of lua_resume, and the phase before: for UNWIND */
    uint8_t unwinds;
    bool background; /* no request and no timer has started it: pl_vm_quiet() */
    bool keeping;    /* what the last pl_co_wait() was to keep is still kept */
    /* What it waits for, by pl_co_wait(); NULL while it runs. */
    struct pl_op *op;
    struct pl_task_exit *exit;       /* in the list of defers */
    const struct pl_co_hooks *hooks; /* both may be NULL: errors are reported */
    void *ctx;                       /* for the hooks */
    struct pl_list node;             /* in the VM's live or spare tasks */
    union pl_co_op own;              /* waits that need no memory */
};

extern const struct pl_task_type pl_co_type;

/* A task below parent (NULL: none), without hooks. L is the state of the
 * calling C function of Lua, NULL if C calls between tasks. NULL: out of
 * memory, or the VM is stopping. */
struct pl_co *pl_co_new(struct pl_vm *vm, lua_State *L, struct pl_task *parent);

/* The function and args arguments are on top of co->L. See pl_task_start(). */
void pl_co_start(struct pl_co *co, int args);

/* The Lua task that runs now, or NULL. */
struct pl_co *pl_co_current(void);

#endif
