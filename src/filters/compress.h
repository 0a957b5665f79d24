/* compress.h - a filter that sends what handlers answer in a content coding
 * that the client takes, and reads bodies that clients send in one.
 *
 *     what the handler gives          what is sent
 *     ------------------------------  -----------------------------------------
 *     a file that the worker keeps    made once, on an offload thread: made.h
 *     up to PL_COMPRESS_AT_ONCE       in one go, with its length
 *     more than that                  slice by slice, one in a turn of the loop
 *     a stream                        as it is written; what was written in a
 *                                     turn leaves with it
 *     other files, what is coded      as they are
 *     already, no-transform, ...
 *
 * Several in each other: the innermost counts. */
#ifndef PL_FILTERS_COMPRESS_H
#define PL_FILTERS_COMPRESS_H

#include "base/error.h"
#include "filters/codecs.h"
#include "http/handler.h"

enum {
    PL_COMPRESS_MIN = 1024,
    /* Some 0.5 ms: what one turn of a loop may take for one response. */
    PL_COMPRESS_AT_ONCE = 32 * 1024,
    PL_COMPRESS_CODINGS = 3,
};

/* GIVES a filter with one reference; options (of perilune.h) may be NULL.
 * Loads plug-ins, so only while a site is loaded. NULL, with *error: an option
 * is wrong, or there is no memory. */
struct pl_filter *pl_compress_new(const struct pl_compress_options *options,
                                  struct pl_error *error);

#endif
