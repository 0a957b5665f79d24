/* bytecode.h - a function as other states of this process can load it. */
#ifndef PL_LUA_BYTECODE_H
#define PL_LUA_BYTECODE_H

#include "lua/compat.h"

struct pl_bytecode {
    size_t len, room;
    char bytes[];
};

/* Of the function on top, with its line numbers; guess: how long it may be.
 * GIVES a block of pl_malloc, or NULL: out of memory. */
struct pl_bytecode *pl_bytecode_dump(lua_State *L, size_t guess);

#endif
