/* offload.h - threads for calls that block: files, names, password hashes.
 *
 * One small set of threads per process. A job goes in through a lock-free
 * queue; its done() runs on the loop that sent it. A job cannot be stopped: it
 * owns its memory, and a waiter that was cancelled abandons it. */
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
 * end after a while without work. queue: most jobs that may wait. */
int pl_offload_new(unsigned threads, unsigned queue, struct pl_offload **out);

/* Finishes the running jobs and runs those still queued. */
void pl_offload_free(struct pl_offload *offload);

/* TAKES job until done(). Returns 0, or PL_ERR_LIMIT when the queue is full
 * (job stays the caller's). */
int pl_offload_submit(struct pl_offload *offload, struct pl_job *job);

#endif
