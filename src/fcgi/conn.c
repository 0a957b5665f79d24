/* conn.c - the life of a FastCGI connection: what it waits for, and its end.
 *
 * Requests on it are independent of each other, each with a number that the web
 * server gives it (FastCGI 1.0, 3.3). Whether the connection goes on behind the
 * last of them is the web server's to say, too (FCGI_KEEP_CONN).
 *
 * Invariants: conn->state is NULL while there is neither a request nor a part
 * of a record, so that a kept connection costs nothing. The records of one read
 * are answered in one send. */
#include "fcgi/fcgi.h"

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "fcgi/state.h"

/* A request may be on its way to a server that ends: idle connections are
 * listened to for so long. */
enum { LEAVE_MS = 500 };

static struct pl_http *http_of(const struct pl_conn *conn)
{
    return conn->listener->arg;
}

/* ---- begin ---- */

static struct pl_fcgi *make(struct pl_conn *conn)
{
    struct pl_account *account = pl_conn_account(conn);
    struct pl_fcgi *fcgi;

    if (account == NULL || pl_account_charge(account, sizeof(*fcgi)) < 0)
        return NULL;
    fcgi = pl_pool_get_zeroed(pl_conn_net(conn)->pool, sizeof(*fcgi));
    if (fcgi == NULL) {
        pl_conn_release(conn, sizeof(*fcgi));
        return NULL;
    }
    fcgi->conn = conn;
    fcgi->account = account;
    fcgi->awaited = PL_DEADLINE_IDLE;
    pl_list_init(&fcgi->streams);
    pl_list_init(&fcgi->ready);
    conn->state = fcgi;
    return fcgi;
}

/* ---- end ---- */

static void leave(struct pl_fcgi *fcgi)
{
    fcgi->conn->state = NULL;
    pl_conn_release(fcgi->conn, sizeof(*fcgi));
    if (!fcgi->reading)
        pl_pool_put(pl_conn_net(fcgi->conn)->pool, fcgi, sizeof(*fcgi));
}

static void lose_all(struct pl_fcgi *fcgi, int why)
{
    while (!pl_list_empty(&fcgi->streams))
        pl_fcgi_stream_lose(
            PL_LIST_ENTRY(fcgi->streams.next, struct pl_fcgi_stream, node),
            why);
}

void pl_fcgi_fail(struct pl_fcgi *fcgi, const char *why)
{
    struct pl_conn *conn = fcgi->conn;
    char peer[PL_ADDR_TEXT] = "?";
    struct pl_addr addr;

    if (pl_conn_peer(conn, &addr))
        pl_addr_format(&addr, peer);
    pl_log(PL_LOG_WARN, "fcgi", "FastCGI connection ended: %s peer=%s", why,
           peer);
    pl_fcgi_http(fcgi)->stats.refused++;
    lose_all(fcgi, PL_ERR_CLOSED);
    pl_conn_finish(conn, true);
}

/* Nothing is in progress. */
static void rest(struct pl_fcgi *fcgi)
{
    struct pl_conn *conn = fcgi->conn;

    leave(fcgi);
    pl_conn_deadline(conn, PL_DEADLINE_IDLE, http_of(conn)->settings->idle_ms);
}

/* Web servers send requests on a kept connection until it ends: at a stop that
 * is behind the next answer. */
static bool is_last(const struct pl_fcgi *fcgi)
{
    return fcgi->last || (fcgi->served && pl_fcgi_http(fcgi)->draining);
}

void pl_fcgi_settle(struct pl_fcgi *fcgi)
{
    bool part = fcgi->left + fcgi->pad_left > 0;

    if (fcgi->reading || (fcgi->conn->flags & PL_CONN_FINISHING))
        return;
    if (fcgi->nstreams == 0 && is_last(fcgi))
        pl_conn_finish(fcgi->conn, fcgi->unread || part);
    else if (fcgi->nstreams == 0 && !part)
        rest(fcgi);
    else
        pl_fcgi_watch(fcgi);
}

/* ---- time ---- */

static bool awaits_body(const struct pl_fcgi_stream *stream)
{
    return stream->stage == PL_FCGI_IN_BODY && stream->req != NULL &&
           !stream->req->body.complete && stream->req->body.err == 0;
}

static enum pl_deadline_class awaited(const struct pl_fcgi *fcgi)
{
    enum pl_deadline_class class =
        fcgi->nstreams == 0 ? PL_DEADLINE_HEAD : PL_DEADLINE_NONE;
    struct pl_list *node;

