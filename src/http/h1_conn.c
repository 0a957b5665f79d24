/* h1_conn.c - the life of an HTTP/1 connection: decides what happens next.
 * Parsing is in h1_parse.c; responses go through h1_wire.c and h1_write.c.
 *
 *     IDLE --bytes--> HEAD --complete--> REQUEST --response sent--+
 *      ^  (no state)   |                    (body arrives while    |
 *      |               | refused             the handler runs)     v
 *      |               v                                        body read?
 *      |            answer, close <--too much-- DRAIN <---no------+ |
 *      +----------------------keep-alive----------+<------yes-------+
 *
 * Invariants: one request at a time (pipelined bytes wait in the connection;
 * the answers of one read leave in one send). conn->state is NULL while the
 * connection is idle, so that it costs nothing. h1->req is set from a complete
 * head until the response has been said, and only then. */
#include "http/http.h"

#include "base/error.h"
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "http/h1_state.h"
#include "http/h1_write.h"
#include "http/ws_handshake.h"
#include "http/h2.h"
#include "http/trailer.h"
#include "net/tls.h"

/* Bytes of unread body that are worth reading to keep the connection. */
enum { DRAIN_MAX = 256 * 1024 };

/* Pipelined requests that are taken in one turn. */
enum { SHARE = 64 };

/* A request may be on its way to a server that ends, on a connection whose last
 * answer is not older than this: it is waited for so long. */
enum { LEAVE_MS = 500 };

enum user { SERVED = 1 }; /* conn->user: a request has come on it */

static struct pl_h1 *h1_new(struct pl_conn *conn)
{
    struct pl_h1 *h1 = pl_pool_get_zeroed(pl_conn_net(conn)->pool, sizeof(*h1));

    if (h1 != NULL) {
        h1->conn = conn;
        conn->state = h1;
    }
    return h1;
}

static inline void free_parser(struct pl_h1 *h1)
{
    if (h1->parser == NULL)
        return;
    pl_pool_put(pl_conn_net(h1->conn)->pool, h1->parser, sizeof(*h1->parser));
    h1->parser = NULL;
}

void pl_h1_free(struct pl_h1 *h1)
{
    struct pl_conn *conn = h1->conn;

    free_parser(h1);
    if (h1->charged > 0)
        pl_conn_release(conn, h1->charged);
    conn->state = NULL;
    pl_pool_put(pl_conn_net(conn)->pool, h1, sizeof(*h1));
}

/* A head stays while its rest or its body is on its way: it counts among what
 * the connection may hold. A request that is complete is held by who answers
 * it, and has a limit of its own. */
static bool charge(struct pl_h1 *h1, size_t size)
{
    struct pl_account *account = pl_conn_account(h1->conn);

    if (account == NULL || pl_account_charge(account, size) < 0)
        return false;
    h1->charged += (uint32_t)size;
    return true;
}

static bool charge_head(struct pl_h1 *h1, const struct pl_h1_parser *parser)
{
    return charge(h1,
                  parser->head_len + (size_t)parser->nfields * PL_FIELD_COST);
}

/* Answers without a request, and closes. Said once in the log. */
PL_COLD static void refuse(struct pl_conn *conn, int status, const char *why)
{
    struct pl_http *http = pl_h1_http(conn);
    char peer[PL_ADDR_TEXT] = "?", out[PL_H1_PLAIN_MAX];
    struct pl_addr addr;

    if (pl_conn_peer(conn, &addr))
        pl_addr_format(&addr, peer);
    pl_log(PL_LOG_DEBUG, "http", "refused: %s status=%d peer=%s", why, status,
           peer);
    http->stats.refused++;
    http->stats.by_class[status / 100]++;
    if (http->ops->refused != NULL)
        http->ops->refused(http->arg, conn, status);
    pl_conn_write(conn, pl_str(out, pl_h1_plain_write(out, http, status, why)));
    pl_conn_finish(conn, true);
}

/* ---- after the response ---- */

/* The request is over on this wire: on to the next one, or the end. */
static void next_request(struct pl_h1 *h1)
{
    struct pl_conn *conn = h1->conn;
    struct pl_http *http = pl_h1_http(conn);

    if (!h1->keep || h1->body != PL_H1_BODY_NONE) {
        bool unread = h1->body != PL_H1_BODY_NONE;

        pl_h1_free(h1);
        pl_conn_finish(conn, unread);
        return;
    }
    pl_h1_free(h1);
    if (http->draining) /* its answer was begun before and did not say so */
        pl_conn_deadline(conn, PL_DEADLINE_LEAVE, LEAVE_MS);
    else
        pl_conn_deadline(conn, PL_DEADLINE_IDLE, http->settings->idle_ms);
    if (pl_conn_congested(conn)) /* no more answers for who does not read */
        pl_conn_pause(conn);
    else if (conn->flags & PL_CONN_PAUSED)
        pl_conn_resume(conn);
}

