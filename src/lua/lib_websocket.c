/* lib_websocket.c - WebSockets from Lua: pl.websocket and req:websocket(); the
 * Lua half is lib/ws.lua and lib/websocket.lua.
 *
 * A socket is a table, which the registry keeps as long as the socket is there,
 * with a userdata that leads to C. In straight lines it belongs to its request
 * and ends with the handler. With callbacks it stands alone: when there is
 * something new, a task runs run(socket), which takes one message after another
 * and at last tells of the end. */
#include <string.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"
#include "handlers/ws_topics.h"
#include "http/again.h"
#include "http/ws_handshake.h"
#include "lua/lib_websocket.h"
#include "lua/move.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

static const char socket_name[] = "pl.websocket";

struct pl_lua_ws *pl_lua_ws_check(lua_State *L, const char *call)
{
    struct pl_lua_ws *socket = lua_touserdata(L, 1);

    if (socket != NULL && lua_getmetatable(L, 1)) {
        luaL_newmetatable(L, socket_name);
        if (!lua_rawequal(L, -1, -2))
            socket = NULL;
        lua_pop(L, 2);
    }
    if (socket == NULL)
        pl_lua_fail(L,
                    "%s: a websocket is needed (methods are called with a "
                    "colon)",
                    call);
    if (PL_WITH_RELOAD && socket->moved)
        pl_lua_fail(L,
                    "%s: this websocket has moved to a newer generation of the "
                    "site",
                    call);
    return socket;
}

static int push_result(lua_State *L, int result)
{
    lua_pushinteger(L, result);
    return 1;
}

/* It was released. Who goes on after that is ended, as by pl_ws_write(). */
static int push_closed(lua_State *L, struct pl_lua_ws *socket)
{
    int result = socket->told ? PL_ERR_CANCELED : PL_ERR_CLOSED;

    socket->told = true;
    return push_result(L, result);
}

/* ---- the end of what Lua has ---- */

static void on_released(struct pl_ws *ws)
{
    struct pl_lua_ws *socket = ws->user;

    socket->ws = NULL;
    pl_list_remove(&socket->node);
    pl_vm_settle(socket->vm);
    luaL_unref(socket->vm->main, LUA_REGISTRYINDEX, socket->table);
}

void pl_lua_ws_let_go(struct pl_lua_ws *socket)
{
    socket->ws->reader = NULL;
    socket->ws = NULL;
    socket->moved = true;
    pl_list_remove(&socket->node);
    luaL_unref(socket->vm->main, LUA_REGISTRYINDEX, socket->table);
}

/* In straight lines its handler waits by itself. */
static const struct pl_ws_reader straight = {.released = on_released};

/* ---- tasks of callbacks ---- */

static void on_returned(struct pl_co *co, int status, int n)
{
    struct pl_lua_ws *socket = co->ctx;
    struct pl_ws *ws = socket->ws;

    (void)n;
    if (ws == NULL) /* the end has been told */
        return;
    ws->busy = false;
    if (status == 0) {
        if (PL_WITH_RELOAD)
            (void)pl_lua_ws_move(socket);
        return;
    }
    pl_vm_report(co->vm, &co->task, co->L);
    if (socket->ending) /* and cannot be told again */
        pl_ws_release(ws, PL_WS_ERROR);
    else if (ws->state == PL_WS_OPEN)
        (void)pl_ws_close(ws, PL_WS_ERROR, pl_str(NULL, 0));
    else
        pl_lua_ws_ready(ws);
}

static void start(struct pl_lua_ws *socket)
{
    static const struct pl_co_hooks hooks = {on_returned, NULL};
    struct pl_vm *vm = socket->vm;
    struct pl_co *co;

    if (PL_WITH_RELOAD && pl_lua_ws_move(socket))
        return;
    co = pl_co_new(vm, NULL, NULL);
    if (co == NULL) { /* nobody can be told of anything any more */
        if (vm->phase < PL_VM_STOPPING)
            pl_log(PL_LOG_ERROR, "lua", "no memory for a websocket's task");
        pl_ws_release(socket->ws, PL_WS_ERROR);
        return;
    }
    co->hooks = &hooks;
    co->ctx = socket;
    socket->ws->busy = true;
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, vm->websocket_run);
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, socket->table);
    lua_pushboolean(co->L, socket->arrived);
    socket->arrived = false;
    pl_co_start(co, 2);
}

static void start_later(struct pl_op *op)
{
    struct pl_lua_ws *socket = PL_CONTAINER_OF(op, struct pl_lua_ws, later);

    socket->due = false;
    start(socket);
}

/* Comes also from within Lua: what that has sent has found out that a peer, of
 * whatever connection, has gone. */
