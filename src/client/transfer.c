/* transfer.c - libcurl on a worker's loop, and what waits between it and Lua.
 *
 *     libcurl -> on_body -> in -> peek, take       held: in is full
 *     feed -> chunk -> on_send -> libcurl          hungry: chunk is empty
 *
 * What libcurl tells is noted here, and wakes who waits; nothing else is done
 * inside of it. */
#include "client/transfer.h"

#include "base/check.h"
#include "base/plugin.h"
#include "base/str.h"
#include "base/sys.h"
#include "client/foreign.h"

struct pl_transfers {
    const struct pl_http_offer *offer;
    struct pl_sched *sched;
    struct pl_foreign foreign;
    void *pool;
    struct pl_list all; /* pl_transfer.node */
};

struct pl_jar {
    const struct pl_http_offer *offer;
    unsigned holders;
    void *jar;
};

/* ---- who waits ---- */

/* What a wait would complete with; 0: it goes on. What has come is shown before
 * the failure that came after it. */
static int outcome(const struct pl_transfer *transfer)
{
    bool failed = transfer->over && transfer->result < 0;

    if (transfer->transfers == NULL)
        return PL_ERR_CLOSED;
    if (transfer->want == PL_TRANSFER_SOME && transfer->in.len > 0)
        return PL_TRANSFER_THERE;
    if (failed)
        return transfer->result;
    if (transfer->over ||
        (transfer->want == PL_TRANSFER_HEAD && transfer->has_head))
        return PL_TRANSFER_THERE;
    return transfer->hungry ? PL_TRANSFER_MORE : 0;
}

static void wake(struct pl_transfer *transfer)
{
    int result;

    if (transfer->op.state != PL_OP_PENDING)
        return;
    result = outcome(transfer);
    if (result != 0)
        pl_op_complete(&transfer->op, result);
}

