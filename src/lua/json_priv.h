/* json_priv.h - what the files of the JSON codec share.
 *
 * json.c is the module, json_encode.c and json_decode.c the two directions,
 * json_cjson.c the names of lua-cjson.
 *
 * Lua may leave any of these functions by longjmp when it is out of memory.
 * Nothing leaks then: a buffer belongs to a scratch, which is a userdata. */
#ifndef PL_LUA_JSON_PRIV_H
#define PL_LUA_JSON_PRIV_H

#include "base/json_number.h"
#include "base/json_scan.h"
#include "lua/json.h"

/* Decoding and encoding recurse: this bounds the C stack (about 300 bytes a
 * level) and Lua's. */
enum { PL_JSON_DEPTH_MAX = 1000 };

struct pl_json_encoding {
    size_t depth, size; /* limits */
    size_t indent;      /* spaces a level; 0 = all on one line */
    bool pretty;        /* indent is 2 unless given */
    bool sort_keys;
    bool html_safe;
    bool strict_utf8;
    bool empty_array;  /* {} without a mark is [] */
    bool convert;      /* mixed and sparse tables become objects */
    bool null_numbers; /* nan and inf become null */
};

struct pl_json_decoding {
    size_t depth, size; /* limits */
    bool int64_strings;
    bool replace_utf8;
    bool plain_arrays; /* do not mark them */
};

extern const struct pl_json_encoding pl_json_encoding_default;
extern const struct pl_json_decoding pl_json_decoding_default;

/* Its address, as light userdata, is encoded as []. */
extern const char pl_json_empty_array;

int pl_json_encode(lua_State *L, int index, struct pl_buf *out,
                   const struct pl_json_encoding *options,
                   struct pl_error *error);

/* *offset: where the fault is. */
int pl_json_decode(lua_State *L, struct pl_str text,
                   const struct pl_json_decoding *options,
                   struct pl_error *error, size_t *offset);

/* Pushes the metatable that marks an array. */
void pl_json_push_array_mt(lua_State *L);

/* A buffer of this Lua state. While it is taken it must stay on the stack, and
 * nobody else gets it: finalizers and __tojson functions may run the codec too.
 * One that was never given back (Lua raised an error) is forgotten. */
struct pl_json_scratch {
    struct pl_pool pool; /* its own: a state is closed on another thread */
    struct pl_buf buf;
    bool taken;
};

struct pl_json_scratch *pl_json_scratch_take(lua_State *L); /* pushes it */
void pl_json_scratch_give(struct pl_json_scratch *scratch); /* or NULL */

/* Encodes the value at index and pushes the string. On failure pushes nothing.
 */
int pl_json_push_encoded(lua_State *L, int index,
                         const struct pl_json_encoding *options,
                         struct pl_error *error);

#endif
