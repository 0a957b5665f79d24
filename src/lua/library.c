#include "lua/library.h"

#include <string.h>

#include "lua/vm_priv.h"

/* In this order; each gets the tables `core` and `pl`. */
static const char *const parts[] = {
    "perilune.core.coroutine", "perilune.core.error", "perilune.core.task",
    "perilune.core.timer",     "perilune.core.event", "perilune.core.require",
    "perilune.core.log",       "perilune.core.site",
};

static const struct pl_lua_source *find(const char *name)
{
    const struct pl_lua_source *source;

    for (source = pl_lua_sources; source->name != NULL; source++) {
        if (strcmp(source->name, name) == 0)
            return source;
    }
    return NULL;
}

static void load(lua_State *L, const struct pl_lua_source *source)
{
    if (luaL_loadbuffer(L, source->text, source->len, source->path) != 0)
        lua_error(L);
}

/* A searcher for require: core.find_module(name) -> loader, path | message. */
static int find_module(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct pl_lua_source *source = find(name);

    if (source == NULL || strncmp(name, "perilune.core.", 14) == 0) {
        lua_pushfstring(L, "\n\tno module '%s' in perilune", name);
        return 1;
    }
    load(L, source);
    lua_pushstring(L, source->path);
    return 2;
}

/* Where the two tables that every part gets are kept. */
static const char core_key, pl_key;

void pl_lua_push_core(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &core_key);
}

void pl_lua_run_part(lua_State *L, const char *name)
{
    load(L, find(name));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &core_key);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pl_key);
    lua_call(L, 2, 0);
}

void pl_lua_open_library(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"find_module", find_module},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &core_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pl_key);
    for (size_t i = 0; i < PL_COUNT(parts); i++)
        pl_lua_run_part(L, parts[i]);
}
