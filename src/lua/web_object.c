/* web_object.c - the userdata of requests and responses: made once per request,
 * kept while it lasts, detached at its end.
 *
 * An object cannot be used again for another request: nobody knows whether a
 * script still has it. What keeps it can. */
#include "lua/web_priv.h"

static const char *const names[PL_WEB_KINDS] = {"pl.request", "pl.response"};
static const char *const shorts[PL_WEB_KINDS] = {"req", "res"};

/* Upvalues of registered functions; 1 is the VM. */
static int meta_index(enum pl_web_kind kind)
{
    return lua_upvalueindex(2 + (int)kind);
}

void pl_web_register(lua_State *L, struct pl_vm *vm, const luaL_Reg *functions)
{
    lua_pushlightuserdata(L, vm);
    luaL_newmetatable(L, names[PL_WEB_REQUEST]);
    luaL_newmetatable(L, names[PL_WEB_RESPONSE]);
    luaL_setfuncs(L, functions, 1 + PL_WEB_KINDS);
}

void pl_web_share_metatables(lua_State *L)
{
    luaL_newmetatable(L, names[PL_WEB_REQUEST]);
    lua_setfield(L, -2, "request_meta");
    luaL_newmetatable(L, names[PL_WEB_RESPONSE]);
    lua_setfield(L, -2, "response_meta");
}

/* ---- what keeps a request's objects ---- */

static struct pl_web *new_web(lua_State *L, struct pl_vm *vm)
{
    struct pl_web *web = lua_newuserdata(L, sizeof(*web));

    *web = (struct pl_web){.vm = vm};
    lua_createtable(L, PL_WEB_SLOT_END - 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, PL_WEB_SLOT_SELF);
    for (int slot = PL_WEB_SLOT_OBJECTS; slot < PL_WEB_SLOT_END; slot++) {
        lua_pushboolean(L, 0); /* filling a place later needs no memory */
        lua_rawseti(L, -2, slot);
    }
    web->kept = luaL_ref(L, LUA_REGISTRYINDEX);
    return web;
}

static struct pl_web *take_web(lua_State *L, struct pl_vm *vm)
{
    struct pl_web *web = vm->webs;

    if (web == NULL)
        return new_web(L, vm);
    vm->webs = web->next;
    vm->webs_count--;
    return web;
}

static void free_web(struct pl_web *web)
{
    luaL_unref(web->vm->main, LUA_REGISTRYINDEX, web->kept);
}

static void give_web(struct pl_web *web)
{
    struct pl_vm *vm = web->vm;

    if (vm->webs_count >= PL_VM_SPARE_MAX) {
        free_web(web);
        return;
    }
    web->next = vm->webs;
    vm->webs = web;
    vm->webs_count++;
}

void pl_web_trim(struct pl_vm *vm, unsigned keep)
{
    while (vm->webs_count > keep) {
        struct pl_web *web = vm->webs;

        vm->webs = web->next;
        vm->webs_count--;
        free_web(web);
    }
}

static void push_slots(lua_State *L, const struct pl_web *web)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, web->kept);
}

/* ---- objects ---- */

/* The table of slots is on top. */
static void push_object(lua_State *L, struct pl_web *web,
                        struct pl_request *req, enum pl_web_kind kind,
                        int slots)
{
    int slot = PL_WEB_SLOT_OBJECTS + (int)kind;
    struct pl_web_object *object;

    if (web->objects[kind] != NULL) {
        lua_rawgeti(L, slots, slot);
        return;
    }
    object = lua_newuserdata(L, sizeof(*object));
    object->req = req;
    lua_pushvalue(L, meta_index(kind));
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawseti(L, slots, slot);
    web->objects[kind] = object;
}

void pl_web_push_objects(lua_State *L, struct pl_request *req,
                         const void *outer, bool response)
{
    struct pl_web *web = req->lua;
    int slots = lua_gettop(L) + 1;

    if (web == NULL) {
        web = take_web(L, pl_vm_upvalue(L));
        web->outer = outer;
        req->lua = web;
    }
    push_slots(L, web);
    push_object(L, web, req, PL_WEB_REQUEST, slots);
    if (response)
        push_object(L, web, req, PL_WEB_RESPONSE, slots);
}

static void clear_tables(struct pl_web *web)
{
    lua_State *L = web->vm->main;

    push_slots(L, web);
    for (int slot = PL_WEB_SLOT_TABLES; slot < PL_WEB_SLOT_END; slot++) {
        if (web->tables & 1u << slot) {
            lua_pushboolean(L, 0);
            lua_rawseti(L, -2, slot);
        }
    }
    lua_pop(L, 1);
    web->tables = 0;
}

void pl_web_detach(struct pl_request *req)
{
    struct pl_web *web = req->lua;

    req->lua = NULL;
    for (int kind = 0; kind < PL_WEB_KINDS; kind++) {
        if (web->objects[kind] != NULL)
            web->objects[kind]->req = NULL;
        web->objects[kind] = NULL;
    }
    if (web->tables != 0)
        clear_tables(web);
    web->broken = 0;
    give_web(web);
    pl_body_abandon(req); /* whoever waits has nothing to wait for */
    pl_response_drained(&req->response, PL_ERR_CLOSED);
}

static PL_COLD void refuse(lua_State *L, int index, enum pl_web_kind kind,
                           const struct pl_web_object *object)
{
    if (object != NULL)
        pl_lua_fail(L, "%s used after its response was sent",
                    names[kind] + sizeof("pl"));
    pl_lua_fail(L,
                "a %s is needed, not a %s (methods are called with a colon: "
                "%s:header(...))",
                names[kind] + sizeof("pl"), luaL_typename(L, index),
                shorts[kind]);
}

struct pl_request *pl_web_check(lua_State *L, int index, enum pl_web_kind kind)
{
    struct pl_web_object *object = NULL;

    if (lua_getmetatable(L, index)) {
        if (lua_rawequal(L, -1, meta_index(kind)))
            object = lua_touserdata(L, index);
        lua_pop(L, 1);
    }
    if (PL_UNLIKELY(object == NULL || object->req == NULL))
        refuse(L, index, kind, object);
    return object->req;
}

/* ---- tables ---- */

bool pl_web_push_table(lua_State *L, struct pl_request *req,
                       enum pl_web_slot slot)
{
    const struct pl_web *web = req->lua;

    if (!(web->tables & 1u << slot))
        return false;
    push_slots(L, web);
    lua_rawgeti(L, -1, (int)slot);
    return true;
}

void pl_web_keep_table(lua_State *L, struct pl_request *req,
                       enum pl_web_slot slot)
{
    struct pl_web *web = req->lua;

    push_slots(L, web);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (int)slot);
    lua_pop(L, 1);
    web->tables |= 1u << slot;
}
