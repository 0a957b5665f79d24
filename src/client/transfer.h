/* transfer.h - HTTP to others through libcurl: one request and its response.
 *
 * libcurl runs on the loop of one worker (perilune-http.so, http_plugin.h): it
 * speaks HTTP/1.1 and HTTP/2, with TLS, proxies and kept connections. What the
 * reverse proxy sends does not come this way (fetch.h): it needs no more than
 * HTTP/1 and has to cost less.
 *
 * A transfer is one exchange: it follows no redirect and looks up no name, both
 * are done by who asks. Its response waits in a buffer; when that is full
 * libcurl is paused, and so is the server in the end. */
#ifndef PL_CLIENT_TRANSFER_H
#define PL_CLIENT_TRANSFER_H

#include "base/buf.h"
#include "base/error.h"
#include "client/http_plugin.h"
#include "task/task.h"

enum {
    PL_TRANSFER_HIGH = 256 * 1024, /* of a stream: then libcurl is paused, */
    PL_TRANSFER_LOW = 64 * 1024,   /* ... until so much is left */
    PL_TRANSFER_HEAD_MAX = 64 * 1024,
};

struct pl_transfers;
struct pl_jar;

/* ---- a pool of connections, of one worker ---- */

/* Loads the plug-in. Borrows sched. GIVES *out. Returns 0, PL_ERR_NOT_FOUND,
 * _UNSUPPORTED (the plug-in) or _NOMEM, with *error. */
int pl_transfers_new(struct pl_sched *sched,
                     const struct pl_http_pool_config *config,
                     struct pl_transfers **out, struct pl_error *error);

/* Closes what goes on. No task waits for a transfer any more. */
void pl_transfers_free(struct pl_transfers *transfers);

/* GIVES the parts of a URL, which may be relative to base (NULL: none), as the
 * parser sees them that connects. Returns 0, PL_ERR_INVALID or PL_ERR_NOMEM,
 * with *error. */
int pl_transfers_url(struct pl_transfers *transfers, const char *base,
                     const char *text, struct pl_http_url *out,
                     struct pl_error *error);
void pl_transfers_url_fini(struct pl_transfers *transfers,
                           struct pl_http_url *url);

/* ---- cookies that several transfers share ---- */

/* Holders are counted: who has made it, and transfers. NULL: no memory. */
struct pl_jar *pl_jar_new(struct pl_transfers *transfers);
void pl_jar_drop(struct pl_jar *jar); /* may be NULL */

/* The two of the plug-in (http_plugin.h). */
int pl_jar_see(struct pl_jar *jar, void (*see)(void *arg, const char *line),
               void *arg);
int pl_jar_set(struct pl_jar *jar, const char *line);

/* ---- one transfer ---- */

enum pl_transfer_want {
    PL_TRANSFER_HEAD, /* the status and the fields */
    PL_TRANSFER_SOME, /* a byte of the body, or its end */
    PL_TRANSFER_ALL,  /* all of it */
};

enum { PL_TRANSFER_THERE = 1, PL_TRANSFER_MORE = 2 };

/* Its owner's memory, zero at first. */
struct pl_transfer {
    struct pl_op op;                /* of who waits; one at a time */
    struct pl_transfers *transfers; /* NULL: not begun, or closed */
    struct pl_list node;
    struct pl_timer limit;
    struct pl_jar *jar;
    struct pl_task *owner; /* when it ends the transfer is closed; or NULL */
    struct pl_task_defer defer;
    void *curl; /* the plug-in's */
    struct pl_buf in;
    size_t most;         /* bytes of the body; 0: no limit */
    uint64_t received;   /* bytes of the body */
    struct pl_str chunk; /* what is left of what was given last, to be sent */
    int64_t unsent; /* bytes, of those that were announced; -1: none were */
    enum pl_transfer_want want;
    bool streams; /* the response is read in pieces */
    bool has_head, over;
    bool hungry; /* there is nothing more to be sent yet */
    bool fed;    /* chunk is the last one */
    bool held;   /* libcurl is paused: enough has come */
    int result;  /* once it is over: 0 or PL_ERR_* */
    struct pl_error error;
};

struct pl_transfer_options {
    struct pl_http_spec spec; /* its texts: until the transfer is closed */
    struct pl_jar *jar;       /* NULL: no cookies */
    struct pl_task *owner;    /* NULL: none */
    uint64_t due;             /* for all of it, monotonic ns; 0: no limit */
    size_t most;              /* bytes of the body; more: PL_ERR_LIMIT */
    bool streams;
};

/* Begins. Returns 0, or PL_ERR_* with transfer->error: closed then. */
int pl_transfer_begin(struct pl_transfer *transfer,
                      struct pl_transfers *transfers,
                      const struct pl_transfer_options *options);

/* Waits until what is wanted is there: completes with PL_TRANSFER_THERE, with
 * PL_TRANSFER_MORE (more is to be sent: pl_transfer_feed()), or with PL_ERR_*
 * and transfer->error; PL_ERR_CLOSED if it has been closed. Nobody else waits
 * for it. */
void pl_transfer_wait_begin(struct pl_transfer *transfer,
                            struct pl_sched *sched, enum pl_transfer_want want);

/* What is to be sent next: until that is asked for again. Empty: no more. */
void pl_transfer_feed(struct pl_transfer *transfer, struct pl_str bytes);

/* The head is there, and the transfer not closed. header() as the plug-in's. */
void pl_transfer_info(const struct pl_transfer *transfer,
                      struct pl_http_info *info);
bool pl_transfer_header(const struct pl_transfer *transfer, void **at,
                        struct pl_str *name, struct pl_str *value);

/* What of the body is there; and its first n bytes are taken. */
PL_INLINE struct pl_str pl_transfer_peek(const struct pl_transfer *transfer)
{
    return pl_buf_str(&transfer->in);
}
void pl_transfer_take(struct pl_transfer *transfer, size_t n);

/* Any number of times. Nobody waits. */
void pl_transfer_close(struct pl_transfer *transfer);

#endif
