/* h1_wire.c - responses over HTTP/1: struct pl_wire for a request.
 *
 * A small body is copied behind its head, so that both leave in one send with
 * the other answers of the burst; a large one is gathered or sent from its
 * file, and holds the request until it has gone. */
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/h1_state.h"
#include "http/h1_write.h"
#include "http/semantics.h"

/* Bodies up to this are sent with their head. */
enum { COPY_MAX = 16 * 1024 };

static void drop_hold(void *req)
{
    pl_request_drop(req);
}

static struct pl_h1_framing frame(struct pl_h1 *h1)
{
    struct pl_request *req = h1->req;
    struct pl_response *res = &req->response;
    struct pl_h1_framing framing = {.length = res->length};

    if (res->bodyless) {
        if (!req->head || res->status == 204 || res->status == 304)
            framing.length = -1;
    } else if (res->content == PL_CONTENT_STREAM && res->length < 0) {
        framing.chunked = h1->chunked = !h1->minor0;
        if (h1->minor0) /* the end of the connection ends the body */
            h1->keep = false;
    }
    /* A body that has failed, or a large one that nobody is going to read: say
     * that we shall close. */
    if (req->last || req->body.err < 0)
        h1->keep = false;
    if (h1->body != PL_H1_BODY_NONE && res->content != PL_CONTENT_STREAM &&
        !pl_h1_worth_draining(h1))
        h1->keep = false;
    framing.connection = !h1->keep || req->http->draining ? PL_H1_CLOSE
                         : h1->minor0                     ? PL_H1_KEEP_ALIVE
                                                          : PL_H1_DEFAULT;
    return framing;
}

/* A piece of bytes or file, which stay valid as long as the request. */
static int send_part(struct pl_request *req, uint64_t off, uint64_t len)
{
    struct pl_h1 *h1 = req->stream;
    struct pl_response *res = &req->response;

    pl_request_hold(req);
    if (res->content == PL_CONTENT_FILE)
        return pl_conn_write_file(h1->conn, res->file, res->file_off + off, len,
                                  drop_hold, req);
    return pl_conn_write_ref(
        h1->conn, pl_str(res->bytes.data + off, (size_t)len), drop_hold, req);
}

static int send_parts(struct pl_request *req)
{
    const struct pl_parts *parts = req->response.parts;
    struct pl_h1 *h1 = req->stream;
    int err = 0;

    for (unsigned i = 0; err == 0 && i < parts->count; i++) {
        err = pl_conn_write(h1->conn, parts->heads[i]);
        if (err == 0)
            err = send_part(req, parts->ranges[i].first, parts->ranges[i].len);
    }
    return err < 0 ? err : pl_conn_write(h1->conn, parts->end);
}

/* Copies a small body behind its head. False if it did not come whole: a file
 * has become shorter, and the length is not yet said. */
static bool copy_body(struct pl_response *res, char *to, size_t len)
{
    if (res->content == PL_CONTENT_FILE)
        return pl_sys_pread(res->file, to, len, (off_t)res->file_off) ==
               (ssize_t)len;
    if (len > 0)
        memcpy(to, res->bytes.data, len);
    return true;
}

/* The head, with the body if that is small. Returns 1 when the body is to
 * follow, 0 when all has been said. */
static int send_head(struct pl_request *req, size_t bound)
{
    struct pl_h1 *h1 = req->stream;
    struct pl_response *res = &req->response;
    bool whole =
        !res->bodyless && res->parts == NULL &&
        (res->content == PL_CONTENT_BYTES || res->content == PL_CONTENT_FILE);
    bool small = whole && res->length <= COPY_MAX;
    size_t body = small ? (size_t)res->length : 0;
    struct pl_h1_framing framing = frame(h1);
    char *out = pl_conn_reserve(h1->conn, bound + body), *end;

    if (out == NULL && small) {
        small = false;
        out = pl_conn_reserve(h1->conn, bound);
    }
    if (out == NULL) { /* output is queued: by way of the arena */
        out = pl_arena_bytes(&req->arena, bound);
        if (out == NULL)
            return PL_ERR_NOMEM;
        end = pl_h1_head_write(out, req, &framing);
        if (pl_conn_write(h1->conn, pl_str(out, (size_t)(end - out))) < 0)
            return PL_ERR_CLOSED;
        return !res->bodyless;
    }
    end = pl_h1_head_write(out, req, &framing);
    if (small && !copy_body(res, end, body))
        return PL_ERR_IO;
    pl_conn_commit(h1->conn, (size_t)(end - out) + (small ? body : 0));
    return small || res->bodyless ? 0 : 1;
}

