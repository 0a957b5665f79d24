/* gateway.c - one request on its way through the gateway.
 *
 *     prepare -> choose -> [queue] -> connect -> head, body  ->
 *        |         ^                      |         |
 *        |         +--- retry: nothing was answered, all can be sent again
 *        v                                          v
 *     refused                       head -> data ... -> end
 *
 * The request's body and the response are two streams: each side waits only
 * when the other end of its own stream does not keep up. The relay lies in the
 * request's arena; whoever ends it while others up the stack still use it does
 * so by the run queue (pl_relay_end).
 *
 * Invariants: between begin() and the end the relay has a fetch, or waits in
 * the queue, or is ending. After then->done() nothing but operations that are
 * under way leads to it; the last of them lets go of the request. */
#include "handlers/gateway_priv.h"

#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "http/method.h"
#include "http/status.h"
#include "http/trailer.h"
#include "http/wire.h"

enum {
    EXPECT_MS = 1000, /* RFC 9110, 10.1.1: nobody waits for a 100 for ever */
    KNOCK_MS = 20,
    TRAILERS_MAX = 16 * 1024,
};

static const struct pl_fetch_ops relay_ops;

static struct pl_loop *loop_of(const struct pl_relay *relay)
{
    return relay->req->http->net->loop;
}

/* ---- the end ---- */

void pl_relay_let_go(struct pl_relay *relay)
{
    if (relay->over && !relay->reading && !relay->draining && !relay->ending)
        pl_request_drop(relay->req);
}

static void finish(struct pl_relay *relay, int result)
{
    struct pl_request *req = relay->req;

    if (relay->over)
        return;
    relay->over = true;
    if (relay->gateway->wire->over != NULL)
        relay->gateway->wire->over(relay);
    pl_timer_stop(pl_loop_wheel(loop_of(relay)), &relay->timer);
    pl_fetch_end(&relay->fetch);
    if (relay->waiting)
        pl_clients_unwait(relay->clients, &relay->waiter);
    req->gone = NULL;
    if (relay->reading)
        pl_op_cancel(&relay->body.op);
    if (relay->draining)
        pl_op_cancel(&relay->drain.op);
    pl_buf_fini(&relay->trailers);
    pl_gateway_drop(relay->gateway);
    relay->then->done(relay->then, req, result);
    pl_relay_let_go(relay);
}

static void on_last(struct pl_op *op)
{
    struct pl_relay *relay = PL_CONTAINER_OF(op, struct pl_relay, last);

    relay->ending = false;
    if (relay->over)
        pl_relay_let_go(relay);
    else
        finish(relay, relay->result);
}

void pl_relay_end(struct pl_relay *relay, int result)
{
    if (relay->ending || relay->over)
        return;
    relay->ending = true;
    relay->result = result;
    pl_fetch_end(&relay->fetch);
    pl_op_init(&relay->last, relay->req->http->sched, NULL);
    pl_op_begin(&relay->last);
    pl_op_then(&relay->last, on_last);
    pl_op_complete(&relay->last, 0);
}

/* The client has gone: so goes what was asked in its name. */
static void on_gone(struct pl_request *req)
{
    pl_relay_end(PL_CONTAINER_OF(req->gone, struct pl_relay, gone),
                 PL_ERR_CLOSED);
}

static void log_failure(struct pl_relay *relay, int status, const char *why)
{
    struct pl_request *req = relay->req;
    struct pl_str url =
        relay->server != NULL ? relay->server->origin->url : PL_STR("none");
    char id[PL_REQUEST_ID_LEN];

    pl_request_id(req, id);
    pl_log(PL_LOG_ERROR, "handlers",
           "upstream: %s status=%d server=%.*s attempts=%u request=%.16s "
           "%.*s %.*s",
           why, status, PL_STR_ARG(url), relay->attempts, id,
           PL_STR_ARG(req->method_name), PL_STR_ARG(req->path));
}

void pl_relay_fail(struct pl_relay *relay, int status, const char *why)
{
    struct pl_response *res = &relay->req->response;

    if (relay->ending || relay->over)
        return;
    log_failure(relay, status, why);
    if (!res->started) {
        pl_response_reset(res);
        (void)pl_response_error(res, status, pl_str(NULL, 0));
        if (status == 503)
            (void)pl_response_set(res, PL_STR("Retry-After"), PL_STR("1"));
    }
    /* Told to nobody but the wire, which breaks the message off. */
    pl_relay_end(relay, res->started ? PL_ERR_CLOSED : 0);
}

