/* upstream_args.h - options of handlers that send requests on, as
 * lua/perilune/lib/upstream.lua has checked them: fields of a table, which
 * keeps the texts. call is the name that users know ("pl.proxy"). */
#ifndef PL_LUA_UPSTREAM_ARGS_H
#define PL_LUA_UPSTREAM_ARGS_H

#include <perilune.h>

#include "base/error.h"
#include "lua/compat.h"
#include "route/site.h"

enum { PL_SERVERS_MAX = 64, PL_PAIRS_MAX = 64 };

/* NULL: is not said, or is no text. */
const char *pl_upstream_text(lua_State *L, int table, const char *name);
bool pl_upstream_flag(lua_State *L, int table, const char *name);

/* Is it false, and not only absent? */
bool pl_upstream_is_off(lua_State *L, int table, const char *name);

/* 0: is not said; UINT32_MAX: false or 0, which are none. */
uint32_t pl_upstream_count(lua_State *L, int table, const char *name);
uint32_t pl_upstream_ms(lua_State *L, int table, const char *call,
                        const char *name);

/* Field `to`, a list of tables. Returns how many there are. */
size_t pl_upstream_servers(lua_State *L, int table, const char *call,
                           struct pl_proxy_server servers[PL_SERVERS_MAX]);

/* A list of names and values by turns; false is an absent value. */
size_t pl_upstream_pairs(lua_State *L, int table, const char *call,
                         const char *name, struct pl_pair pairs[PL_PAIRS_MAX]);

/* Mounts handler (TAKEN; NULL: error says why there is none), and pushes a
 * handle that is good as long as the site. The stack is that of mount(call,
 * prefix, options), with where the caller is on its top. */
int pl_upstream_mount(lua_State *L, struct pl_handler *handler,
                      const struct pl_route_options *route,
                      struct pl_error *error);

#endif
