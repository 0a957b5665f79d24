/* template_data.h - values of Lua as the data of a template (template.h).
 *
 * A value is a place on the stack of the C function that renders; the renderer
 * says which places are in use. Lua may raise an error at any of them, so all
 * is rendered in one protected call, and the rendering is ended behind it.
 *
 * The lambda of a section is given a function that renders. It is another C
 * function with a stack of its own, maybe of another coroutine: so it makes its
 * stack a copy of that of the function around, and all places hold. It works
 * for as long as its lambda is called. */
#ifndef PL_LUA_TEMPLATE_DATA_H
#define PL_LUA_TEMPLATE_DATA_H

#include "lua/compat.h"
#include "template/template.h"

/* The lowest places of the stack of who renders: the data; what its lambdas
 * need, nil at first; from FREE on they are the renderer's own. */
enum { PL_LUA_DATA_ROOT = 1, PL_LUA_DATA_HANDLE, PL_LUA_DATA_FREE };

/* The arg of pl_data. */
struct pl_lua_data {
    lua_State *L;           /* whose stack it is now */
    struct pl_error *error; /* of the rendering */
    bool fault;             /* *error is what was raised last */
    struct pl_lua_data_handle *handle;
    uint64_t serial;
    struct pl_lua_lambda { /* called now, by how deep they are in each other */
        struct pl_template_call *call;
        uint64_t serial;
        bool rendered;
    } lambdas[PL_TEMPLATE_LAMBDAS_MAX + 1];
};

/* The data of the C function that L is in. Nothing raises before. */
struct pl_data pl_lua_data_begin(struct pl_lua_data *data, lua_State *L,
                                 struct pl_error *error);

/* Behind the protected call, however it ended. */
void pl_lua_data_end(struct pl_lua_data *data);

/* Once in a VM; the function on top, which is popped, sees errors of lambdas
 * where they come from. */
void pl_lua_data_open(lua_State *L);

/* The error of a rendering, "call: where: text": raised, or as nil, err. */
int pl_lua_raise_template(lua_State *L, const char *call,
                          const struct pl_error *error);
int pl_lua_return_template(lua_State *L, const char *call,
                           const struct pl_error *error);

#endif
