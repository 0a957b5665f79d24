/* maintenance.h - a filter that answers 503 while a site is being worked on:
 * switched on and off while it is served, by a file or by whoever is asked. */
#ifndef PL_FILTERS_MAINTENANCE_H
#define PL_FILTERS_MAINTENANCE_H

#include "base/error.h"
#include "http/handler.h"

/* COPIES options; calls free_arg(options->arg) (may be NULL) with the filter's
 * end, also on failure. Looks at the file once, which may block: afterwards the
 * loop waits for no disk. NULL with *error. Workers may share the filter. */
struct pl_filter *
pl_maintenance_new(const struct pl_maintenance_options *options,
                   void (*free_arg)(void *arg), struct pl_error *error);

#endif
