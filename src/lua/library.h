/* library.h - the Lua part of the library, built into the program.
 *
 * tools/embed.py turns lua/perilune/ into the table below. Files in core/ are
 * run by library.c when a VM is made, those in lib/ when a script first uses
 * them (parts.h); all others are modules for require:
 * perilune/aio.lua is "perilune.aio", perilune/x/init.lua is "perilune.x". */
#ifndef PL_LUA_LIBRARY_H
#define PL_LUA_LIBRARY_H

#include <stddef.h>

#include "lua/compat.h"

struct pl_lua_source {
    const char *name; /* "perilune.core.task" */
    const char *path; /* chunk name: "=perilune/core/task.lua" */
    const char *text;
    size_t len;
};

extern const struct pl_lua_source pl_lua_sources[]; /* ends with name NULL */
extern _Atomic(void *) pl_lua_compiled[];           /* one each: compiled.c */

/* Pushes the file as a function; raises an error when out of memory. */
void pl_lua_load_source(lua_State *L, const struct pl_lua_source *source);

/* Runs a file that is not among these (a plug-in's) with core, pl and the table
 * on top, which it takes. */
void pl_lua_run_foreign(lua_State *L, const struct pl_lua_source *source);

#endif
