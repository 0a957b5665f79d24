/* link.c - a connection to an origin: bytes to heads, bodies and ends; and what
 * becomes of it between two exchanges.
 *
 *     idle --attach--> HEAD --1xx--> HEAD --final--> LENGTH, CHUNKED, CLOSE
 *      ^                               |                     |
 *      +--release-- OVER <-------------+---------------------+
 *
 * What speaks FastCGI is in RECORDS instead of all that (records.c).
 *
 * Invariants: an idle link shows nothing to anybody, and whatever comes then
 * closes it: the next answer would be taken for that of another request. After
 * each callback the link may be gone, the exchange another one, the connection
 * somebody else's: pl_link_gone() tells, and nothing is touched. */
#include "client/link.h"

#include "base/check.h"
#include "base/error.h"
#include "base/features.h"
#include "base/str.h"
#include "http/status.h"
#include "net/tls.h"

#define LINK_MAGIC 0x6b6e696cu /* "link" */

enum { INFORMED_MAX = 32 };

static const struct pl_protocol link_protocol;

static void free_parser(struct pl_link *link)
{
    if (link->parser != NULL)
        pl_pool_put(link->stock->clients->pool, link->parser,
                    sizeof(*link->parser));
    link->parser = NULL;
}

static void free_link(struct pl_link *link)
{
    struct pl_clients *clients = link->stock->clients;

    free_parser(link);
    if (PL_WITH_FASTCGI && link->stock->origin->fastcgi)
        pl_link_drop_records(link);
    if (!pl_list_empty(&link->node))
        link->stock->nidle--;
    pl_list_remove(&link->node);
    pl_list_remove(&link->every);
    link->magic = 0;
    pl_pool_put(clients->pool, link, sizeof(*link));
}

void pl_link_fail(struct pl_link *link, int err, const char *why)
{
    struct pl_fetch *fetch = link->fetch;
    struct pl_conn *conn = link->conn;

    link->fetch = NULL;
    pl_conn_close(conn, 0); /* frees link */
    if (fetch != NULL)
        pl_fetch_lost(fetch, err, why);
}

/* ---- heads ---- */

/* "timeout=5, max=100": we let go a second before. */
static uint32_t read_hint(const struct pl_h1_parser *parser, const char *head)
{
    for (unsigned i = 0; i < parser->nfields; i++) {
        const struct pl_h1_field *field = &parser->fields[i];
        struct pl_str rest = {head + field->value, field->value_len}, word;
        uint64_t seconds;

        if (field->id != PL_HEADER_KEEP_ALIVE)
            continue;
        while (pl_header_list_next(&rest, &word))
            if (pl_str_istarts(word, PL_STR("timeout=")) &&
                pl_str_to_u64(pl_str_skip(word, 8), &seconds) &&
                seconds < 86400)
                return seconds > 1 ? (uint32_t)(seconds - 1) * 1000 : 500;
    }
    return 0;
}

/* What follows the head that parser has read. */
static void expect_body(struct pl_link *link, const struct pl_h1_parser *parser)
{
    struct pl_fetch *fetch = link->fetch;

    fetch->length = parser->has_length ? (int64_t)parser->content_length : -1;
    if (parser->status < 200) {
        link->state = PL_LINK_HEAD;
        return;
    }
    link->keep = parser->keep_alive;
    if (fetch->bodyless || !pl_status_has_body(parser->status)) {
        link->state = PL_LINK_OVER;
    } else if (parser->chunked) {
        link->state = PL_LINK_CHUNKED;
        pl_h1_chunk_init(&link->chunk);
    } else if (parser->has_length) {
        link->left = parser->content_length;
        link->state = link->left > 0 ? PL_LINK_LENGTH : PL_LINK_OVER;
    } else {
        link->state = PL_LINK_CLOSE;
        link->keep = false;
    }
}

/* What may not stand in an answer to this. */
static const char *judge(const struct pl_link *link,
                         const struct pl_h1_parser *parser)
{
    if (parser->status == 101 && !parser->upgrade)
        return "a 101 without Upgrade";
    if (parser->status < 200 && link->informed >= INFORMED_MAX)
        return "too many informational answers";
    /* RFC 9112, 6.1: one of them would frame what another reader does not. */
    if ((parser->status < 200 || parser->status == 204) && parser->chunked)
        return "Transfer-Encoding in an answer without content";
    return NULL;
}

/* Keeps what has been parsed of a head that goes on in a later read. */
static bool keep_parser(struct pl_link *link)
{
    struct pl_clients *clients = link->stock->clients;

    if (link->parser != NULL)
        return true;
    link->parser = pl_pool_get(clients->pool, sizeof(*link->parser));
    if (link->parser == NULL)
        return false;
    memcpy(link->parser, &clients->parser, sizeof(*link->parser));
    return true;
}

bool pl_link_gone(const struct pl_conn *conn, const struct pl_link *link,
                  const struct pl_fetch *fetch)
{
    return pl_conn_closed(conn) || conn->protocol != &link_protocol ||
           link->fetch != fetch;
}

