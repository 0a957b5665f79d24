/* task.h - a piece of straight-line code that may wait, and its worker's queue.
 *
 * A task is resumed only by the scheduler (a hook of the loop), one at a time,
 * on the loop's stack. Tasks form a tree: ending or cancelling one cancels its
 * children and then waits for them. Cancelling is sticky: every later wait of
 * that task fails at once with PL_ERR_CANCELED, so that user code which
 * swallows one error cannot go on for ever.
 *
 * Two kinds exist: fibers (fiber.h, C) and coroutines (lua/coroutine.h). They
 * differ only in their struct pl_task_type. */
#ifndef PL_TASK_TASK_H
#define PL_TASK_TASK_H

#include "task/op.h"

struct pl_task_type {
    const char *name; /* "fiber", "coroutine" */
    /* Runs the task until it waits or ends. Ends by pl_task_end(). */
    void (*resume)(struct pl_task *task);
    /* The task has ended, its children too, its defers have run: releases the
     * memory. The last call. */
    void (*release)(struct pl_task *task);
};

struct pl_task {
    const struct pl_task_type *type;
    struct pl_sched *sched;
    struct pl_task *parent;
    struct pl_list children, sibling;
    struct pl_list queued; /* in the run queue */
    struct pl_op *waiting; /* NULL: running, queued or ended */
    struct pl_op *join;    /* completed when the task is over; may be NULL */
    struct pl_list defers;
    void *owner; /* e.g. the request; for status and logs */
    uint64_t id;
    int result;
    bool canceled, ended;
};

/* The tasks of one worker. */
struct pl_sched {
    struct pl_loop *loop;
    struct pl_list queue; /* tasks and ops that are due */
    struct pl_hook hook;
    struct pl_task *current; /* NULL on the loop's own stack */
    struct pl_offload *offload;
    unsigned live; /* tasks that have not been released */
    uint64_t next_id;
    struct pl_stacks *stacks; /* fiber.c */
};

int pl_sched_init(struct pl_sched *sched, struct pl_loop *loop,
                  struct pl_offload *offload);
void pl_sched_fini(struct pl_sched *sched); /* no live tasks */

/* The scheduler of this thread (set by pl_sched_init), or NULL; and the task
 * that runs on it now, or NULL. */
struct pl_sched *pl_sched_current(void);
struct pl_task *pl_task_current(void);

/* For task types. init registers with the parent (NULL: none); the first
 * resume comes from pl_task_start() at once (on the loop's stack) or from
 * pl_task_queue() by the run queue. */
void pl_task_init(struct pl_task *task, const struct pl_task_type *type,
                  struct pl_sched *sched, struct pl_task *parent);
void pl_task_start(struct pl_task *task);
void pl_task_queue(struct pl_task *task);

/* For task types, from resume(): the code has returned. Runs the defers (which
 * may wait), cancels and joins the children, completes join, releases. */
void pl_task_end(struct pl_task *task, int result);

/* For task types: may the current task wait for op? Returns 0 (then suspend),
 * 1 when op is DONE already (do not suspend), or PL_ERR_CANCELED (the task was
 * cancelled; op has been cancelled too and, if it is still PENDING, 0 is
 * returned so that its memory stays valid until DONE). */
int pl_task_prepare_wait(struct pl_task *task, struct pl_op *op);

/* Asks the task and its children to end. Any task of the same worker; not
 * from another thread. */
void pl_task_cancel(struct pl_task *task);
void pl_task_cancel_children(struct pl_task *task);

/* Completes op with the task's result when the task is over. One per task. */
void pl_task_join_begin(struct pl_op *op, struct pl_task *task);

/* Runs fn(arg) when the task ends, however it ends; last first. */
struct pl_task_defer {
    struct pl_list node;
    void (*fn)(void *arg);
    void *arg;
};

void pl_task_defer(struct pl_task *task, struct pl_task_defer *defer,
                   void (*fn)(void *arg), void *arg);

#endif
