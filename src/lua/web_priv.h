/* web_priv.h - what the files of the web binding share.
 *
 * A request is two Lua objects, made when the first Lua function of its chain
 * runs and used by all of them. They are detached when the handler's task is
 * over: using one later is the script's error, never a crash. */
#ifndef PL_LUA_WEB_PRIV_H
#define PL_LUA_WEB_PRIV_H

#include "http/request.h"
#include "lua/failure.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

/* Both objects of a request; in its arena, at req->lua. */
struct pl_web {
    struct pl_vm *vm;
    struct pl_web_object *objects[2];
    int refs[2]; /* keep the objects */
    int fields;  /* the table of fields that were made or set, or LUA_NOREF */
};

enum pl_web_kind { PL_WEB_REQUEST, PL_WEB_RESPONSE };

/* The userdata. */
struct pl_web_object {
    struct pl_request *req; /* NULL: detached */
};

/* Pushes the request and the response object. Raises when out of memory. */
void pl_web_push_objects(lua_State *L, struct pl_vm *vm,
                         struct pl_request *req);

/* The handler's task is over. Needs no memory. */
void pl_web_detach(struct pl_request *req);

/* The request of the object at index; raises for anything else, and for one
 * that is detached. */
struct pl_request *pl_web_check(lua_State *L, int index, enum pl_web_kind kind);

PL_INLINE struct pl_str pl_lua_check_str(lua_State *L, int index)
{
    size_t len;
    const char *data = luaL_checklstring(L, index, &len);

    return (struct pl_str){data, len};
}

/* nil for an absent string. */
PL_INLINE void pl_lua_push_str(lua_State *L, struct pl_str s)
{
    if (s.data == NULL)
        lua_pushnil(L);
    else
        lua_pushlstring(L, s.data, s.len);
}

/* Raises the error of a call that cannot wait, with the caller's position. */
int pl_web_raise(lua_State *L, const char *call, int err);

/* Makes the Lua value at index the body: a string, or a table as JSON. */
void pl_web_set_body(lua_State *L, struct pl_vm *vm, struct pl_request *req,
                     int index);

/* ---- each adds its functions to the table on top ("core") ---- */

void pl_lua_open_web_objects(lua_State *L, struct pl_vm *vm);
void pl_lua_open_web_request(lua_State *L, struct pl_vm *vm);
void pl_lua_open_web_body(lua_State *L, struct pl_vm *vm);
void pl_lua_open_web_response(lua_State *L, struct pl_vm *vm);
void pl_lua_open_web_handler(lua_State *L, struct pl_vm *vm);

#endif
