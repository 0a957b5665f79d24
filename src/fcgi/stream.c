/* stream.c - the requests of a FastCGI connection: found by their number,
 * begun, answered, aborted.
 *
 *     IN_PARAMS --end of params--> IN_BODY --end of stdin--> READ
 *         |                           |                       |
 *         +--- answered: END_REQUEST; what still comes is passed over ---
 *
 * Invariant: stream->req is set from the end of the params until the answer has
 * been handed over; stream->source while content of it waits. A stream with
 * neither, behind its params, is gone. */
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "fcgi/state.h"

struct pl_fcgi_stream *pl_fcgi_stream_find(struct pl_fcgi *fcgi, uint16_t id)
{
    struct pl_list *node;

    if (fcgi->recent != NULL && fcgi->recent->id == id)
        return fcgi->recent;
    PL_LIST_FOREACH (node, &fcgi->streams) {
        struct pl_fcgi_stream *stream =
            PL_LIST_ENTRY(node, struct pl_fcgi_stream, node);

        if (stream->id == id)
            return fcgi->recent = stream;
    }
    return NULL;
}

struct pl_fcgi_stream *pl_fcgi_stream_open(struct pl_fcgi *fcgi, uint16_t id,
                                           const struct pl_fcgi_begin *begin)
{
    struct pl_pool *pool = pl_conn_net(fcgi->conn)->pool;
    struct pl_fcgi_stream *stream;

    if (fcgi->nstreams >= PL_FCGI_STREAMS ||
        pl_account_charge(fcgi->account, sizeof(*stream)) < 0)
        return NULL;
    stream = pl_pool_get_zeroed(pool, sizeof(*stream));
    if (stream == NULL) {
        pl_account_release(fcgi->account, sizeof(*stream));
        return NULL;
    }
    stream->fcgi = fcgi;
    stream->id = id;
    stream->role = (uint8_t)begin->role;
    stream->keep = begin->flags & PL_FCGI_KEEP_CONN;
    stream->begun = pl_fcgi_now(fcgi);
    pl_buf_init(&stream->params, pool, fcgi->account, 0);
    pl_list_init(&stream->ready);
    pl_list_push(&fcgi->streams, &stream->node);
    fcgi->nstreams++;
    fcgi->recent = stream;
    return stream;
}

/* ---- begin ---- */

/* Its params have been dealt with. TAKES req; NULL: there is no memory. */
static bool adopt(struct pl_fcgi_stream *stream, struct pl_request *req)
{
    pl_buf_fini(&stream->params);
    stream->stage =
        stream->role == PL_FCGI_AUTHORIZER ? PL_FCGI_READ : PL_FCGI_IN_BODY;
    stream->looked = pl_fcgi_now(stream->fcgi);
    if (req == NULL) {
        pl_fcgi_stream_settle(stream, 1);
        return false;
    }
    stream->req = req;
    req->wire = &pl_fcgi_wire;
    req->stream = stream;
    return true;
}

static void refuse(struct pl_request *req, int status, const char *why)
{
    pl_log(PL_LOG_INFO, "fcgi", "refused: %s status=%d", why, status);
    pl_request_refuse(req, status, why);
}

void pl_fcgi_stream_refuse(struct pl_fcgi_stream *stream, int status,
                           const char *why)
{
    struct pl_request *req = pl_fcgi_params_none(pl_fcgi_http(stream->fcgi));

    if (adopt(stream, req))
        refuse(req, status, why);
}

void pl_fcgi_stream_begin(struct pl_fcgi_stream *stream, struct pl_str params)
{
    struct pl_fcgi_refusal refusal = {431, "there are too many params"};
    struct pl_fcgi *fcgi = stream->fcgi;
    struct pl_request *req =
        stream->large
            ? pl_fcgi_params_none(pl_fcgi_http(fcgi))
            : pl_fcgi_params_request(pl_fcgi_http(fcgi), params,
                                     (enum pl_fcgi_role)stream->role, &refusal);

    if (!adopt(stream, req))
        return;
    if (refusal.status != 0)
        refuse(req, refusal.status, refusal.why);
    else
        fcgi->starting = stream;
}

/* ---- end ---- */

static void forget(struct pl_fcgi_stream *stream)
{
    struct pl_fcgi *fcgi = stream->fcgi;
    struct pl_request *source = stream->source;

    if (fcgi->recent == stream)
        fcgi->recent = NULL;
    if (fcgi->starting == stream)
        fcgi->starting = NULL;
    fcgi->nstreams--;
    fcgi->served = true;
    fcgi->last = fcgi->last || !stream->keep;
    fcgi->unread = fcgi->unread || stream->stage != PL_FCGI_READ;
    pl_list_remove(&stream->node);
    pl_list_remove(&stream->ready);
    pl_buf_fini(&stream->params);
    pl_account_release(fcgi->account, sizeof(*stream));
    pl_pool_put(pl_conn_net(fcgi->conn)->pool, stream, sizeof(*stream));
    pl_fcgi_resume(fcgi);
    if (source != NULL)
        pl_request_drop(source);
}

void pl_fcgi_stream_lose(struct pl_fcgi_stream *stream, int why)
{
    struct pl_request *req = stream->req;

    forget(stream);
    if (req != NULL)
        pl_request_lost(req, why);
}

void pl_fcgi_stream_detach(struct pl_fcgi_stream *stream)
{
    struct pl_request *req = stream->req;

    stream->req = NULL;
    req->wire = NULL;
    req->stream = NULL;
    if (!req->body.complete)
        pl_body_end(req, PL_ERR_CLOSED);
    pl_request_drop(req);
    pl_fcgi_resume(stream->fcgi);
}

/* Each stream that has said something is ended by an empty record (3.3). */
static char *put_ends(char *out, const struct pl_fcgi_stream *stream,
                      uint32_t app_status)
{
    if (stream->complains)
        out = pl_fcgi_put_head(out, PL_FCGI_STDERR, stream->id, 0);
    if (stream->answered)
        out = pl_fcgi_put_head(out, PL_FCGI_STDOUT, stream->id, 0);
    return pl_fcgi_put_end(out, stream->id, app_status,
                           PL_FCGI_REQUEST_COMPLETE);
}

void pl_fcgi_stream_settle(struct pl_fcgi_stream *stream, uint32_t app_status)
{
    struct pl_fcgi *fcgi = stream->fcgi;
    char out[PL_FCGI_END_MAX], *end;

    if (stream->req != NULL || stream->source != NULL)
        return;
    end = put_ends(out, stream, app_status);
    forget(stream);
    if (pl_fcgi_say_records(fcgi, out, end) == 0)
        pl_fcgi_settle(fcgi);
}

void pl_fcgi_stream_abort(struct pl_fcgi_stream *stream)
{
    struct pl_fcgi *fcgi = stream->fcgi;
    char out[PL_FCGI_END_MAX], *end = put_ends(out, stream, 1);

    pl_fcgi_stream_lose(stream, PL_ERR_CLOSED);
    if (pl_fcgi_say_records(fcgi, out, end) == 0)
        pl_fcgi_settle(fcgi);
}

void pl_fcgi_stream_cut(struct pl_fcgi_stream *stream)
{
    struct pl_fcgi *fcgi = stream->fcgi;

    if (fcgi->nstreams > 1) {
        pl_fcgi_stream_abort(stream);
        return;
    }
    forget(stream);
    pl_conn_finish(fcgi->conn, fcgi->unread);
}