void pl_lua_ws_ready(struct pl_ws *ws)
{
    struct pl_lua_ws *socket = ws->user;

    if (ws->busy || socket->due)
        return;
    if (!socket->vm->running) {
        start(socket);
        return;
    }
    socket->due = true;
    pl_op_init(&socket->later, socket->vm->sched, NULL);
    pl_op_begin(&socket->later);
    pl_op_complete(&socket->later, 0);
    pl_op_then(&socket->later, start_later);
}

const struct pl_ws_reader pl_lua_ws_callbacks = {pl_lua_ws_ready, on_released};

/* ---- settings ---- */

static struct pl_str text_arg(lua_State *L, int index)
{
    struct pl_str s = {NULL, 0};

    if (lua_isstring(L, index))
        s.data = lua_tolstring(L, index, &s.len);
    return s;
}

/* nil: the default; false: none. */
static void take_ms(lua_State *L, int index, const char *call, const char *name,
                    uint32_t *ms)
{
    uint64_t value = 0;

    if (lua_isnoneornil(L, index))
        return;
    if (lua_isstring(L, index) &&
        (!pl_str_to_ms(text_arg(L, index), &value) || value > INT32_MAX))
        pl_lua_fail(L, "%s: option '%s': '%s' is no time like \"10s\"", call,
                    name, lua_tostring(L, index));
    *ms = (uint32_t)value;
}

static void take_size(lua_State *L, int index, const char *call,
                      const char *name, uint64_t *size)
{
    if (lua_isnoneornil(L, index))
        return;
    *size = SIZE_MAX;
    if (lua_isstring(L, index) && !pl_str_to_size(text_arg(L, index), size))
        pl_lua_fail(L, "%s: option '%s': '%s' is no size like \"1m\"", call,
                    name, lua_tostring(L, index));
}

static char *copy(char *to, struct pl_str *text)
{
    if (text->len > 0)
        memcpy(to, text->data, text->len);
    if (text->data != NULL)
        text->data = to;
    return to + text->len;
}

/* true: each message by itself; "context" */
static enum pl_ws_compress take_compress(lua_State *L, int index,
                                         const char *call)
{
    if (!lua_toboolean(L, index))
        return PL_WS_PLAIN;
    if (!lua_isstring(L, index))
        return PL_WS_PACKED;
    if (strcmp(lua_tostring(L, index), "context") != 0)
        pl_lua_fail(L,
                    "%s: option 'compress' must be true, false or \"context\"",
                    call);
    return PL_WS_CONTEXT;
}

/* natives.settings(call, max_message, ping, timeout, idle, close_timeout,
 * protocols, origins, compress, compress_min, window_bits) -> what sockets are
 * made with */
static int new_settings(lua_State *L)
{
    const char *call = luaL_checkstring(L, 1);
    struct pl_ws_settings settings = pl_ws_default_settings;
    uint64_t least = settings.compress_min;
    char *memory;

    take_size(L, 2, call, "max_message", &settings.max_message);
    take_ms(L, 3, call, "ping", &settings.ping_ms);
    take_ms(L, 4, call, "timeout", &settings.timeout_ms);
    take_ms(L, 5, call, "idle", &settings.idle_ms);
    take_ms(L, 6, call, "close_timeout", &settings.close_ms);
    settings.compress = (uint8_t)take_compress(L, 9, call);
    take_size(L, 10, call, "compress_min", &least);
    settings.compress_min = (uint32_t)PL_MIN(least, UINT32_MAX);
    if (!lua_isnoneornil(L, 11))
        settings.window_bits =
            (uint8_t)pl_arg_integer(L, 11, call, "option 'window_bits'", 9, 15);
    settings.protocols = text_arg(L, 7);
    settings.origins = text_arg(L, 8);
    memory = lua_newuserdata(L, sizeof(settings) + settings.protocols.len +
                                    settings.origins.len);
    copy(copy(memory + sizeof(settings), &settings.protocols),
         &settings.origins);
    memcpy(memory, &settings, sizeof(settings));
    return 1;
}

/* ---- accepting ---- */

struct pl_lua_ws *pl_lua_ws_new(lua_State *L, struct pl_vm *vm, int table)
{
    struct pl_lua_ws *socket = lua_newuserdata(L, sizeof(*socket));

    *socket = (struct pl_lua_ws){.vm = vm};
    pl_list_init(&socket->node);
    luaL_newmetatable(L, socket_name);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, table, "ref");
    lua_pushvalue(L, table);
    socket->table = luaL_ref(L, LUA_REGISTRYINDEX);
    return socket;
}

/* What the handler of an older generation has left. The table is at 3. */
static void set_state(lua_State *L, const struct pl_request *req)
{
    pl_vm_push_packed(L, req->again->state);
    lua_setfield(L, 3, "state");
    lua_pushboolean(L, 1);
    lua_setfield(L, 3, "moved");
}

