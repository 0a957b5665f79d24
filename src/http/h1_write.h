/* h1_write.h - formatting the heads of HTTP/1 responses. */
#ifndef PL_HTTP_H1_WRITE_H
#define PL_HTTP_H1_WRITE_H

#include "http/request.h"

enum pl_h1_connection {
    PL_H1_DEFAULT, /* nothing need be said */
    PL_H1_CLOSE,
    PL_H1_KEEP_ALIVE, /* to an HTTP/1.0 client that asked */
    PL_H1_UPGRADE,    /* a 101 */
};

struct pl_h1_framing {
    int64_t length; /* Content-Length; -1: none */
    bool chunked;
    enum pl_h1_connection connection;
    const char *upgrade; /* what is spoken from now on; a short name */
};

/* An upper bound for the bytes of the head. */
size_t pl_h1_head_bound(const struct pl_request *req);

/* The lines of struct pl_ready for a response with a type, a length, validators
 * and headers: writes them, returns their length; and an upper bound of it. */
size_t pl_h1_ready_write(char *out, const struct pl_response *res, bool bare);
size_t pl_h1_ready_bound(const struct pl_response *res);

/* Writes the head of req->response, with its empty line; returns the end. */
char *pl_h1_head_write(char *out, struct pl_request *req,
                       const struct pl_h1_framing *framing);

/* The last chunk, with trailers behind it: those that have a value. Returns the
 * length; and an upper bound of it. */
size_t pl_h1_trailers_write(char *out, const struct pl_trailers *list);
size_t pl_h1_trailers_bound(const struct pl_trailers *list);

/* The head of an informational response; the same. */
size_t pl_h1_inform_write(char *out, int status, const struct pl_header *fields,
                          unsigned n);
size_t pl_h1_inform_bound(const struct pl_header *fields, unsigned n);

/* A whole small response that needs no request: for heads that were refused.
 * Returns the length, less than PL_H1_PLAIN_MAX. */
enum { PL_H1_PLAIN_MAX = 1024 };
size_t pl_h1_plain_write(char *out, struct pl_http *http, int status,
                         const char *why);

#endif