bool pl_h1_worth_draining(const struct pl_h1 *h1)
{
    return h1->keep && !h1->expect &&
           (h1->body == PL_H1_BODY_CHUNKED ||
            (h1->body == PL_H1_BODY_LENGTH && h1->left <= DRAIN_MAX));
}

void pl_h1_settle(struct pl_h1 *h1)
{
    struct pl_request *req = h1->req;

    h1->req = NULL;
    req->wire = NULL;
    req->stream = NULL;
    if (h1->body != PL_H1_BODY_NONE)
        pl_body_end(req, PL_ERR_CLOSED);
    pl_request_drop(req);
    if (h1->body != PL_H1_BODY_NONE && pl_h1_worth_draining(h1)) {
        h1->seen = h1->judged = 0;
        pl_conn_deadline(h1->conn, PL_DEADLINE_BODY,
                         pl_h1_http(h1->conn)->settings->body_grace_ms);
        if (h1->conn->flags & PL_CONN_PAUSED)
            pl_conn_resume(h1->conn);
        return;
    }
    next_request(h1);
}

/* ---- the request's body ---- */

static void body_over(struct pl_h1 *h1, int err)
{
    h1->body = err == 0 ? PL_H1_BODY_NONE : PL_H1_BODY_BAD;
    if (h1->req == NULL) {
        next_request(h1);
        return;
    }
    if (err < 0)
        h1->keep = false;
    pl_conn_deadline(h1->conn, PL_DEADLINE_NONE, 0);
    pl_body_end(h1->req, err);
}

static void body_data(struct pl_h1 *h1, struct pl_str data)
{
    h1->seen += data.len;
    h1->expect = h1->expect && data.len == 0; /* it did not wait for our 100 */
    if (h1->req != NULL)
        pl_body_feed(h1->req, data);
}

static size_t length_input(struct pl_h1 *h1, struct pl_str bytes)
{
    size_t part = (size_t)PL_MIN(h1->left, bytes.len);

    body_data(h1, pl_str_first(bytes, part));
    h1->left -= part;
    if (h1->left == 0)
        body_over(h1, 0);
    return part;
}

/* What the chunks' parser has seen of the trailers; those of a request that is
 * over are nobody's. */
static int keep_trailers(struct pl_h1 *h1, int got)
{
    struct pl_str piece = h1->chunk.trailer;
    int err = 0;

    if (!PL_WITH_STREAMS || h1->req == NULL || piece.len == 0)
        return got;
    if (h1->trailers == NULL && got == 1) /* they came in one piece */
        err = pl_trailer_receive_lines(h1->req, piece);
    else if (h1->trailers == NULL)
        h1->trailers = pl_request_buf(h1->req);
    if (h1->trailers != NULL)
        err = pl_buf_add(h1->trailers, piece);
    if (h1->trailers != NULL && err == 0 && got == 1)
        err = pl_trailer_receive_lines(h1->req, pl_buf_str(h1->trailers));
    return err < 0 ? err : got;
}

static size_t chunked_input(struct pl_h1 *h1, struct pl_str bytes)
{
    size_t total = 0, used;
    struct pl_str data;
    int got = 0;

    while (got == 0 && total < bytes.len &&
           !(h1->req != NULL && pl_body_full(&h1->req->body))) {
        got = pl_h1_chunk_parse(&h1->chunk, pl_str_skip(bytes, total), &used,
                                &data);
        total += used;
        got = keep_trailers(h1, got);
        body_data(h1, data);
        if (h1->req == NULL && h1->seen > DRAIN_MAX)
            got = PL_ERR_LIMIT;
    }
    if (got != 0)
        body_over(h1, got < 0 ? got : 0);
    return total;
}

/* Returns how much was used. May end the request when it is being drained. */
static size_t body_input(struct pl_h1 *h1, struct pl_str bytes)
{
    struct pl_conn *conn = h1->conn;
    size_t used;

    switch (h1->body) {
    case PL_H1_BODY_LENGTH:
        used = length_input(h1, bytes);
        break;
    case PL_H1_BODY_CHUNKED:
        used = chunked_input(h1, bytes);
        break;
    case PL_H1_BODY_BAD: /* nothing behind it can be trusted */
        return bytes.len;
    default: /* the next request: it waits for this one */
        pl_conn_pause(conn);
        return 0;
    }
    if (conn->state == h1 && h1->req != NULL && pl_body_full(&h1->req->body))
        pl_conn_pause(conn);
    return used;
}

