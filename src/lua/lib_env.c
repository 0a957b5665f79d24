/* lib_env.c - the C half of pl.env. */
#include <stdlib.h>

#include "base/str.h"
#include "lua/args.h"
#include "lua/parts.h"

/* get(call, name) -> string or nil */
static int get(lua_State *L)
{
    const char *call = lua_tostring(L, 1);

    lua_pushstring(L, getenv(pl_arg_str(L, 2, call, "the name").data));
    return 1;
}

/* duration("1.5s") -> seconds, or nil */
static int duration(lua_State *L)
{
    uint64_t ms;

    if (pl_str_to_ms(pl_str_c(lua_tostring(L, 1)), &ms))
        lua_pushnumber(L, (lua_Number)ms / 1000);
    else
        lua_pushnil(L);
    return 1;
}

/* size("8k") -> bytes, or nil */
static int size(lua_State *L)
{
    uint64_t bytes;

    if (pl_str_to_size(pl_str_c(lua_tostring(L, 1)), &bytes) &&
        bytes <= (uint64_t)1 << 53)
        lua_pushinteger(L, (lua_Integer)bytes);
    else
        lua_pushnil(L);
    return 1;
}

const luaL_Reg pl_lua_env[] = {
    {"get", get},
    {"duration", duration},
    {"size", size},
    {NULL, NULL},
};
