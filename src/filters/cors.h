/* cors.h - a filter that lets pages of other origins read what is answered
 * (Fetch, 3.2): answers preflight requests, and says in other responses who may
 * see them. */
#ifndef PL_FILTERS_CORS_H
#define PL_FILTERS_CORS_H

#include "base/error.h"
#include "http/handler.h"

/* GIVES a filter with one reference; options are those of perilune.h. NULL,
 * with *error: an option is wrong, or there is no memory. */
struct pl_filter *pl_cors_new(const struct pl_cors_options *options,
                              struct pl_error *error);

#endif