static int h1_send(struct pl_request *req)
{
    struct pl_response *res = &req->response;
    int more = send_head(req, pl_h1_head_bound(req));

    if (more < 0) {
        if (req->wire != NULL)
            pl_conn_close(((struct pl_h1 *)req->stream)->conn, more);
        return more;
    }
    if (!res->bodyless && res->content != PL_CONTENT_STREAM)
        res->sent = (uint64_t)PL_MAX(res->length, 0);
    if (more == 0 || res->content == PL_CONTENT_STREAM ||
        res->content == PL_CONTENT_NONE)
        return 0;
    return res->parts != NULL ? send_parts(req)
                              : send_part(req, 0, (uint64_t)res->length);
}

static int h1_write(struct pl_request *req, struct pl_str bytes)
{
    struct pl_h1 *h1 = req->stream;
    char size[20];
    int err;

    if (!h1->chunked)
        return pl_conn_write(h1->conn, bytes);
    err = pl_conn_write(h1->conn,
                        pl_str(size, (size_t)snprintf(size, sizeof(size),
                                                      "%zx\r\n", bytes.len)));
    if (err == 0)
        err = pl_conn_write(h1->conn, bytes);
    return err < 0 ? err : pl_conn_write(h1->conn, PL_STR("\r\n"));
}

static void h1_abort(struct pl_request *req)
{
    struct pl_h1 *h1 = req->stream;

    h1->keep = false;
    pl_h1_settle(h1);
}

static void h1_end(struct pl_request *req)
{
    struct pl_h1 *h1 = req->stream;
    struct pl_response *res = &req->response;

    if (res->content == PL_CONTENT_STREAM && !res->bodyless) {
        if (h1->chunked)
            pl_conn_write(h1->conn, PL_STR("0\r\n\r\n"));
        else if (res->length >= 0 && res->sent < (uint64_t)res->length)
            h1->keep = false; /* too short: the peer must notice */
    }
    /* Writing may have found the connection dead. */
    if (req->wire != NULL)
        pl_h1_settle(h1);
}

static bool h1_congested(struct pl_request *req)
{
    struct pl_h1 *h1 = req->stream;

    return pl_conn_congested(h1->conn);
}

static void h1_flush(struct pl_request *req)
{
    struct pl_h1 *h1 = req->stream;

    pl_conn_flush(h1->conn);
}

static void h1_want_body(struct pl_request *req)
{
    struct pl_h1 *h1 = req->stream;

    if (h1->expect && !req->response.started && h1->body != PL_H1_BODY_NONE) {
        h1->expect = false;
        if (pl_conn_write(h1->conn, PL_STR("HTTP/1.1 100 Continue\r\n\r\n")) <
            0)
            return;
        pl_conn_deadline(h1->conn, PL_DEADLINE_BODY,
                         pl_h1_http(h1->conn)->settings->body_grace_ms);
    }
    if (h1->body != PL_H1_BODY_NONE && (h1->conn->flags & PL_CONN_PAUSED))
        pl_conn_resume(h1->conn);
}

static int h1_upgrade(struct pl_request *req,
                      const struct pl_protocol *protocol, void *state)
{
    struct pl_h1 *h1 = req->stream;
    struct pl_conn *conn = h1->conn;
    size_t bound = pl_h1_head_bound(req);
    struct pl_h1_framing framing = {.length = -1};
    char *out;

    if (!req->upgrade || h1->body != PL_H1_BODY_NONE)
        return PL_ERR_UNSUPPORTED;
    out = pl_arena_bytes(&req->arena, bound);
    if (out == NULL)
        return PL_ERR_NOMEM;
    req->response.started = true;
    if (pl_conn_write(
            conn, pl_str(out, (size_t)(pl_h1_head_write(out, req, &framing) -
                                       out))) < 0)
        return PL_ERR_CLOSED;
    h1->req = NULL;
    pl_h1_free(h1);
    req->wire = NULL;
    req->stream = NULL;
    conn->protocol = protocol;
    conn->state = state;
    pl_conn_deadline(conn, PL_DEADLINE_NONE, 0);
    pl_conn_resume(conn); /* what follows the head is for the new protocol */
    pl_request_drop(req);
    return 0;
}

static bool h1_peer(struct pl_request *req, struct pl_addr *addr)
{
    struct pl_h1 *h1 = req->stream;

    return pl_conn_peer(h1->conn, addr);
}

static bool h1_local(struct pl_request *req, struct pl_addr *addr)
{
    struct pl_h1 *h1 = req->stream;

    return pl_conn_local(h1->conn, addr);
}

const struct pl_wire pl_h1_wire = {
    .name = "HTTP/1.1",
    .send = h1_send,
    .write = h1_write,
    .end = h1_end,
    .abort = h1_abort,
    .congested = h1_congested,
    .flush = h1_flush,
    .want_body = h1_want_body,
    .upgrade = h1_upgrade,
    .peer = h1_peer,
    .local = h1_local,
};
