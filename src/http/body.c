#include "http/body.h"

#include "base/error.h"
#include "base/features.h"
#include "base/str.h"
#include "http/coder.h"
#include "http/request.h"
#include "http/sink.h"

static size_t waiting(const struct pl_body *body)
{
    return body->pending.len - body->at;
}

struct pl_str pl_body_waiting(const struct pl_body *body)
{
    return waiting(body) == 0
               ? PL_STR("")
               : pl_str(body->pending.data + body->at, waiting(body));
}

bool pl_body_full(const struct pl_body *body)
{
    return waiting(body) >= body->high;
}

/* ---- waiting ---- */

static bool is_ready(const struct pl_body *body)
{
    return body->busy == NULL &&
           (body->complete || body->err < 0 || waiting(body) >= body->least);
}

/* Tells who waits that there is something to see. */
void pl_body_wake(struct pl_body *body)
{
    struct pl_body_op *waiter = body->waiter;

    if (waiter == NULL || !is_ready(body))
        return;
    body->waiter = NULL;
    pl_op_complete(&waiter->op, 0);
}

static void on_cancel(struct pl_op *op)
{
    struct pl_body_op *wait = PL_CONTAINER_OF(op, struct pl_body_op, op);

    wait->req->body.waiter = NULL;
    pl_op_complete(op, PL_ERR_CANCELED);
}

/* The wire may go on, if there is room and it is not at the end. */
static void want_more(struct pl_request *req)
{
    const struct pl_body *body = &req->body;

    if (PL_WITH_COMPRESS && body->decoder != NULL)
        body->decoder->room(body->decoder, req);
    if (!body->complete && body->err == 0 && !pl_body_full(body) &&
        req->wire != NULL)
        req->wire->want_body(req);
}

void pl_body_wait_begin(struct pl_body_op *wait, struct pl_request *req)
{
    struct pl_body *body = &req->body;

    wait->req = req;
    pl_op_init(&wait->op, req->http->sched, on_cancel);
    pl_op_begin(&wait->op);
    if (body->waiter != NULL) {
        pl_op_complete(&wait->op, PL_ERR_STATE);
        return;
    }
    if (is_ready(body)) {
        pl_op_complete(&wait->op, 0);
        return;
    }
    body->waiter = wait;
    want_more(req);
}

void pl_body_abandon(struct pl_request *req)
{
    struct pl_body_op *waiter = req->body.waiter;

    if (waiter == NULL)
        return;
    req->body.waiter = NULL;
    pl_op_complete(&waiter->op, PL_ERR_CLOSED);
}

/* ---- for wires ---- */

void pl_body_add(struct pl_request *req, struct pl_str bytes)
{
    struct pl_body *body = &req->body;

    if (body->complete || body->err < 0 || bytes.len == 0)
        return;
    /* What a reader has taken is dropped when it is most of the buffer. */
    if (body->at > 0 && body->at >= waiting(body)) {
        pl_buf_consume(&body->pending, body->at);
        body->at = 0;
    }
    body->received += bytes.len;
    if (body->limit != 0 && body->received > body->limit)
        body->err = PL_ERR_LIMIT;
    else if (body->use != PL_BODY_DISCARD &&
             pl_buf_add(&body->pending, bytes) < 0)
        body->err = body->pending.err;
    pl_body_wake(body);
}

void pl_body_finish(struct pl_request *req, int err)
{
    struct pl_body *body = &req->body;

    if (body->complete || body->err < 0)
        return;
    body->complete = err == 0;
    body->err = err;
    pl_body_wake(body);
}

void pl_body_feed(struct pl_request *req, struct pl_str bytes)
{
    struct pl_decoder *decoder = req->body.decoder;

    if (PL_WITH_COMPRESS && PL_UNLIKELY(decoder != NULL))
        decoder->feed(decoder, req, bytes);
    else
        pl_body_add(req, bytes);
}

