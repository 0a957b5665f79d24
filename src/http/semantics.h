/* semantics.h - the last stage before the wire, the same for all of them: what
 * the method, the conditions and the ranges of a request make of a response
 * (RFC 9110, 13 and 14). */
#ifndef PL_HTTP_SEMANTICS_H
#define PL_HTTP_SEMANTICS_H

#include "http/range.h"

struct pl_request;

/* A multipart/byteranges body: heads, slices of the content, an end. */
struct pl_parts {
    unsigned count;
    struct pl_range ranges[PL_RANGE_MAX];
    struct pl_str heads[PL_RANGE_MAX];
    struct pl_str end;
};

/* Turns 200 into 206, 304, 412 or 416 where the request asks for it, narrows
 * the content, and decides whether there is a body at all. Call once. */
void pl_semantics_apply(struct pl_request *req);

#endif
