/* wire.h - what a protocol does for a request: one form for HTTP/1, HTTP/2 and
 * FastCGI, so that every handler works on every wire.
 *
 * All functions return at once. After end() or abort() the wire is gone
 * (req->wire is NULL), and likewise when the peer leaves. */
#ifndef PL_HTTP_WIRE_H
#define PL_HTTP_WIRE_H

#include "net/addr.h"

struct pl_conn;
struct pl_header;
struct pl_request;
struct pl_protocol;

struct pl_wire {
    const char *name; /* "HTTP/1.1" */
    bool edits;       /* send() changes pages: they come as they are written */
    bool trailers;    /* it has a place for fields behind a body */
    /* Sends the head of req->response, and its whole body unless it is a
     * stream. Semantics has been applied. 0 or PL_ERR_*. */
    int (*send)(struct pl_request *req);
    /* A piece of a stream's body. 0, or PL_ERR_CLOSED, PL_ERR_LIMIT. */
    int (*write)(struct pl_request *req, struct pl_str bytes);
    /* The same of what many share: BORROWS bytes until release(arg), which is
     * called once, also on failure. NULL: none of them does. */
    int (*write_ref)(struct pl_request *req, struct pl_str bytes,
                     void (*release)(void *arg), void *arg);
    /* The response is complete: but for the trailers of a stream
     * (response.trailers), where the wire has a place for them. */
    void (*end)(struct pl_request *req);
    /* It cannot be completed: the peer must notice (HTTP/1: close). */
    void (*abort)(struct pl_request *req);
    /* Should the producer wait until pl_response_drained()? */
    bool (*congested)(struct pl_request *req);
    void (*flush)(struct pl_request *req);
    /* The handler wants body bytes (the first time: 100 Continue), or has made
     * room for more. */
    void (*want_body)(struct pl_request *req);
    /* Leaves HTTP: sends a 101 head with the fields set so far and "Upgrade:
     * protocol->name", and hands the connection over to protocol (whose
     * opened() is not called) with its state, which it takes on success only.
     * Bytes behind the head come as input in the next turn.
     * PL_ERR_UNSUPPORTED where that is impossible. */
    int (*upgrade)(struct pl_request *req, const struct pl_protocol *protocol,
                   void *state);
    /* An informational head (102 to 199) before that of the response, and at
     * once. 0, also for a client that knows none; or PL_ERR_*. NULL: cannot. */
    int (*inform)(struct pl_request *req, int status,
                  const struct pl_header *fields, unsigned n);
    /* Leaves HTTP without a word: gives the connection, whose protocol and
     * state are the caller's to set at once. PL_ERR_STATE if the body has not
     * been read, or something was sent. NULL where requests share a connection.
     */
    int (*hijack)(struct pl_request *req, struct pl_conn **conn);
    /* A line of the log that is about the request, for the peer's own log. NULL
     * where it has none. */
    void (*complain)(struct pl_request *req, struct pl_str text);
    bool (*peer)(struct pl_request *req, struct pl_addr *addr);
    bool (*local)(struct pl_request *req, struct pl_addr *addr);
    /* The connection that it has come by. NULL: by none of ours. */
    struct pl_conn *(*conn)(struct pl_request *req);
};

#endif
