/* h2_wire.c - responses over HTTP/2: struct pl_wire for a stream.
 *
 * A head is encoded straight into the worker's outbox, and a small body behind
 * it, so that the answers of one burst leave in one write. What does not fit,
 * or has no window yet, waits and goes by way of h2_output.c. */
#include "http/h2_state.h"

#include "base/error.h"
#include "base/str.h"
#include "http/content.h"
#include "http/h2_write.h"
#include "http/trailer.h"

enum { USUAL = 24 }; /* fields that need no memory of their own */

static struct pl_conn *conn_of(const struct pl_request *req)
{
    return ((const struct pl_h2_stream *)req->stream)->h2->conn;
}

/* ---- heads ---- */

/* A small body behind its head, both of which are in room: commits them. */
static void put_body(struct pl_h2_stream *stream, struct pl_request *req,
                     char *room, size_t head, size_t len, bool *more)
{
    struct pl_content_piece piece = pl_content_at(&req->response, 0);
    char *at = room + head;

    *more = pl_content_copy(req, &piece, at + PL_H2_FRAME_HEAD, len) < 0;
    if (*more) { /* waits for the disk, or has become shorter */
        pl_conn_commit(stream->h2->conn, head);
        return;
    }
    pl_h2_put_head(at, len, PL_H2_DATA, PL_H2_END_STREAM, stream->id);
    pl_conn_commit(stream->h2->conn, head + PL_H2_FRAME_HEAD + len);
    pl_h2_spend(stream, len);
    req->response.sent = len;
}

/* Sends the fields, and with them a body of len bytes if there is one and it
 * fits; *more tells that it did not. */
static int send_fields(struct pl_h2_stream *stream, struct pl_request *req,
                       const struct pl_h2_field *fields, unsigned n, size_t len,
                       bool *more)
{
    struct pl_conn *conn = stream->h2->conn;
    unsigned flags = stream->done && len == 0 ? PL_H2_END_STREAM : 0;
    size_t bound = pl_h2_hpack_bound(fields, n);
    char *room = NULL;
    ssize_t got;

    *more = len > 0;
    if (bound <= PL_H2_FRAME_MAX)
        room = pl_conn_reserve(conn, 2 * PL_H2_FRAME_HEAD + bound + len);
    if (pl_conn_closed(conn))
        return PL_ERR_CLOSED;
    if (room == NULL)
        return pl_h2_block_send(stream, req, fields, n, flags);
    got = pl_h2_hpack_write(stream->h2->hpack, fields, n,
                            room + PL_H2_FRAME_HEAD, bound);
    if (got < 0)
        return (int)got;
    pl_h2_put_head(room, (size_t)got, PL_H2_HEADERS, flags | PL_H2_END_HEADERS,
                   stream->id);
    if (len > 0)
        put_body(stream, req, room, PL_H2_FRAME_HEAD + (size_t)got, len, more);
    else
        pl_conn_commit(conn, PL_H2_FRAME_HEAD + (size_t)got);
    return 0;
}

/* The bytes of a body that may go right behind its head: all of it or none. */
static size_t at_once(const struct pl_h2_stream *stream,
                      const struct pl_response *res)
{
    return res->parts == NULL && (uint64_t)res->length <= pl_h2_room(stream)
               ? (size_t)res->length
               : 0;
}

static int send_head(struct pl_h2_stream *stream, struct pl_request *req,
                     size_t len, bool *more)
{
    unsigned bound = pl_h2_fields_bound(req);
    struct pl_h2_field usual[USUAL], *fields = usual;
    struct pl_h2_texts texts;
    int n;

    if (bound > USUAL)
        fields = pl_arena_alloc(&req->arena, bound * sizeof(*fields));
    if (fields == NULL)
        return PL_ERR_NOMEM;
    n = pl_h2_fields(req, fields, &texts);
    return n < 0 ? n : send_fields(stream, req, fields, (unsigned)n, len, more);
}

/* What lies in memory for this answer alone: files do not, and what they have
 * left in a cache is shared. */
static uint64_t own_bytes(const struct pl_response *res)
{
    return res->content == PL_CONTENT_BYTES && res->ready == NULL
               ? (uint64_t)res->length
               : 0;
}

/* The content waits for its turn, or for windows. */
static int send_later(struct pl_h2_stream *stream, struct pl_request *req)
{
    if (!pl_h2_content_hold(stream, own_bytes(&req->response))) {
        pl_h2_stream_refuse(stream, PL_H2_ENHANCE_YOUR_CALM);
        return PL_ERR_CLOSED;
    }
    stream->source = req;
    pl_request_hold(req);
    pl_h2_schedule(stream);
    return pl_h2_pump(stream->h2);
}

static int h2_send(struct pl_request *req)
{
    struct pl_h2_stream *stream = req->stream;
    struct pl_h2 *h2 = stream->h2;
    struct pl_response *res = &req->response;
    bool body = !res->bodyless && pl_content_is_whole(res) && res->length > 0;
    size_t len = body ? at_once(stream, res) : 0;
    bool more;
    int err;

    stream->streaming = res->content == PL_CONTENT_STREAM && !res->bodyless;
    stream->done = !body && !stream->streaming;
    err = send_head(stream, req, len, &more);
    if (req->wire == NULL)
        return PL_ERR_CLOSED;
    if (err < 0) { /* whatever follows could not be understood */
        pl_conn_close(h2->conn, err);
        return err;
    }
    if (body && (more || len == 0))
        return send_later(stream, req);
    stream->done = !stream->streaming;
    return 0;
}

