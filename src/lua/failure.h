/* failure.h - errors as Lua sees them, and Lua's errors as C sees them.
 *
 * What a script can expect to happen (a time-out, a closed connection) comes as
 * `nil, err`: err.code is a fixed word ("timeout", "closed", ...), err.message
 * and tostring(err) are for people. */
#ifndef PL_LUA_FAILURE_H
#define PL_LUA_FAILURE_H

#include "base/error.h"
#include "lua/compat.h"

/* Pushes an error object for a PL_ERR_*; raises when out of memory. message is
 * "call: text". */
void pl_lua_push_error(lua_State *L, int code, const char *call,
                       const char *text);

/* Raises PL_ERR_NOMEM, for which a request is answered by 503. */
int pl_lua_no_memory(lua_State *L, const char *call);

/* Ends a C function: return pl_lua_return_error(...), which gives `nil, err`.
 */
int pl_lua_return_error(lua_State *L, int code, const char *call,
                        const char *text);

/* The PL_ERR_* of an error object of ours, 0 for any other value. Needs no
 * memory. */
int pl_lua_error_code(lua_State *L, int index);

/* The status that the error answers a request with, if it is the peer's fault
 * (err.status); 0 for any other value. Needs no memory. */
int pl_lua_error_status(lua_State *L, int index);

/* Pushes onto L a copy of the error value on top of from: in a protected call.
 * Before one on the same state: pl_lua_error_set_aside(). */
void pl_lua_error_set_aside(lua_State *L);
void pl_lua_error_take(lua_State *L, lua_State *from);

/* Fills *error from the error value on top of from: "site.lua:3: text" is taken
 * apart, the code is that of an error object or PL_ERR_STATE. Returns the code.
 * Works on L (from itself will do if it has not failed); does not raise. */
int pl_lua_error_get(lua_State *L, lua_State *from, struct pl_error *error);

#endif
