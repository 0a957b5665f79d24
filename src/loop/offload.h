/* offload.h - threads for calls that block: files, names, password hashes.
 *
 * One small set of threads per process, named pl-offload-N, with all signals
 * blocked. A job goes in through a lock-free queue; its done() runs on the loop
 * that sent it, which must stay for it. A job cannot be stopped: it owns its
 * memory, and a waiter that was cancelled abandons it. Jobs begin in the order
 * of submitting, and run beside each other. */
#ifndef PL_LOOP_OFFLOAD_H
#define PL_LOOP_OFFLOAD_H

#include "loop/mailbox.h"

struct pl_offload;

struct pl_job {
    struct pl_mail mail;
    void (*work)(struct pl_job *job); /* on an offload thread */
    void (*done)(struct pl_job *job); /* on the sender's loop; frees job */
    struct pl_mailbox *reply;
};

/* GIVES *out. Threads start when first needed, at most threads of them, and
 * end after a while without work. queue: most jobs that may wait (rounded up to
 * a power of two). Returns 0 or PL_ERR_NOMEM. */
int pl_offload_new(unsigned threads, unsigned queue, struct pl_offload **out);

/* Finishes the running jobs, runs those still queued, and ends the threads.
 * Nobody may submit any more; done() of the last jobs is still to come on their
 * loops. */
void pl_offload_free(struct pl_offload *offload);

/* Ends the threads as pl_offload_free() does, and is ready for the next job:
 * for what binds only threads that are made after it. Nobody submits meanwhile.
 */
void pl_offload_rest(struct pl_offload *offload);

/* TAKES job until done(). Any thread. Returns 0; PL_ERR_LIMIT when the queue is
 * full, or PL_ERR_NOMEM when there is no thread and none can be started (job
 * stays the caller's). */
int pl_offload_submit(struct pl_offload *offload, struct pl_job *job);

/* How long a thread waits for work before it ends (10 s unless set). Before the
 * first submit. */
void pl_offload_set_idle(struct pl_offload *offload, unsigned ms);

/* How far its threads step back behind those who answer requests (nice(2), 1 to
 * 19): for long computations. Before the first submit. */
void pl_offload_set_nice(struct pl_offload *offload, int nice);

/* For status: threads that run or wait for work now. */
unsigned pl_offload_threads(struct pl_offload *offload);

#endif
