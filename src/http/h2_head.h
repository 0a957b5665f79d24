/* h2_head.h - a header block as a request (RFC 9113, 8): decodes the fields,
 * judges them, and makes the struct pl_request that every wire makes. */
#ifndef PL_HTTP_H2_HEAD_H
#define PL_HTTP_H2_HEAD_H

#include "base/arena.h"
#include "http/h2_frame.h"
#include "http/h2_hpack.h"
#include "http/h2_priority.h"
#include "http/http.h"

struct pl_h2_head {
    struct pl_arena arena;   /* all text is in here */
    const char *wrong;       /* malformed (8.1.1): why; or NULL */
    bool large;              /* above the limits: 431 */
    bool has_length, expect; /* Content-Length; 100-continue */
    bool ordinary;           /* a field that is no pseudo field has come */
    unsigned nfields;
    size_t size; /* bytes of all fields, PL_FIELD_COST each included */
    uint64_t length;
    struct pl_str method, scheme, authority, path, protocol;
    struct pl_h2_priority priority;
    struct pl_header fields[PL_H1_MAX_FIELDS + 1];
};

enum pl_h2_part { PL_H2_REQUEST, PL_H2_TRAILERS, PL_H2_NOBODYS };

/* Decodes a whole block; NOBODYS only for the sake of the tables. Fills head
 * (uninitialised before) and, whatever it returns, its arena must be ended or
 * given to a request. Returns the error that ends the connection, if any. */
enum pl_h2_code pl_h2_head_read(struct pl_h2_head *head, enum pl_h2_part part,
                                struct pl_h2_hpack *hpack, struct pl_str block,
                                struct pl_http *http);

/* What is malformed in the head of a request (it must be reset), or NULL. Of
 * one that is too large only what had been wrong before. */
const char *pl_h2_head_check(struct pl_h2_head *head);

/* A request of a head that has been checked; TAKES its arena. The wire and body
 * are the caller's to set. NULL: no memory. */
struct pl_request *pl_h2_head_request(struct pl_h2_head *head,
                                      struct pl_http *http);

#endif
