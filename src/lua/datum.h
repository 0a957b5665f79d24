/* datum.h - Lua values as the values of share/: in dictionaries and messages.
 */
#ifndef PL_LUA_DATUM_H
#define PL_LUA_DATUM_H

#include "lua/compat.h"
#include "share/dict.h"

struct pl_json_scratch;

struct pl_lua_datum {
    struct pl_datum value;
    struct pl_json_scratch *scratch; /* where a table was packed; or NULL */
};

/* Reads the argument at index, any plain value but nil; raises for all others,
 * with the path in a table. Its bytes are good as long as the value stays on
 * the stack and until pl_lua_datum_done(). May push one value. */
void pl_lua_datum_read(lua_State *L, int index, const char *call,
                       struct pl_lua_datum *datum);
void pl_lua_datum_done(struct pl_lua_datum *datum);

/* A number; raises if it is none. */
struct pl_datum pl_lua_datum_number(lua_State *L, int index, const char *call,
                                    const char *what);

/* Pushes the value; nil for none. [-0, +1, raises] (out of memory). */
void pl_lua_datum_push(lua_State *L, const struct pl_datum *value);

/* Pushes nil and the error; returns 2. */
int pl_lua_push_failure(lua_State *L, int err, const char *call);

#endif
