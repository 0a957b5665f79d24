/* redirect.h - clients that ask for a prefix are sent elsewhere. */
#ifndef PL_HANDLERS_REDIRECT_H
#define PL_HANDLERS_REDIRECT_H

#include "base/error.h"
#include "http/handler.h"

/* A handler to be mounted. COPIES options. NULL with *error. */
struct pl_handler *pl_redirect_new(const struct pl_redirect_options *options,
                                   struct pl_error *error);

/* Is it a status that sends a client elsewhere with its request? */
bool pl_redirect_status(int status);

#endif
