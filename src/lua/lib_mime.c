/* lib_mime.c - the C half of pl.mime: media types of names, and choosing what a
 * client likes. */
#include "base/str.h"
#include "http/media.h"
#include "http/mime.h"
#include "http/negotiate.h"
#include "lua/args.h"
#include "lua/parts.h"
#include "lua/wait.h"

enum { OFFERS_MAX = 64 };

/* of(name) -> type. A name without a dot is an extension. */
static int of(lua_State *L)
{
    struct pl_str name = pl_arg_str(L, 1, "pl.mime", "the name");

    if (pl_str_chr(name, '.') < 0 && pl_str_chr(name, '/') < 0) {
        lua_pushliteral(L, ".");
        lua_pushvalue(L, 1);
        lua_concat(L, 2);
        name.data = lua_tolstring(L, -1, &name.len);
    }
    pl_lua_push_str(L, pl_mime_of(name));
    return 1;
}

/* extension(type) -> "html", or nil */
static int extension(lua_State *L)
{
    struct pl_str params;
    struct pl_str type = pl_media_split(
        pl_arg_str(L, 1, "pl.mime.extension", "the type"), &params);

    pl_lua_push_str(L, pl_mime_extension(type));
    return 1;
}

static void push_lower(lua_State *L, struct pl_str s)
{
    char *lower = lua_newuserdata(L, s.len + 1);

    pl_str_lower(lower, s);
    lua_pushlstring(L, lower, s.len);
    lua_remove(L, -2);
}

/* split(content_type) -> type, { name, value, ... }: values as they stand */
static int split(lua_State *L)
{
    struct pl_str text = pl_arg_str(L, 1, "pl.mime.parse", "the type");
    struct pl_str params, name, value;
    int n = 0;

    push_lower(L, pl_media_split(text, &params));
    lua_newtable(L);
    while (pl_params_next(&params, &name, &value)) {
        push_lower(L, name);
        lua_rawseti(L, -2, ++n);
        pl_lua_push_str(L, value);
        lua_rawseti(L, -2, ++n);
    }
    return 2;
}

/* choose(call, kind, field or nil, offers) -> the best one, or nil */
static int choose(lua_State *L)
{
    const char *call = lua_tostring(L, 1);
    enum pl_negotiation kind = (enum pl_negotiation)lua_tointeger(L, 2);
    struct pl_str field = {NULL, 0}, offers[OFFERS_MAX];
    int n, best;

    if (!lua_isnil(L, 3))
        field = pl_arg_str(L, 3, call, "the field");
    if (!lua_istable(L, 4))
        return pl_lua_fail(L, "%s: the offers must be a list of strings", call);
    n = (int)lua_rawlen(L, 4);
    if (n > OFFERS_MAX)
        return pl_lua_fail(L, "%s: more than %d offers", call, OFFERS_MAX);
    for (int i = 0; i < n; i++) { /* the table keeps the strings */
        lua_rawgeti(L, 4, i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            return pl_lua_fail(L, "%s: the offers must be a list of strings",
                               call);
        offers[i].data = lua_tolstring(L, -1, &offers[i].len);
        lua_pop(L, 1);
    }
    best = pl_negotiate(kind, field, offers, (size_t)n);
    if (best < 0)
        lua_pushnil(L);
    else
        lua_rawgeti(L, 4, best + 1);
    return 1;
}

const luaL_Reg pl_lua_mime[] = {
    {"of", of},       {"extension", extension},
    {"split", split}, {"choose", choose},
    {NULL, NULL},
};
