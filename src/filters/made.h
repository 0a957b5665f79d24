/* made.h - what a file becomes by a coding: made once by an offload thread, at
 * a level that takes its time, and kept by the worker; by the state of the
 * file, so that a changed one is made anew. Who asks meanwhile waits. */
#ifndef PL_FILTERS_MADE_H
#define PL_FILTERS_MADE_H

#include "filters/coders.h"
#include "handlers/load.h"
#include "http/request.h"

/* Longer files are sent as they are. */
enum { PL_MADE_MAX = 8 << 20 };

/* The value of an entry; never changes. */
struct pl_made {
    size_t len; /* 0: the coding does not make it smaller */
    char bytes[];
};

/* For pl_coders_get(). */
void pl_made_init(struct pl_coders *coders);

/* Completes with 0 and GIVES entry (pl_memo_release(&coders->made, entry)), or
 * with an error. version is of a settled file that lives as long as req. */
struct pl_made_op {
    struct pl_op op;
    struct pl_memo_waiter waiter;
    struct pl_coders *coders;
    struct pl_memo_entry *entry;
};

void pl_made_begin(struct pl_made_op *op, struct pl_request *req,
                   const struct pl_file_version *version,
                   const struct pl_codec *codec);

/* What is there already, with a reference; or NULL. */
struct pl_memo_entry *pl_made_peek(struct pl_coders *coders,
                                   const struct pl_file_version *version,
                                   const struct pl_codec *codec);

#endif
