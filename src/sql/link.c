/* link.c - one connection: what its session (driver.h) asks for is done here.
 *
 *     CONNECTING -> SETTING_UP -> IDLE <-----------+------ CLEANING
 *          |            |           | run          |          ^
 *          +--- failed -+           v     clean    |          | not clean
 *                       |       RUNNING -----------+----------+
 *                       v         ^  |                        |
 *                     gone     run|  v its op has a lease     |
 *                               LEASED -------- release ------+
 *
 * Invariants: order is set while a call is under way; while it is worked on by
 * another thread (working) nothing but the driver's interrupt() touches the
 * session, and its descriptor is not watched. */
#include "base/check.h"
#include "base/sys.h"
#include "sql/pool_priv.h"

/* How long a call that nobody waits for may take to stop. */
#define STOP_NS ((uint64_t)5 * 1000000000)

static void advance(struct pl_sql_link *link, enum pl_sql_why why);
static void finish(struct pl_sql_link *link);

static const struct pl_sql_driver *driver_of(const struct pl_sql_link *link)
{
    return link->pool->options.driver;
}

static struct pl_loop *loop_of(const struct pl_sql_link *link)
{
    return link->pool->sched->loop;
}

static void start_timer(struct pl_sql_link *link, uint64_t after)
{
    pl_timer_start(pl_loop_wheel(loop_of(link)), &link->timer,
                   pl_now(loop_of(link)) + after);
}

static void stop_timer(struct pl_sql_link *link)
{
    pl_timer_stop(pl_loop_wheel(loop_of(link)), &link->timer);
}

static bool is_connecting(const struct pl_sql_link *link)
{
    return link->state == PL_SQL_LINK_CONNECTING ||
           link->state == PL_SQL_LINK_SETTING_UP;
}

/* ---- the end ---- */

static void unwatch(struct pl_sql_link *link)
{
    if (link->source.slot != 0)
        pl_loop_remove(loop_of(link), &link->source, true);
}

static void free_link(struct pl_sql_link *link)
{
    struct pl_sql_pool *pool = link->pool;
    bool open = pool->users > 0;

    driver_of(link)->close(link->session);
    if (link->order != link->own)
        pl_sql_order_free(link->order);
    pl_sql_order_free(link->own);
    pl_list_remove(&link->every);
    pl_free(link);
    pl_sql_pool_lost(pool);
    if (open)
        pl_sql_pool_grow(pool);
}

void pl_sql_link_unlease(struct pl_sql_link *link, bool lost)
{
    if (link->lease == NULL)
        return;
    link->lease->link = NULL;
    link->lease->lost = lost;
    link->lease = NULL;
}

void pl_sql_link_close(struct pl_sql_link *link)
{
    PL_ASSERT(link->op == NULL);
    pl_sql_link_unlease(link, true);
    unwatch(link);
    stop_timer(link);
    pl_list_remove(&link->node);
    link->pool->stats.idle -= link->state == PL_SQL_LINK_IDLE;
    link->pool->connecting -= is_connecting(link);
    link->state = PL_SQL_LINK_CLEANING;
    link->ending = true;
    if (!link->working)
        free_link(link);
    else if (driver_of(link)->interrupt != NULL)
        driver_of(link)->interrupt(link->session);
}

/* ---- waiting for the descriptor ---- */

static void on_ready(struct pl_source *source, unsigned events)
{
    struct pl_sql_link *link =
        PL_CONTAINER_OF(source, struct pl_sql_link, source);

    (void)events;
    if (link->order != NULL) {
        advance(link, PL_SQL_READY);
        return;
    }
    if (driver_of(link)->idle != NULL)
        driver_of(link)->idle(link->session);
    if (!link->session->broken)
        return;
    unwatch(link);
    if (link->state == PL_SQL_LINK_IDLE)
        pl_sql_link_close(link);
}

static int watch(struct pl_sql_link *link, unsigned events)
{
    int err = 0;

    events = (events & PL_SQL_READ ? PL_READABLE : 0) |
             (events & PL_SQL_WRITE ? PL_WRITABLE : 0);
    /* While it connects the library closes descriptors and opens others, which
     * may have the same number. */
    if (link->state == PL_SQL_LINK_CONNECTING)
        unwatch(link);
    if (link->source.slot == 0) {
        link->source.fd = link->session->fd;
        err = pl_loop_add(loop_of(link), &link->source, events, PL_LEVEL);
    } else if (events != link->events) {
        err = pl_loop_modify(loop_of(link), &link->source, events, PL_LEVEL);
    }
    link->events = events;
    return err;
}

/* ---- waiting for a thread ---- */

