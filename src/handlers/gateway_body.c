/* gateway_body.c - the request's body on its way to the upstream: piece by
 * piece, as fast as that reads; or as a whole, which can be sent again. */
#include "handlers/gateway_priv.h"

#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "http/h1_write.h"

enum { CHUNK = 32 * 1024 }; /* of a body; the connection copies it */

static void on_body(struct pl_op *op)
{
    struct pl_relay *relay = PL_CONTAINER_OF(op, struct pl_relay, body.op);

    relay->reading = false;
    if (relay->over)
        pl_relay_let_go(relay);
    else if (!relay->ending)
        pl_relay_pump(relay);
}

static void wait_for_body(struct pl_relay *relay)
{
    if (relay->reading)
        return;
    relay->reading = true;
    pl_body_wait_begin(&relay->body, relay->req);
    pl_op_then(&relay->body.op, on_body);
}

int pl_relay_write_piece(struct pl_relay *relay, struct pl_str piece)
{
    char size[20];
    struct iovec pieces[3] = {
        {size, 0}, {(char *)piece.data, piece.len}, {(char *)"\r\n", 2}};

    if (relay->mode != PL_RELAY_CHUNKED)
        return pl_fetch_write(&relay->fetch, piece);
    pieces[0].iov_len =
        (size_t)snprintf(size, sizeof(size), "%zx\r\n", piece.len);
    return pl_fetch_writev(&relay->fetch, pieces, 3);
}

int pl_relay_write_end(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    char *out;

    if (relay->mode != PL_RELAY_CHUNKED)
        return 0;
    if (req->trailers == NULL)
        return pl_fetch_write(&relay->fetch, PL_STR("0\r\n\r\n"));
    out = pl_arena_bytes(&req->arena, pl_h1_trailers_bound(req->trailers));
    if (out == NULL)
        return PL_ERR_NOMEM;
    return pl_fetch_write(
        &relay->fetch, pl_str(out, pl_h1_trailers_write(out, req->trailers)));
}

static void end_body(struct pl_relay *relay)
{
    int err;

    if (relay->mode == PL_RELAY_RAW) {
        pl_fetch_shutdown(&relay->fetch);
        return;
    }
    err = relay->gateway->wire->write_end(relay);
    if (err == PL_ERR_NOMEM)
        pl_relay_fail(relay, 503, "out of memory");
    else if (err == 0)
        pl_fetch_sent(&relay->fetch);
}

/* The client has broken it off, is too slow, or sends too much. */
static void body_failed(struct pl_relay *relay, int err)
{
    struct pl_response *res = &relay->req->response;

    if (relay->mode == PL_RELAY_RAW) {
        pl_fetch_shutdown(&relay->fetch);
        return;
    }
    if (!res->started) {
        pl_response_reset(res);
        (void)pl_response_error(res, pl_err_status(err), pl_str(NULL, 0));
        err = 0;
    }
    pl_relay_end(relay, err);
}

/* All of a body that is there, or of none. The request of a tunnel ends with
 * that. */
static void pump_whole(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_str rest = pl_str("", 0);

    if (relay->mode == PL_RELAY_WHOLE)
        rest = pl_str_skip(pl_body_waiting(&req->body), relay->written);
    while (rest.len > 0) {
        struct pl_str piece = pl_str_first(rest, CHUNK);

        if (pl_fetch_congested(&relay->fetch) ||
            relay->gateway->wire->write_piece(relay, piece) < 0)
            return; /* there will be room; or the link tells why */
        relay->written += piece.len;
        rest = pl_str_skip(rest, piece.len);
    }
    if (!relay->upgrade || req->connect_protocol.data == NULL)
        end_body(relay);
}

static void pump_pieces(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_str piece;
    int err = 0;

    while (!pl_fetch_congested(&relay->fetch) && relay->fetch.link != NULL) {
        err = pl_body_peek(req, CHUNK, &piece);
        if (err < 0 || piece.len == 0)
            break;
        relay->begun = true;
        err = relay->gateway->wire->write_piece(relay, piece);
        if (err < 0)
            return; /* the link tells why */
        pl_body_skip(req, piece.len);
        if (relay->mode == PL_RELAY_RAW)
            pl_relay_allow(relay, relay->gateway->tunnel_ms);
        else if (!relay->headed)
            pl_relay_allow(relay, relay->gateway->first_byte_ms);
    }
    if (relay->fetch.link == NULL || pl_fetch_congested(&relay->fetch))
        return;
    if (err == PL_ERR_AGAIN)
        wait_for_body(relay);
    else if (err < 0)
        body_failed(relay, err);
    else
        end_body(relay);
}

void pl_relay_pump(struct pl_relay *relay)
{
    if (relay->fetch.sent || relay->connecting || relay->fetch.link == NULL)
        return;
    if (relay->mode <= PL_RELAY_WHOLE)
        pump_whole(relay);
    else
        pump_pieces(relay);
}