    PL_LIST_FOREACH (node, &fcgi->streams) {
        const struct pl_fcgi_stream *stream =
            PL_LIST_ENTRY(node, struct pl_fcgi_stream, node);

        if (stream->stage == PL_FCGI_IN_PARAMS)
            return PL_DEADLINE_HEAD;
        if (awaits_body(stream))
            class = PL_DEADLINE_BODY;
    }
    return class;
}

void pl_fcgi_watch(struct pl_fcgi *fcgi)
{
    const struct pl_http_settings *settings = pl_fcgi_http(fcgi)->settings;
    enum pl_deadline_class class = awaited(fcgi);

    if (class == fcgi->awaited) /* as long as it was from the first on */
        return;
    fcgi->awaited = (uint8_t) class;
    pl_conn_deadline(fcgi->conn, class,
                     class == PL_DEADLINE_HEAD ? settings->header_ms
                                               : settings->body_grace_ms);
}

/* The next one whose params take too long, or NULL. */
static struct pl_fcgi_stream *find_stalled(struct pl_fcgi *fcgi)
{
    uint64_t now = pl_fcgi_now(fcgi);
    struct pl_list *node;

    PL_LIST_FOREACH (node, &fcgi->streams) {
        struct pl_fcgi_stream *stream =
            PL_LIST_ENTRY(node, struct pl_fcgi_stream, node);

        if (stream->stage == PL_FCGI_IN_PARAMS &&
            now - stream->begun >= pl_fcgi_http(fcgi)->settings->header_ms)
            return stream;
    }
    return NULL;
}

static void look_at_heads(struct pl_fcgi *fcgi)
{
    struct pl_conn *conn = fcgi->conn;
    struct pl_fcgi_stream *stream;

    if (fcgi->nstreams == 0) {
        pl_fcgi_fail(fcgi, "a record took too long");
        return;
    }
    while (conn->state == fcgi && (stream = find_stalled(fcgi)) != NULL)
        pl_fcgi_stream_refuse(stream, 408, "the params took too long");
}

/* The web server must send body_rate bytes a second, unless it is us who do not
 * read. */
static bool is_slow(struct pl_fcgi_stream *stream, uint64_t now)
{
    uint64_t came = stream->seen - stream->judged;
    uint64_t want =
        (uint64_t)stream->req->limits->rate * (now - stream->looked) / 1000;

    stream->looked = now;
    stream->judged = stream->seen;
    return came < want && !(stream->fcgi->conn->flags & PL_CONN_PAUSED);
}

static void look_at_bodies(struct pl_fcgi *fcgi)
{
    uint64_t now = pl_fcgi_now(fcgi);
    struct pl_list *node;

    PL_LIST_FOREACH (node, &fcgi->streams) {
        struct pl_fcgi_stream *stream =
            PL_LIST_ENTRY(node, struct pl_fcgi_stream, node);

        if (awaits_body(stream) && is_slow(stream, now))
            pl_body_end(stream->req, PL_ERR_TIMEOUT);
    }
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    struct pl_fcgi *fcgi = conn->state;

    if (fcgi == NULL) { /* between requests */
        pl_conn_finish(conn, false);
        return;
    }
    fcgi->awaited = PL_DEADLINE_NONE;
    if (class == PL_DEADLINE_HEAD)
        look_at_heads(fcgi);
    else
        look_at_bodies(fcgi);
    if (conn->state == fcgi)
        pl_fcgi_settle(fcgi);
}

/* ---- back-pressure ---- */

/* Only bodies that are full count: who waits for more of the others gets it. */
bool pl_fcgi_is_full(const struct pl_fcgi *fcgi)
{
    size_t held = 0;
    struct pl_list *node;

    PL_LIST_FOREACH (node, &fcgi->streams) {
        const struct pl_request *req =
            PL_LIST_ENTRY(node, struct pl_fcgi_stream, node)->req;

        if (req != NULL && pl_body_full(&req->body))
            held += pl_body_waiting(&req->body).len;
    }
    return held > PL_FCGI_HELD;
}

void pl_fcgi_resume(struct pl_fcgi *fcgi)
{
    struct pl_conn *conn = fcgi->conn;

    if ((conn->flags & PL_CONN_PAUSED) && !pl_conn_congested(conn) &&
        !pl_fcgi_is_full(fcgi))
        pl_conn_resume(conn);
}

