/* filter.h - filters written in C, as values of Lua: what pl.use() and the
 * options of routes take beside functions. */
#ifndef PL_LUA_FILTER_H
#define PL_LUA_FILTER_H

#include "lua/compat.h"
#include "route/site.h"

/* Pushes filter as a value, for the site that is loaded now: TAKES one
 * reference, which goes with the site. For functions of C that make one; call
 * is their name, for the error when out of memory. */
void pl_lua_filter_push(lua_State *L, struct pl_site *site,
                        struct pl_filter *filter, const char *call);

/* What the table at index has, these values have. */
void pl_lua_filter_set_methods(lua_State *L, int index);

/* The filter of the value at index, or NULL: it is none. */
struct pl_filter *pl_lua_filter_get(lua_State *L, int index);

#endif
