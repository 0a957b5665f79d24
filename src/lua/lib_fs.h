/* lib_fs.h - open files as Lua has them, for the parts of pl.fs. */
#ifndef PL_LUA_LIB_FS_H
#define PL_LUA_LIB_FS_H

#include "lua/compat.h"
#include "os/fs.h"

/* Pushes a handle, which counts as a user of file. Raises when out of memory.
 * pl.fs has been loaded. */
void pl_lua_push_fs_file(lua_State *L, struct pl_fs_file *file);

#endif
