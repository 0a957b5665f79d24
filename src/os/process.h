/* process.h - child processes: started, fed, read and ended without blocking.
 *
 *     STARTING --> RUNNING --> EXITED --> OVER
 *      (a job)    (its pidfd   (status    (reaped)
 *                  is watched)  is known)
 *
 * A child is the leader of a process group of its own, which is what signals
 * go to. It belongs to the task that starts it: when that ends, the group gets
 * TERM, and KILL a grace later; no more is heard of it then, but it is reaped.
 * Until then the scheduler is not idle, so a worker never leaves one behind.
 *
 * An exited child is reaped at once, unless others still hold its output: as
 * long as it is a zombie its group cannot be confused with another one, and so
 * can still be killed.
 *
 * All of this belongs to one worker: call it on its thread only. */
#ifndef PL_OS_PROCESS_H
#define PL_OS_PROCESS_H

#include "base/sys.h"
#include "task/task.h"

enum { PL_PROCESS_IN, PL_PROCESS_OUT, PL_PROCESS_ERR, PL_PROCESS_STREAMS };

enum pl_process_use {
    PL_PROCESS_PIPE,    /* ours, non-blocking */
    PL_PROCESS_NULL,    /* nothing comes, what is written is lost */
    PL_PROCESS_INHERIT, /* the same as this process has */
    PL_PROCESS_MERGE,   /* only PL_PROCESS_ERR: goes where output goes */
};

struct pl_process_spec {
    char *const *argv;  /* ends with NULL; [0] is looked for in PATH */
    char *const *env;   /* NULL: that of this process */
    const char *folder; /* where it runs; NULL: here */
    enum pl_process_use use[PL_PROCESS_STREAMS];
    uint64_t grace; /* ns between TERM and KILL; 0: PL_PROCESS_GRACE_NS */
};

#define PL_PROCESS_GRACE_NS ((uint64_t)2 * 1000000000)

enum pl_process_state {
    PL_PROCESS_STARTING,
    PL_PROCESS_RUNNING,
    PL_PROCESS_EXITED,
    PL_PROCESS_OVER
};

struct pl_process_io_op;

struct pl_process {
    uint32_t magic;
    enum pl_process_state state;
    struct pl_sched *sched;
    struct pl_task *task; /* whose it is; NULL: nobody's, it is to end */
    struct pl_task_defer defer;
    struct pl_process **handle;   /* its owner's pointer, or NULL */
    struct pl_process_plan *plan; /* while it starts */
    pid_t pid;                    /* 0: could not be started */
    int fds[PL_PROCESS_STREAMS];  /* our ends; -1: none, or closed */
    struct pl_process_io_op *io[PL_PROCESS_STREAMS]; /* who waits for one */
    struct pl_source exit;                           /* the pidfd */
    struct pl_timer timer; /* the grace; or looks, without a pidfd */
    uint64_t grace, kill_at;
    struct pl_list waiters; /* pl_process_wait_op.node */
    bool ending;            /* has got its TERM */
    bool killed;            /* and its KILL */
    /* a failure of the start */
    int error;
    const char *problem;
    /* from EXITED on */
    int status; /* as the shell has it: 128 + signal */
    int signal; /* that has ended it, or 0 */
};

/* ---- life ---- */

/* A child to be started, which belongs to task. COPIES spec; *handle becomes
 * the process, and NULL again when it is gone (the end of the task,
 * pl_process_release()). Returns 0 or PL_ERR_NOMEM. */
int pl_process_new(struct pl_task *task, const struct pl_process_spec *spec,
                   struct pl_process **handle);

/* Completes with 0 when the program runs, or with PL_ERR_* (process->error is
 * why): the process is OVER then. */
struct pl_process_start_op {
    struct pl_offload_op offload;
};
void pl_process_start_begin(struct pl_process_start_op *start,
                            struct pl_process *process);

/* What went wrong at the start, in words. */
const char *pl_process_problem(const struct pl_process *process, int err);

/* The owner is through with it: the group is ended if it is not over, and
 * *handle is NULL. Waits for it, and for its streams, fail. */
void pl_process_release(struct pl_process *process);

/* The owner's pointer is no more: released when the child is over, at the
 * latest with the task. */
void pl_process_forget(struct pl_process *process);

/* ---- signals ---- */

/* To its group. Returns 0, PL_ERR_NOT_FOUND (it is over), PL_ERR_DENIED, ... */
int pl_process_signal(struct pl_process *process, int signal);

/* TERM, and KILL after the grace. */
void pl_process_terminate(struct pl_process *process);

/* Completes with 0 when it has exited; PL_ERR_CLOSED if released before. */
struct pl_process_wait_op {
    struct pl_op op;
    struct pl_list node;
};
void pl_process_wait_begin(struct pl_process_wait_op *wait,
                           struct pl_process *process);

/* ---- streams ---- */

/* As read() and write() of our end: PL_ERR_AGAIN means wait. 0 is the end of
 * the output, also of a stream that there is not. PL_ERR_CLOSED: the child does
 * not read any more. */
ssize_t pl_process_take(struct pl_process *process, int stream, void *to,
                        size_t len);
ssize_t pl_process_give(struct pl_process *process, const void *from,
                        size_t len);
void pl_process_close(struct pl_process *process, int stream);

/* Completes with 0 when pl_process_take() or _give() is worth a try; with
 * PL_ERR_BUSY if somebody waits already, PL_ERR_CLOSED when the stream is
 * closed. */
struct pl_process_io_op {
    struct pl_op op;
    struct pl_source source;
    struct pl_process *process;
    int stream;
};
void pl_process_io_begin(struct pl_process_io_op *io,
                         struct pl_process *process, int stream);

/* ---- all of it in one ---- */

/* Starts a program, gives it its input, collects its output and waits for its
 * end. Completes with 0 when it has exited and its output has ended; or with
 * PL_ERR_TIMEOUT, PL_ERR_LIMIT (too much output), PL_ERR_CANCELED when it was
 * ended for that; or with what its start failed for. */
struct pl_process_output {
    char *data; /* the run's, until pl_process_run_fini() */
    size_t len, size;
};

struct pl_process_run {
    struct pl_op op;
    /* set before the beginning, borrowed until it is DONE */
    struct pl_str input;
    size_t max_output; /* of each stream */
    uint64_t timeout;  /* ns; 0: none */
    /* what was found out */
    struct pl_process_output out, err;
    int status, signal;
    char problem[128]; /* of the start */
    /* the rest is private */
    struct pl_process *process;
    struct pl_process_start_op start;
    struct pl_process_wait_op wait;
    struct pl_process_io_op io[PL_PROCESS_STREAMS];
    struct pl_timer deadline;
    int pending, result;
};

void pl_process_run_begin(struct pl_process_run *run, struct pl_task *task,
                          const struct pl_process_spec *spec);

/* Frees the output. Any thread. */
void pl_process_run_fini(struct pl_process_run *run);

#endif
