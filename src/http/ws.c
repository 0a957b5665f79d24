/* ws.c - the life of a WebSocket: who reads it, its closing, its clock. Input
 * is in ws_in.c, output in ws_out.c. */
#include "http/ws_priv.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

enum {
    TICK_MAX = 5000, /* ms between two looks at the clock */
    TICK_MIN = 10,
};

const struct pl_ws_settings pl_ws_default_settings = {
    .max_message = 1 << 20,
    .ping_ms = 30000,
    .timeout_ms = 30000,
    .close_ms = 10000,
    .rate = 500,
    .compress_min = 512,
    .window_bits = 12,
};

/* ---- life ---- */

void pl_ws_hold(struct pl_ws *ws)
{
    ws->holders++;
}

struct pl_ws_rare *pl_ws_rare_get(struct pl_ws *ws)
{
    if (ws->rare == NULL)
        ws->rare = pl_pool_get_zeroed(pl_ws_pool(ws), sizeof(*ws->rare));
    return ws->rare;
}

void pl_ws_drop(struct pl_ws *ws)
{
    struct pl_pool *pool = pl_ws_pool(ws);

    PL_CHECK(ws, PL_WS_MAGIC);
    if (--ws->holders > 0)
        return;
    ws->magic = 0;
    if (ws->packs)
        pl_ws_packer_drop(ws);
    if (ws->rare != NULL) {
        pl_pool_put(pool, (void *)ws->rare->reason.data, ws->rare->reason.len);
        pl_pool_put(pool, ws->rare, sizeof(*ws->rare));
    }
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

static void set_tick(struct pl_http *http,
                     const struct pl_ws_settings *settings)
{
    uint32_t tick = tick_of(settings);

    if (http->ws_tick == 0 || tick < http->ws_tick)
        http->ws_tick = tick;
}

struct pl_ws *pl_ws_new(struct pl_http *http,
                        const struct pl_ws_transport *transport, void *link,
                        const struct pl_ws_settings *settings)
{
    struct pl_ws *ws = pl_pool_get(http->net->pool, sizeof(*ws));

    if (ws == NULL)
        return NULL;
    *ws = (struct pl_ws){.magic = PL_WS_MAGIC,
                         .holders = 2,
                         .transport = transport,
                         .link = link,
                         .http = http,
                         .settings = settings};
    ws->heard = ws->active = ws->window = pl_ws_now(ws);
    set_tick(http, settings);
    return ws;
}

void pl_ws_set(struct pl_ws *ws, const struct pl_ws_settings *settings)
{
    ws->settings = settings;
    set_tick(ws->http, settings);
}

void pl_ws_renew(struct pl_ws *ws, const struct pl_ws_settings *settings)
{
    pl_ws_set(ws, settings);
    if (ws->link != NULL && ws->transport->renew != NULL)
        ws->transport->renew(ws->link);
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
    pl_ws_unpacker_drop(ws);
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

bool pl_ws_is_awaited(const struct pl_ws *ws)
{
    return ws->rare != NULL && ws->rare->waiters != NULL;
}

/* NULL: nobody waits for that. */
static struct pl_ws_wait_op *first(const struct pl_ws *ws, bool drains)
{
    struct pl_ws_wait_op *wait = ws->rare == NULL ? NULL : ws->rare->waiters;

    while (wait != NULL && wait->drains != drains)
        wait = wait->next;
    return wait;
}

static void end_wait(struct pl_ws_wait_op *wait, int result)
{
    struct pl_ws_wait_op **at = &wait->ws->rare->waiters;

    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    pl_timer_stop(pl_loop_wheel(wait->ws->http->net->loop), &wait->timer);
    pl_op_complete(&wait->op, result);
}

void pl_ws_wake(struct pl_ws *ws)
{
    struct pl_ws_wait_op *receiver = first(ws, false);

    if (receiver != NULL)
        end_wait(receiver, 0);
}

void pl_ws_tell(struct pl_ws *ws)
{
    pl_ws_wake(ws);
    if (ws->reader != NULL && ws->reader->ready != NULL)
        ws->reader->ready(ws);
}

void pl_ws_drained(struct pl_ws *ws)
{
    struct pl_ws_wait_op *writer;

    while ((writer = first(ws, true)) != NULL)
        end_wait(writer, 0);
}

static void cancel_wait(struct pl_op *op)
{
    end_wait(PL_CONTAINER_OF(op, struct pl_ws_wait_op, op), PL_ERR_CANCELED);
}

static void on_late(struct pl_timer *timer)
{
    end_wait(PL_CONTAINER_OF(timer, struct pl_ws_wait_op, timer),
             PL_ERR_TIMEOUT);
}

/* now: the result; PL_ERR_AGAIN: there is none yet. */
static void begin_wait(struct pl_ws_wait_op *wait, struct pl_sched *sched,
                       struct pl_ws *ws, bool drains, int now)
{
    struct pl_ws_wait_op **at;

    pl_op_init(&wait->op, sched, cancel_wait);
    pl_op_begin(&wait->op);
    pl_timer_init(&wait->timer, on_late);
    wait->ws = ws;
    wait->next = NULL;
    wait->drains = drains;
    if (now == PL_ERR_AGAIN && pl_ws_rare_get(ws) == NULL)
        now = PL_ERR_NOMEM;
    if (now != PL_ERR_AGAIN) {
        pl_op_complete(&wait->op, now);
        return;
    }
    at = &ws->rare->waiters;
    while (*at != NULL)
        at = &(*at)->next;
    *at = wait;
}

void pl_ws_receive_begin(struct pl_ws_wait_op *wait, struct pl_sched *sched,
                         struct pl_ws *ws, uint64_t due)
{
    int now = first(ws, false) != NULL                     ? PL_ERR_BUSY
              : has_message(ws) || ws->state != PL_WS_OPEN ? 0
                                                           : PL_ERR_AGAIN;

    begin_wait(wait, sched, ws, false, now);
    if (first(ws, false) == wait && due != 0)
        pl_timer_start(pl_loop_wheel(ws->http->net->loop), &wait->timer, due);
}

void pl_ws_drain_begin(struct pl_ws_wait_op *wait, struct pl_sched *sched,
                       struct pl_ws *ws)
{
    bool full = ws->state == PL_WS_OPEN && ws->transport->congested(ws->link);

    begin_wait(wait, sched, ws, true, full ? PL_ERR_AGAIN : 0);
}

/* ---- closing ---- */

/* The first close frame, either way, says why. */
static void note_reason(struct pl_ws *ws, unsigned code, struct pl_str reason)
{
    char *copy;

    if (ws->code != 0)
        return;
    ws->code = (uint16_t)code;
    reason.len = PL_MIN(reason.len, (size_t)PL_WS_CONTROL_MAX - 2);
    if (reason.len == 0 || pl_ws_rare_get(ws) == NULL)
        return;
    copy = pl_pool_get(pl_ws_pool(ws), reason.len);
    if (copy != NULL)
        ws->rare->reason =
            pl_str(memcpy(copy, reason.data, reason.len), reason.len);
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
        pl_ws_drained(ws);
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
    (void)pl_ws_put(ws, PL_WS_OP_CLOSE, false,
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
    PL_ASSERT(first(ws, false) == NULL); /* it was told of the end */
    if (reader != NULL && reader->released != NULL)
        reader->released(ws);
    pl_ws_done(ws);
    drop_message(ws);
    pl_ws_drained(ws);
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
        *reason = ws->rare == NULL || ws->rare->reason.data == NULL
                      ? PL_STR("")
                      : ws->rare->reason;
    return ws->code;
}

void pl_ws_set_state(struct pl_ws *ws, void *state)
{
    ws->user = state;
}

void *pl_ws_state(const struct pl_ws *ws)
{
    return ws->user;
}