/* ---- time ---- */

static void begin(struct pl_relay *relay, bool fresh);

static void arm(struct pl_relay *relay)
{
    uint64_t due = relay->due;

    if (due == 0 || (relay->total_due != 0 && relay->total_due < due))
        due = relay->total_due;
    if (due == 0) {
        pl_timer_stop(pl_loop_wheel(loop_of(relay)), &relay->timer);
        return;
    }
    /* Later is found out when it fires: most never do. */
    if (!relay->timer.armed || relay->timer.due > due * 1000000)
        pl_timer_start(pl_loop_wheel(loop_of(relay)), &relay->timer,
                       due * 1000000);
}

void pl_relay_allow(struct pl_relay *relay, uint32_t ms)
{
    relay->due = ms == 0 ? 0 : pl_now_ms(loop_of(relay)) + ms;
    arm(relay);
}

static void late(struct pl_relay *relay, const char *why)
{
    if (relay->server != NULL && !relay->headed)
        pl_origin_failed(relay->server->origin, &relay->gateway->health,
                         pl_now_ms(loop_of(relay)), why);
    pl_relay_fail(relay, 504, why);
}

/* It is the client that does not read, or does not send. */
static bool waits_for_client(struct pl_relay *relay)
{
    return pl_fetch_paused(&relay->fetch) ||
           (!relay->headed && relay->reading &&
            !pl_fetch_congested(&relay->fetch));
}

static void on_due(struct pl_relay *relay)
{
    if (relay->knocking) {
        relay->knocking = false;
        begin(relay, true);
    } else if (relay->expecting && !relay->headed) {
        relay->expecting = false;
        pl_relay_allow(relay, relay->gateway->first_byte_ms);
        pl_relay_pump(relay);
    } else if (relay->waiting) {
        pl_relay_fail(relay, 503, "no server was free in time");
    } else if (relay->mode == PL_RELAY_RAW) {
        pl_relay_end(relay, PL_ERR_CLOSED);
    } else if (waits_for_client(relay)) {
        pl_relay_allow(relay, relay->headed ? relay->gateway->between_ms
                                            : relay->gateway->first_byte_ms);
    } else {
        late(relay, relay->headed ? "its answer stopped"
                                  : "it did not answer in time");
    }
}

static void on_timer(struct pl_timer *timer)
{
    struct pl_relay *relay = PL_CONTAINER_OF(timer, struct pl_relay, timer);
    uint64_t now = pl_now_ms(loop_of(relay));

    if (relay->over || relay->ending)
        return;
    if (relay->total_due != 0 && now >= relay->total_due)
        late(relay, "the request took too long");
    else if (relay->due != 0 && now >= relay->due)
        on_due(relay);
    else
        arm(relay);
}

/* ---- attempts ---- */

static void on_ready(struct pl_fetch *fetch)
{
    struct pl_relay *relay = PL_CONTAINER_OF(fetch, struct pl_relay, fetch);
    int err;

    relay->connecting = false;
    relay->written = 0;
    fetch->bodyless = relay->req->head;
    err = relay->gateway->wire->write_head(relay);
    if (err < 0) {
        if (fetch->link != NULL)
            pl_relay_fail(relay, 503, pl_err_text(err));
        return;
    }
    pl_relay_allow(relay, relay->expecting ? (uint32_t)EXPECT_MS
                                           : relay->gateway->first_byte_ms);
    if (!relay->expecting)
        pl_relay_pump(relay);
}

/* Waits in the queue, if there is room. */
static void enqueue(struct pl_relay *relay)
{
    const struct pl_gateway *gateway = relay->gateway;

    relay->server = NULL;
    if (pl_clients_waiting(relay->clients, gateway) >= gateway->queue) {
        pl_relay_fail(relay, 503, "all servers are busy");
        return;
    }
    relay->waiting = true;
    pl_clients_wait(relay->clients, &relay->waiter);
    pl_relay_allow(relay, gateway->queue_ms);
}

static int choose(struct pl_relay *relay)
{
    return pl_upstream_choose(&relay->gateway->upstream, relay->clients,
                              relay->key, relay->tried,
                              pl_now_ms(loop_of(relay)));
}

static void begin_with(struct pl_relay *relay, int which)
{
    relay->server = &relay->gateway->upstream.servers[which];
    relay->tried |= UINT64_C(1) << which;
    begin(relay, relay->attempts > 0);
}

