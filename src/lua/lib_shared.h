/* lib_shared.h - the dictionaries of pl.shared, for other parts. */
#ifndef PL_LUA_LIB_SHARED_H
#define PL_LUA_LIB_SHARED_H

#include "lua/compat.h"

struct pl_dict;

/* The dictionary behind a value of pl.shared(): lives as long as the process.
 */
struct pl_dict *pl_lua_shared_dict(lua_State *L, int index);

#endif
