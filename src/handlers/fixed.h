/* fixed.h - the same response to everybody. */
#ifndef PL_HANDLERS_FIXED_H
#define PL_HANDLERS_FIXED_H

#include "base/error.h"
#include "http/handler.h"

/* COPIES options. NULL with *error. */
struct pl_handler *pl_fixed_new(const struct pl_fixed_options *options,
                                struct pl_error *error);

#endif
