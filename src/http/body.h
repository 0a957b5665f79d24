/* body.h - the body of a request: fed by the wire, read by the handler.
 *
 * What has arrived and has not been read waits in a buffer; when that is full
 * the wire stops reading from the peer. A body that is wanted as a whole stays
 * in it, and goes to a temporary file beyond body_spool.
 *
 * A body is used in one way. Each way is a function that takes a step and says
 * PL_ERR_AGAIN when its caller must wait (pl_body_wait_begin()) and call it
 * again:
 *
 *     pl_body_read() peek, skip   piece by piece
 *     pl_body_whole()             all of it
 *     pl_body_save()              into a file
 *     pl_body_discard()           nowhere
 *     form.h                      part by part, if it is a form */
#ifndef PL_HTTP_BODY_H
#define PL_HTTP_BODY_H

#include "base/buf.h"
#include "task/op.h"

enum { PL_BODY_HIGH = 64 * 1024 };

struct pl_decoder;
struct pl_request;
struct pl_sink;

/* What a site or a route allows; 0: no limit. */
struct pl_body_limits {
    uint64_t max_body;   /* bytes of one that is kept as a whole: 1 MiB */
    uint64_t max_upload; /* ... of any: no limit */
    uint64_t spool;      /* bytes of a whole one that stay in memory: 64 KiB */
    uint32_t max_fields; /* of a form that is kept as a whole: 1000 */
    uint32_t max_parts;  /* of multipart/form-data: 1000 */
    uint32_t rate;       /* bytes a second at least: 500 */
};

enum pl_body_use {
    PL_BODY_READ, /* or nothing yet */
    PL_BODY_WHOLE,
    PL_BODY_SAVE,
    PL_BODY_PARTS,
    PL_BODY_DISCARD,
};

struct pl_body {
    struct pl_buf pending; /* from pending.data + at on */
    size_t at;
    size_t high;  /* waiting bytes that are enough: full */
    size_t least; /* ... that are worth waking the reader for */
    uint64_t received;
    int64_t length; /* announced; -1: unknown */
    uint64_t limit; /* received beyond this is PL_ERR_LIMIT; 0: none */
    int err;        /* 0, or why there will be no more */
    bool complete;
    bool loading;          /* WHOLE: being read back from spool */
    uint8_t use;           /* enum pl_body_use */
    struct pl_sink *spool; /* WHOLE: where its front has gone; or NULL */
    struct pl_sink *busy;  /* what works for the reader now; or NULL */
    struct pl_body_op *waiter;
    struct pl_decoder *decoder; /* coder.h; NULL: none */
};

/* ---- for wires ---- */

/* True when the wire should stop feeding until want_body(). */
bool pl_body_full(const struct pl_body *body);
void pl_body_feed(struct pl_request *req, struct pl_str bytes);
void pl_body_end(struct pl_request *req, int err); /* 0: complete */

/* ---- for readers (fibers and coroutines) ---- */

/* Copies what is there, at most n bytes: the number, 0 at the end, or
 * PL_ERR_AGAIN (wait first), PL_ERR_LIMIT, PL_ERR_CLOSED, PL_ERR_TIMEOUT,
 * PL_ERR_PROTO. */
ssize_t pl_body_read(struct pl_request *req, char *to, size_t n);

/* Completes with 0 when there is something to do for the reader. One waiter at
 * a time (PL_ERR_STATE). */
struct pl_body_op {
    struct pl_op op;
    struct pl_request *req;
};

void pl_body_wait_begin(struct pl_body_op *wait, struct pl_request *req);

/* The same in a straight line: 0, PL_ERR_CANCELED, or PL_ERR_STATE where there
 * is no fiber that could wait. */
int pl_body_wait(struct pl_request *req);

/* Shows what is there without taking it, at most n bytes; empty at the end.
 * Returns 0, or a code as pl_body_read(). Take it by pl_body_skip(). */
int pl_body_peek(struct pl_request *req, size_t n, struct pl_str *bytes);
void pl_body_skip(struct pl_request *req, size_t n);

/* 0: all of it is there, pl_body_text(); PL_ERR_AGAIN; an error as above, or
 * of the temporary file (PL_ERR_NO_SPACE, ...). More than max_body is
 * PL_ERR_LIMIT, at once if the announced length says so. PL_ERR_STATE if it is
 * used in another way. */
int pl_body_whole(struct pl_request *req);
struct pl_str pl_body_text(const struct pl_request *req);

/* Moves the body into sink, and then keeps that: 0 when all is done. */
int pl_body_save(struct pl_request *req, struct pl_sink *sink);

/* 0 when all has come; body.received counts. */
int pl_body_discard(struct pl_request *req);

/* Nobody will read any more: a waiter gets PL_ERR_CLOSED. */
void pl_body_abandon(struct pl_request *req);

/* ---- for what reads bodies in its own way ---- */

/* Begins to use it so. 0, or PL_ERR_STATE if it is used in another way. */
int pl_body_use(struct pl_request *req, enum pl_body_use use);

/* No more than max bytes from here on (0: as many as there are): PL_ERR_LIMIT
 * if it is known already that there are more. */
int pl_body_limit(struct pl_request *req, uint64_t max);

/* What waits, whatever the use; and what happens when the reader needs more
 * than that: PL_ERR_AGAIN, PL_ERR_EOF at the end, or what has broken it off. */
struct pl_str pl_body_waiting(const struct pl_body *body);
int pl_body_need_more(struct pl_body *body);

/* For decoders: bytes as the reader is to see them, and their end (as
 * pl_body_end()). */
void pl_body_add(struct pl_request *req, struct pl_str bytes);
void pl_body_finish(struct pl_request *req, int err);

/* Moves the first n waiting bytes into out, which is empty and of the same pool
 * and account; *bytes are they. Copies as little as it can. Returns 0 or the
 * buffer's error, with nothing moved. */
int pl_body_take(struct pl_request *req, size_t n, struct pl_buf *out,
                 struct pl_str *bytes);

/* What was busy is so no more: its reader may go on. */
void pl_body_wake(struct pl_body *body);

#endif
