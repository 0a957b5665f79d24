/* ws.c - the life of a WebSocket: its output, its closing, its clock. Input is
 * in ws_in.c. */
#include "http/ws_priv.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

enum {
    TICK_MAX = 5000, /* ms between two looks at the clock */
    TICK_MIN = 10,
    SHARE_MIN = 32 * 1024, /* larger messages are sent by reference */
};

const struct pl_ws_settings pl_ws_default_settings = {
    .max_message = 1 << 20,
    .ping_ms = 30000,
    .timeout_ms = 30000,
    .close_ms = 10000,
    .rate = 500,
};

/* ---- life ---- */

void pl_ws_hold(struct pl_ws *ws)
{
    ws->holders++;
}

void pl_ws_drop(struct pl_ws *ws)
{
    struct pl_pool *pool = pl_ws_pool(ws);

    PL_CHECK(ws, PL_WS_MAGIC);
    if (--ws->holders > 0)
        return;
    ws->magic = 0;
    if (ws->reason != NULL)
        pl_pool_put(pool, ws->reason, 1 + (uint8_t)ws->reason[0]);
    pl_pool_put(pool, ws, sizeof(*ws));
}

/* How often a socket with these settings looks at the clock. All deadlines of a
 * worker's sockets are of one class, and so should be equally long. */
static uint32_t tick_of(const struct pl_ws_settings *settings)
{
    uint32_t least = settings->close_ms;

    if (settings->ping_ms != 0) {
        least = PL_MIN(least, settings->ping_ms);
        least = PL_MIN(least, settings->timeout_ms);
    }
    if (settings->idle_ms != 0)
        least = PL_MIN(least, settings->idle_ms);
    return PL_MAX(PL_MIN(least / 4, (uint32_t)TICK_MAX), (uint32_t)TICK_MIN);
}

struct pl_ws *pl_ws_new(struct pl_http *http,
                        const struct pl_ws_transport *transport, void *link,
                        const struct pl_ws_settings *settings)
{
    struct pl_ws *ws = pl_pool_get(http->net->pool, sizeof(*ws));
    uint32_t tick = tick_of(settings);

    if (ws == NULL)
        return NULL;
    *ws = (struct pl_ws){.magic = PL_WS_MAGIC,
                         .holders = 2,
                         .transport = transport,
                         .link = link,
                         .http = http,
                         .settings = settings};
    ws->heard = ws->active = ws->window = pl_ws_now(ws);
    if (http->ws_tick == 0 || tick < http->ws_tick)
        http->ws_tick = tick;
    return ws;
}

struct pl_ws_work *pl_ws_work_get(struct pl_ws *ws)
{
    if (ws->work != NULL)
        return ws->work;
    ws->work = pl_pool_get_zeroed(pl_ws_pool(ws), sizeof(*ws->work));
    if (ws->work != NULL)
        pl_buf_init(&ws->work->message, pl_ws_pool(ws), NULL, 0);
    return ws->work;
}

void pl_ws_work_put(struct pl_ws *ws)
{
    struct pl_ws_work *work = ws->work;

    if (work == NULL || work->opcode != 0 || work->left > 0)
        return;
    ws->work = NULL;
    pl_buf_fini(&work->message);
    pl_pool_put(pl_ws_pool(ws), work, sizeof(*work));
}

static void free_message(struct pl_ws *ws)
{
    struct pl_ws_work *work = ws->work;

    work->opcode = 0;
    work->whole = work->taken = false;
    pl_buf_fini(&work->message);
    pl_ws_work_put(ws);
}

/* What has come of a message, or all of it, is for nobody. One that is with its
 * reader stays. */
static void drop_message(struct pl_ws *ws)
{
    if (ws->work != NULL && !ws->work->taken)
        free_message(ws);
}

/* ---- reading ---- */

static bool has_message(const struct pl_ws *ws)
{
    return ws->work != NULL && ws->work->whole && !ws->work->taken;
}

