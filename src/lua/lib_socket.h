/* lib_socket.h - sockets as Lua has them: for who gives one to Lua. */
#ifndef PL_LUA_LIB_SOCKET_H
#define PL_LUA_LIB_SOCKET_H

#include "lua/compat.h"
#include "socket/socket.h"

struct pl_vm;

/* Pushes the handle of a socket, which is at home there from now on. [-0, +1,
 * raises] The part "socket" has been loaded. */
void pl_lua_push_socket(lua_State *L, struct pl_socket *socket);

/* Those that belong to the VM and not to a task. */
void pl_lua_close_sockets(struct pl_vm *vm);

#endif
