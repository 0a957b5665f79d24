#include "lua/library.h"

#include <stdio.h>
#include <string.h>

#include "lua/parts.h"
#include "lua/vm_priv.h"

/* In this order; each gets the tables `core` and `pl`. */
static const char *const core_files[] = {
    "coroutine", "error", "options", "task", "event", "require", "site",
};

#define CORE "=perilune/core/"
#define LIB "=perilune/lib/"

static bool is_in(const char *path, const char *folder)
{
    return strncmp(path, folder, strlen(folder)) == 0;
}

static const struct pl_lua_source *find(const char *path)
{
    const struct pl_lua_source *source;

    for (source = pl_lua_sources; source->path != NULL; source++) {
        if (strcmp(source->path, path) == 0)
            return source;
    }
    return NULL;
}

/* A searcher for require: core.find_module(name) -> loader, path | message. */
static int find_module(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *path =
        lua_pushfstring(L, "=%s.lua", luaL_gsub(L, name, ".", "/"));
    const struct pl_lua_source *source = find(path);

    if (source == NULL || is_in(path, CORE) || is_in(path, LIB)) {
        lua_pushfstring(L, "\n\tno module '%s' in perilune", name);
        return 1;
    }
    pl_lua_load_source(L, source);
    lua_pushstring(L, source->path);
    return 2;
}

/* Where the two tables that every file gets are kept. */
static const char core_key, pl_key;

void pl_lua_push_core(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &core_key);
}

static const struct pl_lua_source *find_in(const char *folder, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "%s%s.lua", folder, name);
    return find(path);
}

/* Calls the function on top with core, pl and the n values below it, all of
 * which it takes. */
static void run(lua_State *L, int n)
{
    int at = lua_gettop(L) - n;

    lua_insert(L, at);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &core_key);
    lua_insert(L, at + 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pl_key);
    lua_insert(L, at + 2);
    lua_call(L, n + 2, 0);
}

void pl_lua_run_foreign(lua_State *L, const struct pl_lua_source *source)
{
    if (pl_lua_compile_source(L, source) != 0)
        lua_error(L);
    run(L, 1);
}

void pl_lua_run_core(lua_State *L, const char *name)
{
    pl_lua_load_source(L, find_in(CORE, name));
    run(L, 0);
}

bool pl_lua_run_lib(lua_State *L, const char *name)
{
    const struct pl_lua_source *source = find_in(LIB, name);

    if (source == NULL)
        return false;
    pl_lua_load_source(L, source);
    run(L, 1);
    return true;
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
    pl_lua_open_parts(L, vm);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pl_key);
    for (size_t i = 0; i < PL_COUNT(core_files); i++)
        pl_lua_run_core(L, core_files[i]);
}
