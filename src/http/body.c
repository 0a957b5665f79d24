#include "http/body.h"

#include "base/error.h"
#include "base/str.h"
#include "http/request.h"

static size_t waiting(const struct pl_body *body)
{
    return body->pending.len - body->at;
}

bool pl_body_full(const struct pl_body *body)
{
    return waiting(body) >= PL_BODY_HIGH;
}

/* Tells who waits that there is something to see. */
static void wake(struct pl_body *body)
{
    struct pl_body_op *waiter = body->waiter;

    if (waiter == NULL)
        return;
    body->waiter = NULL;
    pl_op_complete(&waiter->op, 0);
}

void pl_body_feed(struct pl_request *req, struct pl_str bytes)
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
    else if (pl_buf_add(&body->pending, bytes) < 0)
        body->err = body->pending.err;
    wake(body);
}

void pl_body_end(struct pl_request *req, int err)
{
    struct pl_body *body = &req->body;

    if (body->complete || body->err < 0)
        return;
    body->complete = err == 0;
    body->err = err;
    wake(body);
}

/* The reader has taken what was there: the wire may go on. */
static void made_room(struct pl_request *req)
{
    struct pl_body *body = &req->body;

    body->at = 0;
    body->pending.len = 0;
    if (!body->complete && body->err == 0 && req->wire != NULL)
        req->wire->want_body(req);
}

int pl_body_peek(struct pl_request *req, size_t n, struct pl_str *bytes)
{
    struct pl_body *body = &req->body;
    size_t part = PL_MIN(waiting(body), n);

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
    if (waiting(body) == 0)
        made_room(req);
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

static void on_cancel(struct pl_op *op)
{
    struct pl_body_op *wait = PL_CONTAINER_OF(op, struct pl_body_op, op);

    wait->req->body.waiter = NULL;
    pl_op_complete(op, PL_ERR_CANCELED);
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
    if (waiting(body) > 0 || body->complete || body->err < 0) {
        pl_op_complete(&wait->op, 0);
        return;
    }
    body->waiter = wait;
    if (req->wire != NULL)
        req->wire->want_body(req);
}

int pl_body_whole(struct pl_request *req)
{
    struct pl_body *body = &req->body;
    uint64_t limit = req->max_body;
    size_t have = waiting(body);

    if (limit != 0 && (body->whole.len + have > limit ||
                       (body->length >= 0 && (uint64_t)body->length > limit)))
        return body->err = PL_ERR_LIMIT;
    if (have > 0) {
        if (pl_buf_add(&body->whole,
                       pl_str(body->pending.data + body->at, have)) < 0)
            return body->whole.err;
        pl_body_skip(req, have);
    }
    if (body->err < 0)
        return body->err;
    return body->complete ? 0 : PL_ERR_AGAIN;
}

void pl_body_abandon(struct pl_request *req)
{
    struct pl_body_op *waiter = req->body.waiter;

    if (waiter == NULL)
        return;
    req->body.waiter = NULL;
    pl_op_complete(&waiter->op, PL_ERR_CLOSED);
}
