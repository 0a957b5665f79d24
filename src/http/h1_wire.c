/* h1_wire.c - responses over HTTP/1: struct pl_wire for a request.
 *
 * A small body is copied behind its head, so that both leave in one send with
 * the other answers of the burst; a large one is gathered or sent from its
 * file, and holds the request until it has gone. */
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "http/content.h"
#include "http/h1_state.h"
#include "http/h1_write.h"
#include "http/semantics.h"
#include "http/status.h"

/* Bodies up to this are sent with their head. */
enum { COPY_MAX = 16 * 1024 };

static struct pl_conn *conn_of(const struct pl_request *req)
{
    return ((const struct pl_h1 *)req->stream)->conn;
}

static void drop_hold(void *req)
{
    pl_request_drop(req);
}

/* A 426 says what it wants (RFC 9110, 15.5.22), and handlers ask for nothing
 * else. */
static enum pl_h1_connection connection_of(const struct pl_h1 *h1)
{
    if (!h1->keep)
        return PL_H1_CLOSE;
    if (h1->minor0)
        return PL_H1_KEEP_ALIVE;
    return h1->req->response.status == 426 ? PL_H1_UPGRADE : PL_H1_DEFAULT;
}

static struct pl_h1_framing frame(struct pl_h1 *h1)
{
    struct pl_request *req = h1->req;
    struct pl_response *res = &req->response;
    struct pl_h1_framing framing = {.length = res->length};

    if (!pl_status_has_body(res->status)) {
        framing.length = -1;
    } else if (res->content == PL_CONTENT_STREAM && res->length < 0 &&
               !res->bodyless) {
        framing.chunked = h1->chunked = !h1->minor0;
        if (h1->minor0) /* the end of the connection ends the body */
            h1->keep = false;
    }
    /* The server ends, or a body has failed, or a large one is there that
     * nobody is going to read: say that we shall close. */
    if (req->last || req->http->draining || req->body.err < 0)
        h1->keep = false;
    if (h1->body != PL_H1_BODY_NONE && res->content != PL_CONTENT_STREAM &&
        !pl_h1_worth_draining(h1))
        h1->keep = false;
    framing.connection = connection_of(h1);
    framing.upgrade = "websocket"; /* if there is one */
    return framing;
}

/* ---- the head, with a small body ---- */

/* While output is queued the head goes by way of the arena. */
static int queue_head(struct pl_conn *conn, struct pl_request *req,
                      const struct pl_h1_framing *framing, size_t bound)
{
    char *out = pl_arena_bytes(&req->arena, bound), *end;

    if (out == NULL)
        return PL_ERR_NOMEM;
    end = pl_h1_head_write(out, req, framing);
    return pl_conn_write(conn, pl_str(out, (size_t)(end - out)));
}

/* Gives in *more whether the body is to follow. */
static int send_head(struct pl_conn *conn, struct pl_request *req, bool *more)
{
    struct pl_response *res = &req->response;
    struct pl_h1_framing framing = frame(req->stream);
    bool body = !res->bodyless && pl_content_is_whole(res);
    bool small = body && res->parts == NULL && res->length <= COPY_MAX;
    size_t bound = pl_h1_head_bound(req);
    size_t len = small ? (size_t)res->length : 0;
    char *out = pl_conn_reserve(conn, bound + len), *end;
    int err = 0;

    *more = body && (!small || out == NULL);
    if (out == NULL)
        return queue_head(conn, req, &framing, bound);
    end = pl_h1_head_write(out, req, &framing);
    if (len > 0) {
        struct pl_content_piece piece = pl_content_at(res, 0);

        err = pl_content_copy(req, &piece, end, len);
    }
    if (err == PL_ERR_IO)
        return err;
    if (err == PL_ERR_AGAIN) { /* the connection waits for the disk */
        *more = true;
        len = 0;
    }
    pl_conn_commit(conn, (size_t)(end - out) + len);
    return 0;
}

/* ---- a large body ---- */

