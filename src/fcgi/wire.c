/* wire.c - responses over FastCGI: struct pl_wire for a request.
 *
 * Head and small content are one record, formatted straight into the worker's
 * outbox, and the end of the request follows them there: one send. Large
 * content goes by way of output.c. */
#include "base/error.h"
#include "base/str.h"
#include "fcgi/head.h"
#include "fcgi/sendfile.h"
#include "fcgi/state.h"
#include "http/content.h"

/* Bodies up to this are sent with their head. */
enum { COPY_MAX = 16 * 1024 };

static struct pl_conn *conn_of(const struct pl_request *req)
{
    return ((const struct pl_fcgi_stream *)req->stream)->fcgi->conn;
}

/* ---- heads ---- */

/* While output is queued the head goes by way of the arena. */
static int queue_head(struct pl_fcgi_stream *stream, struct pl_request *req,
                      size_t bound)
{
    char *out = pl_arena_bytes(&req->arena, bound), *end;

    if (out == NULL)
        return PL_ERR_NOMEM;
    end = pl_fcgi_head_write(out, req);
    return pl_fcgi_say(stream, PL_FCGI_STDOUT,
                       pl_str(out, (size_t)(end - out)));
}

/* With a body of len bytes, if it can be had now; *more tells that it follows.
 */
static int send_head(struct pl_fcgi_stream *stream, struct pl_request *req,
                     size_t len, bool *more)
{
    struct pl_conn *conn = conn_of(req);
    size_t bound = pl_fcgi_head_bound(req);
    char *out = NULL, *end;

    *more = true;
    if (bound + len <= PL_FCGI_CONTENT_MAX - PL_FCGI_HEAD)
        out = pl_conn_reserve(conn, PL_FCGI_HEAD + bound + len);
    if (pl_conn_closed(conn))
        return PL_ERR_CLOSED;
    if (out == NULL)
        return queue_head(stream, req, bound);
    end = pl_fcgi_head_write(out + PL_FCGI_HEAD, req);
    if (len > 0) {
        struct pl_content_piece piece = pl_content_at(&req->response, 0);

        *more = pl_content_copy(req, &piece, end, len) < 0;
        end += *more ? 0 : len;
    }
    pl_fcgi_put_head(out, PL_FCGI_STDOUT, stream->id,
                     (size_t)(end - out) - PL_FCGI_HEAD);
    pl_conn_commit(conn, (size_t)(end - out));
    return 0;
}

/* The content waits for its turn. */
static int send_later(struct pl_fcgi_stream *stream, struct pl_request *req)
{
    stream->source = req;
    pl_request_hold(req);
    pl_fcgi_schedule(stream);
    pl_fcgi_pump(stream->fcgi);
    return req->wire == NULL ? PL_ERR_CLOSED : 0;
}

static int fcgi_send(struct pl_request *req)
{
    struct pl_fcgi_stream *stream = req->stream;
    struct pl_response *res = &req->response;
    const char *sendfile = conn_of(req)->listener->options->sendfile;
    bool body, small, more;
    int err;

    if (sendfile != NULL && res->content == PL_CONTENT_FILE)
        pl_fcgi_hand_over(req, sendfile);
    body = !res->bodyless && pl_content_is_whole(res) && res->length > 0;
    small = body && res->parts == NULL && res->length <= COPY_MAX;
    stream->answered = true;
    err = send_head(stream, req, small ? (size_t)res->length : 0, &more);
    if (req->wire == NULL)
        return PL_ERR_CLOSED;
    if (err < 0) { /* nothing of it has gone: others may go on */
        pl_fcgi_stream_detach(stream);
        pl_fcgi_stream_cut(stream);
        return err;
    }
    if (body && more)
        return send_later(stream, req);
    if (body)
        res->sent = (uint64_t)res->length;
    return 0;
}

/* ---- streams ---- */

static int fcgi_write(struct pl_request *req, struct pl_str bytes)
{
    return pl_fcgi_say(req->stream, PL_FCGI_STDOUT, bytes);
}

static void fcgi_abort(struct pl_request *req)
{
    struct pl_fcgi_stream *stream = req->stream;

    pl_fcgi_stream_detach(stream);
    pl_fcgi_stream_cut(stream);
}

static void fcgi_end(struct pl_request *req)
{
    struct pl_fcgi_stream *stream = req->stream;
    const struct pl_response *res = &req->response;
    bool whole = res->content != PL_CONTENT_STREAM || res->bodyless ||
                 res->length < 0 || res->sent == (uint64_t)res->length;

    pl_fcgi_stream_detach(stream);
    if (whole)
        pl_fcgi_stream_settle(stream, 0);
    else
        pl_fcgi_stream_cut(stream); /* the peer must notice */
}

static bool fcgi_congested(struct pl_request *req)
{
    return pl_conn_congested(conn_of(req));
}

static void fcgi_flush(struct pl_request *req)
{
    pl_conn_flush(conn_of(req));
}

/* ---- the request ---- */

/* What the peer has of a body it sends without being asked. */
static void fcgi_want_body(struct pl_request *req)
{
    pl_fcgi_resume(((struct pl_fcgi_stream *)req->stream)->fcgi);
}

static int fcgi_upgrade(struct pl_request *req,
                        const struct pl_protocol *protocol, void *state)
{
    return PL_ERR_UNSUPPORTED; /* CGI knows requests and answers */
}

/* A line on stderr. Left out rather than waited for: our own log has it. */
PL_COLD static void fcgi_complain(struct pl_request *req, struct pl_str text)
{
    struct pl_fcgi_stream *stream = req->stream;
    struct pl_conn *conn = conn_of(req);
    char head[PL_FCGI_HEAD];
    struct iovec pieces[] = {{head, sizeof(head)},
                             {(char *)text.data, PL_MIN(text.len, COPY_MAX)},
                             {(char *)"\n", 1}};

    if (text.len == 0 || pl_conn_congested(conn))
        return;
    stream->complains = true;
    pl_fcgi_put_head(head, PL_FCGI_STDERR, stream->id, pieces[1].iov_len + 1);
    (void)pl_conn_writev(conn, pieces, 3);
}

static bool fcgi_peer(struct pl_request *req, struct pl_addr *addr)
{
    return pl_fcgi_params_addr(req, PL_STR("REMOTE_ADDR"),
                               PL_STR("REMOTE_PORT"), addr);
}

static bool fcgi_local(struct pl_request *req, struct pl_addr *addr)
{
    return pl_fcgi_params_addr(req, PL_STR("SERVER_ADDR"),
                               PL_STR("SERVER_PORT"), addr);
}

static struct pl_conn *fcgi_conn(struct pl_request *req)
{
    return conn_of(req);
}

const struct pl_wire pl_fcgi_wire = {
    .name = "FastCGI",
    .send = fcgi_send,
    .write = fcgi_write,
    .end = fcgi_end,
    .abort = fcgi_abort,
    .congested = fcgi_congested,
    .flush = fcgi_flush,
    .want_body = fcgi_want_body,
    .upgrade = fcgi_upgrade,
    .complain = fcgi_complain,
    .peer = fcgi_peer,
    .local = fcgi_local,
    .conn = fcgi_conn,
};