static void attempt(struct pl_relay *relay)
{
    int which = choose(relay);

    if (which >= 0)
        begin_with(relay, which);
    else if (which == PL_ERR_BUSY)
        enqueue(relay);
    else
        pl_relay_fail(relay, 503, "no server is up");
}

static bool look(struct pl_waiter *waiter)
{
    struct pl_relay *relay = PL_CONTAINER_OF(waiter, struct pl_relay, waiter);
    int which = relay->ending ? PL_ERR_BUSY : choose(relay);

    if (which == PL_ERR_BUSY)
        return false;
    relay->waiting = false;
    pl_clients_unwait(relay->clients, &relay->waiter);
    if (which >= 0)
        begin_with(relay, which);
    else
        pl_relay_fail(relay, 503, "no server is up");
    return which >= 0;
}

static void begin(struct pl_relay *relay, bool fresh)
{
    const struct pl_gateway *gateway = relay->gateway;
    int got;

    relay->attempts++;
    relay->connecting = true;
    relay->due = 0; /* connecting has a limit of its own */
    got = pl_fetch_begin(&relay->fetch, relay->clients, relay->server->origin,
                         fresh, &relay_ops, &gateway->fetch);
    if (got < 0)
        pl_relay_fail(relay, 503, pl_err_text(got));
    else if (got == 1)
        on_ready(&relay->fetch);
}

/* ---- retries ---- */

/* RFC 9110, 9.2.2 */
static bool is_idempotent(const struct pl_request *req)
{
    switch (req->method) {
    case PL_METHOD_GET:
    case PL_METHOD_HEAD:
    case PL_METHOD_PUT:
    case PL_METHOD_DELETE:
    case PL_METHOD_OPTIONS:
        return true;
    default:
        return false;
    }
}

static int status_of(int err)
{
    switch (err) {
    case PL_ERR_TIMEOUT:
        return 504;
    case PL_ERR_NOMEM:
    case PL_ERR_NO_FDS:
    case PL_ERR_BUSY:
        return 503;
    default:
        return 502;
    }
}

/* A UNIX socket with a full queue of connections says so at once, and cannot be
 * waited for: it is asked again until the time for connecting is over. */
static bool knock_again(struct pl_relay *relay)
{
    uint64_t now = pl_now_ms(loop_of(relay));
    uint32_t limit = relay->gateway->fetch.connect_ms;

    if (relay->connect_due == 0)
        relay->connect_due = limit == 0 ? UINT64_MAX : now + limit;
    if (now >= relay->connect_due)
        return false;
    relay->knocking = true;
    pl_relay_allow(relay, KNOCK_MS);
    return true;
}

/* May the same request be sent once more? It has not been answered; one that
 * was turned away was not begun either. */
static bool is_repeatable(const struct pl_relay *relay, bool connected, int err)
{
    if (relay->fetch.answered || relay->begun || err == PL_ERR_NOMEM ||
        err == PL_ERR_NO_FDS)
        return false;
    return !connected || err == PL_ERR_BUSY ||
           (is_idempotent(relay->req) && err != PL_ERR_TIMEOUT);
}

/* A kept connection may be closed by the other side at any time: that says
 * nothing about it. */
static bool try_again(struct pl_relay *relay, bool connected, int err)
{
    const struct pl_gateway *gateway = relay->gateway;
    int which;

    if (!is_repeatable(relay, connected, err))
        return false;
    if (connected && relay->fetch.reused && err != PL_ERR_BUSY) {
        begin(relay, true);
        return true;
    }
    which = relay->switches < gateway->retries ? choose(relay) : -1;
    if (which < 0)
        return !connected && err == PL_ERR_BUSY && knock_again(relay);
    relay->switches++;
    begin_with(relay, which);
    return true;
}

static void on_failed(struct pl_fetch *fetch, int err, const char *why)
{
    struct pl_relay *relay = PL_CONTAINER_OF(fetch, struct pl_relay, fetch);
    bool connected = !relay->connecting;
    struct pl_origin *origin = relay->server->origin;
    struct pl_stock *stock = pl_stock_seen(relay->clients, origin);
    char text[256];

    if (relay->ending || relay->over)
        return;
    pl_timer_stop(pl_loop_wheel(loop_of(relay)), &relay->timer);
    snprintf(text, sizeof(text), "%s", why); /* goes with what has failed */
    if (err != PL_ERR_BUSY &&
        !(connected && fetch->reused && !fetch->answered)) {
        stock->stats.failed++;
        pl_origin_failed(origin, &relay->gateway->health,
                         pl_now_ms(loop_of(relay)), text);
    }
    relay->due = 0;
    arm(relay); /* the limit of all of it */
    if (!try_again(relay, connected, err))
        pl_relay_fail(relay, status_of(err), text);
}

