/* security.h - a filter that says to browsers what the pages of a site may do,
 * and what others may do with them. */
#ifndef PL_FILTERS_SECURITY_H
#define PL_FILTERS_SECURITY_H

#include "base/error.h"
#include "http/handler.h"

/* GIVES a filter with one reference; options (of perilune.h) may be NULL. NULL,
 * with *error: an option is wrong, or there is no memory. */
struct pl_filter *
pl_security_headers_new(const struct pl_security_options *options,
                        struct pl_error *error);

#endif
