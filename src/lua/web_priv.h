/* web_priv.h - what the files of the web binding share.
 *
 * A request is two Lua objects, made when the first Lua function of its chain
 * runs and used by all of them. They are detached when the task of that
 * function is over: using one later is the script's error, never a crash.
 *
 * Whatever Lua can keep (a request, the `next` of a filter) leads to C memory
 * only through pl_web_check(). */
#ifndef PL_LUA_WEB_PRIV_H
#define PL_LUA_WEB_PRIV_H

#include "http/request.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "route/site.h"

enum pl_web_kind { PL_WEB_REQUEST, PL_WEB_RESPONSE, PL_WEB_KINDS };

/* The userdata of both kinds. */
struct pl_web_object {
    struct pl_request *req; /* NULL: detached */
};

/* Places in the table that keeps what belongs to a request. */
enum pl_web_slot {
    PL_WEB_SLOT_SELF = 1,
    PL_WEB_SLOT_OBJECTS, /* one for each kind */
    PL_WEB_SLOT_TABLES = PL_WEB_SLOT_OBJECTS + PL_WEB_KINDS,
    PL_WEB_SLOT_ARGS = PL_WEB_SLOT_TABLES,
    PL_WEB_SLOT_PARAMS,
    PL_WEB_SLOT_HEADERS,
    PL_WEB_SLOT_COOKIES,
    PL_WEB_SLOT_ENV,
    PL_WEB_SLOT_OWN, /* what scripts have set */
    PL_WEB_SLOT_TLS,
    PL_WEB_SLOT_PAGE, /* pieces of a long one (lib_page.c) */
    PL_WEB_SLOT_RUN,  /* of a script (lib_magnet.c) */
    PL_WEB_SLOT_END
};

/* What stands between a request and its objects; at req->lua. A userdata, used
 * again for later requests, so that these need neither a reference nor memory
 * of their own. */
struct pl_web {
    struct pl_web *next; /* in the VM's spare ones */
    struct pl_vm *vm;
    const void *outer; /* the call with whose task the objects end */
    struct pl_web_object *objects[PL_WEB_KINDS];
    unsigned tables; /* bits of the slots in use */
    int kept;        /* reference to the table of slots */
    int broken;      /* why a response that had started cannot be ended; or 0 */
};

/* ---- web_object.c ---- */

/* Sets functions in the table on top, as pl_vm_register() does, with the two
 * metatables as further upvalues. The functions below that say so are for
 * functions registered like this. */
void pl_web_register(lua_State *L, struct pl_vm *vm, const luaL_Reg *functions);

/* Sets core.request_meta and core.response_meta: the metatables. */
void pl_web_share_metatables(lua_State *L);

/* Pushes a table of slots and then the objects: the request, and both if
 * response says so. outer is the call that asks. Raises when out of memory. For
 * registered functions. */
void pl_web_push_objects(lua_State *L, struct pl_request *req,
                         const void *outer, bool response);

/* The outermost call is over. Needs no memory. */
void pl_web_detach(struct pl_request *req);

/* The request of the object at index; raises for anything else, and for one
 * that is detached. For registered functions. */
struct pl_request *pl_web_check(lua_State *L, int index, enum pl_web_kind kind);

/* Pushes the table in slot, if there is one. */
bool pl_web_push_table(lua_State *L, struct pl_request *req,
                       enum pl_web_slot slot);

/* Keeps the table on top in slot, and leaves it there. */
void pl_web_keep_table(lua_State *L, struct pl_request *req,
                       enum pl_web_slot slot);

/* ---- web_request.c ---- */

/* Pushes a table of the decoded pairs of a query or form: the first value of
 * each name. */
void pl_web_push_pairs(lua_State *L, struct pl_request *req,
                       struct pl_str text);

/* ---- web_result.c ---- */

/* Makes the Lua value at index the body: a string, or a table as JSON. call is
 * for errors; NULL: a handler has returned it. */
void pl_web_set_body(lua_State *L, struct pl_request *req, int index,
                     const char *call);
void pl_web_set_json(lua_State *L, struct pl_request *req, int index,
                     const char *call);

/* Sets a field of the response from the value at index: a string, an array of
 * strings (several fields), nil or false (none). */
void pl_web_set_field(lua_State *L, struct pl_request *req, struct pl_str name,
                      int index, const char *call);
int pl_web_field_failed(lua_State *L, struct pl_request *req, const char *call,
                        struct pl_str name, int err);

/* What a handler or filter has returned, from index on, becomes the response:
 * nothing; body; status; status, body; status, body, headers; nil, err. */
void pl_web_respond(lua_State *L, struct pl_request *req, int index);

/* ---- web_run.c ---- */

/* A handler of the function at index; response: it takes one, too. Raises. */
struct pl_handler *pl_web_handler_new(lua_State *L, struct pl_vm *vm, int index,
                                      bool response);

/* Of the handler that runs in this task: who is told of its end. */
struct pl_then *pl_web_then(void);

/* It has nothing more to do with its request, which others go on with: the
 * objects that were made for it are detached. */
void pl_web_leave(void);

/* ---- web_record.c ---- */

/* The limits and the budget among the options of a route, at index; the call is
 * the first argument. Raises what makes no sense. */
void pl_web_read_limits(lua_State *L, int index,
                        struct pl_route_options *options);

/* ---- web_tls.c ---- */

/* What lib/tls.lua has checked, at index. Lies, with all that it leads to, in
 * values that stay on the stack, and in the table. call: for errors, which are
 * raised. Stack: [+2]. */
const struct pl_tls_options *pl_lua_read_tls(lua_State *L, int table,
                                             const char *call);

/* core.req_tls(req) -> table, or nil */
int pl_web_request_tls(lua_State *L);

/* ---- each adds its functions to the table on top ("core") ---- */

void pl_lua_open_web_request(lua_State *L, struct pl_vm *vm);
void pl_lua_open_web_response(lua_State *L, struct pl_vm *vm);
void pl_lua_open_web_run(lua_State *L, struct pl_vm *vm);
void pl_lua_open_web_record(lua_State *L, struct pl_vm *vm);

/* The functions of Lua that run handlers have been defined in core. */
void pl_web_find_runners(lua_State *L, struct pl_vm *vm);

#endif
