/* straight.c - waiting in straight lines, for C programs (perilune.h). Here are
 * the calls that need to know nothing of a request but whether there is one.
 *
 * An operation whose memory or argument may lie on the caller's stack is not
 * hurried by a cancellation (its cancel is NULL): what it uses would be gone
 * before it is. */
#include "base/error.h"
#include "loop/offload.h"
#include "task/fiber.h"

/* The scheduler, if the caller may wait; else NULL. */
static struct pl_sched *may_wait(void)
{
    struct pl_sched *sched = pl_on_fiber() ? pl_sched_current() : NULL;

    return sched == NULL || sched->lua_depth > 0 ? NULL : sched;
}

int pl_sleep(struct pl_request *req, uint64_t ms)
{
    (void)req;
    return may_wait() == NULL ? PL_ERR_STATE : pl_fiber_sleep(ms);
}

int pl_wait_fd(struct pl_request *req, int fd, unsigned events, int64_t ms)
{
    struct pl_sched *sched = may_wait();
    struct pl_fd_op wait;
    uint64_t due = 0;

    (void)req;
    if (sched == NULL)
        return PL_ERR_STATE;
    if (ms >= 0) {
        pl_loop_update_now(sched->loop);
        due = pl_now(sched->loop) + (uint64_t)ms * 1000000;
    }
    pl_fd_begin(&wait, sched, fd, events, due);
    return pl_op_wait(&wait.op);
}

int pl_spawn(struct pl_request *req, int (*fn)(void *arg), void *arg)
{
    struct pl_sched *sched = pl_sched_current();
    struct pl_task *parent = req == NULL ? NULL : pl_task_current();

    if (sched == NULL || (req != NULL && parent == NULL))
        return PL_ERR_STATE;
    return pl_fiber_spawn(sched, parent, fn, arg, NULL);
}

int pl_all(struct pl_request *req, struct pl_call *calls, size_t n)
{
    struct pl_sched *sched = may_wait();
    struct pl_join_op *joins;
    size_t size = n * sizeof(*joins), begun = 0;
    int err = 0;

    (void)req;
    if (sched == NULL)
        return PL_ERR_STATE;
    joins = pl_pool_get(pl_loop_pool(sched->loop), size);
    for (size_t i = 0; i < n; i++)
        calls[i].result = PL_ERR_NOMEM;
    while (joins != NULL && begun < n &&
           pl_fiber_spawn(sched, sched->current, calls[begun].fn,
                          calls[begun].arg, &joins[begun]) == 0)
        joins[begun++].op.cancel = NULL;
    for (size_t i = 0; i < begun; i++)
        calls[i].result = pl_op_wait(&joins[i].op);
    if (joins != NULL)
        pl_pool_put(pl_loop_pool(sched->loop), joins, size);
    for (size_t i = 0; i < n && err == 0; i++)
        err = PL_MIN(calls[i].result, 0);
    return err;
}

int pl_offload(struct pl_request *req, int (*fn)(void *arg), void *arg)
{
    struct pl_sched *sched = may_wait();
    struct pl_offload_op offload;
    int result;

    (void)req;
    if (sched == NULL || sched->offload == NULL)
        return PL_ERR_STATE;
    pl_offload_begin(&offload, sched, fn, arg, NULL);
    offload.op.cancel = NULL;
    result = pl_op_wait(&offload.op);
    pl_offload_end(&offload);
    return result;
}

struct deferred {
    struct pl_task_defer defer;
    struct pl_pool *pool;
    void (*fn)(void *arg);
    void *arg;
};

static void run_deferred(void *arg)
{
    struct deferred *deferred = arg;
    void (*fn)(void *) = deferred->fn;
    void *fn_arg = deferred->arg;

    pl_pool_put(deferred->pool, deferred, sizeof(*deferred));
    fn(fn_arg);
}

int pl_defer(void (*fn)(void *arg), void *arg)
{
    struct pl_task *task = pl_task_current();
    struct pl_pool *pool;
    struct deferred *deferred;

    if (task == NULL)
        return PL_ERR_STATE;
    pool = pl_loop_pool(task->sched->loop);
    deferred = pl_pool_get(pool, sizeof(*deferred));
    if (deferred == NULL)
        return PL_ERR_NOMEM;
    deferred->pool = pool;
    deferred->fn = fn;
    deferred->arg = arg;
    pl_task_defer(task, &deferred->defer, run_deferred, deferred);
    return 0;
}
