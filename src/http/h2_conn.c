/* h2_conn.c - the life of an HTTP/2 connection.
 *
 *     PREFACED -> GREETED -> OPEN --drain--> DRAINING --PING back--> ENDING
 *         |          |         |                |                      |
 *         +----------+-- fail: GOAWAY, all streams lost, close --------+
 *
 * Frames that come are h2_input.c, those that go h2_output.c, streams
 * h2_stream.c.
 *
 * Invariants: conn->state is the struct pl_h2 from pl_h2_begin() until closed()
 * or a fail; a stream is in its table from its HEADERS until both sides have
 * said their last word, or one of them has reset it. Its request is gone from
 * it by then. */
#include "http/h2_state.h"

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

/* What the PING says that follows our first GOAWAY. */
static const char drain_ping[PL_H2_PING_LEN + 1] = "perilune";

/* ---- begin ---- */

static char *put_greeting(char *out, const struct pl_http_settings *settings)
{
    enum { COUNT = 4 };

    out = pl_h2_put_head(out, (size_t)COUNT * PL_H2_SETTING, PL_H2_SETTINGS, 0,
                         0);
    out = pl_h2_put_setting(out, PL_H2_MAX_CONCURRENT_STREAMS,
                            settings->h2.streams);
    out = pl_h2_put_setting(out, PL_H2_MAX_HEADER_LIST_SIZE, settings->h1.head);
    out = pl_h2_put_setting(out, PL_H2_ENABLE_CONNECT_PROTOCOL, 1);
    out = pl_h2_put_setting(out, PL_H2_NO_RFC7540_PRIORITIES, 1);
    return pl_h2_put_number(out, PL_H2_WINDOW_UPDATE, 0,
                            PL_H2_CONN_WINDOW - PL_H2_WINDOW);
}

static struct pl_h2 *make(struct pl_conn *conn)
{
    struct pl_net *net = pl_conn_net(conn);
    struct pl_account *account = pl_conn_account(conn);
    struct pl_h2 *h2;

    if (account == NULL || pl_account_charge(account, sizeof(*h2)) < 0)
        return NULL;
    h2 = pl_pool_get_zeroed(net->pool, sizeof(*h2));
    if (h2 != NULL)
        h2->hpack = pl_h2_hpack_new(net->pool, account);
    if (h2 == NULL || h2->hpack == NULL) {
        pl_pool_put(net->pool, h2, sizeof(*h2));
        pl_account_release(account, sizeof(*h2));
        return NULL;
    }
    h2->conn = conn;
    h2->account = account;
    h2->send.left = PL_H2_WINDOW;
    h2->recv.left = PL_H2_CONN_WINDOW;
    h2->initial = PL_H2_WINDOW;
    for (unsigned i = 0; i < PL_H2_URGENCIES; i++)
        pl_list_init(&h2->ready[i]);
    pl_list_init(&h2->parked);
    pl_buf_init(&h2->block, net->pool, account, 0);
    return h2;
}

int pl_h2_begin(struct pl_conn *conn)
{
    struct pl_h2 *h2 = make(conn);
    char greeting[128];

    conn->protocol = &pl_h2_protocol;
    conn->state = h2;
    if (h2 == NULL) {
        pl_conn_close(conn, PL_ERR_NOMEM);
        return PL_ERR_CLOSED;
    }
    pl_h2_watch(h2);
    return pl_h2_say(h2, greeting,
                     put_greeting(greeting, pl_h2_http(h2)->settings));
}

/* ---- end ---- */

static struct pl_h2_stream *any_stream(const struct pl_h2 *h2)
{
    for (unsigned i = 0; i < PL_H2_BUCKETS; i++)
        if (h2->buckets[i] != NULL)
            return h2->buckets[i];
    return NULL;
}

static void lose_all(struct pl_h2 *h2, int why)
{
    struct pl_h2_stream *stream;

    while ((stream = any_stream(h2)) != NULL)
        pl_h2_stream_lose(stream, why);
}

static int say_goaway(struct pl_h2 *h2, uint32_t last, enum pl_h2_code code)
{
    char frame[PL_H2_FRAME_HEAD + 8], *end;

    end = pl_h2_put_head(frame, 8, PL_H2_GOAWAY, 0, 0);
    end = pl_h2_put_u32(end, last);
    return pl_h2_say(h2, frame, pl_h2_put_u32(end, code));
}