/* The lock of a neighbour is mostly a short one. */
static void lock_out(struct pl_sql_link *link)
{
    static const uint8_t pauses_ms[] = {1, 2, 3, 5, 10, 20, 50};
    uint64_t now = pl_now(loop_of(link));

    if (link->locked_since == 0)
        link->locked_since = now;
    if (now - link->locked_since >= link->pool->options.busy) {
        finish(link);
        return;
    }
    pl_list_push(&link->pool->locked_out, &link->node);
    start_timer(link, pauses_ms[PL_MIN(link->tries, PL_COUNT(pauses_ms) - 1)] *
                          (uint64_t)1000000);
    link->tries++;
}

void pl_sql_link_try_again(struct pl_sql_link *link)
{
    pl_list_remove(&link->node);
    stop_timer(link);
    advance(link, link->stopped ? PL_SQL_STOP : PL_SQL_AGAIN);
}

static int do_work(void *arg)
{
    struct pl_sql_link *link = arg;

    driver_of(link)->work(link->session, &link->order->call);
    return 0;
}

static void on_worked(struct pl_op *op)
{
    struct pl_sql_link *link = PL_CONTAINER_OF(op, struct pl_sql_link, work.op);
    int result = op->result;

    pl_offload_end(&link->work);
    link->working = false;
    if (link->ending) {
        free_link(link);
    } else if (result < 0) {
        pl_sql_fail(link->order, result, "no thread is free");
        lock_out(link);
    } else {
        advance(link, PL_SQL_WORKED);
    }
}

static void begin_work(struct pl_sql_link *link)
{
    unwatch(link);
    link->working = true;
    link->pool->stats.offloaded++;
    pl_offload_begin(&link->work, link->pool->sched, do_work, link, NULL);
    pl_op_then(&link->work.op, on_worked);
}

/* ---- a call ---- */

static void advance(struct pl_sql_link *link, enum pl_sql_why why)
{
    enum pl_sql_next next =
        driver_of(link)->step(link->session, &link->order->call, why);
    int err = 0;

    if (next == PL_SQL_WORK)
        begin_work(link);
    else if (next == PL_SQL_BUSY)
        lock_out(link);
    else if (next != PL_SQL_DONE)
        err = watch(link, next);
    if (err < 0) {
        pl_sql_fail(link->order, err, "%s", pl_err_text(err));
        link->session->broken = true;
    }
    if (next == PL_SQL_DONE || err < 0)
        finish(link);
}

static void begin(struct pl_sql_link *link, struct pl_sql_order *order)
{
    link->order = order;
    link->locked_since = 0;
    link->tries = 0;
    link->stopped = false;
    advance(link, PL_SQL_BEGIN);
}

/* One of our own; false if there is no memory for it. */
static bool begin_own(struct pl_sql_link *link, enum pl_sql_link_state state,
                      enum pl_sql_kind kind, const char *text)
{
    struct pl_str bytes = {text, strlen(text)};

    if (pl_sql_order_fit(&link->own, kind, bytes, 0, 0,
                         link->pool->options.settings.limit) < 0)
        return false;
    link->state = state;
    begin(link, link->own);
    return true;
}

static void make_ready(struct pl_sql_link *link)
{
    link->pool->connecting -= is_connecting(link);
    link->pool->pause_ms = 0;
    link->state = PL_SQL_LINK_IDLE;
    /* So that one which the server closes is noticed. */
    if (link->session->fd >= 0 && driver_of(link)->idle != NULL &&
        watch(link, PL_SQL_READ) < 0) {
        link->session->broken = true;
        link->state = PL_SQL_LINK_CLEANING;
        pl_sql_link_close(link);
        return;
    }
    pl_sql_pool_offer(link->pool, link);
}

/* Goes back: as it was, or not at all. */
void pl_sql_link_release(struct pl_sql_link *link)
{
    struct pl_sql_session *session = link->session;
    bool lost = session->broken ||
                (session->dirty && link->pool->options.setup != NULL);

    if (!lost && !session->inside && !session->dirty && !link->more) {
        make_ready(link);
        return;
    }
    link->more = false;
    if (!lost && begin_own(link, PL_SQL_LINK_CLEANING, PL_SQL_RESET, ""))
        return;
    link->state = PL_SQL_LINK_CLEANING;
    pl_sql_link_close(link);
}

static void refuse(struct pl_sql_link *link,
                   const struct pl_sql_failure *failure)
{
    link->pool->connecting--;
    link->state = PL_SQL_LINK_CLEANING;
    pl_sql_pool_refused(link->pool, failure);
    pl_sql_link_close(link);
}

