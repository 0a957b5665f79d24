/* task.h - a piece of straight-line code that may wait, and its worker's queue.
 *
 * A task is resumed only by the scheduler (a hook of the loop), one at a time,
 * on the loop's stack. Two kinds exist: fibers (fiber.h, C) and coroutines
 * (lua/coroutine.h). They differ only in their struct pl_task_type.
 *
 *     code returns --> children cancelled, joined --> defers --> over, released
 *
 * Tasks form a tree: ending or cancelling one cancels its children and then
 * waits for them; its defers run when they are gone, so that nothing which a
 * defer frees is still in use. Cancelling is sticky: every later wait of that
 * task fails at once with PL_ERR_CANCELED, so that user code which swallows one
 * error cannot go on for ever. Only its defers may wait again, for a limited
 * time. */
#ifndef PL_TASK_TASK_H
#define PL_TASK_TASK_H

#include "task/op.h"

/* How long the defers of one task may wait before their waits fail too. */
#define PL_DEFER_LIMIT_NS ((uint64_t)5 * 1000000000)

enum {
    PL_SCHED_BUDGET = 256, /* runs of a turn, if no more were due before it */
    PL_FIBER_LIMIT =
        16 * 1024, /* fibers of a worker, 80 KiB of addresses each */
};

struct pl_task_type {
    const char *name; /* "fiber", "coroutine" */
    /* Runs the task until it waits or ends. Ends by pl_task_end(). */
    void (*resume)(struct pl_task *task);
    /* The task has ended, its children too, its defers have run: releases the
     * memory. The last call. */
    void (*release)(struct pl_task *task);
};

struct pl_meter;

struct pl_task {
    const struct pl_task_type *type;
    struct pl_sched *sched;
    struct pl_task *parent; /* NULL: a root */
    struct pl_list children, sibling;
    struct pl_due due;            /* in the run queue */
    struct pl_op *waiting;        /* NULL: running, queued or ended */
    struct pl_join_op *joins;     /* completed when the task is over */
    struct pl_task_defer *defers; /* newest first */
    struct pl_task_exit *exit;    /* set while its own defers may wait */
    void *owner;                  /* e.g. the request; for status and logs */
    /* The task is over, its defers too: what its owner needs to know. On the
     * loop's stack, so it cannot wait. NULL: nothing. */
    void (*over)(struct pl_task *task);
    struct pl_meter *meter; /* meter.h; NULL: nobody measures it */
    uint64_t id;
    int result;
    bool queued, canceled, ended;
    /* A peer is served by it: a stop lets it finish, and so it is told of the
     * stop where it would wait without end. Children inherit it. */
    bool serves;
};

/* The tasks of one worker. */
struct pl_sched {
    struct pl_loop *loop;
    struct pl_due *head, **tail; /* the run queue */
    struct pl_due *turn; /* before it: what was due when this turn came to it */
    struct pl_hook hook;
    struct pl_task *current; /* NULL on the loop's own stack */
    /* The same, but only as long as it is whole: a signal handler of this
     * thread may look at it (pl_sched_seen). */
    struct pl_task *volatile seen;
    struct pl_meter *volatile meter; /* of the run; NULL: it has none */
    uint64_t run_began; /* of a run with a meter: the thread's CPU time */
    /* When such a run is to be interrupted, monotonic ns; 0: not. Who sees to
     * that is told of each. */
    _Atomic uint64_t deadline;
    void (*on_deadline)(void *arg, uint64_t deadline);
    void *on_deadline_arg;
    struct pl_offload *offload;
    /* For long computations: its threads step back. NULL: the same threads. */
    struct pl_offload *background;
    struct pl_list roots;      /* tasks without a parent */
    struct pl_list stop_waits; /* pl_stop_op.node */
    bool stopping;             /* pl_sched_stop() was called */
    unsigned live;             /* tasks that have not been released */
    unsigned jobs;             /* to come back yet: offload jobs, children */
    /* Lua calls on the stack that runs now: no fiber may wait while it is not
     * 0. Raised and lowered by lua/ around lua_resume and lua_pcall. */
    unsigned lua_depth;
    uint64_t next_id;
    uint64_t defer_limit; /* ns; PL_DEFER_LIMIT_NS unless changed */
    unsigned fiber_limit; /* PL_FIBER_LIMIT unless changed before the first */
    struct pl_stacks *stacks; /* made by the first fiber */
};

