#include "lua/upstream_args.h"

#include "base/str.h"
#include "lua/web_priv.h"

const char *pl_upstream_text(lua_State *L, int table, const char *name)
{
    const char *text;

    lua_getfield(L, table, name);
    text = lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

bool pl_upstream_flag(lua_State *L, int table, const char *name)
{
    bool flag;

    lua_getfield(L, table, name);
    flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

bool pl_upstream_is_off(lua_State *L, int table, const char *name)
{
    bool off;

    lua_getfield(L, table, name);
    off = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    return off;
}

uint32_t pl_upstream_count(lua_State *L, int table, const char *name)
{
    uint32_t n = 0;

    lua_getfield(L, table, name);
    if (lua_type(L, -1) == LUA_TNUMBER)
        n = (uint32_t)lua_tonumber(L, -1);
    if (!lua_isnil(L, -1) && n == 0)
        n = UINT32_MAX;
    lua_pop(L, 1);
    return n;
}

uint32_t pl_upstream_ms(lua_State *L, int table, const char *call,
                        const char *name)
{
    struct pl_str text = {NULL, 0};
    uint64_t ms = 0;

    lua_getfield(L, table, name);
    if (lua_type(L, -1) == LUA_TSTRING) {
        text.data = lua_tolstring(L, -1, &text.len);
        if (!pl_str_to_ms(text, &ms) || ms >= UINT32_MAX)
            pl_lua_fail(L, "%s: %s: '%s' is no time like \"5s\"", call, name,
                        text.data);
    }
    if (!lua_isnil(L, -1) && ms == 0)
        ms = UINT32_MAX;
    lua_pop(L, 1);
    return (uint32_t)ms;
}

/* ---- lists ---- */

size_t pl_upstream_servers(lua_State *L, int table, const char *call,
                           struct pl_proxy_server servers[PL_SERVERS_MAX])
{
    size_t n;

    lua_getfield(L, table, "to");
    n = lua_rawlen(L, -1);
    if (n > PL_SERVERS_MAX)
        pl_lua_fail(L, "%s: to: more than %d servers", call, PL_SERVERS_MAX);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        servers[i] = (struct pl_proxy_server){
            .url = pl_upstream_text(L, lua_gettop(L), "url"),
            .backup = pl_upstream_flag(L, lua_gettop(L), "backup")};
        lua_getfield(L, -1, "weight");
        servers[i].weight = (unsigned)lua_tointeger(L, -1);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return n;
}

size_t pl_upstream_pairs(lua_State *L, int table, const char *call,
                         const char *name, struct pl_pair pairs[PL_PAIRS_MAX])
{
    size_t n;

    lua_getfield(L, table, name);
    n = lua_rawlen(L, -1) / 2;
    if (n > PL_PAIRS_MAX)
        pl_lua_fail(L, "%s: %s: more than %d of them", call, name,
                    PL_PAIRS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct pl_pair *pair = &pairs[i];

        lua_rawgeti(L, -1, (int)(2 * i) + 1);
        lua_rawgeti(L, -2, (int)(2 * i) + 2);
        pair->name.data = lua_tolstring(L, -2, &pair->name.len);
        pair->value = (struct pl_str){NULL, 0};
        if (lua_isstring(L, -1))
            pair->value.data = lua_tolstring(L, -1, &pair->value.len);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return n;
}

/* ---- the route ---- */

int pl_upstream_mount(lua_State *L, struct pl_handler *handler,
                      const struct pl_route_options *route,
                      struct pl_error *error)
{
    struct pl_str prefix;

    prefix.data = lua_tolstring(L, 2, &prefix.len);
    if (handler == NULL ||
        pl_site_route(pl_vm_upvalue(L)->site, PL_METHODS_ANY, prefix, true,
                      handler, route, lua_tostring(L, -1), error) < 0)
        return pl_lua_fail(L, "%s: %s", lua_tostring(L, 1), error->text);
    lua_pushlightuserdata(L, handler);
    return 1;
}