static void finish_connect(struct pl_sql_link *link)
{
    const struct pl_sql_failure *failure = &link->own->call.answer.failure;
    const char *setup = link->pool->options.setup;

    unwatch(link); /* see watch() */
    if (failure->err == 0 && link->state == PL_SQL_LINK_CONNECTING) {
        link->pool->stats.connects++;
        if (setup == NULL) {
            make_ready(link);
            return;
        }
        if (begin_own(link, PL_SQL_LINK_SETTING_UP, PL_SQL_SCRIPT, setup))
            return;
        pl_sql_fail(link->own, PL_ERR_NOMEM, "out of memory");
    } else if (failure->err == 0) {
        link->session->dirty = false; /* that is how it is to be */
        make_ready(link);
        return;
    }
    refuse(link, failure);
}

static void finish_call(struct pl_sql_link *link, struct pl_sql_order *order)
{
    struct pl_sql_op *op = link->op;

    link->op = NULL;
    link->more = order->call.answer.more;
    if (op == NULL)
        pl_sql_order_free(order);
    else
        pl_sql_op_end(op, order->call.answer.failure.err);
    if (link->lease != NULL && !link->session->broken) {
        link->lease->began |= link->session->inside;
        link->state = PL_SQL_LINK_LEASED;
        return;
    }
    pl_sql_link_unlease(link, true);
    pl_sql_link_release(link);
}

static void finish(struct pl_sql_link *link)
{
    struct pl_sql_order *order = link->order;
    struct pl_sql_pool *pool = link->pool;

    stop_timer(link);
    link->order = NULL;
    if (is_connecting(link))
        finish_connect(link);
    else if (link->state == PL_SQL_LINK_RUNNING)
        finish_call(link, order);
    else if (order->call.answer.failure.err < 0 || link->session->broken)
        pl_sql_link_close(link);
    else
        make_ready(link);
    pl_sql_pool_unlocked(pool);
}

/* ---- for pool.c ---- */

/* It connects for too long, is locked out, or does not stop. */
static void on_timer(struct pl_timer *timer)
{
    struct pl_sql_link *link =
        PL_CONTAINER_OF(timer, struct pl_sql_link, timer);

    static const struct pl_sql_failure late = {
        .err = PL_ERR_TIMEOUT,
        .text = "no connection in time",
    };

    if (!pl_list_empty(&link->node))
        pl_sql_link_try_again(link);
    else if (is_connecting(link))
        refuse(link, &late);
    else
        pl_sql_link_close(link);
}

int pl_sql_link_open(struct pl_sql_pool *pool)
{
    struct pl_sql_link *link = pl_calloc(1, sizeof(*link));

    if (link == NULL)
        return PL_ERR_NOMEM;
    link->pool = pool;
    link->source.ready = on_ready;
    pl_list_init(&link->node);
    pl_timer_init(&link->timer, on_timer);
    link->session = pool->options.driver->open(&pool->options.settings);
    if (link->session == NULL) {
        pl_free(link);
        return PL_ERR_NOMEM;
    }
    pl_list_push(&pool->links, &link->every);
    pool->stats.links++;
    pool->connecting++;
    start_timer(link, pool->options.settings.connect_ms * (uint64_t)1000000);
    if (begin_own(link, PL_SQL_LINK_CONNECTING, PL_SQL_CONNECT, ""))
        return 0;
    pl_sql_link_close(link);
    return PL_ERR_NOMEM;
}

void pl_sql_link_run(struct pl_sql_link *link, struct pl_sql_op *op)
{
    struct pl_sql_pool *pool = link->pool;

    link->state = PL_SQL_LINK_RUNNING;
    link->op = op;
    op->link = link;
    op->begun = pl_now(loop_of(link));
    link->lease = op->lease;
    if (op->lease != NULL)
        op->lease->link = link;
    begin(link, op->order);
    if (op->link == NULL) /* the link may be gone, too */
        pool->stats.at_once++;
    else if (pool->options.timeout != 0)
        pl_timer_start(pl_loop_wheel(pool->sched->loop), &op->timer,
                       op->begun + pool->options.timeout);
}

void pl_sql_link_abandon(struct pl_sql_link *link)
{
    const struct pl_sql_driver *driver = driver_of(link);

    link->op = NULL;
    link->stopped = true;
    if (!pl_list_empty(&link->node)) {
        pl_sql_link_try_again(link);
        return;
    }
    start_timer(link, STOP_NS);
    if (!link->working)
        advance(link, PL_SQL_STOP);
    else if (driver->interrupt != NULL)
        driver->interrupt(link->session);
}
