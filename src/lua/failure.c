#include "lua/failure.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char meta_name[] = "pl.error";

/* "PL_ERR_TIMEOUT" -> "timeout" */
static void push_code(lua_State *L, int code)
{
    const char *name = pl_err_name(code) + strlen("PL_ERR_");
    char word[32];
    size_t n = 0;

    for (; name[n] != '\0' && n < sizeof(word); n++)
        word[n] = (char)tolower((unsigned char)name[n]);
    lua_pushlstring(L, word, n);
}

void pl_lua_push_error(lua_State *L, int code, const char *call,
                       const char *text)
{
    if (text == NULL)
        text = pl_err_text(code);
    lua_createtable(L, 1, 2);
    lua_pushinteger(L, code);
    lua_rawseti(L, -2, 1);
    push_code(L, code);
    lua_setfield(L, -2, "code");
    lua_pushfstring(L, call == NULL ? "%s%s" : "%s: %s",
                    call == NULL ? "" : call, text);
    lua_setfield(L, -2, "message");
    luaL_setmetatable(L, meta_name);
}

int pl_lua_no_memory(lua_State *L, const char *call)
{
    pl_lua_push_error(L, PL_ERR_NOMEM, call, NULL);
    return lua_error(L);
}

int pl_lua_return_error(lua_State *L, int code, const char *call,
                        const char *text)
{
    lua_pushnil(L);
    pl_lua_push_error(L, code, call, text);
    return 2;
}

/* Numbers of an error object are at [1] and [2], where reading them needs no
 * string. The object is recognised by its metatable. */
static int get_number(lua_State *L, int index, int place)
{
    int number = 0;

    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, meta_name);
    if (lua_rawequal(L, -1, -2)) {
        lua_rawgeti(L, index < 0 ? index - 2 : index, place);
        number = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    return number;
}

int pl_lua_error_code(lua_State *L, int index)
{
    return get_number(L, index, 1);
}

int pl_lua_error_status(lua_State *L, int index)
{
    return get_number(L, index, 2);
}

/* The length of "site.lua:3" in "site.lua:3: text", or 0. */
static size_t where_of(const char *message)
{
    const char *end = strstr(message, ": ");
    const char *digit;

    for (; end != NULL; end = strstr(end + 1, ": ")) {
        for (digit = end; digit > message && isdigit((unsigned char)digit[-1]);)
            digit--;
        if (digit < end && digit > message && digit[-1] == ':')
            return (size_t)(end - message);
    }
    return 0;
}

/* Where an error is while a protected call on its own state looks at it: what
 * is below the frame of that cannot be reached. The place is there from the
 * start, so that putting something into it needs no memory. */
static const char aside_key;

void pl_lua_error_set_aside(lua_State *L)
{
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &aside_key);
}

void pl_lua_error_take(lua_State *L, lua_State *from)
{
    if (L != from) {
        lua_pushvalue(from, -1);
        lua_xmove(from, L, 1);
        return;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &aside_key);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &aside_key);
}

struct message {
    lua_State *from;
    struct pl_error *error;
};

/* Where it was raised, for a message that does not say it: an error object, or
 * that of assert(io.open(name)). The stack of a task is there until it ends. */
static void say_line(lua_State *from, struct pl_error *error)
{
    lua_Debug ar;

    if (pl_lua_find_line(from, 0, &ar))
        snprintf(error->where, sizeof(error->where), "%s:%d", ar.short_src,
                 ar.currentline);
}

static int get_message(lua_State *L)
{
    const struct message *what = lua_touserdata(L, 1);
    struct pl_error *error = what->error;
    const char *message;
    size_t where;

    lua_settop(L, 0);
    pl_lua_error_take(L, what->from);
    message = luaL_tolstring(L, 1, NULL);
    where = where_of(message);
    snprintf(error->where, sizeof(error->where), "%.*s", (int)where, message);
    if (where == 0 && what->from != L)
        say_line(what->from, error);
    snprintf(error->text, sizeof(error->text), "%s",
             where == 0 ? message : message + where + 2);
    return 0;
}

int pl_lua_error_get(lua_State *L, lua_State *from, struct pl_error *error)
{
    int own = pl_lua_error_code(from, -1);
    struct message message = {from, error};

    pl_error_set(error, own != 0 ? own : PL_ERR_STATE, "",
                 "an error without a message");
    if (L == from)
        pl_lua_error_set_aside(L);
    if (pl_vm_protect(L, get_message, &message) != 0)
        lua_pop(L, 1);
    return error->code;
}

/* ---- for Lua ---- */

/* core.failure(code, call [, text [, status]]) -> error object. */
static int failure(lua_State *L)
{
    pl_lua_push_error(L, (int)luaL_checkinteger(L, 1),
                      luaL_optstring(L, 2, NULL), luaL_optstring(L, 3, NULL));
    if (!lua_isnoneornil(L, 4)) {
        lua_pushvalue(L, 4);
        lua_rawseti(L, -2, 2);
        lua_pushvalue(L, 4);
        lua_setfield(L, -2, "status");
    }
    return 1;
}

static int error_tostring(lua_State *L)
{
    lua_getfield(L, 1, "message");
    return 1;
}

/* "handler: " .. err */
static int error_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

/* core.is_canceled(value) */
static int is_canceled(lua_State *L)
{
    lua_pushboolean(L, pl_lua_error_code(L, 1) == PL_ERR_CANCELED);
    return 1;
}

void pl_lua_open_error(lua_State *L, struct pl_vm *vm)
{
    static const struct {
        const char *name;
        int value;
    } codes[] = {
#define CODE(name, value, status, text) {#name, value},
        PL_ERR_MAP(CODE)
#undef CODE
    };
    static const luaL_Reg functions[] = {
        {"failure", failure},
        {"is_canceled", is_canceled},
        {NULL, NULL},
    };

    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &aside_key);
    luaL_newmetatable(L, meta_name);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, error_concat);
    lua_setfield(L, -2, "__concat");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, meta_name); /* found without a string */
    lua_pop(L, 1);
    pl_vm_register(L, vm, functions);
    for (size_t i = 0; i < PL_COUNT(codes); i++) {
        lua_pushinteger(L, codes[i].value);
        lua_setfield(L, -2, codes[i].name);
    }
}