static void cancel(struct pl_op *op)
{
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_transfer_wait_begin(struct pl_transfer *transfer,
                            struct pl_sched *sched, enum pl_transfer_want want)
{
    PL_ASSERT(transfer->op.state != PL_OP_PENDING);
    pl_op_init(&transfer->op, sched, cancel);
    pl_op_begin(&transfer->op);
    transfer->want = want;
    wake(transfer);
}

/* ---- what libcurl tells ---- */

static void on_head(void *arg)
{
    struct pl_transfer *transfer = arg;

    transfer->has_head = true;
    wake(transfer);
}

static int too_long(struct pl_transfer *transfer)
{
    return pl_error_set(&transfer->error, PL_ERR_LIMIT, "",
                        "the response is longer than %zu bytes",
                        transfer->most);
}

static int on_body(void *arg, struct pl_str bytes)
{
    struct pl_transfer *transfer = arg;

    if (transfer->over) /* it was late: it waits to be closed */
        return transfer->result;
    if (transfer->most > 0 && bytes.len > transfer->most - transfer->received)
        return too_long(transfer);
    if (transfer->streams && transfer->in.len >= PL_TRANSFER_HIGH) {
        transfer->held = true;
        return PL_ERR_AGAIN;
    }
    if (pl_buf_add(&transfer->in, bytes) < 0)
        return pl_error_set(&transfer->error, transfer->in.err, "", "%s",
                            pl_err_text(transfer->in.err));
    transfer->received += bytes.len;
    wake(transfer);
    return 0;
}

static ssize_t on_send(void *arg, char *to, size_t room)
{
    struct pl_transfer *transfer = arg;
    size_t n = PL_MIN(room, transfer->chunk.len);

    if (transfer->over)
        return transfer->result;
    if (n == 0 && !transfer->fed) {
        transfer->hungry = true;
        wake(transfer);
        return PL_ERR_AGAIN;
    }
    if (transfer->unsent >= 0 &&
        (n == 0 ? transfer->unsent > 0 : (int64_t)n > transfer->unsent))
        return pl_error_set(&transfer->error, PL_ERR_INVALID, "",
                            "the body is not as long as was said");
    if (transfer->unsent > 0)
        transfer->unsent -= (int64_t)n;
    memcpy(to, transfer->chunk.data, n);
    transfer->chunk = pl_str(transfer->chunk.data + n, transfer->chunk.len - n);
    return (ssize_t)n;
}

static void finish(struct pl_transfer *transfer, int result, const char *text)
{
    if (transfer->over)
        return;
    transfer->over = true;
    transfer->hungry = false;
    transfer->result = result;
    if (result < 0 && transfer->error.code != result)
        pl_error_set(&transfer->error, result, "", "%s", text);
    pl_timer_stop(pl_loop_wheel(transfer->transfers->sched->loop),
                  &transfer->limit);
    wake(transfer);
}

/* For libcurl a head that is cut is the end of one. */
static void on_done(void *arg, int result, const char *text)
{
    struct pl_transfer *transfer = arg;

    if (result == 0 && !transfer->has_head)
        finish(transfer, PL_ERR_CLOSED, "the head of the response was cut");
    else
        finish(transfer, result, text);
}

/* ---- the calls of the loop ---- */

static void on_ready(struct pl_foreign *foreign, int fd, unsigned events)
{
    struct pl_transfers *transfers =
        PL_CONTAINER_OF(foreign, struct pl_transfers, foreign);

    transfers->offer->ready(transfers->pool, fd, events);
}

static void on_due(struct pl_foreign *foreign)
{
    struct pl_transfers *transfers =
        PL_CONTAINER_OF(foreign, struct pl_transfers, foreign);
    int err = foreign->err;

    foreign->err = 0;
    if (err < 0)
        transfers->offer->fail(transfers->pool, err);
    transfers->offer->due(transfers->pool);
}

static void *watch(void *arg, void *known, int fd, unsigned events)
{
    struct pl_transfers *transfers = arg;

    return pl_foreign_watch(&transfers->foreign, known, fd, events);
}

static void set_alarm(void *arg, int64_t ms)
{
    struct pl_transfers *transfers = arg;

    pl_foreign_alarm(&transfers->foreign, ms);
}

/* ---- the pool ---- */

/* Inline functions have no addresses of their own. */
static void *allocate(size_t size)
{
    return pl_malloc(size);
}

static void *allocate_zeros(size_t n, size_t size)
{
    return pl_calloc(n, size);
}

static void *reallocate(void *ptr, size_t size)
{
    return pl_realloc(ptr, size);
}

static const struct pl_http_host host = {
    .malloc = allocate,
    .calloc = allocate_zeros,
    .realloc = reallocate,
    .free = pl_free,
    .watch = watch,
    .alarm = set_alarm,
    .head = on_head,
    .body = on_body,
    .send = on_send,
    .done = on_done,
};

static int load(const struct pl_http_offer **offer, struct pl_error *error)
{
    const struct pl_plugin_want want = {
        .name = "http",
        .host = &host,
        .host_size = sizeof(host),
        .offer_size = sizeof(struct pl_http_offer),
    };
    const void *table;
    int err = pl_plugin_load(&want, &table, error);

    *offer = err < 0 ? NULL : table;
    return err;
}

int pl_transfers_new(struct pl_sched *sched,
                     const struct pl_http_pool_config *config,
                     struct pl_transfers **out, struct pl_error *error)
{
    const struct pl_http_offer *offer;
    struct pl_transfers *transfers;
    int err = load(&offer, error);

    if (err < 0)
        return err;
    transfers = pl_calloc(1, sizeof(*transfers));
    if (transfers == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    transfers->offer = offer;
    transfers->sched = sched;
    pl_list_init(&transfers->all);
    pl_foreign_init(&transfers->foreign, sched->loop, on_ready, on_due);
    err = offer->pool_new(config, transfers, &transfers->pool);
    if (err < 0) {
        pl_free(transfers);
        return pl_error_set(error, err, "", "%s", pl_err_text(err));
    }
    *out = transfers;
    return 0;
}

void pl_transfers_free(struct pl_transfers *transfers)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &transfers->all)
        pl_transfer_close(PL_LIST_ENTRY(node, struct pl_transfer, node));
    transfers->offer->pool_free(transfers->pool);
    pl_foreign_fini(&transfers->foreign);
    pl_free(transfers);
}

int pl_transfers_url(struct pl_transfers *transfers, const char *base,
                     const char *text, struct pl_http_url *out,
                     struct pl_error *error)
{
    return transfers->offer->url(base, text, out, error);
}

void pl_transfers_url_fini(struct pl_transfers *transfers,
                           struct pl_http_url *url)
{
    transfers->offer->url_fini(url);
}

/* ---- cookies ---- */

struct pl_jar *pl_jar_new(struct pl_transfers *transfers)
{
    struct pl_jar *jar = pl_malloc(sizeof(*jar));

