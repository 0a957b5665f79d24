/* lib_markdown.c - pl.markdown: the door to its plug-in. */
#include "lua/parts.h"
#include "lua/plugin.h"

const luaL_Reg pl_lua_markdown[] = {
    {"load", pl_lua_load_plugin},
    {NULL, NULL},
};
