/* web_value.c - arguments of the web binding: what is wrong with one is said
 * with the call, the argument and the place in the site. */
#include "lua/web_priv.h"

static int wrong(lua_State *L, int index, const char *call, const char *what,
                 const char *wanted)
{
    return pl_lua_fail(L, "%s: %s must be %s, not %s%s", call, what, wanted,
                       lua_isnoneornil(L, index) ? "" : "a ",
                       lua_isnoneornil(L, index) ? "nil"
                                                 : luaL_typename(L, index));
}

struct pl_str pl_web_str(lua_State *L, int index, const char *call,
                         const char *what)
{
    struct pl_str s = {NULL, 0};

    if (!lua_isstring(L, index))
        wrong(L, index, call, what, "a string");
    s.data = lua_tolstring(L, index, &s.len);
    return s;
}

lua_Integer pl_web_integer(lua_State *L, int index, const char *call,
                           const char *what, lua_Integer low, lua_Integer high)
{
    lua_Number number = lua_tonumber(L, index);

    if (!lua_isnumber(L, index))
        wrong(L, index, call, what, "a number");
    if (!(number >= (lua_Number)low && number <= (lua_Number)high) ||
        number != (lua_Number)(lua_Integer)number)
        pl_lua_fail(L, "%s: %s must be a whole number from %d to %d", call,
                    what, (int)low, (int)high);
    return (lua_Integer)number;
}

int pl_web_raise(lua_State *L, const char *call, int err)
{
    return pl_lua_fail(L, "%s: %s", call,
                       err == PL_ERR_STATE
                           ? "the response has been sent already"
                           : pl_err_text(err));
}
