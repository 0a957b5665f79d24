/* lib_crypto.c - what of pl.crypto needs no plug-in: random bytes, and a
 * comparison that takes as long for any two texts. */
#include "base/str.h"
#include "base/sys.h"
#include "lua/args.h"
#include "lua/parts.h"
#include "lua/plugin.h"
#include "lua/wait.h"

enum { RANDOM_MAX = 1 << 20 };

/* crypto.random(n) -> n bytes */
static int random_bytes(lua_State *L)
{
    size_t n = (size_t)pl_arg_integer(L, 1, "pl.crypto.random", "the number", 0,
                                      RANDOM_MAX);
    char *out = lua_newuserdata(L, n + 1);

    pl_random(out, n);
    lua_pushlstring(L, out, n);
    return 1;
}

/* crypto.token([n = 32]) -> n random bytes as base64 for URLs */
static int token(lua_State *L)
{
    enum { MOST = 256 };
    char bytes[MOST], text[MOST * 2];
    size_t n = 32;

    if (!lua_isnoneornil(L, 1))
        n = (size_t)pl_arg_integer(L, 1, "pl.crypto.token", "the number", 16,
                                   MOST);
    pl_random(bytes, n);
    n = pl_base64_encode(text, pl_str(bytes, n), PL_BASE64_URL);
    lua_pushlstring(L, text, n);
    return 1;
}

/* crypto.random_int(low, high) -> any of them, equally likely: what lies beyond
 * the last whole multiple of their number is drawn again. */
static int random_int(lua_State *L)
{
    static const char call[] = "pl.crypto.random_int";
    const lua_Integer most = (lua_Integer)1 << 52;
    lua_Integer low = pl_arg_integer(L, 1, call, "the lowest", -most, most);
    lua_Integer high = pl_arg_integer(L, 2, call, "the highest", low, most);
    uint64_t range = (uint64_t)(high - low) + 1, bits;
    uint64_t unfair = (UINT64_MAX % range + 1) % range;

    do
        pl_random(&bits, sizeof(bits));
    while (bits > UINT64_MAX - unfair);
    lua_pushinteger(L, low + (lua_Integer)(bits % range));
    return 1;
}

/* crypto.equal(a, b): says nothing by its time but whether the lengths are the
 * same. */
static int equal(lua_State *L)
{
    struct pl_str a = pl_arg_str(L, 1, "pl.crypto.equal", "the first");
    struct pl_str b = pl_arg_str(L, 2, "pl.crypto.equal", "the second");

    lua_pushboolean(L, pl_equal(a, b));
    return 1;
}

const luaL_Reg pl_lua_crypto[] = {
    {"random", random_bytes}, {"random_int", random_int},   {"token", token},
    {"equal", equal},         {"load", pl_lua_load_plugin}, {NULL, NULL},
};
