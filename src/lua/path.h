/* path.h - where in a nested table something is wrong: `a.list[3]["odd key"]`.
 *
 * Who walks a value keeps a level on the C stack for each open table. */
#ifndef PL_LUA_PATH_H
#define PL_LUA_PATH_H

#include "lua/compat.h"

enum { PL_LUA_PATH_MAX = 200 };

/* Which item of an open table is being looked at. */
struct pl_lua_level {
    const struct pl_lua_level *up;
    int key;           /* stack index of the key, 0 in a list */
    lua_Integer index; /* in a list */
};

/* The path to level (NULL: ""), cut at whole steps. */
void pl_lua_path(lua_State *L, const struct pl_lua_level *level,
                 char path[PL_LUA_PATH_MAX]);

#endif
