/* ws_stream.c - WebSocket over a stream of HTTP/2 (RFC 8441), after an extended
 * CONNECT: the request's body is what the peer says, the response's what we do.
 *
 * The request stays as long as the socket, whoever answers it: its handler may
 * be over, and detaching it wakes who waits for the body, which changes
 * nothing. The link goes when the stream has ended and no operation is left. */
#include "base/error.h"
#include "base/str.h"
#include "http/request.h"
#include "http/ws_handshake.h"

struct pl_ws_stream {
    struct pl_request *req; /* held */
    struct pl_ws *ws;       /* NULL: gone */
    struct pl_body_op body;
    struct pl_drain_op drain;
    struct pl_timer timer;
    bool reading, draining; /* the operations that are under way */
    bool paused;
    bool passed; /* the others first: goes on in the next turn */
};

static void drop_link(struct pl_ws_stream *link)
{
    struct pl_request *req = link->req;

    if (link->ws != NULL || link->reading || link->draining)
        return;
    pl_pool_put(req->http->net->pool, link, sizeof(*link));
    pl_request_drop(req);
}

/* The stream has ended, or is about to: nothing more comes of it. */
static void lose(struct pl_ws_stream *link, int why)
{
    struct pl_ws *ws = link->ws;

    if (ws == NULL)
        return;
    link->ws = NULL;
    link->req->ws_stream = NULL;
    pl_timer_stop(pl_loop_wheel(link->req->http->net->loop), &link->timer);
    pl_body_abandon(link->req);
    pl_response_drained(&link->req->response, PL_ERR_CLOSED);
    pl_ws_gone(ws, why);
    drop_link(link);
}

/* ---- input ---- */

static void read_more(struct pl_ws_stream *link);

/* Shows what is there. Returns 0 when that must be waited for, or why there
 * will be nothing more. */
static int show(struct pl_ws_stream *link)
{
    struct pl_request *req = link->req;
    struct pl_str bytes;
    size_t used;
    int err = 0;

    req->body.least = 1;
    link->passed = false;
    while (!link->paused && !link->passed && link->ws != NULL) {
        err = pl_body_peek(req, SIZE_MAX, &bytes);
        if (err < 0 || bytes.len == 0)
            break;
        used = pl_ws_input(link->ws, bytes);
        pl_body_skip(req, used);
        if (used == 0 && !link->paused &&
            !link->passed) { /* a head is not whole yet */
            req->body.least = bytes.len + 1;
            return req->body.complete ? PL_ERR_CLOSED : req->body.err;
        }
    }
    if (link->paused || link->passed || err == PL_ERR_AGAIN)
        return 0;
    return err < 0 ? err : PL_ERR_CLOSED;
}

static void on_body(struct pl_op *op)
{
    struct pl_ws_stream *link =
        PL_CONTAINER_OF(op, struct pl_ws_stream, body.op);
    int err = op->result == PL_ERR_STATE ? op->result : 0;

    if (link->ws != NULL && err == 0)
        err = show(link);
    if (link->ws != NULL && err < 0)
        pl_ws_eof(link->ws);
    link->reading = false;
    if (link->ws != NULL && !link->paused)
        read_more(link);
    else
        drop_link(link);
}

static void read_more(struct pl_ws_stream *link)
{
    if (link->reading)
        return;
    link->reading = true;
    pl_body_wait_begin(&link->body, link->req);
    pl_op_then(&link->body.op, on_body);
}

static void stream_pause(void *arg)
{
    ((struct pl_ws_stream *)arg)->paused = true;
}

/* Not at once: who resumes is in the middle of something. */
static void stream_resume(void *arg)
{
    struct pl_ws_stream *link = arg;

    link->paused = false;
    read_more(link);
}

static void stream_pass(void *arg)
{
    ((struct pl_ws_stream *)arg)->passed = true;
}

/* ---- output ---- */

static void on_drained(struct pl_op *op)
{
    struct pl_ws_stream *link =
        PL_CONTAINER_OF(op, struct pl_ws_stream, drain.op);

    if (link->ws != NULL)
        pl_ws_drained(link->ws);
    link->draining = false;
    drop_link(link);
}

static bool stream_congested(void *arg)
{
    struct pl_ws_stream *link = arg;
    struct pl_request *req = link->req;

    if (req->wire == NULL || !req->wire->congested(req))
        return false;
    if (!link->draining) {
        link->draining = true;
        pl_response_drain_begin(&link->drain, &req->response);
        pl_op_then(&link->drain.op, on_drained);
    }
    return true;
}

static int put(struct pl_ws_stream *link, struct pl_str bytes)
{
    struct pl_request *req = link->req;
    int err;

    if (req->wire == NULL)
        return PL_ERR_CLOSED;
    err = req->wire->write(req, bytes);
    if (err == 0)
        req->response.sent += bytes.len;
    return err;
}

