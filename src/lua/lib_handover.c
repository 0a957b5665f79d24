/* lib_handover.c - handlers in straight lines that go on in the next generation
 * (lua/perilune/lib/handover.lua): http/again.h. */
#include "base/str.h"
#include "http/again.h"
#include "http/events.h"
#include "lua/lib_socket.h"
#include "lua/lib_websocket.h"
#include "lua/move.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

/* Somebody waits for another generation. */
struct watch {
    struct pl_op op;
    struct pl_list node; /* of vm->watches */
    struct pl_timer timer;
};

static void end_watch(struct watch *watch, int result)
{
    pl_list_remove(&watch->node);
    pl_timer_stop(pl_loop_wheel(watch->op.sched->loop), &watch->timer);
    pl_op_complete(&watch->op, result);
}

static void cancel_watch(struct pl_op *op)
{
    end_watch(PL_CONTAINER_OF(op, struct watch, op), PL_ERR_CANCELED);
}

static void on_late(struct pl_timer *timer)
{
    end_watch(PL_CONTAINER_OF(timer, struct watch, timer), 0);
}

void pl_lua_tell_watches(struct pl_vm *vm)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &vm->watches)
        end_watch(PL_LIST_ENTRY(node, struct watch, node), 1);
    PL_LIST_FOREACH (node, &vm->willing)
        pl_ws_wake(PL_LIST_ENTRY(node, struct pl_lua_ws, node)->ws);
}

/* natives.replaced() -> does another generation serve? */
static int replaced(lua_State *L)
{
    lua_pushboolean(L, pl_vm_successor(pl_vm_upvalue(L)) != NULL);
    return 1;
}

/* natives.watch(call, seconds) -> 1 when another generation serves, 0 after
 * seconds (2^62 ns and more: never), or PL_ERR_CANCELED */
static int begin_watch(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    struct pl_co *co = pl_co_may_wait(L, luaL_checkstring(L, 1));
    struct pl_loop *loop = co->task.sched->loop;
    double ns = lua_tonumber(L, 2) * 1e9;
    struct watch *watch = lua_newuserdata(L, sizeof(*watch));

    pl_op_init(&watch->op, co->task.sched, cancel_watch);
    pl_op_begin(&watch->op);
    pl_timer_init(&watch->timer, on_late);
    pl_list_push(&vm->watches, &watch->node);
    if (ns < 0x1p62)
        pl_timer_start(pl_loop_wheel(loop), &watch->timer,
                       pl_now(loop) + (ns <= 0 ? 0 : (uint64_t)ns));
    return pl_co_wait(L, co, &watch->op, lua_gettop(L));
}

/* The value at index, packed: good until the next one is. */
static struct pl_str packed(lua_State *L, int index, const char *what)
{
    struct pl_vm *vm = pl_vm_upvalue(L);

    if (lua_isnoneornil(L, index))
        return pl_str(NULL, 0);
    pl_vm_pack(L, vm, index, what);
    return pl_buf_str(&vm->carried);
}

static int leave(lua_State *L, struct pl_request *req, struct pl_str state)
{
    int err = pl_request_again(req, state);

    pl_buf_fini(&pl_vm_upvalue(L)->carried);
    lua_pushinteger(L, err < 0 ? err : PL_ERR_CANCELED);
    return 1;
}

/* natives.websocket(ref, state) -> PL_ERR_CANCELED: the handler is to end; or
 * why not */
static int hand_websocket(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "ws:handover");
    struct pl_ws *ws = socket->ws;
    struct pl_str state;

    if (ws != NULL && ws->reader == &pl_lua_ws_callbacks)
        pl_lua_fail(L,
                    "ws:handover: sockets with callbacks move by themselves");
    if (ws == NULL || ws->state != PL_WS_OPEN) {
        lua_pushinteger(L, PL_ERR_CLOSED);
        return 1;
    }
    state = packed(L, 2, "ws.state");
    pl_ws_done(ws);
    pl_lua_ws_let_go(socket);
    return leave(L, socket->req, state);
}

/* natives.events(res, state, last_id) -> the same */
static int hand_events(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_RESPONSE);
    struct pl_event_stream *stream = req->response.events;
    struct pl_str id = {NULL, 0};

    if (stream == NULL || req->wire == NULL) {
        lua_pushinteger(L, PL_ERR_CLOSED);
        return 1;
    }
    if (lua_isstring(L, 3))
        id.data = lua_tolstring(L, 3, &id.len);
    stream->last_id = pl_arena_str(&req->arena, id);
    return leave(L, req, packed(L, 2, "events.state"));
}

/* natives.hijacked(handle, req, state) -> the same */
static int hand_hijacked(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 2, PL_WEB_REQUEST);
    struct pl_socket *socket = NULL;
    int result;

    pl_lua_is_socket(L, 1, &socket);
    result = socket == NULL || socket->conn == NULL             ? PL_ERR_CLOSED
             : socket->reader != NULL || socket->writer != NULL ? PL_ERR_BUSY
                                                                : 0;
    if (result < 0) {
        lua_pushinteger(L, result);
        return 1;
    }
    leave(L, req, packed(L, 3, "socket.state"));
    if (lua_tointeger(L, -1) == PL_ERR_CANCELED) {
        *socket->home = NULL;
        pl_socket_set_home(socket, &req->again->socket);
        pl_socket_set_owner(socket, NULL);
    }
    return 1;
}

/* natives.willing(ref, is): its receive() ends when another generation serves
 */
static int set_willing(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "ws:handover");

    pl_list_remove(&socket->node);
    if (lua_toboolean(L, 2) && socket->ws != NULL)
        pl_list_push(&socket->vm->willing, &socket->node);
    return 0;
}

const luaL_Reg pl_lua_handover[] = {
    {"replaced", replaced},
    {"watch", begin_watch},
    {"websocket", hand_websocket},
    {"events", hand_events},
    {"hijacked", hand_hijacked},
    {"willing", set_willing},
    {NULL, NULL},
};
