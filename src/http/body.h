/* body.h - the body of a request: fed by the wire, read by the handler.
 *
 * What has arrived and has not been read waits in a buffer; above PL_BODY_HIGH
 * the wire stops reading from the peer. */
#ifndef PL_HTTP_BODY_H
#define PL_HTTP_BODY_H

#include "base/buf.h"
#include "task/op.h"

enum { PL_BODY_HIGH = 64 * 1024 };

struct pl_request;

struct pl_body {
    struct pl_buf pending; /* from pending.data + at on */
    struct pl_buf whole;   /* what pl_body_whole() has collected */
    size_t at;
    uint64_t received;
    int64_t length; /* announced; -1: unknown */
    uint64_t limit; /* received beyond this is PL_ERR_LIMIT; 0: none */
    int err;        /* 0, or why there will be no more */
    bool complete;
    struct pl_body_op *waiter;
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

/* Completes with 0 when pl_body_read() has something to say. One waiter at a
 * time (PL_ERR_STATE). */
struct pl_body_op {
    struct pl_op op;
    struct pl_request *req;
};

void pl_body_wait_begin(struct pl_body_op *wait, struct pl_request *req);

/* Shows what is there without taking it, at most n bytes; empty at the end.
 * Returns 0, or a code as pl_body_read(). Take it by pl_body_skip(). */
int pl_body_peek(struct pl_request *req, size_t n, struct pl_str *bytes);
void pl_body_skip(struct pl_request *req, size_t n);

/* Collects the body in body.whole. 0: all of it is there; PL_ERR_AGAIN: wait
 * and call again; or an error as above. More than the request may have
 * (max_body) is PL_ERR_LIMIT, at once if the announced length says so. */
int pl_body_whole(struct pl_request *req);

/* Nobody will read any more: a waiter gets PL_ERR_CLOSED. */
void pl_body_abandon(struct pl_request *req);

#endif