/* ---- the request's head ---- */

static void take_framing(struct pl_h1 *h1, const struct pl_h1_parser *parser)
{
    h1->keep = parser->keep_alive;
    h1->minor0 = parser->minor == 0;
    h1->expect = parser->expect_continue;
    if (parser->chunked) {
        h1->body = PL_H1_BODY_CHUNKED;
        pl_h1_chunk_init(&h1->chunk);
    } else if (parser->has_length && parser->content_length > 0) {
        h1->body = PL_H1_BODY_LENGTH;
        h1->left = parser->content_length;
    }
}

/* A request from a complete head, copied into its arena: nothing that a
 * handler sees points into the inbox. NULL if out of memory. */
static struct pl_request *make_request(struct pl_h1 *h1,
                                       const struct pl_h1_parser *parser,
                                       struct pl_str bytes)
{
    struct pl_request *req = pl_request_new(pl_h1_http(h1->conn));
    char *head;

    if (req == NULL)
        return NULL;
    head = pl_arena_bytes(&req->arena, parser->head_len);
    if (head != NULL) {
        memcpy(head, bytes.data, parser->head_len);
        req->headers = pl_h1_headers(parser, head, &req->arena);
    }
    if (head == NULL || req->headers == NULL) {
        pl_request_drop(req);
        return NULL;
    }
    req->nheaders = parser->nfields;
    req->method = parser->method;
    req->method_name = pl_str(head + parser->method_at, parser->method_len);
    req->target = pl_str(head + parser->target_at, parser->target_len);
    req->version = h1->minor0 ? 10 : 11;
    req->head = parser->method == PL_METHOD_HEAD;
    req->upgrade = parser->upgrade;
    pl_request_arrived(req, h1->conn);
    req->body.length = parser->has_length ? (int64_t)parser->content_length
                       : parser->chunked  ? -1
                                          : 0;
    req->body.complete = h1->body == PL_H1_BODY_NONE;
    req->wire = &pl_h1_wire;
    req->stream = h1;
    return req;
}

static bool may_be_h2(const struct pl_conn *conn)
{
    return PL_WITH_HTTP2 && pl_h1_http(conn)->settings->h2.on &&
           conn->listener->options->speak != PL_SPEAK_HTTP1;
}

/* The request asks for HTTP/2, and goes on there. */
PL_COLD static bool leave(struct pl_h1 *h1)
{
    struct pl_request *req = h1->req;
    struct pl_conn *conn = h1->conn;

    if (!may_be_h2(conn) || h1->minor0 || h1->body != PL_H1_BODY_NONE ||
        !pl_h2_is_asked_for(req))
        return false;
    pl_h1_free(h1);
    pl_h2_upgrade(conn, req);
    return true;
}

/* A complete head: starts its request. Returns the bytes of head and body that
 * were used. */
static size_t start(struct pl_conn *conn, const struct pl_h1_parser *parser,
                    struct pl_str bytes)
{
    struct pl_h1 *h1 = conn->state != NULL ? conn->state : h1_new(conn);
    size_t used = parser->head_len;

    if (h1 == NULL) {
        refuse(conn, 503, "out of memory");
        return bytes.len;
    }
    conn->user = SERVED;
    take_framing(h1, parser);
    if (h1->body == PL_H1_BODY_NONE || charge_head(h1, parser))
        h1->req = make_request(h1, parser, bytes);
    free_parser(h1);
    if (h1->req == NULL) {
        pl_h1_free(h1);
        refuse(conn, 503, "out of memory");
        return bytes.len;
    }
    if (PL_UNLIKELY(h1->req->upgrade) && leave(h1))
        return used;
    /* Body bytes that came along are there before the handler looks. */
    if (h1->body != PL_H1_BODY_NONE)
        used += body_input(h1, pl_str_skip(bytes, used));
    pl_request_begin(h1->req);
    /* Answered already? Then h1 may be gone. */
    if (conn->state == h1 && h1->req != NULL)
        pl_conn_deadline(conn,
                         h1->body != PL_H1_BODY_NONE ? PL_DEADLINE_BODY
                                                     : PL_DEADLINE_NONE,
                         pl_h1_http(conn)->settings->body_grace_ms);
    return used;
}

