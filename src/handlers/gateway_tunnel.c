/* gateway_tunnel.c - a WebSocket on its way through: bytes in both directions
 * once the upstream has agreed (RFC 9110, 7.8).
 *
 * From HTTP/1 both connections leave HTTP and are each other's ends; request
 * and generation are over by then, so a tunnel outlives reloads. From HTTP/2
 * (RFC 8441) the stream stays what it is, and the relay goes on with bodies
 * that are no HTTP: it holds its gateway itself, so with no filter around it
 * the request goes over to each generation that serves. */
#include "handlers/gateway_priv.h"

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"
#include "http/h1_write.h"
#include "http/wire.h"
#include "http/ws_handshake.h"
#include "net/conn.h"
#include "route/chain.h"

/* ---- two connections ---- */

struct tunnel {
    struct end {
        struct tunnel *tunnel;
        struct pl_conn *conn; /* NULL: closed */
        bool eof;
    } ends[2];
    struct pl_loop *loop;
    struct pl_pool *pool;
    struct pl_timer timer;
    uint64_t active; /* ms; when the last byte came */
    uint32_t idle_ms;
};

static struct end *other_end(struct end *end)
{
    return &end->tunnel->ends[end == &end->tunnel->ends[0]];
}

static void arm(struct tunnel *tunnel)
{
    if (tunnel->idle_ms != 0)
        pl_timer_start(pl_loop_wheel(tunnel->loop), &tunnel->timer,
                       (tunnel->active + tunnel->idle_ms) * 1000000);
}

/* What is queued still leaves. The end of one may be that of the tunnel, but
 * not of the connections before the turn is over. */
static void end_both(struct tunnel *tunnel)
{
    struct pl_conn *conns[] = {tunnel->ends[0].conn, tunnel->ends[1].conn};

    for (unsigned i = 0; i < 2; i++)
        if (conns[i] != NULL)
            pl_conn_finish(conns[i], false);
}

static void on_idle(struct pl_timer *timer)
{
    struct tunnel *tunnel = PL_CONTAINER_OF(timer, struct tunnel, timer);

    if (pl_now_ms(tunnel->loop) - tunnel->active < tunnel->idle_ms)
        arm(tunnel);
    else if (tunnel->ends[0].conn != NULL)
        pl_conn_close(tunnel->ends[0].conn, PL_ERR_TIMEOUT);
    else
        pl_conn_close(tunnel->ends[1].conn, PL_ERR_TIMEOUT);
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    struct end *end = conn->state, *other = other_end(end);
    struct pl_conn *to = other->conn;
    int err;

    end->tunnel->active = pl_now_ms(end->tunnel->loop);
    if (to == NULL)
        return bytes.len;
    err = pl_conn_write(to, bytes);
    if (pl_conn_closed(conn)) /* by the other's end */
        return bytes.len;
    if (err < 0)
        pl_conn_close(conn, err);
    else if (pl_conn_congested(to))
        pl_conn_pause(conn);
    return bytes.len;
}

static void on_drained(struct pl_conn *conn)
{
    struct end *other = other_end(conn->state);

    if (other->conn != NULL)
        pl_conn_resume(other->conn);
}

static void on_eof(struct pl_conn *conn)
{
    struct end *end = conn->state, *other = other_end(end);

    end->eof = true;
    if (other->eof || other->conn == NULL)
        end_both(end->tunnel);
    else
        pl_conn_end_output(other->conn);
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)class;
    pl_conn_close(conn, PL_ERR_TIMEOUT);
}

static void on_closed(struct pl_conn *conn, int why)
{
    struct end *end = conn->state, *other = other_end(end);
    struct tunnel *tunnel = end->tunnel;

    (void)why;
    end->conn = NULL;
    if (other->conn != NULL) {
        pl_conn_finish(other->conn, false);
        return;
    }
    pl_timer_stop(pl_loop_wheel(tunnel->loop), &tunnel->timer);
    pl_pool_put(tunnel->pool, tunnel, sizeof(*tunnel));
}

static void on_drain(struct pl_conn *conn)
{
    end_both(((struct end *)conn->state)->tunnel);
}

static const struct pl_protocol tunnel_protocol = {
    .name = "tunnel",
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .drain = on_drain,
    .closed = on_closed,
    .reads_on = true,
};

static void attach(struct tunnel *tunnel, unsigned which, struct pl_conn *conn)
{
    tunnel->ends[which].tunnel = tunnel;
    tunnel->ends[which].conn = conn;
    conn->protocol = &tunnel_protocol;
    conn->state = &tunnel->ends[which];
    pl_conn_deadline(conn, PL_DEADLINE_NONE, 0);
    pl_conn_resume(conn);
}

/* ---- the 101 ---- */

