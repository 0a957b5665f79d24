/* json_build.h - a JSON text, written value by value into a buffer: the builder
 * of perilune.h, wherever its text is kept. */
#ifndef PL_BASE_JSON_BUILD_H
#define PL_BASE_JSON_BUILD_H

#include "base/json_scan.h"

struct pl_json_builder {
    struct pl_buf *out;
    unsigned flags;   /* enum pl_json_flags */
    unsigned depth;   /* arrays and objects that are open */
    bool more;        /* something was written on this level */
    bool named;       /* a key was written, its value comes next */
    int err;          /* 0, or what the builder failed with */
    const char *what; /* in words */
    uint64_t objects[PL_JSON_DEPTH / 64]; /* a bit for each level: what it is */
};

/* Writes behind what out holds. BORROWS out as long as it writes. */
void pl_json_builder_init(struct pl_json_builder *json, struct pl_buf *out,
                          unsigned flags);

/* 0 once a value is complete; else what was wrong (PL_ERR_STATE: it is not). */
int pl_json_builder_result(struct pl_json_builder *json);

#endif
