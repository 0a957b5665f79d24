/* lib_tcp.c - pl.tcp: raw connections that come to a site
 * (lua/perilune/lib/tcp.lua). */
#include "base/log.h"
#include "lua/lib_socket.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/web_priv.h"
#include "socket/serve.h"

/* In the site's memory. */
struct served {
    struct pl_service service;
    struct pl_vm *vm;
    int fn; /* reference: takes the handle of a connection */
};

struct start {
    struct pl_co *co;
    struct pl_socket *socket;
    int fn;
};

/* On the main state, where it is protected. */
static int push_start(lua_State *L)
{
    struct start *start = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, start->fn);
    pl_socket_set_home(start->socket, pl_lua_new_socket(L));
    pl_socket_set_owner(start->socket, &start->co->task);
    lua_xmove(L, start->co->L, 2);
    return 0;
}

static void accepted(void *arg, struct pl_socket *socket)
{
    const struct served *served = arg;
    struct pl_vm *vm = served->vm;
    struct start start = {pl_co_new(vm, NULL, NULL), socket, served->fn};

    if (start.co == NULL) { /* no memory, or the site ends */
        pl_socket_close(socket);
        return;
    }
    start.co->task.serves = true;
    if (pl_vm_protect(pl_vm_state(vm), push_start, &start) == 0) {
        pl_co_start(start.co, 1);
        return;
    }
    lua_pop(pl_vm_state(vm), 1);
    pl_log(PL_LOG_ERROR, "lua", "no memory for a connection");
    pl_socket_close(socket);
    pl_task_end(&start.co->task, PL_ERR_NOMEM);
}

/* service(fn) -> service, for core.listen() */
static int new_service(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct served *served;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    served = pl_arena_alloc(&vm->site->arena, sizeof(*served));
    if (served == NULL)
        return luaL_error(L, "out of memory");
    lua_settop(L, 1);
    *served = (struct served){.service = {accepted, served},
                              .vm = vm,
                              .fn = luaL_ref(L, LUA_REGISTRYINDEX)};
    lua_pushlightuserdata(L, &served->service);
    return 1;
}

const luaL_Reg pl_lua_tcp[] = {
    {"service", new_service},
    {NULL, NULL},
};