/* ---- streams ---- */

/* As much of bytes as may go now, past what waits for nothing. Gives the rest.
 */
static int send_now(struct pl_h2_stream *stream, struct pl_str *bytes)
{
    struct pl_h2 *h2 = stream->h2;

    while (bytes->len > 0 && !pl_conn_congested(h2->conn)) {
        size_t len = PL_MIN(pl_h2_room(stream), bytes->len);
        char head[PL_H2_FRAME_HEAD];
        struct iovec pieces[2] = {{head, sizeof(head)},
                                  {(char *)bytes->data, len}};
        int err;

        if (len == 0)
            break;
        pl_h2_put_head(head, len, PL_H2_DATA, 0, stream->id);
        err = pl_conn_writev(h2->conn, pieces, 2);
        if (err < 0)
            return err;
        pl_h2_spend(stream, len);
        *bytes = pl_str_skip(*bytes, len);
    }
    return 0;
}

/* Bytes that wait. */
static int keep(struct pl_h2_stream *stream, struct pl_str bytes)
{
    struct pl_buf *out = &stream->out;

    if (stream->shared > 0)
        return pl_h2_shared_copy(stream, bytes);
    if (stream->at > 0 && stream->at >= out->len - stream->at) {
        pl_buf_consume(out, (size_t)stream->at);
        stream->at = 0;
    }
    return pl_buf_add(out, bytes);
}

static int h2_write(struct pl_request *req, struct pl_str bytes)
{
    struct pl_h2_stream *stream = req->stream;
    size_t len = bytes.len;
    int err = 0;

    if (pl_h2_waiting(stream) == 0)
        err = send_now(stream, &bytes);
    if (req->wire == NULL)
        return PL_ERR_CLOSED;
    if (err < 0 || bytes.len == 0)
        return err;
    err = keep(stream, bytes);
    if (err < 0 && bytes.len == len)
        return err;
    if (err < 0) { /* a part has gone: the rest cannot be left out */
        pl_h2_stream_reset(stream, PL_H2_INTERNAL_ERROR);
        return PL_ERR_CLOSED;
    }
    pl_h2_schedule(stream);
    return 0;
}

/* The request leaves its stream, which goes on for as long as it has content.
 */
static void detach(struct pl_h2_stream *stream, struct pl_request *req)
{
    stream->req = NULL;
    req->wire = NULL;
    req->stream = NULL;
    if (stream->body)
        pl_body_end(req, PL_ERR_CLOSED);
    pl_request_drop(req);
}

static void h2_abort(struct pl_request *req)
{
    struct pl_h2_stream *stream = req->stream;

    detach(stream, req);
    pl_h2_stream_reset(stream, PL_H2_INTERNAL_ERROR);
}

static bool has_trailers(const struct pl_response *res)
{
    return res->trailers != NULL && res->trailers->n > 0;
}

static void h2_end(struct pl_request *req)
{
    struct pl_h2_stream *stream = req->stream;
    struct pl_response *res = &req->response;

    if (stream->streaming) {
        if (res->length >= 0 && res->sent != (uint64_t)res->length) {
            h2_abort(req); /* the peer must notice */
            return;
        }
        stream->ended = true;
        if (has_trailers(res)) {
            stream->tail = req;
            pl_request_hold(req);
        }
        if (pl_h2_waiting(stream) == 0 && pl_h2_end_pieces(stream) < 0)
            return;
    }
    detach(stream, req);
    pl_h2_stream_settle(stream);
}

static bool h2_congested(struct pl_request *req)
{
    struct pl_h2_stream *stream = req->stream;

    if (pl_h2_waiting(stream) > PL_H2_OUT_HIGH)
        stream->congested = true;
    return stream->congested;
}

static void h2_flush(struct pl_request *req)
{
    pl_conn_flush(conn_of(req));
}

/* ---- the request ---- */

static void h2_want_body(struct pl_request *req)
{
    struct pl_h2_stream *stream = req->stream;

    if (!stream->body)
        return;
    if (!stream->claimed)
        pl_h2_stream_claim(stream);
    if (stream->expect && !req->response.started) {
        stream->expect = false;
        if (pl_h2_inform(req, 100, NULL, 0) < 0)
            return;
    }
    pl_h2_body_open(stream);
}

static int h2_upgrade(struct pl_request *req,
                      const struct pl_protocol *protocol, void *state)
{
    return PL_ERR_UNSUPPORTED; /* there is no connection to hand over */
}

static bool h2_peer(struct pl_request *req, struct pl_addr *addr)
{
    return pl_conn_peer(conn_of(req), addr);
}

static struct pl_conn *h2_connection(struct pl_request *req)
{
    return conn_of(req);
}

static bool h2_local(struct pl_request *req, struct pl_addr *addr)
{
    return pl_conn_local(conn_of(req), addr);
}

const struct pl_wire pl_h2_wire = {
    .name = "HTTP/2",
    .trailers = true,
    .send = h2_send,
    .write = h2_write,
    .write_ref = pl_h2_write_ref,
    .end = h2_end,
    .abort = h2_abort,
    .congested = h2_congested,
    .flush = h2_flush,
    .want_body = h2_want_body,
    .upgrade = h2_upgrade,
    .inform = pl_h2_inform,
    .peer = h2_peer,
    .local = h2_local,
    .conn = h2_connection,
};
