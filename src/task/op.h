/* op.h - one asynchronous operation: what everything that waits is made of.
 *
 *     IDLE --begin--> PENDING --complete (exactly once)--> DONE
 *
 * An operation is written once, in completion style. Fibers (pl_op_wait) and
 * Lua coroutines (lua/) are two ways of waiting for it. Completing never
 * resumes inline: it puts the waiter on the run queue of its worker.
 *
 * Cancelling is a request. The completion still arrives, with PL_ERR_CANCELED
 * unless the operation won the race; until then the memory of the operation
 * belongs to it, so a waiter never returns before DONE. What cannot be stopped
 * (offload jobs) allocates its own memory and completes the op at once when it
 * is cancelled, abandoning the job. */
#ifndef PL_TASK_OP_H
#define PL_TASK_OP_H

#include <perilune.h>

#include "loop/loop.h"

struct pl_task;
struct pl_sched;

enum pl_op_state { PL_OP_IDLE, PL_OP_PENDING, PL_OP_DONE };

struct pl_op {
    uint8_t state;
    int result;           /* valid when DONE; >= 0 or PL_ERR_* */
    struct pl_task *task; /* who waits; NULL: done() is called instead */
    /* Asks the operation to end early. It calls pl_op_complete() now or later.
     * NULL: cannot be hurried. */
    void (*cancel)(struct pl_op *op);
    /* For operations without a waiting task: called from the run queue's
     * place (never inline in the completing call's caller's loop state). */
    void (*done)(struct pl_op *op);
    struct pl_list node; /* on the run queue while done() is due */
    struct pl_sched *sched;
};

void pl_op_init(struct pl_op *op, struct pl_sched *sched,
                void (*cancel)(struct pl_op *op));

/* IDLE or DONE -> PENDING. */
void pl_op_begin(struct pl_op *op);

/* PENDING -> DONE; queues the waiter (or done()). */
void pl_op_complete(struct pl_op *op, int result);

/* Does nothing unless PENDING. */
void pl_op_cancel(struct pl_op *op);

/* ---- the operations of this room ---- */

/* Completes with 0 at due (monotonic ns). */
struct pl_sleep_op {
    struct pl_op op;
    struct pl_timer timer;
};

void pl_sleep_begin(struct pl_sleep_op *sleep, struct pl_sched *sched,
                    uint64_t due);

/* Waits for events on a foreign descriptor (level-triggered); completes with
 * the events (> 0), PL_ERR_TIMEOUT at due (0: never), or the error of adding
 * it. Borrows fd. */
struct pl_fd_op {
    struct pl_op op;
    struct pl_source source;
    struct pl_timer timer;
};

void pl_fd_begin(struct pl_fd_op *wait, struct pl_sched *sched, int fd,
                 unsigned events, uint64_t due);

/* Runs work on an offload thread; completes with its result. PL_ERR_LIMIT when
 * the queue is full. arg must stay valid until work has run, also when the
 * operation was cancelled: free_arg (may be NULL) is called afterwards. */
struct pl_offload;
void pl_offload_begin(struct pl_op *op, struct pl_sched *sched,
                      struct pl_offload *offload, int (*work)(void *arg),
                      void *arg, void (*free_arg)(void *arg));

#endif
