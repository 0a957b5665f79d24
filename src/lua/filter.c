#include "lua/filter.h"

#include "lua/wait.h"

static const char meta_name[] = "pl.filter";

static void drop(void *filter)
{
    pl_filter_drop(filter);
}

/* The site has it from here on, so an error of Lua's loses nothing. The
 * site outlives all tasks of its VM. */
void pl_lua_filter_push(lua_State *L, struct pl_site *site,
                        struct pl_filter *filter, const char *call)
{
    struct pl_filter **place;

    if (pl_site_own(site, drop, filter) < 0)
        pl_lua_fail(L, "%s: out of memory", call);
    place = lua_newuserdata(L, sizeof(struct pl_filter *));
    *place = filter;
    luaL_newmetatable(L, meta_name);
    lua_setmetatable(L, -2);
}

void pl_lua_filter_set_methods(lua_State *L, int index)
{
    luaL_newmetatable(L, meta_name);
    lua_pushvalue(L, index);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

struct pl_filter *pl_lua_filter_get(lua_State *L, int index)
{
    struct pl_filter **place = luaL_testudata(L, index, meta_name);

    return place == NULL ? NULL : *place;
}
