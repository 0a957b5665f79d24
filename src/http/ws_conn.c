/* ws_conn.c - WebSocket over a connection of its own, after the upgrade of an
 * HTTP/1 request. */
#include "base/error.h"
#include "http/h1_state.h"
#include "http/ws_handshake.h"

/* ---- the transport ---- */

static int conn_write(void *link, const struct iovec *pieces, int n)
{
    return pl_conn_writev(link, pieces, n);
}

static int conn_write_ref(void *link, struct pl_str bytes,
                          void (*release)(void *arg), void *arg)
{
    return pl_conn_write_ref(link, bytes, release, arg);
}

static bool conn_congested(void *link)
{
    return pl_conn_congested(link);
}

static void conn_pause(void *link)
{
    pl_conn_pause(link);
}

static void conn_resume(void *link)
{
    pl_conn_resume(link);
}

static void conn_pass(void *link)
{
    pl_conn_pass(link);
}

static void conn_deadline(void *link, uint32_t ms)
{
    pl_conn_deadline(link, PL_DEADLINE_LIVE, ms);
}

static void conn_finish(void *link)
{
    pl_conn_finish(link, true);
}

static void conn_close(void *link, int why)
{
    pl_conn_close(link, why);
}

static bool conn_peer(void *link, struct pl_addr *addr)
{
    return pl_conn_peer(link, addr);
}

static const struct pl_ws_transport transport = {
    .write = conn_write,
    .write_ref = conn_write_ref,
    .congested = conn_congested,
    .pause = conn_pause,
    .resume = conn_resume,
    .pass = conn_pass,
    .deadline = conn_deadline,
    .finish = conn_finish,
    .close = conn_close,
    .peer = conn_peer,
};

/* ---- the protocol ---- */

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    return pl_ws_input(conn->state, bytes);
}

static void on_eof(struct pl_conn *conn)
{
    pl_ws_eof(conn->state);
}

static void on_drained(struct pl_conn *conn)
{
    struct pl_ws *ws = conn->state;

    if ((conn->flags & PL_CONN_PAUSED) && !ws->paused) /* it had its share */
        pl_conn_resume(conn);
    pl_ws_drained(ws);
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)class;
    pl_ws_tick(conn->state);
}

static void on_drain(struct pl_conn *conn)
{
    pl_ws_drain(conn->state);
}

static void on_closed(struct pl_conn *conn, int why)
{
    pl_ws_gone(conn->state, why);
}

static const struct pl_protocol protocol = {
    .name = "websocket",
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .drain = on_drain,
    .closed = on_closed,
};

int pl_ws_over_h1(struct pl_request *req, const struct pl_ws_settings *settings,
                  struct pl_ws **out)
{
    struct pl_conn *conn;
    struct pl_ws *ws;
    int err;

    if (req->wire != &pl_h1_wire)
        return PL_ERR_UNSUPPORTED;
    conn = ((struct pl_h1 *)req->stream)->conn;
    ws = pl_ws_new(req->http, &transport, conn, settings);
    if (ws == NULL)
        return PL_ERR_NOMEM;
    err = req->wire->upgrade(req, &protocol, ws);
    if (err < 0) { /* it was never linked */
        pl_ws_gone(ws, err);
        pl_ws_release(ws, 0);
        return err;
    }
    conn_deadline(conn, req->http->ws_tick);
    *out = ws;
    return 0;
}
