/* cache.c - the caches of C programs (perilune.h): a memo (base/memo.h) for
 * each worker and cache, whose values are held by requests and tasks.
 *
 * Whoever is the first to ask for a key makes its value; the others wait. When
 * the maker is cancelled, one of those who wait becomes the next. */
#include "app/app.h"
#include "base/memo.h"
#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "task/fiber.h"

struct pl_cache {
    struct pl_cache *next;
    struct pl_app *app;
    unsigned index; /* of a worker's memo */
    struct pl_cache_options options;
};

/* ---- of the program ---- */

struct pl_cache *pl_cache_new(struct pl_app *app,
                              const struct pl_cache_options *options)
{
    struct pl_cache *cache;

    if (app->running)
        return NULL;
    cache = pl_malloc(sizeof(*cache));
    if (cache == NULL)
        return NULL;
    PL_OPTIONS_READ(&cache->options, options);
    cache->app = app;
    cache->index = app->ncaches++;
    cache->next = app->caches;
    app->caches = cache;
    return cache;
}

void pl_app_forget_caches(struct pl_app *app)
{
    struct pl_cache *cache;

    while ((cache = app->caches) != NULL) {
        app->caches = cache->next;
        pl_free(cache);
    }
}

/* ---- of a worker ---- */

static void free_value(void *value, void *arg)
{
    const struct pl_cache *cache = arg;

    if (cache->options.free_value != NULL)
        cache->options.free_value(value, cache->options.arg);
}

struct pl_memo *pl_app_memos_new(struct pl_app *app, struct pl_pool *pool)
{
    struct pl_memo *memos =
        pl_malloc(app->ncaches * sizeof(*memos) + 1); /* never NULL for none */

    if (memos == NULL)
        return NULL;
    for (struct pl_cache *cache = app->caches; cache; cache = cache->next) {
        const struct pl_memo_options options = {.ttl = cache->options.ttl_ms,
                                                .limit = cache->options.limit,
                                                .free = free_value,
                                                .arg = cache};

        pl_memo_init(&memos[cache->index], &options, pool, NULL);
    }
    return memos;
}

void pl_app_memos_free(struct pl_app *app, struct pl_memo *memos)
{
    if (memos == NULL)
        return;
    for (unsigned i = 0; i < app->ncaches; i++)
        pl_memo_fini(&memos[i]);
    pl_free(memos);
}

/* This worker's; NULL on a thread that serves something else. */
static struct pl_memo *memo_of(const struct pl_cache *cache)
{
    struct pl_sched *sched = pl_sched_current();
    struct pl_worker *worker;

    if (sched == NULL || !cache->app->running)
        return NULL;
    worker = PL_CONTAINER_OF(sched, struct pl_worker, sched);
    if (worker->server != &cache->app->server)
        return NULL;
    return (struct pl_memo *)worker->generation->state + cache->index;
}

/* ---- asking ---- */

struct hold {
    struct pl_memo *memo;
    struct pl_memo_entry *entry;
};

static void release(void *arg)
{
    struct hold *hold = arg;

    pl_memo_release(hold->memo, hold->entry);
}

static void release_and_free(void *arg)
{
    release(arg);
    pl_free(arg);
}

/* Keeps the entry for req, or for the task. Releases it on failure. */
static int keep(struct pl_request *req, struct pl_memo *memo,
                struct pl_memo_entry *entry)
{
    struct hold *hold = req != NULL ? pl_arena_alloc(&req->arena, sizeof(*hold))
                                    : pl_malloc(sizeof(*hold));
    int err = PL_ERR_NOMEM;

    if (hold != NULL) {
        *hold = (struct hold){memo, entry};
        err = req != NULL ? pl_request_defer(req, release, hold)
                          : pl_defer(release_and_free, hold);
    }
    if (err < 0) {
        pl_memo_release(memo, entry);
        if (req == NULL)
            pl_free(hold);
    }
    return err;
}

static int make(struct pl_request *req, const struct pl_cache *cache,
                struct pl_memo *memo, struct pl_memo_entry *entry)
{
    const struct pl_cache_options *options = &cache->options;
    struct pl_loop *loop = pl_sched_current()->loop;
    void *value = NULL;
    size_t cost = 0;
    int err = options->create(req, entry->key, options->arg, &value, &cost);

    if (err < 0)
        pl_memo_fail(memo, entry, err);
    else
        pl_memo_fill(memo, entry, value, cost, pl_now_ms(loop));
    return PL_MIN(err, 0);
}

struct wait_op {
    struct pl_op op;
    struct pl_memo_waiter waiter;
};

static void on_made(struct pl_memo_waiter *waiter, int err)
{
    pl_op_complete(&PL_CONTAINER_OF(waiter, struct wait_op, waiter)->op, err);
}

static void on_cancel(struct pl_op *op)
{
    pl_memo_unwait(&PL_CONTAINER_OF(op, struct wait_op, op)->waiter);
    pl_op_complete(op, PL_ERR_CANCELED);
}

static int wait_made(struct pl_memo_entry *entry)
{
    struct wait_op wait = {.waiter = {.done = on_made}};

    pl_op_init(&wait.op, pl_sched_current(), on_cancel);
    pl_op_begin(&wait.op);
    pl_memo_wait(entry, &wait.waiter);
    return pl_op_wait(&wait.op);
}

/* One try; PL_ERR_AGAIN: who made the value was given up, not the caller. */
static int get_entry(struct pl_request *req, const struct pl_cache *cache,
                     struct pl_memo *memo, struct pl_str key,
                     struct pl_memo_entry **entry)
{
    uint64_t now = pl_now_ms(pl_sched_current()->loop);
    int err = pl_memo_get(memo, key, now, entry);

    if (err < 0 || err == PL_MEMO_HIT)
        return err;
    if (err == PL_MEMO_MISS) {
        err = make(req, cache, memo, *entry);
    } else {
        err = wait_made(*entry);
        if (err == PL_ERR_CANCELED && !pl_task_current()->canceled)
            err = PL_ERR_AGAIN;
    }
    if (err < 0)
        pl_memo_release(memo, *entry);
    return err;
}

int pl_cache_get(struct pl_request *req, struct pl_cache *cache,
                 struct pl_str key, void **value)
{
    struct pl_memo *memo = memo_of(cache);
    struct pl_memo_entry *entry;
    int err;

    if (memo == NULL || !pl_on_fiber())
        return PL_ERR_STATE;
    do
        err = get_entry(req, cache, memo, key, &entry);
    while (err == PL_ERR_AGAIN);
    if (err < 0)
        return err;
    *value = entry->value;
    return keep(req, memo, entry);
}

void pl_cache_forget(struct pl_cache *cache, struct pl_str key)
{
    struct pl_memo *memo = memo_of(cache);

    if (memo != NULL)
        pl_memo_invalidate(memo, key);
}