/* natives.accept(call, req, table, settings) -> true; or a status and why. The
 * table keeps the settings, and gets the field ref. */
static int accept_socket(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 2, PL_WEB_REQUEST);
    struct pl_lua_ws *socket;
    const char *why;
    int status;

    if (pl_request_is_resumed(req) && req->websocket != NULL)
        set_state(L, req);
    else if (req->response.started)
        pl_lua_fail(L, "%s: the response has been started",
                    luaL_checkstring(L, 1));
    socket = pl_lua_ws_new(L, pl_vm_upvalue(L), 3);
    status = pl_ws_accept_request(req, lua_touserdata(L, 4), &socket->ws, &why);
    if (status != 0) {
        luaL_unref(L, LUA_REGISTRYINDEX, socket->table);
        lua_pushinteger(L, status);
        lua_pushstring(L, why);
        return 2;
    }
    socket->req = req;
    socket->ws->user = socket;
    socket->ws->reader = &straight;
    lua_pushboolean(L, 1);
    return 1;
}

/* natives.serve(ref, req): from now on by callbacks, and apart from req */
static int serve(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "pl.websocket");
    struct pl_ws *ws = pl_ws_adopt(pl_web_check(L, 2, PL_WEB_REQUEST));

    ws->reader = &pl_lua_ws_callbacks;
    pl_list_push(&socket->vm->websockets, &socket->node);
    if (ws->work != NULL || ws->state != PL_WS_OPEN ||
        (PL_WITH_RELOAD && pl_vm_successor(socket->vm) != NULL))
        pl_lua_ws_ready(ws);
    return 0;
}

/* natives.set_runner(run) */
static int set_runner(lua_State *L)
{
    pl_vm_upvalue(L)->websocket_run = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* ---- reading ---- */

/* natives.take(ref) -> data, kind; or nil, and whether there will be none any
 * more */
static int take(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "ws:receive");
    struct pl_ws_message message;
    int got =
        socket->ws == NULL ? PL_ERR_CLOSED : pl_ws_take(socket->ws, &message);

    socket->ending = got == PL_ERR_CLOSED;
    if (got != 1) {
        lua_pushnil(L);
        lua_pushboolean(L, got == PL_ERR_CLOSED);
        return 2;
    }
    lua_pushlstring(L, message.data.data, message.data.len);
    lua_pushstring(L, message.kind == PL_WS_TEXT ? "text" : "binary");
    return 2;
}

/* natives.receive(ref [, seconds]) -> 0 when there is something to take */
static int receive(lua_State *L)
{
    static const char call[] = "ws:receive";
    struct pl_lua_ws *socket = pl_lua_ws_check(L, call);
    struct pl_co *co = pl_co_may_wait(L, call);
    double seconds = lua_tonumber(L, 2);
    struct pl_ws_wait_op *wait;
    uint64_t due = 0;

    if (socket->ws == NULL)
        return push_result(L, PL_ERR_CLOSED);
    if (socket->ws->reader == &pl_lua_ws_callbacks)
        pl_lua_fail(L, "%s: the messages of this socket go to its callbacks",
                    call);
    if (!lua_isnoneornil(L, 2))
        due = pl_now(co->task.sched->loop) + (uint64_t)(seconds * 1e9);
    wait = lua_newuserdata(L, sizeof(*wait));
    pl_ws_receive_begin(wait, co->task.sched, socket->ws, due);
    return pl_co_wait(L, co, &wait->op, lua_gettop(L));
}

/* ---- writing ---- */

/* natives.send(call, ref, data, binary): 0 or a negative code */
static int send_message(lua_State *L)
{
    static const char call[] = "ws:send";
    struct pl_lua_ws *socket = pl_lua_ws_check(L, call);
    struct pl_str data = pl_arg_str(L, 2, call, "the message");
    bool binary = lua_toboolean(L, 3);

    if (!binary && !pl_utf8_valid(data))
        pl_lua_fail(L,
                    "%s: text must be UTF-8; other bytes are sent by "
                    "ws:send(data, \"binary\")",
                    call);
    if (socket->ws == NULL)
        return push_closed(L, socket);
    return push_result(
        L, pl_ws_write(socket->ws, binary ? PL_WS_BINARY : PL_WS_TEXT, data));
}

/* natives.drain(ref) -> 0 when there is room for output again */
static int drain(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "ws:send");
    struct pl_co *co = pl_co_may_wait(L, "ws:send");
    struct pl_ws_wait_op *wait;

    if (socket->ws == NULL)
        return push_closed(L, socket);
    wait = lua_newuserdata(L, sizeof(*wait));
    pl_ws_drain_begin(wait, co->task.sched, socket->ws);
    return pl_co_wait(L, co, &wait->op, lua_gettop(L));
}

