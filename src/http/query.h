/* query.h - application/x-www-form-urlencoded: query strings and form bodies
 * (WHATWG URL, 5.1).
 *
 * Pairs are separated by "&" only: ";" is data, as browsers and caches agree.
 * A walk over n bytes takes O(n) and no memory; how many pairs a request may
 * have is bounded by the limits of its head and body. */
#ifndef PL_HTTP_QUERY_H
#define PL_HTTP_QUERY_H

#include "base/arena.h"

/* Takes the next pair off *rest: raw slices, to be decoded by pl_uri_decode(
 * ..., true). Empty pieces ("a&&b") are passed over; without "=" the value is
 * "" (not absent); a name may be "" ("=c"). False at the end. */
bool pl_query_next(struct pl_str *rest, struct pl_str *name,
                   struct pl_str *value);

/* The decoded value of the first pair whose decoded name is name; absent if
 * there is none or if out of memory. */
struct pl_str pl_query_get(struct pl_str query, struct pl_str name,
                           struct pl_arena *arena);

#endif