static struct pl_str upgrade_of(const struct pl_fetch *fetch)
{
    const struct pl_h1_parser *parser = fetch->parser;

    for (unsigned i = 0; i < parser->nfields; i++)
        if (parser->fields[i].id == PL_HEADER_UPGRADE)
            return pl_str(fetch->head.data + parser->fields[i].value,
                          parser->fields[i].value_len);
    return PL_STR("");
}

/* The head for the client, in the arena; absent: no memory. */
static struct pl_str make_head(struct pl_relay *relay)
{
    struct pl_arena *arena = &relay->req->arena;
    struct pl_str upgrade = pl_arena_str(arena, upgrade_of(&relay->fetch));
    unsigned n;
    struct pl_header *fields = pl_relay_fields(relay, &n), *all;
    char *out;

    all = fields == NULL || upgrade.data == NULL
              ? NULL
              : pl_arena_alloc(arena, (n + 2) * sizeof(*all));
    if (all == NULL)
        return pl_str(NULL, 0);
    all[0] = (struct pl_header){.name = "Connection",
                                .name_len = 10,
                                .value = "Upgrade",
                                .value_len = 7};
    all[1] = (struct pl_header){.name = "Upgrade",
                                .name_len = 7,
                                .value = upgrade.data,
                                .value_len = (uint32_t)upgrade.len};
    if (n > 0)
        memcpy(all + 2, fields, n * sizeof(*all));
    out = pl_arena_bytes(arena, pl_h1_inform_bound(all, n + 2));
    return out == NULL ? pl_str(NULL, 0)
                       : pl_str(out, pl_h1_inform_write(out, 101, all, n + 2));
}

static void join(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_str head = make_head(relay);
    struct pl_pool *pool = req->http->net->pool;
    struct tunnel *tunnel = pl_pool_get_zeroed(pool, sizeof(*tunnel));
    struct pl_conn *client = NULL;

    if (head.data == NULL || tunnel == NULL ||
        req->wire->hijack(req, &client) < 0) {
        if (tunnel != NULL)
            pl_pool_put(pool, tunnel, sizeof(*tunnel));
        pl_relay_fail(relay, 503, "no memory for a tunnel");
        return;
    }
    tunnel->pool = pool;
    tunnel->loop = req->http->net->loop;
    tunnel->idle_ms = relay->gateway->tunnel_ms;
    tunnel->active = pl_now_ms(tunnel->loop);
    pl_timer_init(&tunnel->timer, on_idle);
    arm(tunnel);
    attach(tunnel, 0, client);
    attach(tunnel, 1, pl_fetch_take(&relay->fetch));
    (void)pl_conn_write(client, head);
    pl_relay_end(relay, 0);
}

/* ---- a stream of HTTP/2 ---- */

static bool is_accepted(const struct pl_relay *relay)
{
    const struct pl_h1_parser *parser = relay->fetch.parser;
    char want[PL_WS_ACCEPT];

    pl_ws_accept_key(want, pl_str(relay->ws_key, sizeof(relay->ws_key)));
    for (unsigned i = 0; i < parser->nfields; i++) {
        const struct pl_h1_field *field = &parser->fields[i];
        struct pl_str name = {relay->fetch.head.data + field->name,
                              field->name_len};
        struct pl_str value = {relay->fetch.head.data + field->value,
                               field->value_len};

        if (pl_header_word_is(name, PL_STR("sec-websocket-accept")))
            return pl_str_eq(value, pl_str(want, sizeof(want)));
    }
    return false;
}

static void go_on(struct pl_relay *relay)
{
    struct pl_response *res = &relay->req->response;

    if (!is_accepted(relay)) {
        pl_relay_fail(relay, 502, "a bad Sec-WebSocket-Accept");
        return;
    }
    if (pl_relay_take_head(relay) < 0 ||
        pl_response_set(res, PL_STR("Sec-WebSocket-Accept"), pl_str(NULL, 0)) <
            0) {
        pl_relay_fail(relay, 503, "out of memory");
        return;
    }
    res->status = 200;
    res->length = -1;
    relay->mode = PL_RELAY_RAW;
    relay->headed = true;
    relay->total_due = 0;
    relay->req->moves =
        relay->req->task == NULL && pl_chain_filters(relay->req->chain) == 0;
    pl_fetch_raw(&relay->fetch);
    pl_relay_allow(relay, relay->gateway->tunnel_ms);
    pl_relay_push(relay, PL_STR(""));
    if (!relay->ending)
        pl_relay_pump(relay);
}

void pl_relay_tunnel(struct pl_relay *relay)
{
    pl_origin_answered(relay->server->origin);
    if (!relay->upgrade)
        pl_relay_fail(relay, 502, "a 101 that nobody has asked for");
    else if (relay->req->connect_protocol.data != NULL)
        go_on(relay);
    else
        join(relay);
}
