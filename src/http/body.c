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

ssize_t pl_body_read(struct pl_request *req, char *to, size_t n)
{
    struct pl_body *body = &req->body;
    size_t part = PL_MIN(waiting(body), n);

    if (part > 0) {
        memcpy(to, body->pending.data + body->at, part);
        body->at += part;
        if (waiting(body) == 0)
            made_room(req);
        return (ssize_t)part;
    }
    if (body->err < 0)
        return body->err;
    return body->complete || n == 0 ? 0 : PL_ERR_AGAIN;
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
    body->wanted = true;
    if (req->wire != NULL)
        req->wire->want_body(req);
}

int pl_body_collect(struct pl_request *req, struct pl_buf *out, uint64_t limit)
{
    struct pl_body *body = &req->body;
    size_t have = waiting(body);

    if (limit != 0 && (out->len + have > limit ||
                       (body->length >= 0 && (uint64_t)body->length > limit)))
        return PL_ERR_LIMIT;
    if (have > 0) {
        if (pl_buf_add(out, pl_str(body->pending.data + body->at, have)) < 0)
            return out->err;
        body->at = body->pending.len;
        made_room(req);
    }
    if (body->err < 0)
        return body->err;
    return body->complete ? 0 : PL_ERR_AGAIN;
}
