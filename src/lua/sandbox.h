/* sandbox.h - what the sandbox of a process has to know of its Lua. */
#ifndef PL_LUA_SANDBOX_H
#define PL_LUA_SANDBOX_H

#include "lua/vm.h"

/* The folders that `require` looks into: those of package.path and
 * package.cpath as the site has left them. Of "/a/?/init.lua" it is "/a". */
void pl_lua_search_folders(struct pl_vm *vm,
                           void (*see)(void *arg, struct pl_str folder),
                           void *arg);

#endif
