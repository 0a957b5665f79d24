/* args.h - arguments of the library's functions in C, and tables that they give
 * back. What is wrong with an argument is said with the call, the argument and
 * the place in the site.
 *
 * Functions raise; so whoever calls them owns nothing. call is the name that
 * users know ("pl.base64.encode"). */
#ifndef PL_LUA_ARGS_H
#define PL_LUA_ARGS_H

#include <perilune.h>

#include "lua/compat.h"

/* A string (or number) argument; raises "call: what must be a string, not a
 * ...". Points into Lua's string. */
struct pl_str pl_arg_str(lua_State *L, int index, const char *call,
                         const char *what);

/* The same for a whole number from low to high, and for a finite number. */
lua_Integer pl_arg_integer(lua_State *L, int index, const char *call,
                           const char *what, lua_Integer low, lua_Integer high);
lua_Number pl_arg_number(lua_State *L, int index, const char *call,
                         const char *what);

/* A table of options. A choice is a bool: false for its first word, true for
 * its second. */
struct pl_arg_option {
    const char *name;
    enum { PL_ARG_SIZE, PL_ARG_FLAG, PL_ARG_CHOICE } kind;
    size_t at;      /* of a size_t, or of a bool, in the struct of options */
    lua_Number max; /* PL_ARG_SIZE */
    const char *words[2];
};

/* Reads the table at index (nothing, if it is nil) into the struct at out,
 * where the defaults are. A name that is not in options is an error, so that a
 * slip of the pen does not pass. */
void pl_arg_options(lua_State *L, int index, const char *call,
                    const struct pl_arg_option *options, size_t n, void *out);

/* nil for an absent string. */
PL_INLINE void pl_lua_push_str(lua_State *L, struct pl_str s)
{
    if (s.data == NULL)
        lua_pushnil(L);
    else
        lua_pushlstring(L, s.data, s.len);
}

/* Fields of the table on top of the stack, which is a new one: an absent
 * string, or a text that is "", is left out. */
void pl_lua_set_str(lua_State *L, const char *name, struct pl_str value);
void pl_lua_set_text(lua_State *L, const char *name, const char *value);
void pl_lua_set_flag(lua_State *L, const char *name, bool value);
void pl_lua_set_integer(lua_State *L, const char *name, int64_t value);
void pl_lua_set_number(lua_State *L, const char *name, double value);

#endif
