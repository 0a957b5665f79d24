/* around.h - filters that only set fields of responses: before the handler,
 * which may stream, and again behind it, as an error takes away what was set.
 */
#ifndef PL_FILTERS_AROUND_H
#define PL_FILTERS_AROUND_H

#include "http/handler.h"
#include "http/request.h"

/* Sets what is missing: what the handler says itself stays. Fails silently
 * where there is no memory. */
typedef void pl_around_fn(struct pl_filter *filter, struct pl_request *req);

/* struct pl_filter's start(), with set. */
void pl_around_start(struct pl_filter *filter, struct pl_request *req,
                     const struct pl_next *next, struct pl_then *then,
                     pl_around_fn *set);

/* Sets a field that the response does not have. */
void pl_around_set(struct pl_response *res, struct pl_str name,
                   struct pl_str value);

#endif