    if (jar == NULL)
        return NULL;
    *jar = (struct pl_jar){.offer = transfers->offer, .holders = 1};
    jar->jar = jar->offer->jar_new();
    if (jar->jar == NULL) {
        pl_free(jar);
        return NULL;
    }
    return jar;
}

void pl_jar_drop(struct pl_jar *jar)
{
    if (jar == NULL || --jar->holders > 0)
        return;
    jar->offer->jar_free(jar->jar);
    pl_free(jar);
}

int pl_jar_see(struct pl_jar *jar, void (*see)(void *arg, const char *line),
               void *arg)
{
    return jar->offer->cookies(jar->jar, see, arg);
}

int pl_jar_set(struct pl_jar *jar, const char *line)
{
    return jar->offer->set_cookie(jar->jar, line);
}

/* ---- a transfer ---- */

static void on_owner_ends(void *arg)
{
    struct pl_transfer *transfer = arg;

    transfer->owner = NULL; /* the defer is gone */
    pl_transfer_close(transfer);
}

/* libcurl's own limit does not count while a transfer waits for a place in the
 * pool. */
static void on_late(struct pl_timer *timer)
{
    struct pl_transfer *transfer =
        PL_CONTAINER_OF(timer, struct pl_transfer, limit);

    finish(transfer, PL_ERR_TIMEOUT, "it took too long");
}

int pl_transfer_begin(struct pl_transfer *transfer,
                      struct pl_transfers *transfers,
                      const struct pl_transfer_options *options)
{
    struct pl_loop *loop = transfers->sched->loop;
    struct pl_http_spec spec = options->spec;
    int err;

    PL_ASSERT(transfer->transfers == NULL);
    *transfer = (struct pl_transfer){.most = options->most,
                                     .unsent = options->spec.length,
                                     .streams = options->streams};
    pl_timer_init(&transfer->limit, on_late);
    pl_buf_init(&transfer->in, pl_loop_pool(loop), NULL, 0);
    spec.jar = options->jar == NULL ? NULL : options->jar->jar;
    err = transfers->offer->begin(transfers->pool, &spec, transfer,
                                  &transfer->curl, &transfer->error);
    if (err < 0)
        return err;
    transfer->transfers = transfers;
    pl_list_push(&transfers->all, &transfer->node);
    transfer->jar = options->jar;
    if (transfer->jar != NULL)
        transfer->jar->holders++;
    transfer->owner = options->owner;
    if (transfer->owner != NULL)
        pl_task_defer(transfer->owner, &transfer->defer, on_owner_ends,
                      transfer);
    if (options->due != 0)
        pl_timer_start(pl_loop_wheel(loop), &transfer->limit, options->due);
    return 0;
}

void pl_transfer_feed(struct pl_transfer *transfer, struct pl_str bytes)
{
    if (transfer->transfers == NULL || transfer->over)
        return;
    PL_ASSERT(transfer->hungry);
    transfer->hungry = false;
    transfer->chunk = bytes;
    transfer->fed = bytes.len == 0;
    transfer->transfers->offer->resume(transfer->curl, !transfer->held, true);
}

void pl_transfer_take(struct pl_transfer *transfer, size_t n)
{
    pl_buf_consume(&transfer->in, n);
    if (!transfer->held || transfer->over || transfer->in.len > PL_TRANSFER_LOW)
        return;
    transfer->held = false;
    transfer->transfers->offer->resume(transfer->curl, true, !transfer->hungry);
}

void pl_transfer_info(const struct pl_transfer *transfer,
                      struct pl_http_info *info)
{
    transfer->transfers->offer->info(transfer->curl, info);
}

bool pl_transfer_header(const struct pl_transfer *transfer, void **at,
                        struct pl_str *name, struct pl_str *value)
{
    return transfer->transfers->offer->header(transfer->curl, at, name, value);
}

void pl_transfer_close(struct pl_transfer *transfer)
{
    struct pl_transfers *transfers = transfer->transfers;

    if (transfers == NULL)
        return;
    transfer->transfers = NULL;
    if (transfer->curl != NULL)
        transfers->offer->end(transfer->curl);
    transfer->curl = NULL;
    pl_timer_stop(pl_loop_wheel(transfers->sched->loop), &transfer->limit);
    pl_list_remove(&transfer->node);
    if (transfer->owner != NULL)
        pl_task_undefer(transfer->owner, &transfer->defer);
    transfer->owner = NULL;
    pl_jar_drop(transfer->jar);
    transfer->jar = NULL;
    pl_buf_fini(&transfer->in);
    wake(transfer);
}
