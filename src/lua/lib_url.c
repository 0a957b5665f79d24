/* lib_url.c - the C half of pl.url. What has a length known beforehand is
 * written into a buffer that Lua frees, so that nothing here can leak. */
#include <stdio.h>

#include "base/str.h"
#include "http/query.h"
#include "http/uri.h"
#include "http/url.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/parts.h"
#include "lua/wait.h"

/* More pairs than any honest form has: see max of decode_query. */
enum { PAIRS_MAX = 1000 };

/* ---- components ---- */

static int encode(lua_State *L, const char *call, const char *keep)
{
    struct pl_str text = pl_arg_str(L, 1, call, "the text");
    char *out = lua_newuserdata(L, 3 * text.len + 1);

    lua_pushlstring(L, out, pl_uri_encode_to(out, text, keep));
    return 1;
}

/* url.encode(text): for one element of a path, a name, a value */
static int url_encode(lua_State *L)
{
    return encode(L, "pl.url.encode", "");
}

/* url.encode_path(text): the same, but "/" stays */
static int url_encode_path(lua_State *L)
{
    return encode(L, "pl.url.encode_path", "/");
}

static void push_decoded(lua_State *L, struct pl_str s, bool plus_is_space)
{
    char *out = lua_newuserdata(L, s.len + 1);

    lua_pushlstring(L, out, pl_uri_decode_to(out, s, plus_is_space));
    lua_remove(L, -2);
}

/* url.decode(text): what is no escape stays as it is */
static int url_decode(lua_State *L)
{
    push_decoded(L, pl_arg_str(L, 1, "pl.url.decode", "the text"), false);
    return 1;
}

/* ---- URLs ---- */

static struct pl_str check_url(lua_State *L, int index, const char *call,
                               struct pl_url *url)
{
    struct pl_str text = pl_arg_str(L, index, call, "the URL");

    if (pl_url_parse(text, url) < 0)
        text.data = NULL;
    return text;
}

static int not_a_url(lua_State *L, const char *call)
{
    return pl_lua_return_error(L, PL_ERR_SYNTAX, call, "not a URL");
}

/* Scheme and host mean the same in any case: shown in lower case. */
static void set_lower(lua_State *L, const char *name, struct pl_str value)
{
    char *lower;

    if (value.data == NULL)
        return;
    lower = lua_newuserdata(L, value.len + 1);
    pl_str_lower(lower, value);
    lua_pushlstring(L, lower, value.len);
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
}

/* url.parse(text) -> table, or nil, err */
static int url_parse(lua_State *L)
{
    struct pl_url url;
    uint64_t port;

    if (check_url(L, 1, "pl.url.parse", &url).data == NULL)
        return not_a_url(L, "pl.url.parse");
    lua_createtable(L, 0, 7);
    set_lower(L, "scheme", url.scheme);
    pl_lua_set_str(L, "user", url.user);
    set_lower(L, "host", url.host);
    if (pl_str_to_u64(url.port, &port))
        pl_lua_set_integer(L, "port", (int64_t)port);
    pl_lua_set_str(L, "path", url.path);
    pl_lua_set_str(L, "query", url.query);
    pl_lua_set_str(L, "fragment", url.fragment);
    return 1;
}

/* A component of the table at 1; it stays on the stack. */
static struct pl_str get_str(lua_State *L, const char *name)
{
    struct pl_str s = {NULL, 0};
    int type;

    lua_getfield(L, 1, name);
    type = lua_type(L, -1);
    if (type == LUA_TSTRING || type == LUA_TNUMBER)
        s.data = lua_tolstring(L, -1, &s.len);
    else if (type != LUA_TNIL)
        pl_lua_fail(L, "pl.url.build: %s must be a string, not a %s", name,
                    luaL_typename(L, -1));
    return s;
}

static bool is_same(struct pl_str a, struct pl_str b)
{
    return (a.data == NULL) == (b.data == NULL) && pl_str_eq(a, b);
}

/* core of url.build: the query is a string by now. What does not read back as
 * what was given would be another URL: refused. */
