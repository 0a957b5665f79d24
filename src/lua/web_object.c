/* web_object.c - the userdata of requests and responses: made once per
 * request, looked up by __index, detached at the end. */
#include <string.h>

#include "lua/web_priv.h"

static const char *const names[] = {"pl.request", "pl.response"};

/* Pushes a new object of that kind, kept by a reference of *web. */
static void make(lua_State *L, struct pl_web *web, struct pl_request *req,
                 enum pl_web_kind kind)
{
    struct pl_web_object *object = lua_newuserdata(L, sizeof(*object));

    object->req = NULL;
    luaL_setmetatable(L, names[kind]);
    lua_pushvalue(L, -1);
    web->refs[kind] = luaL_ref(L, LUA_REGISTRYINDEX);
    web->objects[kind] = object;
    object->req = req;
}

void pl_web_push_objects(lua_State *L, struct pl_vm *vm, struct pl_request *req)
{
    struct pl_web *web = req->lua;

    if (web == NULL) {
        web = pl_arena_alloc(&req->arena, sizeof(*web));
        if (web == NULL)
            luaL_error(L, "out of memory");
        *web = (struct pl_web){
            .vm = vm, .refs = {LUA_NOREF, LUA_NOREF}, .fields = LUA_NOREF};
        req->lua = web;
    }
    for (int kind = PL_WEB_REQUEST; kind <= PL_WEB_RESPONSE; kind++) {
        if (web->objects[kind] != NULL)
            lua_rawgeti(L, LUA_REGISTRYINDEX, web->refs[kind]);
        else
            make(L, web, req, (enum pl_web_kind)kind);
    }
}

void pl_web_detach(struct pl_request *req)
{
    struct pl_web *web = req->lua;
    lua_State *L;

    if (web == NULL)
        return;
    req->lua = NULL;
    L = web->vm->main;
    for (int kind = PL_WEB_REQUEST; kind <= PL_WEB_RESPONSE; kind++) {
        if (web->objects[kind] != NULL)
            web->objects[kind]->req = NULL;
        luaL_unref(L, LUA_REGISTRYINDEX, web->refs[kind]);
    }
    luaL_unref(L, LUA_REGISTRYINDEX, web->fields);
    pl_body_abandon(req);
    pl_response_drained(&req->response, PL_ERR_CLOSED);
}

struct pl_request *pl_web_check(lua_State *L, int index, enum pl_web_kind kind)
{
    struct pl_web_object *object = luaL_checkudata(L, index, names[kind]);

    if (object->req == NULL)
        pl_lua_fail(L, "%s used after its response was sent",
                    names[kind] + strlen("pl."));
    return object->req;
}

int pl_web_raise(lua_State *L, const char *call, int err)
{
    return pl_lua_fail(L, "%s: %s", call, pl_err_text(err));
}

/* ---- fields that scripts set, and those that are made once ---- */

/* core.fields(object, create) -> the table of the request's own fields, or nil
 * if there is none and it is not to be made. */
static int fields(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    struct pl_web *web = req->lua;

    if (web->fields != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, web->fields);
        return 1;
    }
    if (!lua_toboolean(L, 2)) {
        lua_pushnil(L);
        return 1;
    }
    lua_newtable(L);
    lua_pushvalue(L, -1);
    web->fields = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

/* core.metatable(kind) -> the metatable of "request" or "response" */
static int metatable(lua_State *L)
{
    static const char *const kinds[] = {"request", "response", NULL};

    luaL_getmetatable(L, names[luaL_checkoption(L, 1, NULL, kinds)]);
    return 1;
}

void pl_lua_open_web_objects(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"fields", fields},
        {"metatable", metatable},
        {NULL, NULL},
    };

    for (int kind = PL_WEB_REQUEST; kind <= PL_WEB_RESPONSE; kind++) {
        luaL_newmetatable(L, names[kind]);
        lua_pop(L, 1);
    }
    pl_vm_register(L, vm, functions);
}
