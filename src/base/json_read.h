/* json_read.h - a JSON text becomes an array of nodes.
 *
 *     {"a": [1, 2], "b": "x"}
 *
 *     0 object  2 items, 7 nodes     3 number 1       5 string "b"  (name)
 *     1 string "a"  (name)           4 number 2 last  6 string "x"  member last
 *     2 array   2 items, 3 nodes     member
 *
 * In the order of the text: an item's name is the node before it, the first
 * item follows its container, and behind a value comes the next one, up to that
 * which is marked as the last. Nothing points from node to node, so the array
 * may move while it grows. It does not change once it is made. */
#ifndef PL_BASE_JSON_READ_H
#define PL_BASE_JSON_READ_H

#include "base/arena.h"
#include "base/buf.h"

enum pl_json_form { PL_JSON_FORM_I64, PL_JSON_FORM_U64, PL_JSON_FORM_REAL };

struct pl_json {
    uint8_t type; /* enum pl_json_type */
    uint8_t form; /* of a number: enum pl_json_form */
    bool member;  /* the node before is its name */
    bool last;    /* no other item follows in its container */
    uint32_t len; /* of a string: bytes; of a container: items */
    union {
        const char *data; /* of a string: in the text, or in the arena */
        int64_t i64;
        uint64_t u64; /* beyond int64_t only */
        double real;
        bool boolean;
        size_t nodes; /* of a container: it and all below it */
    };
};

_Static_assert(sizeof(struct pl_json) == 16, "a node is small");

/* Reads all of text. The nodes fill nodes (made with pl_buf_init, empty), the
 * first is the value of the whole; strings lie in text, or in strings if they
 * had to be changed. options as perilune.h says of pl_json_parse(), and what is
 * returned too; error may be NULL. */
int pl_json_read(struct pl_str text, const struct pl_json_options *options,
                 struct pl_buf *nodes, struct pl_arena *strings,
                 struct pl_json_error *error);

#endif
