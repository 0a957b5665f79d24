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
    const char *path;   /* chunk name: "=perilune/core/task.lua" */
    const char *packed; /* RFC 1951; NULL: in the text of core/, see below */
    unsigned packed_len;
    unsigned from, len; /* where in the text that is unpacked */
};

extern const struct pl_lua_source pl_lua_sources[]; /* ends with path NULL */
extern _Atomic(void *) pl_lua_compiled[];           /* one each: compiled.c */

/* The files of core/ are packed as one text, and the others with that text as
 * their dictionary: both a quarter smaller than file by file. */
extern const struct pl_lua_source pl_lua_core;

/* Pushes what the compiler makes of the text, or its error; returns its status.
 * Raises an error when out of memory. */
int pl_lua_compile_source(lua_State *L, const struct pl_lua_source *source);

/* The same for a file of the table above, once per process; raises an error
 * when out of memory. */
void pl_lua_load_source(lua_State *L, const struct pl_lua_source *source);

/* Runs a file that is not among these (a plug-in's) with core, pl and the table
 * on top, which it takes. */
void pl_lua_run_foreign(lua_State *L, const struct pl_lua_source *source);

#endif