static void tell_producers(struct pl_fcgi *fcgi)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &fcgi->streams) {
        struct pl_request *req =
            PL_LIST_ENTRY(node, struct pl_fcgi_stream, node)->req;

        if (req != NULL)
            pl_response_drained(&req->response, 0);
    }
}

static void on_drained(struct pl_conn *conn)
{
    struct pl_fcgi *fcgi = conn->state;

    if (fcgi == NULL) {
        if (!pl_conn_congested(conn))
            pl_conn_resume(conn);
        return;
    }
    pl_fcgi_resume(fcgi);
    if (!pl_conn_congested(conn))
        tell_producers(fcgi);
    pl_fcgi_pump(fcgi);
}

/* ---- the protocol ---- */

/* 3.2: FCGI_WEB_SERVER_ADDRS, or what the listener says itself. Who may connect
 * to a UNIX socket is said by its file. */
PL_COLD static bool may_connect(const struct pl_conn *conn)
{
    struct pl_addr addr;
    char peer[PL_ADDR_TEXT] = "?";

    if (!pl_conn_peer(conn, &addr))
        return false;
    if (addr.sa.sa_family == AF_UNIX || pl_conn_trusted(conn))
        return true;
    pl_addr_format(&addr, peer);
    pl_log(PL_LOG_WARN, "fcgi",
           "%s is none of the web servers that may connect "
           "(FCGI_WEB_SERVER_ADDRS, or trusted of the listener)",
           peer);
    return false;
}

static void on_opened(struct pl_conn *conn)
{
    if (conn->listener->options->trusted != NULL && !may_connect(conn)) {
        pl_conn_close(conn, PL_ERR_DENIED);
        return;
    }
    pl_conn_deadline(conn, PL_DEADLINE_IDLE, http_of(conn)->settings->idle_ms);
}

static size_t read_records(struct pl_fcgi *fcgi, struct pl_str bytes)
{
    const uint16_t stop = PL_CONN_CLOSED | PL_CONN_FINISHING | PL_CONN_PAUSED;
    struct pl_conn *conn = fcgi->conn;
    size_t used = 0, n;
    unsigned records = 0;

    do {
        if (++records > PL_FCGI_SHARE) {
            pl_conn_pass(conn);
            break;
        }
        n = pl_fcgi_input(fcgi, pl_str_skip(bytes, used));
        used += n;
    } while (n > 0 && used < bytes.len && !(conn->flags & stop));
    if (fcgi->starting != NULL)
        pl_fcgi_start(fcgi);
    return used;
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    struct pl_fcgi *fcgi = conn->state != NULL ? conn->state : make(conn);
    size_t used;

    if (fcgi == NULL) {
        pl_conn_close(conn, PL_ERR_NOMEM);
        return bytes.len;
    }
    fcgi->reading = true;
    used = read_records(fcgi, bytes);
    fcgi->reading = false;
    if (conn->state != fcgi) { /* it has been closed meanwhile */
        pl_pool_put(pl_conn_net(conn)->pool, fcgi, sizeof(*fcgi));
        return bytes.len;
    }
    if (conn->flags & PL_CONN_FINISHING)
        return bytes.len;
    if (pl_conn_congested(conn)) /* no more answers for who does not read */
        pl_conn_pause(conn);
    pl_fcgi_settle(fcgi);
    return used;
}

/* A web server that closes wants no answer any more (5.4: it "can abort a
 * FastCGI request by closing the transport connection"). */
static void on_eof(struct pl_conn *conn)
{
    struct pl_fcgi *fcgi = conn->state;

    if (fcgi != NULL)
        lose_all(fcgi, PL_ERR_CLOSED);
    pl_conn_finish(conn, false);
}

PL_COLD static void on_drain(struct pl_conn *conn)
{
    if (conn->state == NULL)
        pl_conn_deadline(conn, PL_DEADLINE_LEAVE, LEAVE_MS);
}

static void on_closed(struct pl_conn *conn, int why)
{
    struct pl_fcgi *fcgi = conn->state;

    if (fcgi == NULL)
        return;
    lose_all(fcgi, why);
    leave(fcgi);
}

const struct pl_protocol pl_fcgi_protocol = {
    .name = "fastcgi",
    .opened = on_opened,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .drain = on_drain,
    .closed = on_closed,
};
