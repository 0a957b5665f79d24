/* op.h - one asynchronous operation: what everything that waits is made of.
 *
 *     IDLE --begin--> PENDING --complete (exactly once)--> DONE
 *
 * An operation is written once, in completion style. Fibers (pl_op_wait) and
 * Lua coroutines (lua/) are two ways of waiting for it; done() is the third.
 * Completing never resumes inline: it puts the waiter on the run queue of its
 * worker.
 *
 * Cancelling is a request. The completion still arrives, with PL_ERR_CANCELED
 * unless the operation won the race; until then the memory of the operation
 * belongs to it, so a waiter never returns before DONE. What cannot be stopped
 * (offload jobs) allocates its own memory and completes the op at once when it
 * is cancelled, abandoning the job.
 *
 * All of this belongs to one worker: call it on its thread only. */
#ifndef PL_TASK_OP_H
#define PL_TASK_OP_H

#include <perilune.h>

#include "loop/loop.h"

struct pl_offload;
struct pl_task;
struct pl_sched;

/* What stands in the run queue: a task to resume, or an op whose done() is due.
 */
struct pl_due {
    struct pl_due *next;
    void (*run)(struct pl_due *due);
};

enum pl_op_state { PL_OP_IDLE, PL_OP_PENDING, PL_OP_DONE };

struct pl_op {
    uint8_t state;
    bool canceled; /* cancel() has been called */
    bool queued;   /* done() is due */
    int result;    /* valid when DONE; >= 0 or PL_ERR_* */
    struct pl_sched *sched;
    struct pl_task *task; /* who waits; NULL: done() is called instead */
    /* Asks the operation to end early, at most once, and only while PENDING.
     * It calls pl_op_complete() now or later. NULL: cannot be hurried. */
    void (*cancel)(struct pl_op *op);
    void (*done)(struct pl_op *op); /* see pl_op_then() */
    void *arg;                      /* of who has set done(), for it */
    struct pl_due due;
};

void pl_op_init(struct pl_op *op, struct pl_sched *sched,
                void (*cancel)(struct pl_op *op));

/* IDLE or DONE -> PENDING. */
void pl_op_begin(struct pl_op *op);

/* PENDING -> DONE; queues the waiter (or done()). */
void pl_op_complete(struct pl_op *op, int result);

/* Does nothing unless PENDING. */
void pl_op_cancel(struct pl_op *op);

/* For who waits without a task: done(op) is called from the run queue, on the
 * loop's stack, after op is DONE (also if it is DONE already). It is the last
 * that this room does with op: done() may free it. */
void pl_op_then(struct pl_op *op, void (*done)(struct pl_op *op));

/* ---- the operations of this room; begin initialises the op too ---- */

/* Completes with 0 at due (monotonic ns). */
struct pl_sleep_op {
    struct pl_op op;
    struct pl_timer timer;
};

void pl_sleep_begin(struct pl_sleep_op *sleep, struct pl_sched *sched,
                    uint64_t due);

/* Completes with 1 when the worker begins to stop, at once if it has; or with 0
 * at due (0: never). */
struct pl_stop_op {
    struct pl_op op;
    struct pl_timer timer;
    struct pl_list node;
};

void pl_stop_wait_begin(struct pl_stop_op *wait, struct pl_sched *sched,
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

/* Waits for the first, or for all, of n parts: operations of any kind that
 * somebody else has begun and that nobody waits for. Completes with 0 when they
 * have got there, with the first error of a part, or with PL_ERR_TIMEOUT at due
 * (0: never); but always after all parts: those that were late are cancelled.
 * Their results say which have made it. BORROWS parts and the list of them. */
struct pl_many_op {
    struct pl_op op;
    struct pl_timer timer;
    struct pl_op **parts;
    unsigned n, pending;
    bool all, ending;
    int outcome;
};

void pl_many_begin(struct pl_many_op *many, struct pl_sched *sched,
                   struct pl_op **parts, unsigned n, bool all, uint64_t due);

/* Runs work(arg) on an offload thread; completes with its result, or with
 * PL_ERR_LIMIT when the queue is full. TAKES arg: free_arg(arg) (may be NULL)
 * is called exactly once, on this thread, when nobody needs it any more:
 * - work has run and pl_offload_end() was called: until then arg holds what
 *   work has found out;
 * - the operation was cancelled, and work is over;
 * - it could not be begun.
 * Who keeps arg in another way (it counts its users) sets counted right after
 * the beginning: free_arg is called as soon as work has run, before the
 * operation is DONE, and pl_offload_end() is not needed. */
struct pl_offload_op {
    struct pl_op op;
    struct pl_offload_job *job; /* NULL when arg is out of reach */
    bool counted;
};

void pl_offload_begin(struct pl_offload_op *offload, struct pl_sched *sched,
                      int (*work)(void *arg), void *arg,
                      void (*free_arg)(void *arg));

/* The same on threads of one's own, instead of those of the scheduler. */
void pl_offload_begin_on(struct pl_offload_op *offload, struct pl_sched *sched,
                         struct pl_offload *threads, int (*work)(void *arg),
                         void *arg, void (*free_arg)(void *arg));

/* The caller is through with arg. The op is DONE; after a cancellation or an
 * error this does nothing. */
void pl_offload_end(struct pl_offload_op *offload);

#endif
