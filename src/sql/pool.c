#include "sql/pool.h"

#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "base/sys.h"
#include "sql/pool_priv.h"

enum { PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 5000, LOGGED = 500 };

/* Those of this thread, so that one generation finds those of the other. */
static _Thread_local struct pl_list pools;

static struct pl_loop *loop_of(const struct pl_sql_pool *pool)
{
    return pool->sched->loop;
}

static void stop_timer(struct pl_sql_pool *pool, struct pl_timer *timer)
{
    pl_timer_stop(pl_loop_wheel(loop_of(pool)), timer);
}

/* ---- opening ---- */

static struct pl_sql_pool *find(const char *key)
{
    struct pl_list *node;

    if (pools.next == NULL)
        pl_list_init(&pools);
    PL_LIST_FOREACH (node, &pools) {
        struct pl_sql_pool *pool =
            PL_LIST_ENTRY(node, struct pl_sql_pool, node);

        if (strcmp(pool->options.key, key) == 0)
            return pool;
    }
    return NULL;
}

static const char *keep(char **at, const char *text)
{
    char *copy = *at;

    if (text == NULL)
        return NULL;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

static size_t size_of(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static void copy_options(struct pl_sql_pool *pool, char *at,
                         const struct pl_sql_options *from)
{
    struct pl_sql_options *options = &pool->options;

    *options = *from;
    options->key = keep(&at, from->key);
    options->setup = keep(&at, from->setup);
    options->name = keep(&at, from->name);
    options->settings.url = keep(&at, from->settings.url);
}

/* Closes what is too old, and comes again when the next one will be. */
static void on_old(struct pl_timer *timer)
{
    struct pl_sql_pool *pool =
        PL_CONTAINER_OF(timer, struct pl_sql_pool, timer);
    uint64_t now = pl_now(loop_of(pool)), age = pool->options.idle;

    while (!pl_list_empty(&pool->idle)) {
        struct pl_sql_link *link =
            PL_LIST_ENTRY(pool->idle.prev, struct pl_sql_link, node);

        if (link->idle_since + age > now) {
            pl_timer_start(pl_loop_wheel(loop_of(pool)), timer,
                           link->idle_since + age);
            return;
        }
        pl_sql_link_close(link);
    }
}

static struct pl_sql_pool *make(struct pl_sched *sched,
                                const struct pl_sql_options *options)
{
    size_t texts = size_of(options->key) + size_of(options->setup) +
                   size_of(options->name) + size_of(options->settings.url);
    struct pl_sql_pool *pool = pl_calloc(1, sizeof(*pool) + texts);

    if (pool == NULL)
        return NULL;
    copy_options(pool, (char *)(pool + 1), options);
    pool->sched = sched;
    pl_list_init(&pool->links);
    pl_list_init(&pool->idle);
    pl_list_init(&pool->waiting);
    pl_list_init(&pool->locked_out);
    pl_timer_init(&pool->timer, on_old);
    pl_list_push(&pools, &pool->node);
    return pool;
}

struct pl_sql_pool *pl_sql_pool_open(struct pl_sched *sched,
                                     const struct pl_sql_options *options)
{
    struct pl_sql_pool *pool = find(options->key);

    if (pool == NULL)
        pool = make(sched, options);
    if (pool != NULL)
        pool->users++;
    return pool;
}

void pl_sql_pool_drop(struct pl_sql_pool *pool)
{
    struct pl_list *node, *tmp;

    if (--pool->users > 0)
        return;
    PL_ASSERT(pl_list_empty(&pool->waiting));
    pl_list_remove(&pool->node);
    stop_timer(pool, &pool->timer);
    pool->stats.links++; /* it is not the last link that frees it meanwhile */
    PL_LIST_FOREACH_SAFE (node, tmp, &pool->links)
        pl_sql_link_close(PL_LIST_ENTRY(node, struct pl_sql_link, every));
    pl_sql_pool_lost(pool);
}

const struct pl_sql_options *pl_sql_pool_options(const struct pl_sql_pool *pool)
{
    return &pool->options;
}

struct pl_sql_stats pl_sql_pool_stats(const struct pl_sql_pool *pool)
{
    return pool->stats;
}

/* ---- links ---- */

void pl_sql_pool_lost(struct pl_sql_pool *pool)
{
    pool->stats.links--;
    if (pool->users == 0 && pool->stats.links == 0)
        pl_free(pool);
}

static struct pl_sql_op *next_waiting(struct pl_sql_pool *pool)
{
    struct pl_list *node = pl_list_pop(&pool->waiting);

    pool->stats.waiting -= node != NULL;
    return node == NULL ? NULL : PL_LIST_ENTRY(node, struct pl_sql_op, node);
}

static void fail_waiting(struct pl_sql_pool *pool)
{
    struct pl_sql_op *op;

    while ((op = next_waiting(pool)) != NULL) {
        op->order->call.answer.failure = pool->failure;
        pl_sql_op_end(op, pool->failure.err);
    }
}

/* As many as are wanted and allowed. */
void pl_sql_pool_grow(struct pl_sql_pool *pool)
{
    if (pool->retry_at > pl_now(loop_of(pool))) {
        if (pool->stats.links == 0)
            fail_waiting(pool);
        return;
    }
    while (pool->connecting < pool->stats.waiting &&
           pool->stats.links < pool->options.links)
        if (pl_sql_link_open(pool) < 0)
            return;
}

static struct pl_sql_link *next_idle(struct pl_sql_pool *pool)
{
    struct pl_list *node = pl_list_pop(&pool->idle);

    pool->stats.idle -= node != NULL;
    return node == NULL ? NULL : PL_LIST_ENTRY(node, struct pl_sql_link, node);
}

/* A call may be over at once, and its link offered again: so this is a loop,
 * and never more than one. */
void pl_sql_pool_offer(struct pl_sql_pool *pool, struct pl_sql_link *link)
{
    uint64_t now = pl_now(loop_of(pool));
    struct pl_sql_op *op;

    link->idle_since = now;
    pl_list_push_front(&pool->idle, &link->node);
    pool->stats.idle++;
    if (pool->offering)
        return;
    pool->offering = true;
    while (!pl_list_empty(&pool->idle) && (op = next_waiting(pool)) != NULL)
        pl_sql_link_run(next_idle(pool), op);
    pool->offering = false;
    if (pool->options.idle != 0 && !pool->timer.armed &&
        !pl_list_empty(&pool->idle))
        pl_timer_start(pl_loop_wheel(loop_of(pool)), &pool->timer,
                       now + pool->options.idle);
}

void pl_sql_pool_refused(struct pl_sql_pool *pool,
                         const struct pl_sql_failure *failure)
{
    uint64_t pause = pool->pause_ms == 0
                         ? PAUSE_MIN_MS
                         : PL_MIN(pool->pause_ms * 2, (uint64_t)PAUSE_MAX_MS);

    pool->stats.failed_connects++;
    pool->failure = *failure;
    pool->pause_ms = pause;
    pool->retry_at = pl_now(loop_of(pool)) + pause * 1000000;
    pl_log(PL_LOG_WARN, "sql", "%s: cannot connect: %s", pool->options.name,
           failure->text);
    if (pool->connecting == 0 && pool->stats.links == 1)
        fail_waiting(pool); /* no other is there, or may come */
}

void pl_sql_pool_unlocked(struct pl_sql_pool *pool)
{
    struct pl_list *node = pl_list_pop(&pool->locked_out);

    if (node != NULL)
        pl_sql_link_try_again(PL_LIST_ENTRY(node, struct pl_sql_link, node));
}

/* ---- operations ---- */

/* One line, without the values. */
static void log_slow(const struct pl_sql_pool *pool, const struct pl_sql_op *op,
                     uint64_t took)
{
    struct pl_str text = op->order->call.text;
    char line[LOGGED + 1];
    size_t n = PL_MIN(text.len, (size_t)LOGGED);

    for (size_t i = 0; i < n; i++)
        line[i] =
            text.data[i] == '\n' || text.data[i] == '\t' ? ' ' : text.data[i];
    line[n] = '\0';
    pl_log(PL_LOG_WARN, "sql", "%s: slow: %s%s ms=%llu rows=%u",
           pool->options.name, line, n < text.len ? "..." : "",
           (unsigned long long)(took / 1000000),
           (unsigned)op->order->call.answer.rows.count);
}

void pl_sql_op_end(struct pl_sql_op *op, int result)
{
    struct pl_sql_pool *pool = op->pool;
    uint64_t took = pl_now(loop_of(pool)) - op->begun;

    stop_timer(pool, &op->timer);
    op->link = NULL;
    pool->stats.failed += result < 0;
    if (op->begun != 0 && op->order != NULL && pool->options.slow != 0 &&
        took >= pool->options.slow) {
        pool->stats.slow++;
        log_slow(pool, op, took);
    }
    pl_op_complete(&op->op, result);
}

/* Who began it does not wait any longer. */
static void leave(struct pl_sql_op *op, int result)
{
    struct pl_sql_link *link = op->link;

    if (link == NULL) {
        pl_list_remove(&op->node);
        op->pool->stats.waiting--;
        pl_sql_op_end(op, result);
        return;
    }
    pl_sql_link_unlease(link, true);
    op->order = NULL;
    pl_sql_op_end(op, result);
    pl_sql_link_abandon(link);
}

static void on_late(struct pl_timer *timer)
{
    struct pl_sql_op *op = PL_CONTAINER_OF(timer, struct pl_sql_op, timer);

    op->pool->stats.timeouts++;
    if (op->link != NULL) {
        leave(op, PL_ERR_TIMEOUT);
        return;
    }
    if (op->pool->stats.links > op->pool->connecting)
        pl_sql_fail(op->order, PL_ERR_BUSY, "all %u connections are in use",
                    op->pool->stats.links);
    else
        pl_sql_fail(op->order, PL_ERR_TIMEOUT, "no connection in time");
    leave(op, op->order->call.answer.failure.err);
}

static void cancel_op(struct pl_op *op)
{
    leave(PL_CONTAINER_OF(op, struct pl_sql_op, op), PL_ERR_CANCELED);
}

static void refuse(struct pl_sql_op *op, int err, const char *text)
{
    pl_sql_fail(op->order, err, "%s", text);
    pl_sql_op_end(op, err);
}

static void wait_for_link(struct pl_sql_op *op)
{
    struct pl_sql_pool *pool = op->pool;
    uint64_t now = pl_now(loop_of(pool));

    if (pool->stats.waiting >= pool->options.queue) {
        refuse(op, PL_ERR_BUSY, "too many wait for a connection");
        return;
    }
    pl_list_push(&pool->waiting, &op->node);
    pool->stats.waiting++;
    if (pool->options.wait != 0)
        pl_timer_start(pl_loop_wheel(loop_of(pool)), &op->timer,
                       now + pool->options.wait);
    pl_sql_pool_grow(pool);
    if (pool->stats.links == 0 && op->op.state == PL_OP_PENDING) {
        pl_sql_fail(op->order, PL_ERR_NOMEM, "out of memory");
        leave(op, PL_ERR_NOMEM);
    }
}

/* Why no call can be made with that lease now; NULL: it can. */
static const char *why_not(const struct pl_sql_lease *lease,
                           const struct pl_sql_order *order, int *err)
{
    const struct pl_sql_link *link = lease->link;

    *err = lease->lost ? PL_ERR_CLOSED : PL_ERR_BUSY;
    if (lease->lost)
        return "its connection is gone";
    if (link == NULL)
        return NULL;
    if (link->state != PL_SQL_LINK_LEASED)
        return "another task uses its connection";
    if (link->more && order->call.kind == PL_SQL_RUN)
        return "rows of the statement before are left";
    *err = PL_ERR_STATE;
    return lease->began && !link->session->inside ? "its transaction is over"
                                                  : NULL;
}

static void start(struct pl_sql_op *op)
{
    struct pl_sql_pool *pool = op->pool;

    if (op->lease != NULL && op->lease->link != NULL)
        pl_sql_link_run(op->lease->link, op);
    else if (!pl_list_empty(&pool->idle))
        pl_sql_link_run(next_idle(pool), op);
    else
        wait_for_link(op);
}

void pl_sql_begin(struct pl_sql_op *op, struct pl_sql_pool *pool,
                  struct pl_sql_lease *lease, struct pl_sql_order *order)
{
    const char *text = NULL;
    int err;

    *op = (struct pl_sql_op){.order = order, .pool = pool, .lease = lease};
    pl_list_init(&op->node);
    pl_timer_init(&op->timer, on_late);
    pl_op_init(&op->op, pool->sched, cancel_op);
    pl_op_begin(&op->op);
    pool->stats.calls++;
    if (lease != NULL)
        text = why_not(lease, order, &err);
    if (text != NULL)
        refuse(op, err, text);
    else
        start(op);
}

/* ---- leases ---- */

void pl_sql_lease_end(struct pl_sql_lease *lease)
{
    struct pl_sql_link *link = lease->link;

    if (link == NULL)
        return;
    if (link->op != NULL) { /* another task's: it hears of it */
        leave(link->op, PL_ERR_CANCELED);
        return;
    }
    pl_sql_link_unlease(link, false);
    pl_sql_link_release(link);
}

bool pl_sql_lease_inside(const struct pl_sql_lease *lease)
{
    return lease->link != NULL && lease->link->session->inside;
}
