/* pack.h - plain values as bytes: what crosses to other workers and lives
 * longer than a Lua state.
 *
 * A packed value is a version byte and one value, nothing behind it. A value is
 * nil, a boolean, null (JSON's), an integer of 64 bits, a double, a string, or
 * a table: a list of values that are not nil, then pairs of keys and values.
 * Keys are booleans, integers, doubles that are no NaN, or strings.
 *
 *     00..7f        the integer itself
 *     80..9f        a string of 0 to 31 bytes, which follow
 *     a0 a1 a2 a3   nil, false, true, null
 *     a4 VARINT     an integer: zigzag (0, -1, 1, -2, ...)
 *     a5 8 BYTES    a double, little-endian
 *     a6 VARINT     a string of so many bytes, which follow
 *     a7 LIST PAIRS a table: two varints say how many; the values follow
 *     a8 LIST       a table that is a list, also when it is empty (pl.json)
 *
 * Each value has one form only: varints and forms are the shortest that will
 * do, NaN is 7ff8000000000000. The reader refuses all others, so that what it
 * takes is what the writer would write. That two keys of a table differ is for
 * who builds the table to see. */
#ifndef PL_BASE_PACK_H
#define PL_BASE_PACK_H

#include "base/buf.h"

enum { PL_PACK_VERSION = 1, PL_PACK_DEPTH = 64 };

/* ---- writing: the version, then one value; look at the buffer's err after
 * the last call ---- */

void pl_pack_begin(struct pl_buf *out);
void pl_pack_nil(struct pl_buf *out);
void pl_pack_null(struct pl_buf *out);
void pl_pack_bool(struct pl_buf *out, bool value);
void pl_pack_integer(struct pl_buf *out, int64_t value);
void pl_pack_double(struct pl_buf *out, double value);
void pl_pack_string(struct pl_buf *out, struct pl_str value);

/* Then list values follow, then pairs of key and value. marked: it is a list
 * (no pairs) that is to stay one when it is empty. */
void pl_pack_table(struct pl_buf *out, size_t list, size_t pairs, bool marked);

/* ---- reading ---- */

enum pl_packed_type {
    PL_PACKED_NIL,
    PL_PACKED_NULL,
    PL_PACKED_BOOL,
    PL_PACKED_INTEGER,
    PL_PACKED_DOUBLE,
    PL_PACKED_STRING,
    PL_PACKED_TABLE,
};

struct pl_packed {
    enum pl_packed_type type;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct pl_str string; /* borrows the bytes */
        struct {
            size_t list, pairs; /* never more than the bytes that are left */
            bool marked;
        } table;
    };
};

struct pl_unpack {
    const char *at, *end;
};

/* Of a whole packed value. Returns 0, PL_ERR_UNSUPPORTED (another version) or
 * PL_ERR_PROTO. */
int pl_unpack_begin(struct pl_unpack *in, struct pl_str bytes);

/* The next value or key; those of a table follow it. Returns 0 or PL_ERR_PROTO.
 */
int pl_unpack_next(struct pl_unpack *in, struct pl_packed *value);

/* After the last value: PL_ERR_PROTO if there is more. */
int pl_unpack_end(const struct pl_unpack *in);

/* May the value stand in a list or as a pair's value; as a pair's key? */
bool pl_packed_is_item(const struct pl_packed *value);
bool pl_packed_is_key(const struct pl_packed *value);

/* Reads bytes as a whole: 0 when they are a packed value whose tables are not
 * nested deeper than PL_PACK_DEPTH, PL_ERR_LIMIT if they are, else an error as
 * above. */
int pl_pack_check(struct pl_str bytes);

#endif
