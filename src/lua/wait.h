/* wait.h - how Lua code waits: the one pattern for every call that does.
 *
 * A C function begins ONE operation and ends with pl_co_wait(), which suspends
 * the task; what it returns to Lua, then or at once, is the operation's result
 * as an integer. The Lua function around it (lua/perilune/) raises or returns
 * an error if that is negative, and otherwise calls another C function for
 * whatever needs memory. Nobody loops over waits in C.
 *
 *     static int sleep_begin(lua_State *L)         function pl.sleep(seconds)
 *     {                                              local result =
 *         co = pl_co_may_wait(L, "pl.sleep");          core.sleep(seconds)
 *         pl_sleep_begin(sleep, ...);             if result < 0 then
 *         return pl_co_wait(L, co, op, 0);             raise("pl.sleep",
 * result) }                                            end end
 *
 * (A C function that has yielded cannot raise when it goes on in LuaJIT, and
 * Lua 5.4's continuations are not there: this works on both.)
 *
 * The yield carries one private value, WAITS, by which our coroutine library
 * (lua/perilune/core/coroutine.lua) knows it and passes it on outwards. */
#ifndef PL_LUA_WAIT_H
#define PL_LUA_WAIT_H

#include "lua/coroutine.h"

/* The task of L, if it may wait here. Raises an error that names call where it
 * may not: outside a task, in a callback of a C function, or after the task was
 * cancelled. Ask before anything is begun. */
struct pl_co *pl_co_may_wait(lua_State *L, const char *call);

/* Would that be without an error, or that of a task that is cancelled? */
bool pl_co_can_wait(lua_State *L);

/* Ends a C function: return pl_co_wait(...). keep is the index of a value that
 * is to live as long as the wait (the memory of op, for example), or 0. */
int pl_co_wait(lua_State *L, struct pl_co *co, struct pl_op *op, int keep);

/* The innermost line, from level on, that is not the library's. Needs no
 * memory. False: there is none. */
bool pl_lua_find_line(lua_State *L, int level, lua_Debug *ar);

/* Raises a Lua error with the position of the first caller that is not part of
 * the library. */
int pl_lua_fail(lua_State *L, const char *fmt, ...) PL_PRINTF(2, 3);

/* Pushes that position as "file:line" ("?" if there is none). */
void pl_lua_push_caller(lua_State *L);

/* For coroutine.c: puts the result of the operation where the suspended call
 * returns it. Returns the number of values, for lua_resume. Needs no memory. */
int pl_co_answer(struct pl_co *co, int result);

#endif
