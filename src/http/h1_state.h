/* h1_state.h - what h1_conn.c (input, life) and h1_wire.c (output) share. */
#ifndef PL_HTTP_H1_STATE_H
#define PL_HTTP_H1_STATE_H

#include "http/request.h"

/* BAD: it broke off; nothing behind it can be trusted. NONE: nothing (more) to
 * come. */
enum pl_h1_body {
    PL_H1_BODY_NONE,
    PL_H1_BODY_LENGTH,
    PL_H1_BODY_CHUNKED,
    PL_H1_BODY_BAD,
};

struct pl_h1 {
    struct pl_conn *conn;
    struct pl_request *req;      /* NULL: head incomplete, or draining */
    struct pl_h1_parser *parser; /* of an incomplete head; else NULL */
    struct pl_h1_chunk chunk;
    struct pl_buf *trailers; /* that came in pieces; or NULL */
    uint64_t left;           /* of a PL_H1_BODY_LENGTH */
    uint64_t seen;           /* body bytes read from the peer */
    uint64_t judged;         /* seen when the rate was last judged */
    uint32_t charged;        /* to the connection, for a head that stays */
    uint8_t body;            /* enum pl_h1_body */
    bool keep;               /* the connection may be used again */
    bool minor0;             /* HTTP/1.0 */
    bool expect;             /* 100 Continue has not been sent */
    bool chunked;            /* the response is */
};

extern const struct pl_wire pl_h1_wire;

PL_INLINE struct pl_http *pl_h1_http(const struct pl_conn *conn)
{
    return conn->listener->arg;
}

/* Of the connection's state; NULL is its next value. */
void pl_h1_free(struct pl_h1 *h1);

/* A small rest of an unread body is read to keep the connection; the peer must
 * be sending it already (no 100-continue outstanding). */
bool pl_h1_worth_draining(const struct pl_h1 *h1);

/* The response has been said. The wire's hold on the request ends here; h1 may
 * be gone afterwards. */
void pl_h1_settle(struct pl_h1 *h1);

#endif