/* Keeps what has been parsed of a head that goes on in a later read. */
static void keep_head(struct pl_conn *conn)
{
    struct pl_http *http = pl_h1_http(conn);
    struct pl_h1 *h1 = conn->state != NULL ? conn->state : h1_new(conn);

    if (h1 != NULL && h1->parser == NULL) {
        h1->parser = pl_pool_get(pl_conn_net(conn)->pool, sizeof(*h1->parser));
        if (h1->parser != NULL && !charge(h1, sizeof(*h1->parser)))
            free_parser(h1);
        if (h1->parser != NULL) {
            /* With the field that is being read. */
            size_t size = offsetof(struct pl_h1_parser, fields) +
                          PL_MIN(http->parser.nfields + 1u, PL_H1_MAX_FIELDS) *
                              sizeof(struct pl_h1_field);

            memcpy(h1->parser, &http->parser, size);
            pl_conn_deadline(conn, PL_DEADLINE_HEAD, http->settings->header_ms);
        }
    }
    if (h1 == NULL || h1->parser == NULL)
        pl_conn_close(conn, PL_ERR_NOMEM);
}

/* HTTP/2 with prior knowledge: the first bytes of the connection, and no later
 * ones, are its preface. While that may still come nothing is parsed. */
PL_COLD static bool begin_h2(struct pl_conn *conn, struct pl_str bytes,
                             size_t *used)
{
    struct pl_h1 *h1 = conn->state;
    bool part;

    if (!may_be_h2(conn) || conn->user == SERVED ||
        !pl_h2_is_preface(bytes, &part))
        return false;
    *used = 0;
    if (part) {
        keep_head(conn);
        return true;
    }
    if (h1 != NULL)
        pl_h1_free(h1);
    if (pl_h2_begin(conn) == 0)
        *used = pl_h2_protocol.input(conn, bytes);
    return true;
}

static size_t head_input(struct pl_conn *conn, struct pl_str bytes)
{
    struct pl_http *http = pl_h1_http(conn);
    struct pl_h1 *h1 = conn->state;
    struct pl_h1_parser *parser = h1 != NULL ? h1->parser : &http->parser;
    struct pl_h1_refusal why;
    size_t used;
    int err;

    if (h1 == NULL)
        pl_h1_parser_init(parser, &http->settings->h1);
    if (PL_UNLIKELY(bytes.data[0] == 'P') && begin_h2(conn, bytes, &used))
        return used;
    err = pl_h1_parse_head(parser, bytes);
    if (err == 0)
        return start(conn, parser, bytes);
    if (err == PL_ERR_AGAIN) {
        keep_head(conn);
        return 0;
    }
    why = parser->refusal;
    if (h1 != NULL)
        pl_h1_free(h1);
    refuse(conn, why.status, why.text);
    return bytes.len;
}

/* ---- the connection's protocol ---- */

/* No TLS where it was expected (tls.h): the client may be a person. */
PL_COLD static bool refuse_clear(struct pl_conn *conn)
{
    const struct pl_tls_options *tls = pl_conn_tls_options(conn);

    if (tls->http_redirect)
        return false; /* request by request: front.c */
    refuse(conn, 400, "this port speaks TLS: the address begins with https://");
    return true;
}

static void on_opened(struct pl_conn *conn)
{
    if (PL_WITH_TLS && pl_conn_mistaken(conn) && refuse_clear(conn))
        return;
    pl_conn_deadline(conn, PL_DEADLINE_IDLE,
                     pl_h1_http(conn)->settings->idle_ms);
}

PL_COLD static void on_busy(struct pl_conn *conn)
{
    refuse(conn, 503, "too many connections from your address");
}

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    const uint16_t stop = PL_CONN_CLOSED | PL_CONN_FINISHING | PL_CONN_PAUSED;
    size_t used = 0, n;
    unsigned pieces = 0;

    do {
        struct pl_h1 *h1 = conn->state;

        if (++pieces > SHARE && h1 == NULL) {
            pl_conn_pass(conn);
            break;
        }

        n = h1 == NULL || h1->parser != NULL
                ? head_input(conn, pl_str_skip(bytes, used))
                : body_input(h1, pl_str_skip(bytes, used));
        used += n;
    } while (n > 0 && used < bytes.len && !(conn->flags & stop) &&
             conn->protocol == &pl_h1_protocol);
    return used;
}

/* Comes after all input has been used, but for a head that is incomplete: while
 * anything else waits, the connection is paused and does not read on. */
