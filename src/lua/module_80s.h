/* module_80s.h - modules that include 80s.h: the parameters that they expect.
 */
#ifndef PL_LUA_MODULE_80S_H
#define PL_LUA_MODULE_80S_H

#include "lua/compat.h"

struct pl_module_load;
struct pl_module_80s;

/* The parameters of an instance, by its own; former (may be NULL) hands on its
 * `extra`. Borrows load. NULL: out of memory. */
struct pl_module_80s *pl_module_80s_new(struct pl_module_load *load,
                                        const struct pl_module_load *former);
void pl_module_80s_free(struct pl_module_80s *of_80s);

/* Calls its on_load or on_unload. */
void pl_module_80s_call(struct pl_module_80s *of_80s, void (*fn)(void),
                        lua_State *L, int reload);

#endif