void pl_body_end(struct pl_request *req, int err)
{
    struct pl_decoder *decoder = req->body.decoder;

    if (PL_WITH_COMPRESS && PL_UNLIKELY(decoder != NULL))
        decoder->end(decoder, req, err);
    else
        pl_body_finish(req, err);
}

/* ---- piece by piece ---- */

int pl_body_peek(struct pl_request *req, size_t n, struct pl_str *bytes)
{
    struct pl_body *body = &req->body;
    size_t part = body->use == PL_BODY_READ ? PL_MIN(waiting(body), n) : 0;

    *bytes = pl_str("", 0);
    if (part > 0) {
        *bytes = pl_str(body->pending.data + body->at, part);
        return 0;
    }
    if (body->err < 0)
        return body->err;
    return body->complete || n == 0 ? 0 : PL_ERR_AGAIN;
}

void pl_body_skip(struct pl_request *req, size_t n)
{
    struct pl_body *body = &req->body;

    if (n == 0)
        return;
    body->at += n;
    if (waiting(body) > 0)
        return;
    body->at = 0;
    body->pending.len = 0;
    want_more(req);
}

ssize_t pl_body_read(struct pl_request *req, char *to, size_t n)
{
    struct pl_str bytes;
    int err = pl_body_peek(req, n, &bytes);

    if (err < 0)
        return err;
    if (bytes.len > 0)
        memcpy(to, bytes.data, bytes.len);
    pl_body_skip(req, bytes.len);
    return (ssize_t)bytes.len;
}

/* ---- in other ways ---- */

int pl_body_use(struct pl_request *req, enum pl_body_use use)
{
    struct pl_body *body = &req->body;

    if (body->use != PL_BODY_READ && body->use != use)
        return PL_ERR_STATE;
    body->use = (uint8_t)use;
    return 0;
}

int pl_body_limit(struct pl_request *req, uint64_t max)
{
    struct pl_body *body = &req->body;
    uint64_t taken = body->received - waiting(body);

    if (max == 0 || body->err < 0)
        return body->err;
    if (body->limit == 0 || body->limit > taken + max)
        body->limit = taken + max;
    if (body->received > body->limit ||
        (body->length >= 0 && (uint64_t)body->length > body->limit))
        body->err = PL_ERR_LIMIT;
    return body->err;
}

int pl_body_need_more(struct pl_body *body)
{
    if (body->err < 0)
        return body->err;
    if (body->complete)
        return PL_ERR_EOF;
    body->least = waiting(body) + 1;
    return PL_ERR_AGAIN;
}

/* Gives the buffer away and begins a new one with what lies behind the n bytes.
 */
static int give_buffer(struct pl_body *body, size_t n, struct pl_buf *out)
{
    struct pl_buf rest;

    pl_buf_init(&rest, body->pending.pool, body->pending.account, 0);
    if (pl_buf_add(&rest, pl_str_skip(pl_body_waiting(body), n)) < 0)
        return rest.err;
    *out = body->pending;
    body->pending = rest;
    body->at = 0;
    return 0;
}

int pl_body_take(struct pl_request *req, size_t n, struct pl_buf *out,
                 struct pl_str *bytes)
{
    struct pl_body *body = &req->body;
    size_t at = body->at;
    int err;

    if (waiting(body) - n <= n) {
        err = give_buffer(body, n, out);
        if (err < 0)
            return err;
        *bytes = pl_str(out->data + at, n);
        want_more(req);
        return 0;
    }
    err = pl_buf_add(out, pl_str_first(pl_body_waiting(body), n));
    *bytes = pl_buf_str(out);
    if (err == 0)
        pl_body_skip(req, n);
    return err;
}

int pl_body_discard(struct pl_request *req)
{
    struct pl_body *body = &req->body;
    int err = pl_body_use(req, PL_BODY_DISCARD);

    if (err < 0)
        return err;
    body->least = SIZE_MAX;
    pl_body_skip(req, waiting(body));
    if (body->err < 0)
        return body->err;
    return body->complete ? 0 : PL_ERR_AGAIN;
}

