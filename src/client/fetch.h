/* fetch.h - one exchange with an origin over HTTP/1.1 or FastCGI, as its
 * client: a connection (kept, or new), a request that the caller writes (for
 * FastCGI: by records.h), a response that is read as strictly as a request
 * (h1_parse.h).
 *
 *     begin --> CONNECTING --> ready: the caller writes head and body
 *        \--(kept connection)---^        |      pl_fetch_sent()
 *                                        v
 *     head (1xx ...) -> head -> data ... -> done        failed, at any time
 *
 * The caller is told by callbacks, on the loop's stack, and calls
 * pl_fetch_end() once after the beginning, also from inside a callback; after
 * failed() there is nothing to end. Nothing of a fetch is allocated once its
 * connection is there; its memory is the caller's. */
#ifndef PL_CLIENT_FETCH_H
#define PL_CLIENT_FETCH_H

#include "client/pool.h"
#include "http/h1_parse.h"

struct pl_fetch;
struct pl_link;

struct pl_fetch_ops {
    /* There is a connection: write the request. */
    void (*ready)(struct pl_fetch *fetch);
    /* A head has come: fetch->parser, whose offsets are into fetch->head, both
     * until the return. Those below 200 are not the last (but for 101). */
    void (*head)(struct pl_fetch *fetch);
    /* A piece of the body; until the return. */
    void (*data)(struct pl_fetch *fetch, struct pl_str bytes);
    /* Lines of trailers, which may come in pieces; NULL: nobody wants them. */
    void (*trailers)(struct pl_fetch *fetch, struct pl_str lines);
    /* FastCGI: a piece of what the program says of errors; until the return.
     * NULL: nobody wants it. */
    void (*errors)(struct pl_fetch *fetch, struct pl_str bytes);
    /* The response is complete. */
    void (*done)(struct pl_fetch *fetch);
    /* More of the request may be written. */
    void (*room)(struct pl_fetch *fetch);
    /* It is over: err is PL_ERR_PROTO (no good response), PL_ERR_CLOSED,
     * PL_ERR_TIMEOUT, PL_ERR_BUSY (it says that it has enough to do), or why
     * there was no connection; why is for the log. */
    void (*failed)(struct pl_fetch *fetch, int err, const char *why);
};

struct pl_fetch_options {
    uint32_t connect_ms;        /* for all of it, with TLS */
    uint32_t keep;              /* idle connections that are kept per worker */
    uint32_t keep_ms;           /* ... for so long */
    struct pl_h1_limits limits; /* of response heads */
};

struct pl_fetch {
    const struct pl_fetch_ops *ops;
    const struct pl_fetch_options *options; /* BORROWED until the end */
    struct pl_clients *clients;
    struct pl_stock *stock;           /* NULL: not begun, or over */
    struct pl_link *link;             /* NULL: not connected */
    struct pl_connecting *connecting; /* or NULL */
    const struct pl_h1_parser *parser;
    struct pl_str head;
    int64_t length; /* of the body, from the last head on; -1: unknown */
    bool reused;    /* the connection has served others before */
    bool answered;  /* a byte of a response has come */
    bool bodyless;  /* set by the caller: the request is a HEAD */
    bool sent;      /* the request is complete */
    bool complete;  /* the response is */
    bool raw;       /* what follows the 101 is no HTTP: pl_fetch_raw() */
};

/* Begins with an origin. fresh: no kept connection will do. Returns 1 if there
 * is a connection already (ready() is not called), 0 if that will be told, or
 * PL_ERR_NOMEM. */
int pl_fetch_begin(struct pl_fetch *fetch, struct pl_clients *clients,
                   const struct pl_origin *origin, bool fresh,
                   const struct pl_fetch_ops *ops,
                   const struct pl_fetch_options *options);

/* The caller is through: a connection on which both messages are complete is
 * kept, any other is closed. Does nothing if it is over. */
void pl_fetch_end(struct pl_fetch *fetch);

/* ---- once it is ready ---- */

/* COPIES. 0, or PL_ERR_* if the connection is no more, or takes no more: then
 * failed() has been called, or will be. */
int pl_fetch_write(struct pl_fetch *fetch, struct pl_str bytes);
int pl_fetch_writev(struct pl_fetch *fetch, const struct iovec *pieces, int n);

/* As pl_conn_reserve(), for a head; NULL: use pl_fetch_write(). */
char *pl_fetch_reserve(struct pl_fetch *fetch, size_t size);
void pl_fetch_commit(struct pl_fetch *fetch, size_t used);

/* Should the caller wait for room()? */
bool pl_fetch_congested(struct pl_fetch *fetch);

/* The request is complete. */
void pl_fetch_sent(struct pl_fetch *fetch);

/* No more data() for now; and again. */
void pl_fetch_pause(struct pl_fetch *fetch);
void pl_fetch_resume(struct pl_fetch *fetch);
bool pl_fetch_paused(const struct pl_fetch *fetch);

/* ---- from head(), after a 101 ---- */

/* What follows is data() up to the end of the connection. */
void pl_fetch_raw(struct pl_fetch *fetch);

/* No more bytes to the origin: the end of a raw stream. */
void pl_fetch_shutdown(struct pl_fetch *fetch);

/* GIVES the connection, whose protocol and state are the caller's to set at
 * once. What has come behind the head is its first input when it is resumed.
 * The fetch is over. */
struct pl_conn *pl_fetch_take(struct pl_fetch *fetch);

#endif
