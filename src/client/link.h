/* link.h - a connection to an origin: what fetch.c (its exchanges) and link.c
 * (its bytes) share. */
#ifndef PL_CLIENT_LINK_H
#define PL_CLIENT_LINK_H

#include "client/fetch.h"
#include "net/conn.h"

/* What is expected next. */
enum pl_link_state {
    PL_LINK_HEAD,
    PL_LINK_LENGTH,  /* so many bytes of a body */
    PL_LINK_CHUNKED, /* a chunk of one, or what follows the last */
    PL_LINK_CLOSE,   /* a body up to the end of the connection */
    PL_LINK_OVER,    /* nothing: the response is complete */
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
    struct pl_h1_chunk chunk;
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

/* The exchange has lost its link: tells its caller. */
void pl_fetch_lost(struct pl_fetch *fetch, int err, const char *why);

/* The connection goes to somebody else; frees link. */
struct pl_conn *pl_link_take(struct pl_link *link);

#endif
