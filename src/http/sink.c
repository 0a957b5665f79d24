#include "http/sink.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "http/request.h"

struct pl_sink *pl_sink_new(struct pl_request *req,
                            const struct pl_temp_spec *spec)
{
    struct pl_sink *sink = pl_arena_alloc(&req->arena, sizeof(*sink));
    struct pl_temp *temp =
        sink == NULL ? NULL : pl_temp_new(req->http->sched, spec);

    if (temp == NULL)
        return NULL;
    *sink = (struct pl_sink){
        .next = req->sinks,
        .req = req,
        .temp = temp,
        .spool = spec->target == NULL,
        .number = req->sinks == NULL ? 1 : req->sinks->number + 1};
    pl_buf_init(&sink->out, req->arena.pool, &req->account, 0);
    req->sinks = sink;
    return sink;
}

struct pl_sink *pl_sink_find(struct pl_request *req, uint64_t number)
{
    struct pl_sink *sink = req->sinks;

    while (sink != NULL && sink->number != number)
        sink = sink->next;
    return sink;
}

int pl_sink_status(const struct pl_sink *sink)
{
    if (sink->busy)
        return PL_ERR_AGAIN;
    return sink->temp == NULL ? PL_ERR_STATE : sink->err;
}

uint64_t pl_sink_size(const struct pl_sink *sink)
{
    return sink->temp == NULL ? 0 : pl_temp_size(sink->temp);
}

/* ---- work ---- */

/* What goes wrong with a file that nobody asked for is the server's affair:
 * that a folder is not there does not make the request's 404. */
static int spool_error(const struct pl_request *req, int err)
{
    char id[PL_REQUEST_ID_LEN];

    pl_request_id(req, id);
    pl_log(PL_LOG_ERROR, "http", "a temporary file failed: %s request=%.16s",
           pl_err_text(err), id);
    return err == PL_ERR_NO_SPACE || err == PL_ERR_BUSY || err == PL_ERR_NOMEM
               ? err
               : PL_ERR_IO;
}

static void on_done(struct pl_temp_op *op, int result)
{
    struct pl_sink *sink = PL_CONTAINER_OF(op, struct pl_sink, op);
    struct pl_request *req = sink->req;

    sink->busy = false;
    sink->err = result < 0 && sink->spool ? spool_error(req, result) : result;
    req->body.busy = NULL;
    pl_body_wake(&req->body);
    pl_request_drop(req);
}

/* 0: it may begin to work now. */
static int begin(struct pl_sink *sink)
{
    int err = pl_sink_status(sink);

    if (err < 0)
        return err == PL_ERR_AGAIN ? PL_ERR_STATE : err;
    if (sink->req->body.busy != NULL)
        return PL_ERR_STATE;
    pl_buf_fini(&sink->out);
    return 0;
}

static void work(struct pl_sink *sink)
{
    sink->busy = true;
    sink->req->body.busy = sink;
    sink->op.done = on_done;
    pl_request_hold(sink->req);
}

int pl_sink_take(struct pl_sink *sink, size_t n)
{
    struct pl_str bytes;
    int err = begin(sink);

    if (err == 0)
        err = pl_body_take(sink->req, n, &sink->out, &bytes);
    if (err < 0)
        return err;
    work(sink);
    pl_temp_write(&sink->op, sink->temp, bytes);
    return PL_ERR_AGAIN;
}

int pl_sink_write(struct pl_sink *sink, struct pl_str bytes)
{
    int err = begin(sink);

    if (err == 0)
        err = pl_buf_add(&sink->out, bytes);
    if (err < 0)
        return err;
    work(sink);
    pl_temp_write(&sink->op, sink->temp, pl_buf_str(&sink->out));
    return PL_ERR_AGAIN;
}

int pl_sink_copy(struct pl_sink *sink, struct pl_sink *from)
{
    int err = pl_sink_status(from);

    if (err == 0)
        err = begin(sink);
    if (err < 0)
        return err;
    work(sink);
    pl_temp_copy(&sink->op, sink->temp, from->temp);
    return PL_ERR_AGAIN;
}

int pl_sink_read(struct pl_sink *sink, uint64_t at, char *to, size_t n)
{
    int err = begin(sink);

    if (err < 0)
        return err;
    work(sink);
    pl_temp_read(&sink->op, sink->temp, at, to, n);
    return PL_ERR_AGAIN;
}

int pl_sink_fetch(struct pl_sink *sink, uint64_t at, size_t n)
{
    int err = begin(sink);

    if (err == 0)
        err = pl_buf_reserve(&sink->out, n);
    if (err < 0)
        return err;
    sink->out.len = n;
    work(sink);
    pl_temp_read(&sink->op, sink->temp, at, sink->out.data, n);
    return PL_ERR_AGAIN;
}

int pl_sink_keep(struct pl_sink *sink)
{
    int err = begin(sink);

    if (err < 0 || sink->kept)
        return err;
    sink->kept = true;
    work(sink);
    pl_temp_keep(&sink->op, sink->temp);
    return PL_ERR_AGAIN;
}

/* ---- the end ---- */

void pl_sink_close(struct pl_sink *sink)
{
    if (sink->busy)
        return;
    pl_buf_fini(&sink->out);
    pl_temp_free(sink->temp);
    sink->temp = NULL;
}

void pl_sinks_end(struct pl_request *req)
{
    for (struct pl_sink *sink = req->sinks; sink != NULL; sink = sink->next) {
        PL_ASSERT(!sink->busy); /* it would hold the request */
        pl_sink_close(sink);
    }
}