/* Borrows loop and offload (which may be NULL: nothing is offloaded). */
int pl_sched_init(struct pl_sched *sched, struct pl_loop *loop,
                  struct pl_offload *offload);

/* Only when pl_sched_idle(): cancel all and turn the loop until then. Also by
 * the thread that has joined the scheduler's own. */
void pl_sched_fini(struct pl_sched *sched);
void pl_sched_cancel_all(struct pl_sched *sched);
bool pl_sched_idle(const struct pl_sched *sched);

/* What runs may finish, but shall not begin anew: those who wait to hear of it
 * are told (pl_stop_wait_begin()). Once. */
void pl_sched_stop(struct pl_sched *sched);

/* The scheduler of this thread (set by pl_sched_init), or NULL; and the task
 * that runs on it now, or NULL. */
struct pl_sched *pl_sched_current(void);
struct pl_task *pl_task_current(void);

/* For a signal handler on the scheduler's thread: the task that runs, with an
 * owner that is still there, or NULL. */
PL_INLINE const struct pl_task *pl_sched_seen(const struct pl_sched *sched)
{
    return sched->seen;
}

/* ---- for everybody, on the task's worker ---- */

/* Lets a new task run: at once if called on the loop's stack (the task may be
 * over and released when this returns), else from the run queue. */
void pl_task_start(struct pl_task *task);

/* Asks the task and its children to end. One that has not run yet still runs,
 * so that what it owns is released; its waits fail. While its defers run, the
 * task is left alone: their time is limited. */
void pl_task_cancel(struct pl_task *task);
void pl_task_cancel_children(struct pl_task *task);

/* Completes with the task's result when it is over, children and defers
 * included. Cancelling the join does not cancel the task. */
struct pl_join_op {
    struct pl_op op;
    struct pl_task *task; /* NULL when DONE */
    struct pl_join_op *next;
};

void pl_task_join_begin(struct pl_join_op *join, struct pl_task *task);

/* Runs fn(arg) when the task ends, however it ends; last first. fn may wait on
 * a fiber, not on a coroutine. Borrows defer until fn is called. */
struct pl_task_defer {
    struct pl_task_defer *next;
    void (*fn)(void *arg);
    void *arg;
};

void pl_task_defer(struct pl_task *task, struct pl_task_defer *defer,
                   void (*fn)(void *arg), void *arg);

/* Forgets a defer that is registered. */
void pl_task_undefer(struct pl_task *task, struct pl_task_defer *defer);

/* ---- for task types ---- */

/* Registers with the parent (NULL: none) and inherits its cancellation. Start
 * it by pl_task_start(). */
void pl_task_init(struct pl_task *task, const struct pl_task_type *type,
                  struct pl_sched *sched, struct pl_task *parent);

/* Must the current task suspend, to be resumed when op is DONE? If it was
 * cancelled, so is op now; false means DONE: take op->result. */
bool pl_task_prepare_wait(struct pl_task *task, struct pl_op *op);

/* From resume(), on the loop's stack: the task will run no more. Cancels the
 * children; when they are gone runs the defers that are left (which cannot wait
 * then), completes the joins and releases the task, perhaps at once. */
void pl_task_end(struct pl_task *task, int result);

/* For tasks whose defers may wait, between the return of their code and
 * pl_task_end(). Begin cancels the children and begins exit->children: wait for
 * it first, then run the defers. From begin to end the task counts as not
 * cancelled, until its defers have waited too long. Borrows exit. */
struct pl_task_exit {
    struct pl_op children;
    struct pl_timer limit; /* runs from the first wait of a defer */
    struct pl_task *task;
    bool expired;
};

void pl_task_exit_begin(struct pl_task *task, struct pl_task_exit *exit);
void pl_task_exit_end(struct pl_task *task);

/* Runs what pl_task_defer() has registered, last first. */
void pl_task_run_defers(struct pl_task *task);

#endif