static void on_eof(struct pl_conn *conn)
{
    struct pl_h1 *h1 = conn->state;

    if (h1 == NULL || h1->req == NULL) {
        /* Between requests, in a head, or while draining: nobody waits. */
        pl_conn_finish(conn, false);
        return;
    }
    /* It may have closed one direction only: the answer still goes out. */
    h1->keep = false;
    if (h1->body != PL_H1_BODY_NONE)
        body_over(h1, PL_ERR_CLOSED);
    else if (h1->req->response.events != NULL) /* nobody half-closes those */
        pl_conn_close(conn, PL_ERR_CLOSED);
}

static void on_drained(struct pl_conn *conn)
{
    struct pl_h1 *h1 = conn->state;

    if (h1 == NULL && !pl_conn_congested(conn))
        pl_conn_resume(conn);
    else if (h1 != NULL && h1->req != NULL)
        pl_response_drained(&h1->req->response, 0);
}

/* The peer must send body_rate bytes a second, unless it is us who do not
 * read. */
static void judge_body(struct pl_h1 *h1)
{
    const struct pl_http_settings *settings = pl_h1_http(h1->conn)->settings;
    const struct pl_body_limits *limits =
        h1->req != NULL ? h1->req->limits : &settings->body;
    uint64_t want = (uint64_t)limits->rate * settings->body_grace_ms / 1000;
    bool slow = h1->seen - h1->judged < want &&
                !(h1->conn->flags & PL_CONN_PAUSED) && !h1->expect;

    if (!slow) {
        h1->judged = h1->seen;
        pl_conn_deadline(h1->conn, PL_DEADLINE_BODY, settings->body_grace_ms);
    } else {
        body_over(h1, PL_ERR_TIMEOUT);
    }
}

PL_COLD static void on_timeout(struct pl_conn *conn,
                               enum pl_deadline_class class)
{
    struct pl_h1 *h1 = conn->state;

    if (class == PL_DEADLINE_BODY && h1 != NULL) {
        judge_body(h1);
    } else if (class == PL_DEADLINE_HEAD) {
        if (h1 != NULL)
            pl_h1_free(h1);
        refuse(conn, 408, "the request head took too long");
    } else if (class == PL_DEADLINE_LEAVE ||
               (class == PL_DEADLINE_IDLE && pl_conn_secure(conn))) {
        pl_conn_finish(conn, false); /* TLS has a word for the end */
    } else {
        pl_conn_close(conn, PL_ERR_TIMEOUT);
    }
}

static void on_closed(struct pl_conn *conn, int why)
{
    struct pl_h1 *h1 = conn->state;
    struct pl_request *req;

    if (h1 == NULL)
        return;
    req = h1->req;
    pl_h1_free(h1);
    if (req != NULL)
        pl_request_lost(req, why);
}

/* Without a request: was it opened, or answered, just now? */
static bool was_busy(const struct pl_conn *conn)
{
    uint32_t now = (uint32_t)pl_now_ms(pl_conn_net(conn)->loop);
    uint32_t idle_ms = pl_h1_http(conn)->settings->idle_ms;

    return conn->class == PL_DEADLINE_IDLE &&
           now - (conn->deadline.at - idle_ms) < LEAVE_MS;
}

PL_COLD static void on_drain(struct pl_conn *conn)
{
    if (conn->state != NULL)
        return;
    if (was_busy(conn))
        pl_conn_deadline(conn, PL_DEADLINE_LEAVE, LEAVE_MS);
    else
        pl_conn_finish(conn, false);
}

const struct pl_protocol pl_h1_protocol = {
    .name = "http/1.1",
    .alpn = "http/1.1",
    .opened = on_opened,
    .busy = PL_WITH_CROWD ? on_busy : NULL,
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .drain = on_drain,
    .closed = on_closed,
};

static void drain_conn(struct pl_conn *conn, void *http)
{
    if (pl_h1_http(conn) == http && conn->protocol->drain != NULL)
        conn->protocol->drain(conn);
}

/* Event streams have no end that one could wait for, nor have WebSockets: their
 * clients come again, to whoever listens then. */
static void end_streams(struct pl_http *http)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &http->requests) {
        struct pl_request *req = PL_LIST_ENTRY(node, struct pl_request, node);

        if (req->response.events != NULL && req->task != NULL)
            pl_task_cancel(req->task);
        if (PL_WITH_HTTP2 && req->ws_stream != NULL)
            pl_ws_stream_drain(req);
    }
}

void pl_http_drain(struct pl_http *http)
{
    http->draining = true;
    pl_net_each(http->net, drain_conn, http);
    end_streams(http);
}