int pl_h2_fail(struct pl_h2 *h2, enum pl_h2_code code, const char *why)
{
    struct pl_conn *conn = h2->conn;
    struct pl_http *http = pl_h2_http(h2);
    char peer[PL_ADDR_TEXT] = "?";
    struct pl_addr addr;

    if (pl_conn_peer(conn, &addr))
        pl_addr_format(&addr, peer);
    pl_log(code == PL_H2_ENHANCE_YOUR_CALM ? PL_LOG_NOTICE : PL_LOG_INFO,
           "http", "HTTP/2 connection ended: %s code=%s peer=%s", why,
           pl_h2_code_name(code), peer);
    http->stats.refused++;
    if (say_goaway(h2, h2->last, code) < 0)
        return PL_ERR_CLOSED;
    lose_all(h2, PL_ERR_CLOSED);
    pl_conn_finish(conn, true);
    return PL_ERR_CLOSED;
}

/* Nothing is in progress, and nothing more shall come. */
static int finish(struct pl_h2 *h2)
{
    pl_conn_finish(h2->conn, false);
    return PL_ERR_CLOSED;
}

int pl_h2_settle(struct pl_h2 *h2)
{
    uint32_t more = pl_h2_window_open(&h2->recv, PL_H2_CONN_WINDOW - h2->held);

    if (more > 0 && pl_h2_say_number(h2, PL_H2_WINDOW_UPDATE, 0, more) < 0)
        return PL_ERR_CLOSED;
    if (h2->nstreams > 0)
        return 0;
    if (h2->stage == PL_H2_ENDING)
        return finish(h2);
    pl_h2_watch(h2);
    return 0;
}

static void on_drain(struct pl_conn *conn)
{
    struct pl_h2 *h2 = conn->state;
    char ping[PL_H2_FRAME_HEAD + PL_H2_PING_LEN], *end;

    if (h2 == NULL || (conn->flags & PL_CONN_FINISHING))
        return;
    if (h2->stage < PL_H2_OPEN) {
        finish(h2);
        return;
    }
    if (h2->stage > PL_H2_OPEN ||
        say_goaway(h2, PL_H2_WINDOW_MAX, PL_H2_NO_ERROR) < 0)
        return;
    h2->stage = PL_H2_DRAINING;
    end = pl_h2_put_head(ping, PL_H2_PING_LEN, PL_H2_PING, 0, 0);
    memcpy(end, drain_ping, PL_H2_PING_LEN);
    if (pl_h2_say(h2, ping, end + PL_H2_PING_LEN) == 0)
        pl_h2_watch(h2);
}

int pl_h2_pong(struct pl_h2 *h2, struct pl_str payload)
{
    if (h2->stage != PL_H2_DRAINING ||
        !pl_str_eq(payload, pl_str(drain_ping, PL_H2_PING_LEN)))
        return 0;
    h2->stage = PL_H2_ENDING;
    if (say_goaway(h2, h2->last, PL_H2_NO_ERROR) < 0)
        return PL_ERR_CLOSED;
    return h2->nstreams == 0 ? finish(h2) : 0;
}

/* ---- time ---- */

void pl_h2_watch(struct pl_h2 *h2)
{
    const struct pl_http_settings *settings = pl_h2_http(h2)->settings;
    struct pl_conn *conn = h2->conn;

    if (h2->stage < PL_H2_OPEN || h2->block_frame.stream != 0)
        pl_conn_deadline(conn, PL_DEADLINE_HEAD, settings->header_ms);
    else if (h2->nstreams > 0)
        pl_conn_deadline(conn, PL_DEADLINE_BODY, settings->body_grace_ms);
    else if (h2->stage == PL_H2_DRAINING) /* for the PING to come back */
        pl_conn_deadline(conn, PL_DEADLINE_LINGER,
                         pl_conn_net(conn)->limits.linger_ms);
    else
        pl_conn_deadline(conn, PL_DEADLINE_IDLE, settings->idle_ms);
}

/* The peer must send body_rate bytes a second, unless its window is closed. */
static bool is_slow(struct pl_h2_stream *stream, uint64_t now)
{
    const struct pl_http_settings *settings = pl_h2_http(stream->h2)->settings;
    uint64_t want, came = stream->seen - stream->judged;

    if (!stream->body || stream->req == NULL || stream->late ||
        stream->req->ws_stream != NULL || /* which minds that itself */
        now - stream->looked < settings->body_grace_ms)
        return false;
    want = (uint64_t)stream->req->limits->rate * (now - stream->looked) / 1000;
    stream->looked = now;
    stream->judged = stream->seen;
    return came < want && !stream->expect && stream->recv.left > 0;
}

