/* caching.h - a filter that says how long responses may be kept, by patterns of
 * their paths. */
#ifndef PL_FILTERS_CACHING_H
#define PL_FILTERS_CACHING_H

#include "base/error.h"
#include "http/handler.h"

/* COPIES rules. NULL with *error. The filter never changes: workers may share
 * it. */
struct pl_filter *pl_caching_new(const struct pl_caching_rule *rules,
                                 size_t count, struct pl_error *error);

#endif
