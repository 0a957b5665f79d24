/* websocket_move.c - WebSockets that have callbacks, from one generation to the
 * next: MECHANISMS 18.
 *
 * What a socket is lies in C and does not change: its connection, what it is
 * subscribed to, what is on its way. What moves is who reads it. Its callbacks
 * are those that the new site has for the same host and pattern, and of its
 * table only subprotocol and state go with it. */
#include "base/log.h"
#include "base/str.h"
#include "http/ws_handshake.h"
#include "lua/lib_websocket.h"
#include "lua/move.h"
#include "lua/web_priv.h"

/* ---- routes ---- */

/* Places in a record of vm->websocket_routes. */
enum { CALLBACKS = 1, OPTIONS, METHODS, RECORD = METHODS };

/* Routes are known by host and pattern. Nothing but a route for GET can be
 * meant by both. */
static void push_name(lua_State *L, const struct pl_route *route)
{
    lua_pushfstring(L, "%s %s", route->host, route->pattern);
}

static const struct pl_route *last_route(const struct pl_router *router)
{
    const struct pl_route *route, *last = NULL;

    for (unsigned i = 0; (route = pl_router_route(router, i)) != NULL; i++)
        last = route;
    return last;
}

static void push_routes(lua_State *L, struct pl_vm *vm)
{
    if (vm->websocket_routes == LUA_NOREF) {
        lua_newtable(L);
        vm->websocket_routes = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->websocket_routes);
}

int pl_lua_ws_place(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);

    lua_settop(L, RECORD);
    push_routes(L, vm);
    push_name(L, last_route(vm->site->router));
    lua_pushvalue(L, -1);
    lua_setfield(L, CALLBACKS, "route");
    lua_createtable(L, RECORD, 0);
    for (int i = 1; i <= RECORD; i++) {
        lua_pushvalue(L, i);
        lua_rawseti(L, -2, i);
    }
    lua_rawset(L, -3);
    return 0;
}

/* ---- moving ---- */

struct move {
    struct pl_vm *from, *to;
    struct pl_lua_ws *socket, *arrived;    /* NULL: there is no such route */
    struct pl_str route;                   /* of the old state, as long as it */
    const struct pl_ws_settings *settings; /* does not run */
    bool tell;                             /* the new side wants to know */
};

/* A field of the table at index, whatever its metatable says. */
static void push_field(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, table);
}

/* In the old state. */
static int depart(lua_State *L)
{
    struct move *move = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, move->socket->table);
    push_field(L, 2, "callbacks");
    push_field(L, 3, "route");
    move->route.data = lua_tolstring(L, 4, &move->route.len);
    push_field(L, 2, "state");
    if (lua_isnil(L, 5))
        pl_buf_fini(&move->from->carried);
    else
        pl_vm_pack(L, move->from, 5, "ws.state");
    return 0;
}

static void set_field(lua_State *L, const char *name)
{
    lua_setfield(L, -2, name);
}

/* The table of a socket, of the record at index 3. */
static void push_socket(lua_State *L, const struct move *move)
{
    struct pl_str protocol = pl_ws_protocol(move->socket->ws);

    lua_createtable(L, 0, 6);
    lua_rawgeti(L, 3, CALLBACKS);
    set_field(L, "callbacks");
    lua_rawgeti(L, 3, OPTIONS);
    set_field(L, "options");
    if (protocol.data != NULL) {
        lua_pushlstring(L, protocol.data, protocol.len);
        set_field(L, "subprotocol");
    }
    pl_vm_push_packed(L, pl_buf_str(&move->from->carried));
    set_field(L, "state");
    lua_rawgeti(L, 3, METHODS);
    lua_setmetatable(L, -2);
}

/* In the new state. */
static int arrive(lua_State *L)
{
    struct move *move = lua_touserdata(L, 1);

    if (move->to->websocket_routes == LUA_NOREF)
        return 0;
    push_routes(L, move->to);
    lua_pushlstring(L, move->route.data, move->route.len);
    lua_rawget(L, 2);
    if (lua_isnil(L, 3))
        return 0;
    push_socket(L, move);
    lua_rawgeti(L, 3, OPTIONS);
    move->settings = lua_touserdata(L, 5);
    lua_rawgeti(L, 3, CALLBACKS);
    push_field(L, 6, "moved");
    move->tell = !lua_isnil(L, 7);
    move->arrived = pl_lua_ws_new(L, move->to, 4);
    return 0;
}

static void complete(const struct move *move)
{
    struct pl_lua_ws *old = move->socket, *now = move->arrived;
    struct pl_ws *ws = old->ws;

    now->ws = ws;
    now->arrived = move->tell;
    old->ws = NULL;
    old->moved = true;
    pl_list_remove(&old->node);
    pl_list_push(&move->to->websockets, &now->node);
    ws->user = now;
    pl_ws_renew(ws, move->settings);
    luaL_unref(move->from->main, LUA_REGISTRYINDEX, old->table);
    pl_vm_settle(move->from);
    if (move->tell || ws->work != NULL || ws->state != PL_WS_OPEN)
        pl_lua_ws_ready(ws);
}

/* False: an error, of memory. */
static bool call(struct pl_vm *vm, lua_CFunction fn, struct move *move)
{
    bool ok = pl_vm_protect(vm->main, fn, move) == 0;

    if (!ok)
        lua_settop(vm->main, 0);
    return ok;
}

static bool may_leave(const struct pl_lua_ws *socket)
{
    const struct pl_ws *ws = socket->ws;

    return ws != NULL && ws->state == PL_WS_OPEN && !ws->busy && !socket->due &&
           !pl_ws_is_awaited(ws) && !socket->vm->running &&
           socket->vm->phase == PL_VM_RUNNING;
}

bool pl_lua_ws_move(struct pl_lua_ws *socket)
{
    struct pl_vm *to = pl_vm_successor(socket->vm);
    struct move move = {socket->vm, to, socket, .tell = false};
    bool there;

    if (to == NULL || to->running || !may_leave(socket))
        return false;
    there = call(move.from, depart, &move) && call(to, arrive, &move);
    pl_buf_fini(&move.from->carried);
    if (there && move.arrived != NULL)
        complete(&move);
    else if (there) /* and the old code is told */
        (void)pl_ws_close(socket->ws, PL_WS_RESTART, PL_STR("no such route"));
    return there;
}

unsigned pl_lua_ws_count(const struct pl_vm *vm)
{
    const struct pl_list *node;
    unsigned n = 0;

    PL_LIST_FOREACH (node, &vm->websockets)
        n++;
    return n;
}

bool pl_lua_ws_move_next(struct pl_vm *vm)
{
    struct pl_list *node = pl_list_pop(&vm->websockets);

    if (node == NULL)
        return false;
    pl_list_push(&vm->websockets, node);
    (void)pl_lua_ws_move(PL_LIST_ENTRY(node, struct pl_lua_ws, node));
    return true;
}