/* ---- the response ---- */

static void on_drained(struct pl_op *op)
{
    struct pl_relay *relay = PL_CONTAINER_OF(op, struct pl_relay, drain.op);

    relay->draining = false;
    if (relay->over) {
        pl_relay_let_go(relay);
    } else if (!relay->ending && op->result == 0) {
        pl_relay_allow(relay, relay->mode == PL_RELAY_RAW
                                  ? relay->gateway->tunnel_ms
                                  : relay->gateway->between_ms);
        pl_fetch_resume(&relay->fetch);
    }
}

void pl_relay_push(struct pl_relay *relay, struct pl_str bytes)
{
    struct pl_response *res = &relay->req->response;
    int err = pl_response_push(res, bytes);

    if (relay->ending || relay->over)
        return;
    if (err == PL_ERR_AGAIN && !relay->draining) {
        pl_fetch_pause(&relay->fetch);
        relay->draining = true;
        pl_response_drain_begin(&relay->drain, res);
        pl_op_then(&relay->drain.op, on_drained);
    } else if (err < 0 && err != PL_ERR_AGAIN) {
        pl_relay_end(relay, err);
    }
}

/* What is sent when nothing follows the head is decided by finish(). */
static void begin_response(struct pl_relay *relay)
{
    struct pl_request *req = relay->req;
    struct pl_response *res = &req->response;

    if (relay->silent)
        return;
    /* Of a HEAD the length may be unknown: only a stream can say so. */
    if (req->head ? res->length >= 0
                  : !pl_status_has_body(res->status) || res->length == 0)
        return;
    pl_relay_push(relay, PL_STR(""));
}

static void on_head(struct pl_fetch *fetch)
{
    struct pl_relay *relay = PL_CONTAINER_OF(fetch, struct pl_relay, fetch);
    int status = fetch->parser->status;

    if (relay->ending || relay->over)
        return;
    if (status == 101) {
        pl_relay_tunnel(relay);
    } else if (status < 200) {
        if (status != 100)
            pl_relay_inform(relay);
        if (relay->expecting && status == 100) {
            relay->expecting = false;
            pl_relay_allow(relay, relay->gateway->first_byte_ms);
            pl_relay_pump(relay);
        }
    } else {
        relay->headed = true;
        relay->expecting = false;
        pl_origin_answered(relay->server->origin);
        pl_relay_allow(relay, relay->gateway->between_ms);
        if (relay->gateway->wire->take_head(relay) < 0)
            pl_relay_fail(relay, 503, "out of memory");
        else if (!relay->ending)
            begin_response(relay);
    }
}

static void on_data(struct pl_fetch *fetch, struct pl_str bytes)
{
    struct pl_relay *relay = PL_CONTAINER_OF(fetch, struct pl_relay, fetch);
    uint32_t ms = relay->mode == PL_RELAY_RAW ? relay->gateway->tunnel_ms
                                              : relay->gateway->between_ms;

    if (relay->ending || relay->over)
        return;
    relay->due = ms == 0 ? 0 : pl_now_ms(loop_of(relay)) + ms;
    if (!relay->silent)
        pl_relay_push(relay, bytes);
}

static void on_errors(struct pl_fetch *fetch, struct pl_str bytes)
{
    struct pl_relay *relay = PL_CONTAINER_OF(fetch, struct pl_relay, fetch);

    if (!relay->ending && !relay->over && relay->gateway->wire->errors != NULL)
        relay->gateway->wire->errors(relay, bytes);
}

static void on_trailers(struct pl_fetch *fetch, struct pl_str lines)
{
    struct pl_relay *relay = PL_CONTAINER_OF(fetch, struct pl_relay, fetch);

    if (relay->wants_trailers &&
        relay->trailers.len + lines.len <= TRAILERS_MAX)
        (void)pl_buf_add(&relay->trailers, lines);
}