static bool is_stalled(const struct pl_h2_stream *stream, uint64_t now)
{
    return stream->stalled != 0 &&
           now - stream->stalled >=
               pl_conn_net(stream->h2->conn)->limits.write_ms;
}

/* The next stream whose peer has let it wait for too long. Who is slow is told
 * so here. */
static struct pl_h2_stream *find_stalled(struct pl_h2 *h2, uint64_t now)
{
    struct pl_h2_stream *stream;

    for (unsigned i = 0; i < PL_H2_BUCKETS; i++) {
        for (stream = h2->buckets[i]; stream != NULL; stream = stream->next) {
            if (is_stalled(stream, now))
                return stream;
            if (!is_slow(stream, now))
                continue;
            stream->late = true;
            pl_body_end(stream->req, PL_ERR_TIMEOUT);
        }
    }
    return NULL;
}

static void look(struct pl_h2 *h2)
{
    struct pl_conn *conn = h2->conn;
    uint64_t now = pl_h2_now(h2);
    struct pl_h2_stream *stream;

    if (h2->stalled != 0 &&
        now - h2->stalled >= pl_conn_net(conn)->limits.write_ms) {
        pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM, "its window stays closed");
        return;
    }
    while ((stream = find_stalled(h2, now)) != NULL)
        if (pl_h2_stream_refuse(stream, PL_H2_ENHANCE_YOUR_CALM) < 0)
            return;
    pl_h2_watch(h2);
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    struct pl_h2 *h2 = conn->state;

    if (class == PL_DEADLINE_BODY)
        look(h2);
    else if (class == PL_DEADLINE_HEAD)
        pl_h2_fail(h2, PL_H2_ENHANCE_YOUR_CALM,
                   h2->stage < PL_H2_OPEN ? "the preface took too long"
                                          : "a header block took too long");
    else if (say_goaway(h2, h2->last, PL_H2_NO_ERROR) == 0)
        finish(h2);
}

/* ---- the protocol ---- */

static void on_opened(struct pl_conn *conn)
{
    pl_h2_begin(conn);
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    const uint16_t stop = PL_CONN_CLOSED | PL_CONN_FINISHING;
    size_t used = 0, n;
    unsigned frames = 0;

    do {
        if (++frames > PL_H2_SHARE) {
            pl_conn_pass(conn);
            break;
        }
        n = pl_h2_input(conn->state, pl_str_skip(bytes, used));
        used += n;
    } while (n > 0 && used < bytes.len && !(conn->flags & stop));
    /* No more answers for who does not read. */
    if (!(conn->flags & stop) && pl_conn_congested(conn))
        pl_conn_pause(conn);
    return conn->flags & PL_CONN_FINISHING ? bytes.len : used;
}

/* Who still wants an answer keeps the connection open in both directions:
 * frames for its windows must come back. */
static void on_eof(struct pl_conn *conn)
{
    struct pl_h2 *h2 = conn->state;

    lose_all(h2, PL_ERR_CLOSED);
    finish(h2);
}

/* One after the other: each may add to what waits, or end it all. */
static void begin_parked(struct pl_conn *conn)
{
    struct pl_h2 *h2 = conn->state;
    struct pl_list *node;

    while (!pl_conn_closed(conn) && !pl_h2_is_full(h2) &&
           (node = pl_list_pop(&h2->parked)) != NULL)
        pl_request_begin(PL_LIST_ENTRY(node, struct pl_h2_stream, node)->req);
}

static void on_drained(struct pl_conn *conn)
{
    struct pl_h2 *h2 = conn->state;

    if ((conn->flags & PL_CONN_PAUSED) && !pl_conn_congested(conn))
        pl_conn_resume(conn);
    if (pl_h2_pump(h2) == 0)
        begin_parked(conn);
}

static void on_closed(struct pl_conn *conn, int why)
{
    struct pl_h2 *h2 = conn->state;

    if (h2 == NULL)
        return;
    conn->state = NULL;
    lose_all(h2, why);
    pl_h2_hpack_free(h2->hpack);
    pl_buf_fini(&h2->block);
    pl_account_release(h2->account, sizeof(*h2));
    pl_pool_put(pl_conn_net(conn)->pool, h2, sizeof(*h2));
}

const struct pl_protocol pl_h2_protocol = {
    .name = "HTTP/2",
    .alpn = "h2",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .drain = on_drain,
    .closed = on_closed,
};
