#include "lua/args.h"

#include <math.h>
#include <stdio.h>

#include "base/str.h"
#include "lua/wait.h"

static int wrong(lua_State *L, int index, const char *call, const char *what,
                 const char *wanted)
{
    return pl_lua_fail(L, "%s: %s must be %s, not %s%s", call, what, wanted,
                       lua_isnoneornil(L, index) ? "" : "a ",
                       lua_isnoneornil(L, index) ? "nil"
                                                 : luaL_typename(L, index));
}

struct pl_str pl_arg_str(lua_State *L, int index, const char *call,
                         const char *what)
{
    struct pl_str s = {NULL, 0};

    if (!lua_isstring(L, index))
        wrong(L, index, call, what, "a string");
    s.data = lua_tolstring(L, index, &s.len);
    return s;
}

static void not_in_range(lua_State *L, const char *call, const char *what,
                         lua_Integer low, lua_Integer high)
{
    char range[64];

    snprintf(range, sizeof(range), "from %lld to %lld", (long long)low,
             (long long)high);
    pl_lua_fail(L, "%s: %s must be a whole number %s", call, what, range);
}

lua_Integer pl_arg_integer(lua_State *L, int index, const char *call,
                           const char *what, lua_Integer low, lua_Integer high)
{
    lua_Number number = lua_tonumber(L, index);

    if (!lua_isnumber(L, index))
        wrong(L, index, call, what, "a number");
    if (!(number >= (lua_Number)low && number <= (lua_Number)high) ||
        number != (lua_Number)(lua_Integer)number)
        not_in_range(L, call, what, low, high);
    return (lua_Integer)number;
}

lua_Number pl_arg_number(lua_State *L, int index, const char *call,
                         const char *what)
{
    lua_Number number = lua_tonumber(L, index);

    if (!lua_isnumber(L, index) || !isfinite(number))
        wrong(L, index, call, what, "a finite number");
    return number;
}

/* ---- options ---- */

/* The word, or "true" or "false", at the top of the stack. */
static bool read_choice(lua_State *L, const char *call,
                        const struct pl_arg_option *option)
{
    struct pl_str word;

    if (lua_isboolean(L, -1))
        word = pl_str_c(lua_toboolean(L, -1) ? "true" : "false");
    else
        word = pl_str_c(lua_tostring(L, -1));
    for (int i = 0; i < 2; i++)
        if (word.data != NULL && pl_str_eq(word, pl_str_c(option->words[i])))
            return i == 1;
    pl_lua_fail(L, "%s: option '%s' must be %s or %s", call, option->name,
                option->words[0], option->words[1]);
    return false;
}

static size_t read_size(lua_State *L, const char *call,
                        const struct pl_arg_option *option)
{
    lua_Number value = lua_tonumber(L, -1);
    char max[32];

    if (lua_type(L, -1) != LUA_TNUMBER ||
        !(value >= 0 && value <= option->max)) {
        snprintf(max, sizeof(max), "%.0f", option->max);
        pl_lua_fail(L, "%s: option '%s' must be a number from 0 to %s", call,
                    option->name, max);
    }
    return (size_t)value;
}

static const struct pl_arg_option *find(const struct pl_arg_option *options,
                                        size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (name != NULL && strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

void pl_arg_options(lua_State *L, int index, const char *call,
                    const struct pl_arg_option *options, size_t n, void *out)
{
    if (lua_isnoneornil(L, index))
        return;
    if (!lua_istable(L, index))
        wrong(L, index, call, "options", "a table");
    lua_pushnil(L);
    while (lua_next(L, index)) {
        const char *name =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        const struct pl_arg_option *option = find(options, n, name);
        char *to;

        if (option == NULL) {
            pl_lua_fail(L, "%s: unknown option '%s'", call,
                        name != NULL ? name : luaL_typename(L, -2));
            return;
        }
        to = (char *)out + option->at;
        if (option->kind == PL_ARG_SIZE)
            *(size_t *)(void *)to = read_size(L, call, option);
        else if (option->kind == PL_ARG_FLAG)
            *(bool *)to = lua_toboolean(L, -1);
        else
            *(bool *)to = read_choice(L, call, option);
        lua_pop(L, 1);
    }
}

/* ---- results ---- */

void pl_lua_set_str(lua_State *L, const char *name, struct pl_str value)
{
    pl_lua_push_str(L, value);
    lua_setfield(L, -2, name);
}

void pl_lua_set_text(lua_State *L, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

void pl_lua_set_flag(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

void pl_lua_set_integer(lua_State *L, const char *name, int64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

void pl_lua_set_number(lua_State *L, const char *name, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}