int pl_body_save(struct pl_request *req, struct pl_sink *sink)
{
    struct pl_body *body = &req->body;
    int err = pl_body_use(req, PL_BODY_SAVE);

    body->least = body->high;
    if (err == 0)
        err = pl_sink_status(sink);
    if (err < 0)
        return err;
    if (body->err < 0)
        return body->err;
    if (waiting(body) >= body->least || (body->complete && waiting(body) > 0))
        return pl_sink_take(sink, waiting(body));
    if (!body->complete)
        return PL_ERR_AGAIN;
    return pl_sink_keep(sink);
}

/* ---- as a whole ---- */

/* Without threads for it everything stays in memory. */
static uint64_t spool_limit(const struct pl_request *req)
{
    return req->http->sched->offload == NULL ? 0 : req->limits->spool;
}

/* Room for all that was announced, so that nothing is copied when it grows. It
 * is within the limits, and pages that nobody fills cost nothing. */
static int reserve_whole(struct pl_body *body, uint64_t spool)
{
    uint64_t length = body->length < 0 ? 0 : (uint64_t)body->length;

    if (length <= body->received || (spool != 0 && length > spool))
        return 0;
    return pl_buf_reserve(&body->pending, (size_t)(length - body->received));
}

static int begin_whole(struct pl_request *req)
{
    struct pl_body *body = &req->body;
    uint64_t spool = spool_limit(req);
    int err;

    if (body->use == PL_BODY_WHOLE)
        return body->err;
    if (pl_body_use(req, PL_BODY_WHOLE) < 0)
        return PL_ERR_STATE;
    body->high = spool == 0 ? SIZE_MAX : (size_t)spool + 1;
    body->least = body->high;
    err = pl_body_limit(req, req->limits->max_body);
    /* Without a limit only what comes is believed. */
    return err < 0 || req->limits->max_body == 0 ? err
                                                 : reserve_whole(body, spool);
}

/* The first part is as large as what may stay in memory; others follow when
 * their buffer is full. */
static int spool(struct pl_request *req)
{
    struct pl_body *body = &req->body;

    if (body->spool == NULL) {
        body->spool = pl_sink_new(
            req, &(struct pl_temp_spec){.folder = req->settings->temp_folder});
        if (body->spool == NULL)
            return PL_ERR_NOMEM;
        body->high = body->least = PL_BODY_HIGH;
    }
    return pl_sink_take(body->spool, waiting(body));
}

static bool must_spool(const struct pl_body *body)
{
    return waiting(body) >= body->high ||
           (body->spool != NULL && body->complete && waiting(body) > 0);
}

/* Back from the file into memory. */
PL_COLD static int load(struct pl_request *req)
{
    struct pl_body *body = &req->body;
    size_t size = (size_t)pl_sink_size(body->spool);

    if (body->loading) {
        body->loading = false;
        body->pending.len = size;
        pl_sink_close(body->spool);
        body->spool = NULL;
        return 0;
    }
    if (pl_buf_reserve(&body->pending, size) < 0)
        return body->pending.err;
    body->loading = true;
    return pl_sink_read(body->spool, 0, body->pending.data, size);
}

int pl_body_whole(struct pl_request *req)
{
    struct pl_body *body = &req->body;
    int err = begin_whole(req);

    if (err == 0 && body->spool != NULL)
        err = pl_sink_status(body->spool);
    if (err < 0)
        return err;
    if (body->loading)
        return load(req);
    if (must_spool(body))
        return spool(req);
    if (!body->complete)
        return PL_ERR_AGAIN;
    if (body->spool != NULL)
        return load(req);
    body->high = SIZE_MAX; /* it is there, and stays so */
    return 0;
}

struct pl_str pl_body_text(const struct pl_request *req)
{
    return pl_body_waiting(&req->body);
}