/* A head and a short message are one piece for the wire. A part that went and a
 * rest that did not would break the frames: the stream ends. */
static int stream_write(void *arg, const struct iovec *pieces, int n)
{
    struct pl_ws_stream *link = arg;
    char joined[1024];
    size_t len = 0;
    int err = 0;

    for (int i = 0; i < n; i++)
        len += pieces[i].iov_len;
    if (len <= sizeof(joined)) {
        char *at = joined;

        for (int i = 0; i < n; i++)
            at = mempcpy(at, pieces[i].iov_base, pieces[i].iov_len);
        return put(link, pl_str(joined, len));
    }
    for (int i = 0; i < n && err == 0; i++) {
        err = put(link, pl_str(pieces[i].iov_base, pieces[i].iov_len));
        if (err < 0 && i > 0 && link->req->wire != NULL)
            link->req->wire->abort(link->req);
    }
    return err;
}

static int stream_write_ref(void *arg, struct pl_str bytes,
                            void (*release)(void *arg), void *release_arg)
{
    struct pl_request *req = ((struct pl_ws_stream *)arg)->req;
    int err;

    if (req->wire == NULL) {
        release(release_arg);
        return PL_ERR_CLOSED;
    }
    err = req->wire->write_ref(req, bytes, release, release_arg);
    if (err == 0)
        req->response.sent += bytes.len;
    return err;
}

/* ---- the end ---- */

static void stream_finish(void *arg)
{
    struct pl_ws_stream *link = arg;
    struct pl_request *req = link->req;

    if (req->wire != NULL)
        req->wire->end(req);
    lose(link, 0);
}

static void stream_close(void *arg, int why)
{
    struct pl_ws_stream *link = arg;
    struct pl_request *req = link->req;

    if (req->wire != NULL)
        req->wire->abort(req);
    lose(link, why);
}

static void stream_deadline(void *arg, uint32_t ms)
{
    struct pl_ws_stream *link = arg;
    struct pl_loop *loop = link->req->http->net->loop;

    pl_timer_start(pl_loop_wheel(loop), &link->timer,
                   pl_now(loop) + (uint64_t)ms * 1000000);
}

static void on_timer(struct pl_timer *timer)
{
    pl_ws_tick(PL_CONTAINER_OF(timer, struct pl_ws_stream, timer)->ws);
}

static bool stream_peer(void *arg, struct pl_addr *addr)
{
    struct pl_request *req = ((struct pl_ws_stream *)arg)->req;

    return req->wire != NULL && req->wire->peer(req, addr);
}

static void stream_renew(void *arg)
{
    pl_request_renew(((struct pl_ws_stream *)arg)->req);
}

static const struct pl_ws_transport transport = {
    .write = stream_write,
    .write_ref = stream_write_ref,
    .congested = stream_congested,
    .pause = stream_pause,
    .resume = stream_resume,
    .pass = stream_pass,
    .deadline = stream_deadline,
    .finish = stream_finish,
    .close = stream_close,
    .peer = stream_peer,
    .renew = stream_renew,
};

void pl_ws_stream_drain(struct pl_request *req)
{
    pl_ws_drain(req->ws_stream->ws);
}

void pl_ws_stream_lost(struct pl_request *req, int why)
{
    lose(req->ws_stream, why);
}

int pl_ws_over_stream(struct pl_request *req,
                      const struct pl_ws_settings *settings, struct pl_ws **out)
{
    struct pl_pool *pool = req->http->net->pool;
    struct pl_ws_stream *link = pl_pool_get_zeroed(pool, sizeof(*link));
    struct pl_ws *ws;
    int err;

    if (link == NULL)
        return PL_ERR_NOMEM;
    ws = pl_ws_new(req->http, &transport, link, settings);
    if (ws == NULL) {
        pl_pool_put(pool, link, sizeof(*link));
        return PL_ERR_NOMEM;
    }
    link->req = req;
    link->ws = ws;
    pl_timer_init(&link->timer, on_timer);
    pl_request_hold(req);
    pl_body_limit(req, 0);
    req->ws_stream = link;
    link->reading = true; /* it stays, whatever sending finds out */
    err = pl_response_push(&req->response, PL_STR("")); /* 200 */
    link->reading = false;
    if (err < 0 && err != PL_ERR_AGAIN) {
        if (link->ws != NULL)
            lose(link, err);
        else
            drop_link(link);
        pl_ws_release(ws, 0);
        return err;
    }
    stream_deadline(link, req->http->ws_tick);
    read_more(link);
    *out = ws;
    return 0;
}
