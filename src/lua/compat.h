/* compat.h - one Lua C API for both Luas: that of 5.4 as far as LuaJIT can.
 *
 * Every file of this room includes this instead of lua.h. Under LuaJIT (API
 * 5.1 with some of 5.2) the missing names of 5.2 to 5.4 are defined here; where
 * the two differ in kind a pl_lua_* name covers both. Two rules remain for the
 * callers: the value of lua_getfield, lua_rawget and their like is void under
 * LuaJIT (ask lua_type), and a user value is always a table. */
#ifndef PL_LUA_COMPAT_H
#define PL_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>

#include "base/compiler.h"

#if LUA_VERSION_NUM == 501
#include <luajit.h>

#define PL_LUAJIT 1
enum { PL_LUA_TCDATA = 10 }; /* LuaJIT's type for FFI objects */

#define lua_rawlen(L, index) lua_objlen(L, index)
#define lua_pushglobaltable(L) lua_pushvalue(L, LUA_GLOBALSINDEX)
#define lua_isinteger(L, index) ((void)(L), (void)(index), 0)
#define lua_getuservalue(L, index) lua_getfenv(L, index)
#define lua_setuservalue(L, index) lua_setfenv(L, index)

PL_INLINE int lua_absindex(lua_State *L, int index)
{
    return index > 0 || index <= LUA_REGISTRYINDEX ? index
                                                   : lua_gettop(L) + index + 1;
}

/* A light userdata as a key: the address of a static object is a name that
 * nobody else can have. */
PL_INLINE void lua_rawgetp(lua_State *L, int index, const void *key)
{
    index = lua_absindex(L, index);
    lua_pushlightuserdata(L, (void *)key);
    lua_rawget(L, index);
}

PL_INLINE void lua_rawsetp(lua_State *L, int index, const void *key)
{
    index = lua_absindex(L, index);
    lua_pushlightuserdata(L, (void *)key);
    lua_insert(L, -2);
    lua_rawset(L, index);
}

/* As t[i]: with metamethods, unlike lua_rawgeti. */
PL_INLINE void lua_geti(lua_State *L, int index, lua_Integer i)
{
    index = lua_absindex(L, index);
    lua_pushinteger(L, i);
    lua_gettable(L, index);
}

PL_INLINE void lua_seti(lua_State *L, int index, lua_Integer i)
{
    index = lua_absindex(L, index);
    lua_pushinteger(L, i);
    lua_insert(L, -2);
    lua_settable(L, index);
}

/* lua_resume() of 5.4. *results is the number of values on top of L. */
PL_INLINE int pl_lua_resume(lua_State *L, lua_State *from, int args,
                            int *results)
{
    int status = lua_resume(L, args);

    (void)from;
    *results = lua_gettop(L);
    return status;
}

/* Writes the function on top as bytecode, with its line numbers. */
#define pl_lua_dump(L, writer, arg) lua_dump(L, writer, arg)

/* Pushes tostring(value at index) and returns it; honours __tostring. */
const char *pl_lua_tolstring(lua_State *L, int index, size_t *len);
#define luaL_tolstring(L, index, len) pl_lua_tolstring(L, index, len)

#else /* Lua 5.4 */

#define PL_LUAJIT 0
#define pl_lua_dump(L, writer, arg) lua_dump(L, writer, arg, 0)
enum { PL_LUA_TCDATA = 127 }; /* no such type: never equal to lua_type() */

PL_INLINE int pl_lua_resume(lua_State *L, lua_State *from, int args,
                            int *results)
{
    return lua_resume(L, from, args, results);
}

#endif
#endif
