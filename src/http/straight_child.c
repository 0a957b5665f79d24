/* straight_child.c - a child process to talk to, in straight lines, for C
 * programs (perilune.h); os/process.h under its public name.
 *
 * A child is its task's, and so is the memory that stands for it: the process
 * is let go first, since a task's defers run in reverse order. */
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "os/process.h"
#include "task/fiber.h"

struct pl_child {
    struct pl_process *process; /* NULL: it could not be started */
    struct pl_pool *pool;
};

_Static_assert((int)PL_CHILD_OUT == PL_PROCESS_OUT, "the same numbers");
_Static_assert((int)PL_CHILD_ERR == PL_PROCESS_ERR, "the same numbers");

/* The task, if it may wait and start processes; else NULL. */
static struct pl_task *may_wait(void)
{
    struct pl_sched *sched = pl_on_fiber() ? pl_sched_current() : NULL;

    return sched == NULL || sched->lua_depth > 0 || sched->offload == NULL
               ? NULL
               : sched->current;
}

/* ---- beginning and end ---- */

static void free_child(void *arg)
{
    struct pl_child *child = arg;

    pl_pool_put(child->pool, child, sizeof(*child));
}

static struct pl_child *new_child(struct pl_task *task)
{
    struct pl_pool *pool = pl_loop_pool(task->sched->loop);
    struct pl_child *child = pl_pool_get(pool, sizeof(*child));

    if (child == NULL)
        return NULL;
    *child = (struct pl_child){.pool = pool};
    if (pl_defer(free_child, child) == 0)
        return child;
    free_child(child);
    return NULL;
}

static int start(struct pl_process *process)
{
    struct pl_process_start_op start;
    int err;

    pl_process_start_begin(&start, process);
    err = pl_op_wait(&start.offload.op);
    if (err < 0)
        pl_process_release(process);
    return err;
}

int pl_child_start(const char *const *argv,
                   const struct pl_process_options *options,
                   struct pl_child **out)
{
    struct pl_task *task = may_wait();
    struct pl_process_options given;
    struct pl_process_spec spec = {.argv = (char *const *)argv};
    struct pl_child *child;
    int err;

    if (task == NULL)
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&given, options);
    if (argv[0] == NULL || given.input.data != NULL || given.timeout_ms != 0 ||
        given.max_output != 0)
        return PL_ERR_INVALID;
    spec.env = (char *const *)given.env;
    spec.folder = given.folder;
    spec.use[PL_PROCESS_ERR] = given.merge ? PL_PROCESS_MERGE : PL_PROCESS_PIPE;
    child = new_child(task);
    if (child == NULL || pl_process_new(task, &spec, &child->process) < 0)
        return PL_ERR_NOMEM;
    err = start(child->process);
    if (err == 0)
        *out = child;
    return err;
}

int pl_child_kill(struct pl_child *child, int signal)
{
    return pl_process_signal(child->process, signal);
}

int pl_child_wait(struct pl_child *child, int *status, int *signal)
{
    struct pl_process_wait_op wait;
    int err;

    if (may_wait() == NULL)
        return PL_ERR_STATE;
    pl_process_wait_begin(&wait, child->process);
    err = pl_op_wait(&wait.op);
    if (err < 0)
        return err;
    if (status != NULL)
        *status = child->process->status;
    if (signal != NULL)
        *signal = child->process->signal;
    return 0;
}

/* ---- streams ---- */

static int wait_stream(struct pl_child *child, int stream)
{
    struct pl_process_io_op io;

    pl_process_io_begin(&io, child->process, stream);
    return pl_op_wait(&io.op);
}

ssize_t pl_child_read(struct pl_child *child, enum pl_child_stream stream,
                      char *to, size_t n)
{
    ssize_t got;
    int err;

    if (may_wait() == NULL)
        return PL_ERR_STATE;
    if (stream != PL_CHILD_OUT && stream != PL_CHILD_ERR)
        return PL_ERR_INVALID;
    while ((got = pl_process_take(child->process, (int)stream, to, n)) ==
           PL_ERR_AGAIN)
        if ((err = wait_stream(child, (int)stream)) < 0)
            return err;
    return got;
}

int pl_child_write(struct pl_child *child, struct pl_str bytes)
{
    int err = 0;

    if (may_wait() == NULL)
        return PL_ERR_STATE;
    while (bytes.len > 0 && err == 0) {
        ssize_t n = pl_process_give(child->process, bytes.data, bytes.len);

        if (n > 0)
            bytes = pl_str_skip(bytes, (size_t)n);
        else
            err =
                n == PL_ERR_AGAIN ? wait_stream(child, PL_PROCESS_IN) : (int)n;
    }
    return err;
}

void pl_child_close(struct pl_child *child)
{
    pl_process_close(child->process, PL_PROCESS_IN);
}
