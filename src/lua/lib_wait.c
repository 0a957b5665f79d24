/* lib_wait.c - pl.wait, pl.wait_any, pl.wait_all: waiting for descriptors
 * (lua/perilune/lib/wait.lua). */
#include <string.h>

#include "lua/lib_socket.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

static const char wait_name[] = "pl.wait";

enum { MOST = 4096 }; /* things in one wait */

/* A userdata: one wait for n things. */
struct wait {
    struct pl_many_op many;
    unsigned n;
    struct pl_op **ops; /* of the parts, in the same block */
    struct part {
        union {
            struct pl_fd_op fd;
            struct pl_socket_op socket;
        };
        bool is_socket;
        unsigned events; /* of a socket: one */
    } parts[];
};

static struct wait *check_wait(lua_State *L)
{
    return luaL_checkudata(L, 1, wait_name);
}

/* new(n) -> wait */
static int new_wait(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    struct wait *wait;
    size_t size;

    luaL_argcheck(L, n > 0 && n <= MOST, 1, "number of things");
    size =
        sizeof(*wait) + (size_t)n * (sizeof(*wait->parts) + sizeof(*wait->ops));
    wait = lua_newuserdata(L, size);
    memset(wait, 0, size);
    wait->n = (unsigned)n;
    wait->ops = (struct pl_op **)(wait->parts + n);
    luaL_getmetatable(L, wait_name);
    lua_setmetatable(L, -2);
    return 1;
}

/* A thing that cannot be waited for any more. */
static void refuse(struct part *part, struct pl_sched *sched, int err)
{
    pl_op_init(&part->socket.op, sched, NULL);
    pl_op_begin(&part->socket.op);
    pl_op_complete(&part->socket.op, err);
}

static void begin_socket(struct part *part, struct pl_sched *sched,
                         struct pl_socket *socket)
{
    part->is_socket = true;
    if (socket == NULL)
        refuse(part, sched, PL_ERR_CLOSED);
    else if (part->events == PL_WRITABLE)
        pl_socket_room_begin(&part->socket, socket);
    else
        pl_socket_read_begin(&part->socket, socket, PL_SOCKET_SOME, 1,
                             pl_str_c(""));
}

/* The thing and its events on top of the stack, which it takes. */
static struct pl_op *begin_part(lua_State *L, struct part *part,
                                struct pl_sched *sched)
{
    struct pl_socket *socket;

    part->events = (unsigned)lua_tointeger(L, -1);
    if (pl_lua_is_socket(L, -2, &socket))
        begin_socket(part, sched, socket);
    else
        pl_fd_begin(&part->fd, sched, (int)lua_tointeger(L, -2), part->events,
                    0);
    lua_pop(L, 2);
    return part->is_socket ? &part->socket.op : &part->fd.op;
}

/* begin(wait, call, { thing, events, thing, events, ... }, all [, seconds]) ->
 * 0 or PL_ERR_*. A thing is a descriptor or the handle of a socket. */
static int begin(lua_State *L)
{
    struct wait *wait = check_wait(L);
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 2));
    struct pl_sched *sched = co->task.sched;
    bool all = lua_toboolean(L, 4);
    uint64_t due = 0;

    if (!lua_isnoneornil(L, 5))
        due = pl_now(sched->loop) + (uint64_t)(luaL_checknumber(L, 5) * 1e9);
    luaL_checktype(L, 3, LUA_TTABLE);
    for (unsigned i = 0; i < wait->n; i++) {
        lua_rawgeti(L, 3, (int)(2 * i + 1));
        lua_rawgeti(L, 3, (int)(2 * i + 2));
        wait->ops[i] = begin_part(L, &wait->parts[i], sched);
    }
    pl_many_begin(&wait->many, sched, wait->ops, wait->n, all, due);
    return pl_co_wait(L, co, &wait->many.op, 1);
}

/* result(wait, i) -> the events that the i-th thing had, or PL_ERR_* */
static int result(lua_State *L)
{
    const struct wait *wait = check_wait(L);
    lua_Integer i = luaL_checkinteger(L, 2);
    const struct part *part = &wait->parts[i - 1];
    int got;

    luaL_argcheck(L, i >= 1 && i <= (lua_Integer)wait->n, 2, "out of range");
    got = wait->ops[i - 1]->result;
    lua_pushinteger(L, part->is_socket && got >= 0 ? (int)part->events : got);
    return 1;
}

/* open(): makes the type. */
static int open_wait(lua_State *L)
{
    luaL_newmetatable(L, wait_name);
    return 0;
}

const luaL_Reg pl_lua_wait[] = {
    {"open", open_wait}, {"new", new_wait}, {"begin", begin},
    {"result", result},  {NULL, NULL},
};