static int url_build(lua_State *L)
{
    struct pl_url url = {
        .scheme = get_str(L, "scheme"),
        .user = get_str(L, "user"),
        .host = get_str(L, "host"),
        .port = get_str(L, "port"),
        .path = get_str(L, "path"),
        .query = get_str(L, "query"),
        .fragment = get_str(L, "fragment"),
    };
    size_t room = url.scheme.len + url.user.len + url.host.len + url.port.len +
                  url.path.len + url.query.len + url.fragment.len;
    struct pl_url seen;
    char *out;
    size_t n;

    if (url.path.data == NULL)
        url.path = PL_STR("");
    out = lua_newuserdata(L, room + PL_URL_MARKS);
    n = pl_url_write(out, &url);
    if (pl_url_parse(pl_str(out, n), &seen) < 0 ||
        !is_same(seen.scheme, url.scheme) || !is_same(seen.user, url.user) ||
        !is_same(seen.host, url.host) || !is_same(seen.port, url.port) ||
        !pl_str_ends(seen.path, url.path) || !is_same(seen.query, url.query) ||
        !is_same(seen.fragment, url.fragment))
        return pl_lua_fail(L, "pl.url.build: these components make no URL "
                              "(escape them by pl.url.encode)");
    lua_pushlstring(L, out, n);
    return 1;
}

/* url.resolve(base, reference) -> URL, or nil, err */
static int url_resolve(lua_State *L)
{
    struct pl_url base, ref;
    struct pl_str a = check_url(L, 1, "pl.url.resolve", &base);
    struct pl_str b = check_url(L, 2, "pl.url.resolve", &ref);
    char *out;

    if (a.data == NULL || b.data == NULL)
        return not_a_url(L, "pl.url.resolve");
    if (base.scheme.data == NULL)
        return pl_lua_return_error(L, PL_ERR_SYNTAX, "pl.url.resolve",
                                   "the base has no scheme");
    out = lua_newuserdata(L, a.len + b.len + PL_URL_MARKS);
    lua_pushlstring(L, out, pl_url_resolve(out, &base, &ref));
    return 1;
}

/* url.normalize(text) -> URL, or nil, err */
static int url_normalise(lua_State *L)
{
    struct pl_url url;
    struct pl_str text = check_url(L, 1, "pl.url.normalize", &url);
    char *out;

    if (text.data == NULL)
        return not_a_url(L, "pl.url.normalize");
    out = lua_newuserdata(L, 3 * text.len + PL_URL_MARKS);
    lua_pushlstring(L, out, pl_url_normalise(out, &url));
    return 1;
}

/* ---- queries ---- */

/* form_encode(text): as forms write names and values (WHATWG URL, 5.2) */
static int form_encode(lua_State *L)
{
    struct pl_str text = pl_arg_str(L, 1, "pl.url.encode_query", "a value");
    char *out = lua_newuserdata(L, 3 * text.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == ' ')
            out[n++] = '+';
        else
            n += pl_uri_encode_to(out + n, pl_str(text.data + i, 1), "*");
    }
    lua_pushlstring(L, out, n);
    return 1;
}

/* Sets args[name] = value, unless it has one. Both are on top; popped. */
static void set_first(lua_State *L, int args)
{
    lua_pushvalue(L, -2);
    lua_rawget(L, args);
    if (!lua_isnil(L, -1)) {
        lua_pop(L, 3);
        return;
    }
    lua_pop(L, 1);
    lua_rawset(L, args);
}

/* url.decode_query(text [, max]) -> args, pairs; or nil, err: more pairs than
 * max */
static int url_decode_query(lua_State *L)
{
    enum { ARGS = 3, PAIRS };
    struct pl_str rest = pl_arg_str(L, 1, "pl.url.decode_query", "the text");
    lua_Integer n = 0, max = PAIRS_MAX;
    struct pl_str name, value;

    if (!lua_isnoneornil(L, 2))
        max = pl_arg_integer(L, 2, "pl.url.decode_query", "the most pairs", 1,
                             1000000);
    lua_settop(L, 2);
    lua_newtable(L);
    lua_newtable(L);
    while (pl_query_next(&rest, &name, &value)) {
        if (n++ == max)
            return pl_lua_return_error(L, PL_ERR_LIMIT, "pl.url.decode_query",
                                       "too many pairs");
        push_decoded(L, name, true);
        push_decoded(L, value, true);
        lua_createtable(L, 2, 0);
        for (int i = 1; i <= 2; i++) {
            lua_pushvalue(L, i - 4);
            lua_rawseti(L, -2, i);
        }
        lua_rawseti(L, PAIRS, (int)n);
        set_first(L, ARGS);
    }
    return 2;
}

const luaL_Reg pl_lua_url[] = {
    {"encode", url_encode},
    {"encode_path", url_encode_path},
    {"decode", url_decode},
    {"parse", url_parse},
    {"build", url_build},
    {"resolve", url_resolve},
    {"normalize", url_normalise},
    {"form_encode", form_encode},
    {"decode_query", url_decode_query},
    {NULL, NULL},
};
