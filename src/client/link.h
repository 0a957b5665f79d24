/* link.h - a connection to an origin: what fetch.c (its exchanges) and link.c
 * (its bytes) share. */
#ifndef PL_CLIENT_LINK_H
#define PL_CLIENT_LINK_H

#include "base/buf.h"
#include "client/fetch.h"
#include "fcgi/record.h"
#include "net/conn.h"

/* What is expected next. */
enum pl_link_state {
    PL_LINK_HEAD,
    PL_LINK_LENGTH,  /* so many bytes of a body */
    PL_LINK_CHUNKED, /* a chunk of one, or what follows the last */
    PL_LINK_CLOSE,   /* a body up to the end of the connection */
    PL_LINK_RECORDS, /* FastCGI: records, of which the last ends the request */
    PL_LINK_OVER,    /* nothing: the response is complete */
};

/* What is known of a response that comes in records. */
struct pl_link_records {
    struct pl_fcgi_record record; /* that is being read */
    size_t left;                  /* bytes of its content still to come */
    size_t padding;               /* ... and behind that */
    struct pl_buf head;           /* that has come so far, as one of HTTP */
    size_t line;                  /* where the last line of it begins */
    bool headed;                  /* its end has come */
    bool bodyless;                /* no body belongs to it */
};

struct pl_link {
    uint32_t magic;
    uint8_t state;    /* enum pl_link_state */
    bool keep;        /* the origin keeps the connection */
    bool used;        /* a whole exchange was done on it */
    uint8_t informed; /* heads below 200 of this exchange */
    struct pl_conn *conn;
    struct pl_stock *stock;
    struct pl_fetch *fetch;      /* NULL: idle */
    struct pl_h1_parser *parser; /* of a head that comes in pieces; or NULL */
    union {
        struct pl_h1_chunk chunk;
        struct pl_link_records records;
    };
    uint64_t left;        /* of a body with a length */
    uint64_t expires;     /* monotonic ms; while it is idle */
    uint32_t hint_ms;     /* as its Keep-Alive field says; 0: does not */
    struct pl_list node;  /* in stock->idle */
    struct pl_list every; /* in clients->links */
};

/* For a connection that was opened: takes it. NULL: no memory, and conn is
 * closed. */
struct pl_link *pl_link_new(struct pl_stock *stock, struct pl_conn *conn);

/* A fetch begins on it. */
void pl_link_attach(struct pl_link *link, struct pl_fetch *fetch);

/* The fetch ends: it is kept among the idle ones, or closed. */
void pl_link_release(struct pl_link *link);

/* ---- for who reads answers ---- */

/* The exchange cannot go on, nor can the connection. */
void pl_link_fail(struct pl_link *link, int err, const char *why);

/* The answer of this exchange has come as a whole. */
void pl_link_complete(struct pl_link *link);

/* After a callback: does the link not work for fetch any more? */
bool pl_link_gone(const struct pl_conn *conn, const struct pl_link *link,
                  const struct pl_fetch *fetch);

/* records.c: an answer in records begins; takes bytes of it, as link.c has
 * take(); forgets what it has of it. */
void pl_link_begin_records(struct pl_link *link);
ssize_t pl_link_take_records(struct pl_link *link, struct pl_str bytes);
void pl_link_drop_records(struct pl_link *link);

/* ---- fetch.c ---- */

/* The exchange has lost its link: tells its caller. */
void pl_fetch_lost(struct pl_fetch *fetch, int err, const char *why);

/* The connection goes to somebody else; frees link. */
struct pl_conn *pl_link_take(struct pl_link *link);

#endif