int pl_ws_take(struct pl_ws *ws, struct pl_ws_message *message)
{
    pl_ws_done(ws);
    if (has_message(ws)) {
        ws->work->taken = true;
        message->kind = (enum pl_ws_kind)ws->work->opcode;
        message->data = pl_buf_str(&ws->work->message);
        return 1;
    }
    return ws->state == PL_WS_OPEN ? PL_ERR_AGAIN : PL_ERR_CLOSED;
}

void pl_ws_done(struct pl_ws *ws)
{
    if (ws->work == NULL || !ws->work->taken)
        return;
    free_message(ws);
    if (ws->paused && ws->link != NULL) {
        ws->paused = false;
        ws->heard = pl_ws_now(ws);
        ws->transport->resume(ws->link);
    }
}

/* ---- who is told ---- */

static void end_receive(struct pl_ws *ws, int result)
{
    struct pl_ws_receive_op *receive = ws->receiver;

    if (receive == NULL)
        return;
    ws->receiver = NULL;
    pl_timer_stop(pl_loop_wheel(ws->http->net->loop), &receive->timer);
    pl_op_complete(&receive->op, result);
}

void pl_ws_tell(struct pl_ws *ws)
{
    end_receive(ws, 0);
    if (ws->reader != NULL && ws->reader->ready != NULL)
        ws->reader->ready(ws);
}

static void tell_writers(struct pl_ws *ws)
{
    struct pl_ws_drain_op *drain;

    while ((drain = ws->drainers) != NULL) {
        ws->drainers = drain->next;
        drain->ws = NULL;
        pl_op_complete(&drain->op, 0);
    }
}

void pl_ws_drained(struct pl_ws *ws)
{
    tell_writers(ws);
}

static void cancel_receive(struct pl_op *op)
{
    end_receive(PL_CONTAINER_OF(op, struct pl_ws_receive_op, op)->ws,
                PL_ERR_CANCELED);
}

static void on_receive_late(struct pl_timer *timer)
{
    end_receive(PL_CONTAINER_OF(timer, struct pl_ws_receive_op, timer)->ws,
                PL_ERR_TIMEOUT);
}

void pl_ws_receive_begin(struct pl_ws_receive_op *receive,
                         struct pl_sched *sched, struct pl_ws *ws, uint64_t due)
{
    int now = ws->receiver != NULL                         ? PL_ERR_BUSY
              : has_message(ws) || ws->state != PL_WS_OPEN ? 0
                                                           : PL_ERR_AGAIN;

    pl_op_init(&receive->op, sched, cancel_receive);
    pl_op_begin(&receive->op);
    pl_timer_init(&receive->timer, on_receive_late);
    receive->ws = ws;
    if (now != PL_ERR_AGAIN) {
        pl_op_complete(&receive->op, now);
        return;
    }
    ws->receiver = receive;
    if (due != 0)
        pl_timer_start(pl_loop_wheel(ws->http->net->loop), &receive->timer,
                       due);
}