/* A piece of bytes or file, which stay valid as long as the request. */
static int send_part(struct pl_conn *conn, struct pl_request *req, uint64_t off,
                     uint64_t len)
{
    struct pl_response *res = &req->response;

    pl_request_hold(req);
    if (res->content == PL_CONTENT_FILE)
        return pl_conn_write_file(conn, res->file, res->file_off + off, len,
                                  drop_hold, req);
    return pl_conn_write_ref(conn, pl_str(res->bytes.data + off, (size_t)len),
                             drop_hold, req);
}

static int send_parts(struct pl_conn *conn, struct pl_request *req)
{
    const struct pl_parts *parts = req->response.parts;
    int err = 0;

    for (unsigned i = 0; err == 0 && i < parts->count; i++) {
        err = pl_conn_write(conn, parts->heads[i]);
        if (err == 0)
            err = send_part(conn, req, parts->ranges[i].first,
                            parts->ranges[i].len);
    }
    return err < 0 ? err : pl_conn_write(conn, parts->end);
}

/* Any of these may find the connection dead and close it; then h1 is gone, and
 * req has no wire any more. */
static int h1_send(struct pl_request *req)
{
    struct pl_response *res = &req->response;
    struct pl_conn *conn = conn_of(req);
    bool more;
    int err = send_head(conn, req, &more);

    if (err == 0 && more)
        err = res->parts != NULL
                  ? send_parts(conn, req)
                  : send_part(conn, req, 0, (uint64_t)res->length);
    if (err < 0) { /* what was promised cannot be kept */
        pl_conn_flush(conn);
        pl_conn_close(conn, err);
        return err;
    }
    if (!res->bodyless && pl_content_is_whole(res))
        res->sent = (uint64_t)res->length;
    if (res->events != NULL && (conn->flags & PL_CONN_EOF)) {
        pl_conn_close(conn, PL_ERR_CLOSED); /* as h1_conn.c does later */
        return PL_ERR_CLOSED;
    }
    return 0;
}

/* ---- streams ---- */

static int h1_write(struct pl_request *req, struct pl_str bytes)
{
    struct pl_h1 *h1 = req->stream;
    char size[20];
    struct iovec pieces[3] = {
        {size, 0}, {(char *)bytes.data, bytes.len}, {(char *)"\r\n", 2}};

    if (!h1->chunked)
        return pl_conn_write(h1->conn, bytes);
    pieces[0].iov_len =
        (size_t)snprintf(size, sizeof(size), "%zx\r\n", bytes.len);
    return pl_conn_writev(h1->conn, pieces, 3);
}

static void h1_abort(struct pl_request *req)
{
    struct pl_h1 *h1 = req->stream;

    h1->keep = false;
    pl_h1_settle(h1);
}

PL_COLD static int send_trailers(struct pl_conn *conn, struct pl_request *req)
{
    const struct pl_trailers *list = req->response.trailers;
    size_t size = pl_h1_trailers_bound(list);
    char *out = pl_arena_bytes(&req->arena, size);

    if (out == NULL)
        return PL_ERR_NOMEM;
    return pl_conn_write(conn, pl_str(out, pl_h1_trailers_write(out, list)));
}

static int end_chunks(struct pl_h1 *h1, const struct pl_response *res)
{
    if (PL_UNLIKELY(res->trailers != NULL))
        return send_trailers(h1->conn, h1->req);
    return pl_conn_write(h1->conn, PL_STR("0\r\n\r\n"));
}

static void h1_end(struct pl_request *req)
{
    struct pl_h1 *h1 = req->stream;
    struct pl_response *res = &req->response;

    if (res->content == PL_CONTENT_STREAM && !res->bodyless) {
        bool whole =
            h1->chunked ? end_chunks(h1, res) == 0
                        : res->length < 0 || res->sent == (uint64_t)res->length;

        if (!whole && req->wire != NULL)
            h1->keep = false; /* the peer must notice */
    }
    /* Writing may have found the connection dead. */
    if (req->wire != NULL)
        pl_h1_settle(h1);
}

static bool h1_congested(struct pl_request *req)
{
    return pl_conn_congested(conn_of(req));
}

static void h1_flush(struct pl_request *req)
{
    pl_conn_flush(conn_of(req));
}

