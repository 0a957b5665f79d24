/* move.h - what goes over from one generation's VM to the next one's.
 *
 * Two Lua states have nothing in common: plain data are packed in the old one
 * and unpacked in the new one, and whatever else a script had is left behind.
 * pl.persist goes over with the commit. WebSockets that have callbacks go one
 * by one (websocket_move.c): a sweep takes those that are idle, half a
 * millisecond a turn, and those that are busy go when their callback returns.
 *
 * A VM may be passed by: what is still in the first one when a third one is
 * committed goes to that. */
#ifndef PL_LUA_MOVE_H
#define PL_LUA_MOVE_H

#include "lua/vm_priv.h"

enum { PL_CARRY_MAX = 1 << 20 }; /* bytes of one value, packed */

void pl_vm_init_moves(struct pl_vm *vm);
void pl_vm_end_moves(struct pl_vm *vm);

/* The VM that has taken over from vm, while that one may begin anything; NULL:
 * there is none. */
struct pl_vm *pl_vm_successor(const struct pl_vm *vm);

/* vm is about to begin, previous has served until now. */
void pl_vm_take_over(struct pl_vm *vm, struct pl_vm *previous);

/* Packs the value at index, a state of vm, into vm->carried. Of a table, fields
 * that are not plain data are left out, and the log names them, behind what.
 * Stack: [-0, +0, raises]. On failure nothing is carried; it has been logged.
 */
void pl_vm_pack(lua_State *L, struct pl_vm *vm, int index, const char *what);

/* Pushes what another VM has packed: [-0, +1, raises]. Empty: nil. */
void pl_vm_push_packed(lua_State *L, struct pl_str bytes);

#endif
