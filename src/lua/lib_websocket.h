/* lib_websocket.h - what the files of WebSockets share. */
#ifndef PL_LUA_LIB_WEBSOCKET_H
#define PL_LUA_LIB_WEBSOCKET_H

#include "http/ws.h"
#include "lua/vm_priv.h"

/* A userdata, the field ref of the table that scripts have. */
struct pl_lua_ws {
    struct pl_list node;    /* of the VM's, with callbacks; or of the willing */
    struct pl_ws *ws;       /* NULL: released, or moved */
    struct pl_request *req; /* in straight lines: as long as ws is there */
    struct pl_vm *vm;
    int table;          /* reference: keeps this, too */
    bool due;           /* later is on its way */
    bool ending;        /* it has been told that there is no more */
    bool told;          /* ... and who has used it since, that it is closed */
    bool moved;         /* another VM has it */
    bool arrived;       /* from another VM, of which nobody has been told yet */
    struct pl_op later; /* starts the task when no Lua runs */
};

/* What reads sockets that have callbacks: for each of them, something is new.
 */
extern const struct pl_ws_reader pl_lua_ws_callbacks;
void pl_lua_ws_ready(struct pl_ws *ws);

/* Pushes one without a socket, which the table at index gets as its ref.
 * [-0, +1, raises] */
struct pl_lua_ws *pl_lua_ws_new(lua_State *L, struct pl_vm *vm, int table);

/* The first argument, a userdata; raises for anything else, and for one that
 * has moved. */
struct pl_lua_ws *pl_lua_ws_check(lua_State *L, const char *call);

/* The request of a socket in straight lines is handed over: this VM has nothing
 * of it any more. */
void pl_lua_ws_let_go(struct pl_lua_ws *socket);

/* ---- lib_handover.c ---- */

/* Another VM has taken over. */
void pl_lua_tell_watches(struct pl_vm *vm);

/* ---- websocket_move.c ---- */

/* natives.place(callbacks, options, methods): the route that was recorded last
 * is for sockets of these callbacks */
int pl_lua_ws_place(lua_State *L);

/* Moves a socket with callbacks to the VM that serves now, unless that is its
 * own, or it is busy or closed. True: it has gone. No Lua runs. */
bool pl_lua_ws_move(struct pl_lua_ws *socket);

/* The sockets with callbacks; and a look at the first of them, which moves, or
 * becomes the last. False: there is none, or none can move now. */
unsigned pl_lua_ws_count(const struct pl_vm *vm);
bool pl_lua_ws_move_next(struct pl_vm *vm);

#endif