/* natives.ping(ref) */
static int ping(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "ws:ping");

    return push_result(L, socket->ws == NULL ? PL_ERR_CLOSED
                                             : pl_ws_ping(socket->ws));
}

/* ---- topics ---- */

static struct pl_str topic_arg(lua_State *L, const char *call)
{
    struct pl_str topic = pl_arg_str(L, 2, call, "the topic");

    if (topic.len == 0)
        pl_lua_fail(L, "%s: the topic must not be empty", call);
    return topic;
}

/* natives.subscribe(ref, topic, drop): 0 or a negative code */
static int subscribe(lua_State *L)
{
    static const char call[] = "ws:subscribe";
    struct pl_lua_ws *socket = pl_lua_ws_check(L, call);
    struct pl_str topic = topic_arg(L, call);
    struct pl_member *member = socket->vm->options.member;

    if (!PL_WITH_SHARE || member == NULL)
        pl_lua_fail(L, "%s: there is nobody to listen to here", call);
    if (socket->ws == NULL)
        return push_closed(L, socket);
    return push_result(
        L, pl_ws_listen(socket->ws, member, topic, lua_toboolean(L, 3) != 0));
}

/* natives.unsubscribe(ref, topic) -> whether it was subscribed */
static int unsubscribe(lua_State *L)
{
    static const char call[] = "ws:unsubscribe";
    struct pl_lua_ws *socket = pl_lua_ws_check(L, call);
    struct pl_str topic = topic_arg(L, call);

    lua_pushboolean(L, socket->ws != NULL &&
                           pl_ws_unsubscribe(socket->ws, topic) == 0);
    return 1;
}

/* ---- the end ---- */

/* natives.close(ref, code, reason) */
static int close_socket(lua_State *L)
{
    static const char call[] = "ws:close";
    struct pl_lua_ws *socket = pl_lua_ws_check(L, call);
    unsigned code = PL_WS_NORMAL;
    struct pl_str reason = {NULL, 0};
    int err;

    if (!lua_isnoneornil(L, 2))
        code = (unsigned)pl_arg_integer(L, 2, call, "the code", 1000, 4999);
    if (!lua_isnoneornil(L, 3))
        reason = pl_arg_str(L, 3, call, "the reason");
    if (socket->ws == NULL)
        return push_result(L, PL_ERR_CLOSED);
    err = pl_ws_close(socket->ws, code, reason);
    if (err == PL_ERR_INVALID)
        pl_lua_fail(L,
                    "%s: the code must be 1000 to 1003, 1007 to 1014 or "
                    "3000 to 4999, the reason UTF-8 of at most 123 bytes",
                    call);
    return push_result(L, err);
}

/* natives.closed(ref) -> code, reason; nil while it is open */
static int closed(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "ws:closed");
    struct pl_str reason;

    if (socket->ws == NULL || socket->ws->code == 0)
        return 0;
    lua_pushinteger(L, (lua_Integer)pl_ws_closed(socket->ws, &reason));
    lua_pushlstring(L, reason.data, reason.len);
    return 2;
}

void pl_lua_close_websockets(struct pl_vm *vm)
{
    while (!pl_list_empty(&vm->websockets)) {
        struct pl_lua_ws *socket =
            PL_LIST_ENTRY(vm->websockets.next, struct pl_lua_ws, node);

        pl_ws_release(socket->ws, PL_WS_RESTART);
    }
}

/* natives.subprotocol(ref) */
static int subprotocol(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "pl.websocket");

    pl_lua_push_str(L, pl_ws_protocol(socket->ws));
    return 1;
}

/* natives.release(ref): the end has been told */
static int release(lua_State *L)
{
    struct pl_lua_ws *socket = pl_lua_ws_check(L, "pl.websocket");

    if (socket->ws != NULL)
        pl_ws_release(socket->ws, PL_WS_NORMAL);
    return 0;
}

const luaL_Reg pl_lua_ws[] = {
    {"settings", new_settings},
    {"accept", accept_socket},
    {"serve", serve},
    {"set_runner", set_runner},
    {"take", take},
    {"receive", receive},
    {"send", send_message},
    {"drain", drain},
    {"ping", ping},
    {"close", close_socket},
    {"closed", closed},
    {"subprotocol", subprotocol},
    {"subscribe", subscribe},
    {"unsubscribe", unsubscribe},
    {"release", release},
    {PL_WITH_RELOAD ? "place" : NULL, PL_WITH_RELOAD ? pl_lua_ws_place : NULL},
    {NULL, NULL},
};
