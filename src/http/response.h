/* response.h - what a handler answers, before any wire has formatted it. */
#ifndef PL_HTTP_RESPONSE_H
#define PL_HTTP_RESPONSE_H

#include "base/buf.h"
#include "http/header.h"
#include "task/op.h"

struct pl_coder;
struct pl_file;
struct pl_request;
struct pl_event_stream;
struct pl_trailers;

/* What a response says of one content, in the form of a wire's head: made once
 * for all responses that send it. "bare" is for a 304, without the type and the
 * length. Other wires encode the fields of the response, which are set too. */
struct pl_ready {
    struct pl_str h1, h1_bare;
};

enum pl_content {
    PL_CONTENT_NONE,   /* nothing said yet: an empty body */
    PL_CONTENT_BYTES,  /* known as a whole */
    PL_CONTENT_FILE,   /* a range of a file */
    PL_CONTENT_STREAM, /* written in pieces; length -1 unless declared */
};

struct pl_response {
    uint16_t status; /* 0: not set (200) */
    uint8_t content; /* enum pl_content */
    bool started;    /* the head has left */
    bool ended;
    bool told;       /* a push was answered with PL_ERR_CLOSED */
    bool bodyless;   /* HEAD, 204, 304, 412...: nothing may follow the head */
    bool error_page; /* made by pl_response_error(): may be replaced */
    bool lent;       /* headers is constant: copied before it changes */
    bool coded;      /* the bytes are made anew each time: no ranges */
    uint16_t nheaders, room;
    uint32_t unheard; /* bytes pushed behind the head of a bodyless one */
    struct pl_header *headers;
    const struct pl_ready *ready; /* of the fields as they are; or NULL */
    struct pl_str type;           /* Content-Type; absent: none */
    struct pl_str etag;           /* absent: none */
    int64_t last_modified;        /* seconds; -1: none */
    int64_t length;               /* of the body; -1: not known */
    /* Of the route, for answers that may be cached; a handler that sets
     * Cache-Control or Expires itself wins over both. Semantics leaves here
     * what is to be said. */
    struct pl_str cache_control; /* absent: none */
    int64_t expires;             /* seconds from now; -1: none */
    struct pl_str bytes;         /* BYTES: in the arena, or until release() */
    struct pl_buf text;          /* for who builds the bytes; the request's */
    int file;                    /* FILE */
    uint64_t file_off;
    void (*release)(void *arg); /* of bytes or file; NULL: nothing to do */
    void *release_arg;
    uint64_t sent;              /* body bytes handed to the wire, for the log */
    struct pl_drain_op *waiter; /* for the output to drain */
    struct pl_parts *parts;     /* several ranges; NULL: none */
    struct pl_trailers *trailers;   /* NULL: none */
    struct pl_event_stream *events; /* it is one, and lives as long as both
                                       sides want; or NULL */
    struct pl_coder *coder;         /* coder.h; NULL: none */
    const struct pl_file *file_of;  /* that the content was taken from, unless
                                       it has been replaced; opaque here */
};

/* ---- building (most of it is in perilune.h): 0 or PL_ERR_*; PL_ERR_STATE once
 * the head has left ---- */

/* Content-Type; absent: none. */
int pl_response_type(struct pl_response *res, struct pl_str type);

/* A range of a file; BORROWS file until release(arg). */
int pl_response_file(struct pl_response *res, int file, uint64_t off,
                     uint64_t len, void (*release)(void *arg), void *arg);

/* Fields that are the same for many responses; nheaders must be 0. BORROWS
 * headers and ready (of type, etag, last_modified, these headers, and the whole
 * content as it is now) as long as the request: any change takes a copy. */
void pl_response_lend(struct pl_response *res, const struct pl_header *headers,
                      unsigned n, const struct pl_ready *ready);

/* A field that the server makes itself. COPIES. */
int pl_response_append(struct pl_response *res, struct pl_str name,
                       struct pl_str value);

/* Drops the body, status and headers built so far (an error page follows). */
void pl_response_reset(struct pl_response *res);

/* A small page that says what status means; detail (may be absent) is shown
 * too. HTML or plain text as the client prefers. */
int pl_response_error(struct pl_response *res, int status,
                      struct pl_str detail);

/* Has the handler set a field itself? */
PL_INLINE bool pl_response_says(const struct pl_response *res,
                                enum pl_header_id id)
{
    for (unsigned i = 0; i < res->nheaders; i++)
        if (res->headers[i].id == id)
            return true;
    return false;
}

bool pl_response_says_name(const struct pl_response *res, struct pl_str name);

/* ---- sending ---- */

/* Sends what has been built (once; semantics first). */
int pl_response_send(struct pl_response *res);

/* A piece of a stream; the first one sends the head. 0 when all is well,
 * PL_ERR_AGAIN when the piece was taken but the producer should wait now
 * (pl_response_drain_begin), or PL_ERR_CLOSED, PL_ERR_LIMIT. Nothing is sent
 * for HEAD and the like, which is no error. Who goes on after PL_ERR_CLOSED
 * gets PL_ERR_CANCELED, which ends a Lua handler that only writes. */
int pl_response_push(struct pl_response *res, struct pl_str bytes);

/* What is copied for a peer that does not read counts as its connection's
 * memory, which is limited: who can wait pushes no more than this at once. */
enum { PL_RESPONSE_PIECE = 64 * 1024 };

/* Completes with 0 when the output has drained, PL_ERR_CLOSED when the peer has
 * gone. One waiter at a time (PL_ERR_STATE). */
struct pl_drain_op {
    struct pl_op op;
    struct pl_response *res;
};

void pl_response_drain_begin(struct pl_drain_op *wait, struct pl_response *res);

/* What a push has said, in a straight line: waits if it has to. */
int pl_response_pace(struct pl_response *res, int pushed);

/* For wires: the output has drained, or the peer has gone (err < 0). */
void pl_response_drained(struct pl_response *res, int err);

/* Releases bytes or file, once. */
void pl_response_release(struct pl_response *res);

#endif
