/* lib_tcp.c - pl.tcp: raw connections that come to a site
 * (lua/perilune/lib/tcp.lua). */
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "lua/lib_socket.h"
#include "lua/move.h"
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
    bool moved;          /* an older generation has had it, */
    struct pl_str state; /* ... and left this */
};

/* On the main state, where it is protected. */
static int push_start(lua_State *L)
{
    struct start *start = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, start->fn);
    pl_socket_set_home(start->socket, pl_lua_new_socket(L));
    pl_socket_set_owner(start->socket, &start->co->task);
    lua_pushboolean(L, start->moved);
    pl_vm_push_packed(L, start->state);
    lua_xmove(L, start->co->L, 4);
    return 0;
}

static void begin(struct pl_vm *vm, struct start *start)
{
    start->co = pl_co_new(vm, NULL, NULL);
    if (start->co == NULL) { /* no memory, or the site ends */
        pl_socket_close(start->socket);
        return;
    }
    start->co->task.serves = true;
    if (pl_vm_protect(pl_vm_state(vm), push_start, start) == 0) {
        pl_co_start(start->co, 3);
        return;
    }
    lua_pop(pl_vm_state(vm), 1);
    pl_log(PL_LOG_ERROR, "lua", "no memory for a connection");
    pl_socket_close(start->socket);
    pl_task_end(&start->co->task, PL_ERR_NOMEM);
}

static void accepted(void *arg, struct pl_socket *socket)
{
    const struct served *served = arg;
    struct start start = {.socket = socket, .fn = served->fn};

    begin(served->vm, &start);
}

/* ---- to the next generation ---- */

/* A connection between the handler that has let go of it and the next one. */
struct crossing {
    struct pl_op op;
    struct pl_socket *socket; /* its home: NULL when it was closed */
    size_t len;
    char state[];
};

/* Whom the listener serves now: the address may have gone, or be another's. */
static void arrive(struct pl_socket *socket, struct pl_str state)
{
    const struct pl_service *service =
        socket->conn == NULL ? &pl_service_nobody : socket->conn->listener->arg;
    const struct served *served = service->arg;
    struct start start = {.socket = socket, .moved = true, .state = state};

    if (service->accepted != accepted) {
        service->accepted(service->arg, socket);
        return;
    }
    start.fn = served->fn;
    begin(served->vm, &start);
}

static void cross(struct pl_op *op)
{
    struct crossing *crossing = PL_CONTAINER_OF(op, struct crossing, op);

    if (crossing->socket != NULL)
        arrive(crossing->socket, pl_str(crossing->state, crossing->len));
    pl_free(crossing);
}

static struct crossing *new_crossing(struct pl_vm *vm, struct pl_str state)
{
    struct crossing *crossing = pl_malloc(sizeof(*crossing) + state.len);

    if (crossing == NULL)
        return NULL;
    crossing->len = state.len;
    if (state.len > 0)
        memcpy(crossing->state, state.data, state.len);
    pl_op_init(&crossing->op, vm->sched, NULL);
    pl_op_begin(&crossing->op);
    pl_op_then(&crossing->op, cross);
    return crossing;
}

/* Why it cannot be handed over now; or 0. */
static int may_cross(lua_State *L, const struct pl_socket *socket)
{
    if (socket == NULL || socket->conn == NULL)
        return PL_ERR_CLOSED;
    if (socket->conn->listener == NULL ||
        socket->conn->listener->protocol != &pl_service_protocol)
        pl_lua_fail(L, "socket:handover: only for connections of pl.tcp");
    return socket->reader != NULL || socket->writer != NULL ? PL_ERR_BUSY : 0;
}

/* hand(handle, state) -> PL_ERR_CANCELED: the handler is to end; or why not */
static int hand(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct crossing *crossing = NULL;
    struct pl_socket *socket = NULL;
    int err;

    pl_lua_is_socket(L, 1, &socket);
    err = may_cross(L, socket);
    if (err == 0) {
        pl_buf_fini(&vm->carried);
        if (!lua_isnil(L, 2))
            pl_vm_pack(L, vm, 2, "socket.state");
        crossing = new_crossing(vm, pl_buf_str(&vm->carried));
        pl_buf_fini(&vm->carried);
        err = crossing == NULL ? PL_ERR_NOMEM : PL_ERR_CANCELED;
    }
    if (crossing != NULL) {
        *socket->home = NULL;
        pl_socket_set_home(socket, &crossing->socket);
        pl_socket_set_owner(socket, NULL);
        pl_task_cancel(pl_task_current());
        pl_op_complete(&crossing->op, 0);
    }
    lua_pushinteger(L, err);
    return 1;
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
    {PL_WITH_RELOAD ? "hand" : NULL, PL_WITH_RELOAD ? hand : NULL},
    {NULL, NULL},
};