/* Those that may not stand there are dropped (RFC 9110, 6.5.1). */
static void pass_trailers(struct pl_relay *relay)
{
    struct pl_str lines = pl_buf_str(&relay->trailers);

    while (lines.len > 2) {
        ptrdiff_t end = pl_str_find(lines, PL_STR("\r\n"));
        struct pl_str line = pl_str_first(lines, (size_t)end);
        ptrdiff_t colon = pl_str_chr(line, ':');

        if (end <= 0 || colon <= 0)
            return;
        (void)pl_response_trailer(
            &relay->req->response, pl_str_first(line, (size_t)colon),
            pl_str_trim(pl_str_skip(line, (size_t)colon + 1)));
        lines = pl_str_skip(lines, (size_t)end + 2);
    }
}

static void on_done(struct pl_fetch *fetch)
{
    struct pl_relay *relay = PL_CONTAINER_OF(fetch, struct pl_relay, fetch);

    if (relay->ending || relay->over)
        return;
    if (relay->trailers.len > 0)
        pass_trailers(relay);
    finish(relay, 0);
}

static void on_room(struct pl_fetch *fetch)
{
    struct pl_relay *relay = PL_CONTAINER_OF(fetch, struct pl_relay, fetch);

    if (!relay->ending && !relay->over && !relay->expecting)
        pl_relay_pump(relay);
}

static const struct pl_fetch_ops relay_ops = {
    .ready = on_ready,
    .head = on_head,
    .data = on_data,
    .trailers = on_trailers,
    .errors = on_errors,
    .done = on_done,
    .room = on_room,
    .failed = on_failed,
};

/* ---- the handler ---- */

/* What pl_gateway_set_key() has left; 0: nothing. */
static uint64_t noted_key(const struct pl_request *req);

static int refuse(struct pl_request *req, int status, const char *why)
{
    return why == NULL
               ? status
               : pl_response_error(&req->response, status, pl_str_c(why));
}

void pl_relay_start(struct pl_gateway *gateway, struct pl_request *req,
                    struct pl_then *then, const struct pl_script *script)
{
    struct pl_relay *relay = pl_arena_zeroed(&req->arena, sizeof(*relay));
    const char *why = NULL;
    int status;

    if (relay == NULL || req->wire == NULL) {
        then->done(then, req, relay == NULL ? PL_ERR_NOMEM : PL_ERR_CLOSED);
        return;
    }
    relay->req = req;
    relay->gateway = gateway;
    relay->then = then;
    relay->script = script;
    relay->key = noted_key(req);
    relay->clients = pl_clients_get();
    status = relay->clients == NULL ? 503 : pl_relay_prepare(relay, &why);
    if (status != 0) {
        then->done(then, req, refuse(req, status, why));
        return;
    }
    gateway->refs++;
    relay->waiter = (struct pl_waiter){.look = look, .group = gateway};
    relay->gone.fn = on_gone;
    req->gone = &relay->gone;
    pl_timer_init(&relay->timer, on_timer);
    pl_buf_init(&relay->trailers, req->http->net->pool, &req->account, 0);
    if (gateway->total_ms != 0)
        relay->total_due = pl_now_ms(loop_of(relay)) + gateway->total_ms;
    arm(relay);
    pl_request_hold(req);
    attempt(relay);
}

static void start(struct pl_handler *handler, struct pl_request *req,
                  struct pl_then *then)
{
    pl_relay_start(PL_CONTAINER_OF(handler, struct pl_gateway, handler), req,
                   then, NULL);
}

/* ---- keys of scripts ---- */

/* Stands among the defers of the request, which have nothing to do. */
static void key_note(void *arg)
{
    (void)arg;
}

int pl_gateway_set_key(struct pl_request *req, struct pl_str key)
{
    uint64_t *note = pl_arena_alloc(&req->arena, sizeof(*note));

    if (note == NULL)
        return PL_ERR_NOMEM;
    *note = pl_upstream_key(key) | 1;
    return pl_request_defer(req, key_note, note);
}

static uint64_t noted_key(const struct pl_request *req)
{
    const struct pl_request_defer *defer = req->defers;

    while (defer != NULL && defer->fn != key_note)
        defer = defer->next;
    return defer == NULL ? 0 : *(const uint64_t *)defer->arg;
}

void pl_gateway_free(struct pl_handler *handler)
{
    pl_gateway_drop(PL_CONTAINER_OF(handler, struct pl_gateway, handler));
}

void pl_gateway_init(struct pl_gateway *gateway)
{
    gateway->wire = &pl_gateway_http;
    gateway->handler = (struct pl_handler){
        .kind = "proxy", .start = start, .free = pl_gateway_free};
}