static void cancel_drain(struct pl_op *op)
{
    struct pl_ws_drain_op *drain =
        PL_CONTAINER_OF(op, struct pl_ws_drain_op, op);
    struct pl_ws_drain_op **at = &drain->ws->drainers;

    while (*at != drain)
        at = &(*at)->next;
    *at = drain->next;
    drain->ws = NULL;
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_ws_drain_begin(struct pl_ws_drain_op *drain, struct pl_sched *sched,
                       struct pl_ws *ws)
{
    struct pl_ws_drain_op **at = &ws->drainers;

    pl_op_init(&drain->op, sched, cancel_drain);
    pl_op_begin(&drain->op);
    drain->ws = ws;
    drain->next = NULL;
    if (ws->state != PL_WS_OPEN || !ws->transport->congested(ws->link)) {
        drain->ws = NULL;
        pl_op_complete(&drain->op, 0);
        return;
    }
    while (*at != NULL) /* first come, first served */
        at = &(*at)->next;
    *at = drain;
}

/* ---- output ---- */

static int put_frame(struct pl_ws *ws, enum pl_ws_opcode opcode,
                     struct pl_str data)
{
    char head[PL_WS_HEAD_OUT];
    struct iovec pieces[2] = {{head, 0}, {(char *)data.data, data.len}};

    pieces[0].iov_len = pl_ws_frame_write(head, opcode, false, data.len);
    return ws->transport->write(ws->link, pieces, data.len > 0 ? 2 : 1);
}

/* A peer that does not read its pongs needs no more of them. */
void pl_ws_control(struct pl_ws *ws, enum pl_ws_opcode opcode,
                   struct pl_str data)
{
    if (ws->link != NULL && !ws->transport->congested(ws->link))
        (void)put_frame(ws, opcode, data);
}

/* May a message be written now? 0, or as the writing functions. */
static int may_write(struct pl_ws *ws)
{
    if (PL_LIKELY(ws->state == PL_WS_OPEN))
        return ws->transport->congested(ws->link) ? PL_ERR_AGAIN : 0;
    if (ws->told)
        return PL_ERR_CANCELED;
    ws->told = true;
    return PL_ERR_CLOSED;
}

struct pl_ws_shared {
    unsigned refs;
    struct pl_pool *pool;
    size_t size;
    struct pl_str frame;
    char bytes[];
};

struct pl_ws_shared *pl_ws_shared_new(struct pl_pool *pool,
                                      enum pl_ws_kind kind, struct pl_str data)
{
    size_t size = sizeof(struct pl_ws_shared) + PL_WS_HEAD_OUT + data.len;
    struct pl_ws_shared *shared = pl_pool_get(pool, size);
    size_t head;

    if (shared == NULL)
        return NULL;
    *shared = (struct pl_ws_shared){.refs = 1, .pool = pool, .size = size};
    head = pl_ws_frame_write(shared->bytes, (enum pl_ws_opcode)kind, false,
                             data.len);
    if (data.len > 0)
        memcpy(shared->bytes + head, data.data, data.len);
    shared->frame = pl_str(shared->bytes, head + data.len);
    return shared;
}

void pl_ws_shared_drop(void *arg)
{
    struct pl_ws_shared *shared = arg;

    if (--shared->refs == 0)
        pl_pool_put(shared->pool, shared, shared->size);
}

int pl_ws_write_shared(struct pl_ws *ws, struct pl_ws_shared *shared)
{
    int err = may_write(ws);

    if (err < 0)
        return err;
    shared->refs++;
    ws->active = pl_ws_now(ws);
    return ws->transport->write_ref(ws->link, shared->frame, pl_ws_shared_drop,
                                    shared);
}

int pl_ws_write(struct pl_ws *ws, enum pl_ws_kind kind, struct pl_str data)
{
    struct pl_ws_shared *shared;
    int err = may_write(ws);

    if (err < 0)
        return err;
    if (PL_LIKELY(data.len < SHARE_MIN)) {
        ws->active = pl_ws_now(ws);
        return put_frame(ws, (enum pl_ws_opcode)kind, data);
    }
    shared = pl_ws_shared_new(pl_ws_pool(ws), kind, data);
    if (shared == NULL)
        return PL_ERR_NOMEM;
    err = pl_ws_write_shared(ws, shared);
    pl_ws_shared_drop(shared);
    return err;
}

int pl_ws_ping(struct pl_ws *ws)
{
    int err = may_write(ws);

    if (err == 0)
        pl_ws_control(ws, PL_WS_OP_PING, PL_STR(""));
    return err;
}

/* ---- closing ---- */

/* The first close frame, either way, says why. */
static void note_reason(struct pl_ws *ws, unsigned code, struct pl_str reason)
{
    if (ws->code != 0)
        return;
    ws->code = (uint16_t)code;
    if (reason.len > 0)
        ws->reason = pl_pool_get(pl_ws_pool(ws), 1 + reason.len);
    if (ws->reason == NULL)
        return;
    ws->reason[0] = (char)reason.len;
    memcpy(ws->reason + 1, reason.data, reason.len);
}

/* OPEN -> CLOSING or CLOSED: nothing is read or written any more. */
static void leave_open(struct pl_ws *ws, enum pl_ws_state state)
{
    bool open = ws->state == PL_WS_OPEN;

    ws->state = (uint8_t)state;
    ws->active = pl_ws_now(ws);
    if (open) {
        if (ws->places != NULL)
            ws->http->ws_left(ws);
        tell_writers(ws);
        pl_ws_tell(ws);
    }
}

static void put_close(struct pl_ws *ws, unsigned code, struct pl_str reason)
{
    char data[PL_WS_CONTROL_MAX];
    size_t len = PL_MIN(reason.len, sizeof(data) - 2);

    if (ws->link == NULL)
        return;
    data[0] = (char)(code >> 8);
    data[1] = (char)code;
    if (len > 0)
        memcpy(data + 2, reason.data, len);
    (void)put_frame(ws, PL_WS_OP_CLOSE,
                    pl_str(data, code == PL_WS_NO_CODE ? 0 : 2 + len));
}

static void finish(struct pl_ws *ws)
{
    if (ws->link != NULL)
        ws->transport->finish(ws->link);
}

int pl_ws_close(struct pl_ws *ws, unsigned code, struct pl_str reason)
{
    if (ws->state != PL_WS_OPEN)
        return PL_ERR_CLOSED;
    if (!pl_ws_code_valid(code) || reason.len > PL_WS_CONTROL_MAX - 2 ||
        !pl_utf8_valid(reason))
        return PL_ERR_INVALID;
    pl_ws_hold(ws); /* writing may find that the peer has gone */
    note_reason(ws, code, reason);
    put_close(ws, code, reason);
    drop_message(ws);
    if (ws->state == PL_WS_OPEN)
        leave_open(ws, PL_WS_CLOSING);
    if (ws->paused && ws->link != NULL) { /* until their close frame */
        ws->paused = false;
        ws->transport->resume(ws->link);
    }
    pl_ws_drop(ws);
    return 0;
}

void pl_ws_closed_by_peer(struct pl_ws *ws, unsigned code, struct pl_str reason)
{
    bool answer = ws->state == PL_WS_OPEN;

    code = code == 0 ? PL_WS_NO_CODE : code;
    note_reason(ws, code, reason);
    if (answer)
        put_close(ws, code, pl_str(NULL, 0));
    if (ws->state != PL_WS_CLOSED)
        leave_open(ws, PL_WS_CLOSED);
    finish(ws);
}

static PL_COLD void complain(struct pl_ws *ws, unsigned code, const char *why)
{
    char peer[PL_ADDR_TEXT] = "?";
    struct pl_addr addr;

    if (ws->link != NULL && ws->transport->peer(ws->link, &addr))
        pl_addr_format(&addr, peer);
    pl_log(PL_LOG_INFO, "http", "websocket closed: %s code=%u peer=%s", why,
           code, peer);
}

PL_COLD void pl_ws_fail(struct pl_ws *ws, unsigned code, const char *why)
{
    if (ws->state == PL_WS_CLOSED)
        return;
    complain(ws, code, why);
    if (ws->state == PL_WS_OPEN) {
        note_reason(ws, code, pl_str_c(why));
        put_close(ws, code, pl_str_c(why));
    }
    drop_message(ws);
    if (ws->state != PL_WS_CLOSED)
        leave_open(ws, PL_WS_CLOSED);
    finish(ws);
}

/* It has ended without a close frame, or just after one. */
void pl_ws_eof(struct pl_ws *ws)
{
    pl_ws_hold(ws);
    if (ws->state != PL_WS_CLOSED) {
        note_reason(ws, PL_WS_ABNORMAL, pl_str(NULL, 0));
        leave_open(ws, PL_WS_CLOSED);
    }
    finish(ws);
    pl_ws_drop(ws);
}

void pl_ws_drain(struct pl_ws *ws)
{
    if (ws->state == PL_WS_OPEN)
        (void)pl_ws_close(ws, PL_WS_GOING_AWAY, PL_STR("the server stops"));
}

void pl_ws_gone(struct pl_ws *ws, int why)
{
    (void)why;
    ws->link = NULL;
    if (ws->state != PL_WS_CLOSED) {
        note_reason(ws, PL_WS_ABNORMAL, pl_str(NULL, 0));
        leave_open(ws, PL_WS_CLOSED);
    }
    if (ws->work != NULL) {
        ws->work->left = 0; /* of what would have come */
        if (!ws->work->whole)
            free_message(ws);
    }
    pl_ws_drop(ws);
}

void pl_ws_release(struct pl_ws *ws, unsigned code)
{
    const struct pl_ws_reader *reader = ws->reader;

    PL_CHECK(ws, PL_WS_MAGIC);
    ws->reader = NULL;
    if (ws->state == PL_WS_OPEN)
        (void)pl_ws_close(ws, code, pl_str(NULL, 0));
    PL_ASSERT(ws->receiver == NULL); /* it was told of the end */
    if (reader != NULL && reader->released != NULL)
        reader->released(ws);
    pl_ws_done(ws);
    drop_message(ws);
    tell_writers(ws);
    ws->settings = &pl_ws_default_settings;
    pl_ws_drop(ws);
}

/* ---- time ---- */

static bool passed(uint32_t now, uint32_t since, uint32_t ms)
{
    return ms != 0 && (int32_t)(now - since - ms) >= 0;
}

/* A frame must come in at some speed, unless it is us who do not read. */
static bool is_slow(struct pl_ws *ws, uint32_t now)
{
    struct pl_ws_work *work = ws->work;
    uint64_t want;

    if (!pl_ws_in_frame(ws) || ws->paused)
        return false;
    want = (uint64_t)ws->settings->rate * (now - ws->heard) / 1000;
    if (now - ws->heard < TICK_MAX) /* too early to judge */
        return false;
    if (work->seen - work->judged < want)
        return true;
    work->judged = work->seen;
    ws->heard = now;
    return false;
}

static void check_peer(struct pl_ws *ws, uint32_t now)
{
    const struct pl_ws_settings *settings = ws->settings;

    if (ws->paused) /* it may have answered */
        ws->heard = now;
    if (pl_ws_in_frame(ws)) /* it cannot answer */
        return;
    if (settings->ping_ms == 0 || !passed(now, ws->heard, settings->ping_ms))
        return;
    if (!ws->pinged) {
        ws->pinged = true;
        pl_ws_control(ws, PL_WS_OP_PING, PL_STR(""));
    } else if (passed(now, ws->heard,
                      settings->ping_ms + settings->timeout_ms)) {
        complain(ws, PL_WS_ABNORMAL, "no answer to a ping");
        ws->transport->close(ws->link, PL_ERR_TIMEOUT);
    }
}

void pl_ws_tick(struct pl_ws *ws)
{
    uint32_t now = pl_ws_now(ws);

    if (ws->state == PL_WS_CLOSED)
        return;
    pl_ws_hold(ws);
    ws->transport->deadline(ws->link, ws->http->ws_tick);
    if (ws->state == PL_WS_CLOSING) {
        if (passed(now, ws->active, ws->settings->close_ms))
            ws->transport->close(ws->link, PL_ERR_TIMEOUT);
    } else if (is_slow(ws, now)) {
        pl_ws_fail(ws, PL_WS_POLICY, "a frame comes too slowly");
    } else if (passed(now, ws->active, ws->settings->idle_ms)) {
        (void)pl_ws_close(ws, PL_WS_GOING_AWAY, PL_STR("idle"));
    } else {
        check_peer(ws, now);
    }
    pl_ws_drop(ws);
}

/* ---- looking ---- */

unsigned pl_ws_closed(const struct pl_ws *ws, struct pl_str *reason)
{
    if (reason != NULL)
        *reason = ws->reason == NULL
                      ? PL_STR("")
                      : pl_str(ws->reason + 1, (uint8_t)ws->reason[0]);
    return ws->code;
}

void pl_ws_set_state(struct pl_ws *ws, void *state)
{
    ws->own = state;
}

void *pl_ws_state(const struct pl_ws *ws)
{
    return ws->own;
}
