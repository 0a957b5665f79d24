/* h2_hpack.h - header compression (RFC 7541): the only place that knows
 * nghttp2, of which nothing but this is used.
 *
 * Its memory comes from the worker's pool, so that nothing is allocated by
 * malloc in steady state, and is charged to the connection. */
#ifndef PL_HTTP_H2_HPACK_H
#define PL_HTTP_H2_HPACK_H

#include <perilune.h>

#include "base/pool.h"

struct pl_h2_hpack; /* the tables of both directions */

enum { PL_H2_TABLE = 4096 }; /* bytes of a dynamic table, RFC 7541's count */

/* Borrows both as long as it lives. NULL: no memory. */
struct pl_h2_hpack *pl_h2_hpack_new(struct pl_pool *pool,
                                    struct pl_account *account);
void pl_h2_hpack_free(struct pl_h2_hpack *hpack); /* may be NULL */

/* ---- in ---- */

/* Takes the next field off *block, which ends where the header block ends. 1:
 * here it is; both point into the tables and are good until the next call. 0:
 * there are no more. PL_ERR_PROTO: it cannot be read, and nothing behind it
 * either. PL_ERR_LIMIT: the connection may hold no more. PL_ERR_NOMEM. */
int pl_h2_hpack_next(struct pl_h2_hpack *hpack, struct pl_str *block,
                     struct pl_str *name, struct pl_str *value);

/* ---- out ---- */

/* A field to be sent; its name is in lower case. */
struct pl_h2_field {
    struct pl_str name, value;
};

/* More than the bytes of a header block with these fields. */
size_t pl_h2_hpack_bound(const struct pl_h2_field *fields, unsigned n);

/* Writes it to out, which has at least that much room; returns its length or
 * PL_ERR_NOMEM, after which nothing more can be said on the connection. */
ssize_t pl_h2_hpack_write(struct pl_h2_hpack *hpack,
                          const struct pl_h2_field *fields, unsigned n,
                          char *out, size_t room);

/* The peer wants our table no larger than this. 0, PL_ERR_LIMIT or
 * PL_ERR_NOMEM. */
int pl_h2_hpack_resize(struct pl_h2_hpack *hpack, uint32_t size);

#endif
