/* json.h - the JSON codec for Lua: straight between bytes and Lua values.
 *
 * In Lua it is the table that pl_lua_json_push() pushes (pl.json):
 *
 *     encode(value [, options]) -> string; raises an error that names the place
 *     decode(text [, options]) -> value, or nil, message, byte offset
 *     null, array(t), object(t), empty_array
 *
 * Tables: those with 1..n are arrays, those with string keys objects; what is
 * mixed or has holes is an error unless marked with object(t). An empty table
 * is {} unless marked with array(t); decoded arrays are marked. A metatable
 * may say __jsontype = "array" or "object", or __tojson = function(value)
 * that returns what to encode instead. __index and __pairs are not asked.
 *
 * Options of encode [default]: depth [128], size [64 MiB], sort_keys, indent
 * (spaces, 0 to 16), pretty (indent = 2), html_safe (escape < > & U+2028/9),
 * invalid_utf8 ["replace"] or "error", empty_table ["object"] or "array",
 * tables ["strict"] or "convert" (mixed or sparse: an object, keys as strings),
 * nan ["error"] or "null" (also for inf).
 * Options of decode: depth [128], size [64 MiB], int64 ["number"] or "string"
 * (what for integers that the Lua's number cannot hold exactly), invalid_utf8
 * ["error"] or "replace" (also for half a surrogate pair), mark_arrays [true].
 *
 * Integers are exact to 2^53 in LuaJIT (64-bit cdata are encoded exactly) and
 * in 64 bits in Lua 5.4; doubles are written with the fewest digits that read
 * back the same. Of equal keys the last one wins. */
#ifndef PL_LUA_JSON_H
#define PL_LUA_JSON_H

#include <perilune.h>

#include "base/buf.h"
#include "base/error.h"
#include "lua/compat.h"

/* Appends the value at index to out. Stack: [-0, +0, raises]. Returns 0, or an
 * error (PL_ERR_INVALID, PL_ERR_LIMIT, PL_ERR_NOMEM) and out as long as it was
 * (a limit of out itself leaves it failed, as buf.h says). Raises when Lua is
 * out of memory, or when a __tojson changed the table that is being written: so
 * out's owner must not be a C frame.
 * The value's __tojson functions run inside and may not wait. */
int pl_lua_json_encode(lua_State *L, int index, struct pl_buf *out,
                       struct pl_error *error);

/* Pushes the value of text, or nothing and returns an error: PL_ERR_PROTO with
 * "line L column C: what", or PL_ERR_LIMIT. Stack: [-0, +1 or 0, raises] (out
 * of memory). Borrows text: its owner must not be a C frame either. */
int pl_lua_json_decode(lua_State *L, struct pl_str text,
                       struct pl_error *error);

/* Pushes the module's table, the same one each time. [-0, +1, raises] */
void pl_lua_json_push(lua_State *L);

/* Lets require "cjson" and "cjson.safe" find this codec under their names,
 * where no real one is installed: appends a searcher. [-0, +0, raises] */
void pl_lua_json_install_cjson(lua_State *L);

#endif