void pl_link_complete(struct pl_link *link)
{
    struct pl_fetch *fetch = link->fetch;

    fetch->complete = true;
    fetch->ops->done(fetch);
}

/* The head's length, 0 if it is not there yet; or PL_ERR_*: it is over. */
static ssize_t take_head(struct pl_link *link, struct pl_str bytes)
{
    struct pl_clients *clients = link->stock->clients;
    struct pl_fetch *fetch = link->fetch;
    struct pl_conn *conn = link->conn;
    struct pl_h1_parser *parser = link->parser;
    const char *wrong;
    uint32_t len;
    int err;

    fetch->answered = true;
    if (parser == NULL) {
        parser = &clients->parser;
        pl_h1_parser_init(parser, &fetch->options->limits);
    }
    err = pl_h1_parse_answer(parser, bytes);
    if (err == PL_ERR_AGAIN && keep_parser(link))
        return 0;
    wrong = err == PL_ERR_AGAIN ? "out of memory"
            : err < 0           ? parser->refusal.text
                                : judge(link, parser);
    if (wrong != NULL) {
        pl_link_fail(link, err == PL_ERR_AGAIN ? PL_ERR_NOMEM : PL_ERR_PROTO,
                     wrong);
        return PL_ERR_PROTO;
    }
    len = parser->head_len;
    link->informed += parser->status < 200;
    link->hint_ms = read_hint(parser, bytes.data);
    expect_body(link, parser);
    fetch->parser = parser;
    fetch->head = pl_str_first(bytes, len);
    fetch->ops->head(fetch);
    if (pl_link_gone(conn, link, fetch))
        return pl_conn_closed(conn) ? PL_ERR_CLOSED : (ssize_t)len;
    free_parser(link);
    if (link->state == PL_LINK_OVER)
        pl_link_complete(link);
    return (ssize_t)len;
}

/* ---- bodies ---- */

static size_t take_length(struct pl_link *link, struct pl_str bytes)
{
    struct pl_fetch *fetch = link->fetch;
    struct pl_conn *conn = link->conn;
    size_t part = (size_t)PL_MIN(link->left, bytes.len);

    link->left -= part;
    if (link->left == 0)
        link->state = PL_LINK_OVER;
    fetch->ops->data(fetch, pl_str_first(bytes, part));
    if (!pl_link_gone(conn, link, fetch) && link->state == PL_LINK_OVER)
        pl_link_complete(link);
    return part;
}

static ssize_t take_chunks(struct pl_link *link, struct pl_str bytes)
{
    struct pl_fetch *fetch = link->fetch;
    struct pl_conn *conn = link->conn;
    struct pl_str data;
    size_t used;
    int got = pl_h1_chunk_parse(&link->chunk, bytes, &used, &data);

    if (got < 0) {
        pl_link_fail(link, PL_ERR_PROTO, link->chunk.refusal.text);
        return got;
    }
    if (link->chunk.trailer.len > 0 && fetch->ops->trailers != NULL)
        fetch->ops->trailers(fetch, link->chunk.trailer);
    if (got == 1)
        link->state = PL_LINK_OVER;
    if (data.len > 0)
        fetch->ops->data(fetch, data);
    if (!pl_link_gone(conn, link, fetch) && link->state == PL_LINK_OVER)
        pl_link_complete(link);
    return (ssize_t)used;
}

/* What is used of bytes; PL_ERR_*: the link is no more. */
static ssize_t take(struct pl_link *link, struct pl_str bytes)
{
    struct pl_fetch *fetch = link->fetch;

    switch (link->state) {
    case PL_LINK_HEAD:
        return take_head(link, bytes);
    case PL_LINK_LENGTH:
        return (ssize_t)take_length(link, bytes);
    case PL_LINK_CHUNKED:
        return take_chunks(link, bytes);
    case PL_LINK_CLOSE:
        fetch->ops->data(fetch, bytes);
        return (ssize_t)bytes.len;
    case PL_LINK_RECORDS:
        /* Only this feature's handler has origins that speak so. */
        return PL_WITH_FASTCGI ? pl_link_take_records(link, bytes)
                               : PL_ERR_UNSUPPORTED;
    default: /* more than the answer: whose would that be? */
        link->keep = false;
        return (ssize_t)bytes.len;
    }
}

/* ---- the connection's protocol ---- */

static size_t on_input(struct pl_conn *conn, struct pl_str bytes)
{
    const uint16_t stop = PL_CONN_CLOSED | PL_CONN_FINISHING | PL_CONN_PAUSED;
    struct pl_link *link = conn->state;
    size_t used = 0;
    ssize_t n;

    do {
        if (link->fetch == NULL) {
            pl_conn_close(conn, 0);
            return bytes.len;
        }
        n = take(link, pl_str_skip(bytes, used));
        if (n < 0 || pl_conn_closed(conn))
            return bytes.len;
        used += (size_t)n;
    } while (n > 0 && used < bytes.len && !(conn->flags & stop) &&
             conn->protocol == &link_protocol);
    return used;
}

