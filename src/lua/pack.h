/* pack.h - Lua values as packed bytes (base/pack.h), and back.
 *
 * Plain values can be packed: nil, booleans, numbers, strings, json.null, and
 * tables of these, nested at most PL_PACK_DEPTH deep and without a cycle. A
 * table is taken as it is, without its metatable, but a list that is marked as
 * one of JSON stays marked. Numbers without a fraction are integers. */
#ifndef PL_LUA_PACK_H
#define PL_LUA_PACK_H

#include "base/error.h"
#include "base/pack.h"
#include "lua/compat.h"

/* Appends the value at index to out, with the version. Stack: [-0, +0, raises]
 * (out of memory: so out's owner must not be a C frame). Returns 0, or
 * PL_ERR_INVALID (what cannot be packed), PL_ERR_LIMIT (of out), PL_ERR_NOMEM;
 * error->text is "path: what". */
int pl_lua_pack(lua_State *L, int index, struct pl_buf *out,
                struct pl_error *error);

/* Pushes the value of bytes. [-0, +1 or 0, raises]. Returns 0, or an error of
 * base/pack.h and pushes nothing. */
int pl_lua_unpack(lua_State *L, struct pl_str bytes);

#endif
