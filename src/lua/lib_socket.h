/* lib_socket.h - sockets as Lua has them: for who gives one to Lua. */
#ifndef PL_LUA_LIB_SOCKET_H
#define PL_LUA_LIB_SOCKET_H

#include "base/list.h"
#include "lua/compat.h"
#include "socket/socket.h"

struct pl_vm;

/* Pushes a handle, and gives the place in it that is to be the home of a
 * socket.
 * [-0, +1, raises] The part "socket" has been loaded. */
struct pl_socket **pl_lua_new_socket(lua_State *L);

/* Is it a handle? Gives its socket, NULL if that is closed. */
bool pl_lua_is_socket(lua_State *L, int index, struct pl_socket **socket);

/* The part of a handle by which the VM has it, and closes it at its end, once
 * no task does. */
struct pl_lua_kept {
    struct pl_list node;
    void (*close)(struct pl_lua_kept *kept);
};

void pl_lua_keep(struct pl_vm *vm, struct pl_lua_kept *kept);
void pl_lua_close_kept(struct pl_vm *vm);

#endif