/* The peer has all of the time again: it was us who did not read. */
static void restart_clock(struct pl_h1 *h1)
{
    h1->judged = h1->seen;
    pl_conn_deadline(h1->conn, PL_DEADLINE_BODY,
                     pl_h1_http(h1->conn)->settings->body_grace_ms);
}

static void h1_want_body(struct pl_request *req)
{
    struct pl_h1 *h1 = req->stream;

    if (h1->body == PL_H1_BODY_NONE)
        return;
    if (h1->expect && !req->response.started) {
        h1->expect = false;
        if (pl_conn_write(h1->conn, PL_STR("HTTP/1.1 100 Continue\r\n\r\n")) <
            0)
            return; /* h1 may be gone */
        restart_clock(h1);
    }
    if (h1->conn->flags & PL_CONN_PAUSED) {
        restart_clock(h1);
        pl_conn_resume(h1->conn);
    }
}

/* The connection is no longer of HTTP: the wire's hold on the request ends. */
static void leave(struct pl_h1 *h1)
{
    struct pl_request *req = h1->req;

    req->wire = NULL;
    req->stream = NULL;
    pl_h1_free(h1);
    pl_request_drop(req);
}

PL_COLD static int h1_upgrade(struct pl_request *req,
                              const struct pl_protocol *protocol, void *state)
{
    struct pl_h1 *h1 = req->stream;
    struct pl_conn *conn = h1->conn;
    struct pl_h1_framing framing = {
        .length = -1, .connection = PL_H1_UPGRADE, .upgrade = protocol->name};
    int err;

    if (!req->upgrade || h1->body != PL_H1_BODY_NONE || req->response.started)
        return PL_ERR_UNSUPPORTED;
    req->response.status = 101;
    req->response.started = req->response.bodyless = true;
    err = queue_head(conn, req, &framing, pl_h1_head_bound(req));
    if (err < 0) {
        pl_conn_close(conn, err);
        return PL_ERR_CLOSED;
    }
    leave(h1);
    conn->protocol = protocol;
    conn->state = state;
    pl_conn_deadline(conn, PL_DEADLINE_NONE, 0);
    pl_conn_resume(conn); /* what follows the head is for the new protocol */
    return 0;
}

static int h1_hijack(struct pl_request *req, struct pl_conn **out)
{
    struct pl_h1 *h1 = req->stream;

    if (h1->body != PL_H1_BODY_NONE || req->response.started)
        return PL_ERR_STATE;
    req->response.status = 101;
    req->response.started = req->response.bodyless = req->hijacked = true;
    *out = h1->conn;
    leave(h1);
    return 0;
}

/* RFC 9110, 15.2: HTTP/1.0 knows no 1xx. */
static PL_COLD int h1_inform(struct pl_request *req, int status,
                             const struct pl_header *fields, unsigned n)
{
    struct pl_h1 *h1 = req->stream;
    char *out;
    size_t len;
    int err;

    if (h1->minor0)
        return 0;
    out = pl_arena_bytes(&req->arena, pl_h1_inform_bound(fields, n));
    if (out == NULL)
        return PL_ERR_NOMEM;
    len = pl_h1_inform_write(out, status, fields, n);
    err = pl_conn_write(h1->conn, pl_str(out, len));
    if (err == 0 && req->wire != NULL)
        h1_flush(req);
    return err == 0 && req->wire == NULL ? PL_ERR_CLOSED : err;
}

static bool h1_peer(struct pl_request *req, struct pl_addr *addr)
{
    return pl_conn_peer(conn_of(req), addr);
}

static struct pl_conn *h1_conn(struct pl_request *req)
{
    return conn_of(req);
}

static bool h1_local(struct pl_request *req, struct pl_addr *addr)
{
    return pl_conn_local(conn_of(req), addr);
}

const struct pl_wire pl_h1_wire = {
    .name = "HTTP/1.1",
    .trailers = true,
    .send = h1_send,
    .write = h1_write,
    .end = h1_end,
    .abort = h1_abort,
    .congested = h1_congested,
    .flush = h1_flush,
    .want_body = h1_want_body,
    .upgrade = h1_upgrade,
    .hijack = h1_hijack,
    .inform = h1_inform,
    .peer = h1_peer,
    .local = h1_local,
    .conn = h1_conn,
};
