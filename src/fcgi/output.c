/* output.c - records that go: small ones at once, large content in turns, one
 * record of each request, as far as the web server reads. */
#include "base/error.h"
#include "base/str.h"
#include "fcgi/state.h"
#include "http/content.h"

enum {
    RECORD_MAX = 65528,   /* the most content that needs no padding */
    COPY_MAX = 16 * 1024, /* bytes of files that go with their record's head */
};

int pl_fcgi_say_records(struct pl_fcgi *fcgi, const char *from, const char *end)
{
    struct pl_conn *conn = fcgi->conn;
    int err = pl_conn_write(conn, pl_str(from, (size_t)(end - from)));

    if (err < 0) /* half a conversation is none */
        pl_conn_close(conn, err);
    return pl_conn_closed(conn) ? PL_ERR_CLOSED : 0;
}

int pl_fcgi_say(struct pl_fcgi_stream *stream, enum pl_fcgi_type type,
                struct pl_str bytes)
{
    struct pl_conn *conn = stream->fcgi->conn;
    uint16_t id = stream->id;
    bool begun = false;
    int err = 0;

    while (bytes.len > 0 && err == 0) {
        size_t len = PL_MIN(bytes.len, (size_t)RECORD_MAX);
        char head[PL_FCGI_HEAD];
        struct iovec pieces[2] = {{head, sizeof(head)},
                                  {(char *)bytes.data, len}};

        pl_fcgi_put_head(head, type, id, len);
        err = pl_conn_writev(conn, pieces, 2);
        if (pl_conn_closed(conn))
            return PL_ERR_CLOSED;
        if (err < 0 && begun) { /* the rest cannot be left out */
            pl_conn_close(conn, err);
            return PL_ERR_CLOSED;
        }
        begun = true;
        bytes = pl_str_skip(bytes, len);
    }
    return err;
}

/* ---- one record of content ---- */

static void drop_hold(void *req)
{
    pl_request_drop(req);
}

/* What lies in memory stays there until it has gone. */
static int send_memory(struct pl_conn *conn, struct pl_request *req,
                       const char *head, const char *bytes, size_t len)
{
    int err = pl_conn_write(conn, pl_str(head, PL_FCGI_HEAD));

    if (err < 0)
        return err;
    pl_request_hold(req);
    return pl_conn_write_ref(conn, pl_str(bytes, len), drop_hold, req);
}

/* A small piece of a file goes with its head, if it need not be read first. */
static int copy_file(struct pl_conn *conn, struct pl_request *req,
                     const struct pl_content_piece *piece, const char *head,
                     size_t len)
{
    char *room =
        len <= COPY_MAX ? pl_conn_reserve(conn, PL_FCGI_HEAD + len) : NULL;
    int err;

    if (room == NULL)
        return PL_ERR_AGAIN;
    err = pl_content_copy(req, piece, room + PL_FCGI_HEAD, len);
    if (err < 0)
        return err;
    memcpy(room, head, PL_FCGI_HEAD);
    pl_conn_commit(conn, PL_FCGI_HEAD + len);
    return 0;
}

static int send_file(struct pl_conn *conn, struct pl_request *req,
                     const struct pl_content_piece *piece, const char *head,
                     size_t len)
{
    int err = copy_file(conn, req, piece, head, len);

    if (pl_conn_closed(conn))
        return PL_ERR_CLOSED;
    if (err != PL_ERR_AGAIN)
        return err;
    err = pl_conn_write(conn, pl_str(head, PL_FCGI_HEAD));
    if (err < 0)
        return err;
    pl_request_hold(req);
    return pl_conn_write_file(conn, req->response.file, piece->off, len,
                              drop_hold, req);
}

/* Gives the length. PL_ERR_IO: the file has become shorter. */
static int send_record(struct pl_fcgi_stream *stream, size_t *len)
{
    struct pl_conn *conn = stream->fcgi->conn;
    struct pl_request *req = stream->source;
    struct pl_content_piece piece = pl_content_at(&req->response, stream->sent);
    char head[PL_FCGI_HEAD];
    int err;

    *len = (size_t)PL_MIN(piece.len, (uint64_t)RECORD_MAX);
    pl_fcgi_put_head(head, PL_FCGI_STDOUT, stream->id, *len);
    err = piece.bytes != NULL ? send_memory(conn, req, head, piece.bytes, *len)
                              : send_file(conn, req, &piece, head, *len);
    if (pl_conn_closed(conn))
        return PL_ERR_CLOSED;
    if (err == 0 || err == PL_ERR_IO)
        return err;
    pl_conn_close(conn, err); /* a part of it may have gone */
    return PL_ERR_CLOSED;
}

/* ---- all content ---- */

void pl_fcgi_schedule(struct pl_fcgi_stream *stream)
{
    pl_list_remove(&stream->ready);
    pl_list_push(&stream->fcgi->ready, &stream->ready);
}

/* The content has gone, or cannot go on. The stream may be gone then. */
static void over(struct pl_fcgi_stream *stream, int err)
{
    struct pl_request *source = stream->source;

    pl_list_remove(&stream->ready);
    stream->source = NULL;
    if (err < 0 && stream->req != NULL)
        pl_fcgi_stream_detach(stream);
    if (err < 0)
        pl_fcgi_stream_cut(stream);
    else
        pl_fcgi_stream_settle(stream, 0);
    pl_request_drop(source);
}

/* PL_ERR_CLOSED: all is over. */
static int send_next(struct pl_fcgi_stream *stream, size_t *len)
{
    struct pl_conn *conn = stream->fcgi->conn;
    struct pl_response *res = &stream->source->response;
    int err = send_record(stream, len);

    if (err == PL_ERR_CLOSED)
        return err;
    if (err == 0) {
        stream->sent += *len;
        res->sent = stream->sent;
        pl_fcgi_schedule(stream);
    }
    if (err < 0 || stream->sent == (uint64_t)res->length)
        over(stream, err);
    return conn->flags & (PL_CONN_CLOSED | PL_CONN_FINISHING) ? PL_ERR_CLOSED
                                                              : 0;
}

void pl_fcgi_pump(struct pl_fcgi *fcgi)
{
    struct pl_conn *conn = fcgi->conn;
    size_t total = 0, len = 0;

    if (fcgi->pumping) /* writing a file may find that all has drained */
        return;
    fcgi->pumping = true;
    while (conn->state == fcgi && !pl_list_empty(&fcgi->ready) &&
           !pl_conn_congested(conn)) {
        if (total >= PL_FCGI_PUSH) {
            pl_conn_yield(conn); /* the others first */
            break;
        }
        if (send_next(
                PL_LIST_ENTRY(fcgi->ready.next, struct pl_fcgi_stream, ready),
                &len) < 0)
            return;
        total += len;
    }
    if (conn->state == fcgi)
        fcgi->pumping = false;
}