/* Comes behind all that was to be read, but for a head that is not whole. */
static void on_eof(struct pl_conn *conn)
{
    struct pl_link *link = conn->state;
    struct pl_fetch *fetch = link->fetch;

    if (fetch == NULL) {
        pl_conn_close(conn, 0);
    } else if (link->state == PL_LINK_CLOSE &&
               !(PL_WITH_TLS && pl_conn_truncated(conn))) {
        link->state = PL_LINK_OVER;
        pl_link_complete(link);
    } else if (link->state == PL_LINK_OVER) {
        link->keep = false;
    } else {
        pl_link_fail(link, PL_ERR_CLOSED,
                     fetch->answered
                         ? "it broke off its answer"
                         : "it closed the connection without an answer");
    }
}

static void on_drained(struct pl_conn *conn)
{
    struct pl_link *link = conn->state;

    if (link->fetch != NULL)
        link->fetch->ops->room(link->fetch);
}

static void on_timeout(struct pl_conn *conn, enum pl_deadline_class class)
{
    (void)class;
    pl_conn_close(conn, PL_ERR_TIMEOUT);
}

static const char *why_closed(const struct pl_fetch *fetch, int why)
{
    if (why == PL_ERR_TIMEOUT)
        return "it does not read the request";
    return fetch->answered ? "the connection broke in its answer"
                           : "the connection broke";
}

static void on_closed(struct pl_conn *conn, int why)
{
    struct pl_link *link = conn->state;
    struct pl_fetch *fetch = link->fetch;

    free_link(link);
    if (fetch != NULL)
        pl_fetch_lost(fetch, why < 0 ? why : PL_ERR_CLOSED,
                      why_closed(fetch, why));
}

static const struct pl_protocol link_protocol = {
    .name = "upstream",
    .input = on_input,
    .eof = on_eof,
    .drained = on_drained,
    .timeout = on_timeout,
    .closed = on_closed,
    .reads_on = true,
};

/* ---- life ---- */

struct pl_link *pl_link_new(struct pl_stock *stock, struct pl_conn *conn)
{
    struct pl_link *link =
        pl_pool_get_zeroed(stock->clients->pool, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->magic = LINK_MAGIC;
    link->conn = conn;
    link->stock = stock;
    pl_list_init(&link->node);
    pl_list_push(&stock->clients->links, &link->every);
    conn->protocol = &link_protocol;
    conn->state = link;
    return link;
}

void pl_link_attach(struct pl_link *link, struct pl_fetch *fetch)
{
    PL_CHECK(link, LINK_MAGIC);
    if (!pl_list_empty(&link->node)) {
        pl_list_remove(&link->node);
        link->stock->nidle--;
    }
    link->fetch = fetch;
    link->state = PL_LINK_HEAD;
    link->informed = 0;
    if (PL_WITH_FASTCGI && link->stock->origin->fastcgi)
        pl_link_begin_records(link);
    fetch->link = link;
    fetch->reused = link->used;
    if (link->conn->flags & PL_CONN_PAUSED)
        pl_conn_resume(link->conn);
}

void pl_link_close(struct pl_link *link)
{
    PL_CHECK(link, LINK_MAGIC);
    pl_conn_close(link->conn, 0);
}

static bool may_be_kept(const struct pl_link *link,
                        const struct pl_fetch *fetch)
{
    return fetch->complete && fetch->sent && link->keep &&
           link->state == PL_LINK_OVER && fetch->options->keep > 0 &&
           !(link->conn->flags & (PL_CONN_PEER_DONE | PL_CONN_EOF));
}

/* The oldest makes room. */
static void make_room(struct pl_stock *stock, unsigned most)
{
    while (stock->nidle >= most && stock->nidle > 0)
        pl_link_close(PL_LIST_ENTRY(stock->idle.prev, struct pl_link, node));
}

void pl_link_release(struct pl_link *link)
{
    struct pl_stock *stock = link->stock;
    struct pl_fetch *fetch = link->fetch;
    struct pl_loop *loop = pl_conn_net(link->conn)->loop;
    uint32_t ms;

    PL_CHECK(link, LINK_MAGIC);
    link->fetch = NULL;
    fetch->link = NULL;
    if (!may_be_kept(link, fetch)) {
        pl_conn_close(link->conn, 0);
        return;
    }
    make_room(stock, fetch->options->keep);
    ms = fetch->options->keep_ms;
    if (link->hint_ms != 0)
        ms = PL_MIN(ms, link->hint_ms);
    link->used = true;
    link->expires = pl_now_ms(loop) + ms;
    pl_list_push_front(&stock->idle, &link->node);
    stock->nidle++;
    if (link->conn->flags & PL_CONN_PAUSED) /* its end is to be seen */
        pl_conn_resume(link->conn);
    if (!stock->timer.armed || stock->timer.due > link->expires * 1000000)
        pl_timer_start(pl_loop_wheel(loop), &stock->timer,
                       link->expires * 1000000);
}

struct pl_conn *pl_link_take(struct pl_link *link)
{
    struct pl_conn *conn = link->conn;

    PL_CHECK(link, LINK_MAGIC);
    conn->state = NULL;
    free_link(link);
    return conn;
}
