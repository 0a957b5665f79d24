/* straight.c - waiting in straight lines, for C programs (perilune.h). Here are
 * the calls that need to know nothing of a request but whether there is one.
 *
 * An operation whose memory or argument may lie on the caller's stack is not
 * hurried by a cancellation (its cancel is NULL): what it uses would be gone
 * before it is. */
#include "base/error.h"
#include "base/features.h"
#include "base/module.h"
#include "base/sys.h"
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

bool pl_stopping(void)
{
    const struct pl_sched *sched = pl_sched_current();

    return sched != NULL && sched->stopping;
}

/* Monotonic ns; 0: never. */
static uint64_t due_in(const struct pl_sched *sched, int64_t ms)
{
    if (ms < 0)
        return 0;
    pl_loop_update_now(sched->loop);
    return pl_now(sched->loop) + (uint64_t)ms * 1000000;
}

int pl_wait_stop(struct pl_request *req, int64_t ms)
{
    struct pl_sched *sched = may_wait();
    struct pl_stop_op wait;

    (void)req;
    if (sched == NULL)
        return PL_ERR_STATE;
    pl_stop_wait_begin(&wait, sched, due_in(sched, ms));
    return pl_op_wait(&wait.op);
}

int pl_wait_fd(struct pl_request *req, int fd, unsigned events, int64_t ms)
{
    struct pl_sched *sched = may_wait();
    struct pl_fd_op wait;

    (void)req;
    if (sched == NULL)
        return PL_ERR_STATE;
    pl_fd_begin(&wait, sched, fd, events, due_in(sched, ms));
    return pl_op_wait(&wait.op);
}

static int wait_many(struct pl_wait_item *items, size_t n, bool all, int64_t ms)
{
    struct pl_sched *sched = may_wait();
    struct pl_many_op many;
    struct pl_fd_op *waits;
    struct pl_op **parts;
    size_t size = n * (sizeof(*waits) + sizeof(*parts));
    int err, ready = 0;

    if (sched == NULL || n == 0 || n > UINT16_MAX)
        return sched == NULL ? PL_ERR_STATE : PL_ERR_INVALID;
    waits = pl_pool_get(pl_loop_pool(sched->loop), size);
    if (waits == NULL)
        return PL_ERR_NOMEM;
    parts = (struct pl_op **)(waits + n);
    for (size_t i = 0; i < n; i++) {
        pl_fd_begin(&waits[i], sched, items[i].fd, items[i].events, 0);
        parts[i] = &waits[i].op;
    }
    pl_many_begin(&many, sched, parts, (unsigned)n, all, due_in(sched, ms));
    err = pl_op_wait(&many.op);
    for (size_t i = 0; i < n; i++) {
        items[i].revents = (unsigned)PL_MAX(parts[i]->result, 0);
        ready += items[i].revents != 0;
    }
    pl_pool_put(pl_loop_pool(sched->loop), waits, size);
    return err < 0 ? err : ready;
}

int pl_wait_any(struct pl_request *req, struct pl_wait_item *items, size_t n,
                int64_t ms)
{
    (void)req;
    return wait_many(items, n, false, ms);
}

int pl_wait_all(struct pl_request *req, struct pl_wait_item *items, size_t n,
                int64_t ms)
{
    (void)req;
    return wait_many(items, n, true, ms);
}

/* A function of a module that goes on by itself: keeps the module loaded. */
struct detached {
    int (*fn)(void *arg);
    void *arg;
    struct pl_module *module;
};

static int run_detached(void *arg)
{
    struct detached detached = *(struct detached *)arg;
    int result;

    pl_free(arg);
    result = detached.fn(detached.arg);
    pl_module_drop(detached.module);
    return result;
}

static int spawn_of_module(struct pl_sched *sched, struct pl_module *module,
                           int (*fn)(void *arg), void *arg)
{
    struct detached *detached = pl_malloc(sizeof(*detached));
    int err = PL_ERR_NOMEM;

    if (detached != NULL) {
        *detached = (struct detached){fn, arg, module};
        err = pl_fiber_spawn(sched, NULL, run_detached, detached, NULL);
    }
    if (err < 0) {
        pl_free(detached);
        pl_module_drop(module);
    }
    return err;
}

int pl_spawn(struct pl_request *req, int (*fn)(void *arg), void *arg)
{
    struct pl_sched *sched = pl_sched_current();
    struct pl_task *parent = req == NULL ? NULL : pl_task_current();
    struct pl_module *module = NULL;

    if (sched == NULL || (req != NULL && parent == NULL))
        return PL_ERR_STATE;
    if (PL_WITH_MODULES && req == NULL)
        module = pl_module_of_code((uintptr_t)fn);
    return module == NULL ? pl_fiber_spawn(sched, parent, fn, arg, NULL)
                          : spawn_of_module(sched, module, fn, arg);
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
