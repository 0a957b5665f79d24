/* web_result.c - what Lua says as a response becomes one: bodies, fields, and
 * the results of handlers. */
#include "base/str.h"
#include "http/again.h"
#include "lua/json.h"
#include "lua/web_priv.h"
#include "route/router.h"

/* Bodies up to this are copied into the request's arena; larger strings are
 * kept by a reference until they have been sent. */
enum { COPY_MAX = 4096 };

/* Raises for call, or for what a handler has returned: then no Lua code of the
 * site is running, and the position is that of its route. */
PL_COLD static int fail(lua_State *L, const struct pl_request *req,
                        const char *call, const char *text)
{
    if (call != NULL)
        return pl_lua_fail(L, "%s: %s", call, text);
    lua_pushfstring(L, "%s: the result of a handler: %s",
                    req->route == NULL ? "?" : req->route->where, text);
    return lua_error(L);
}

static const char *why_not(lua_State *L, const char *call, int err)
{
    switch (err) {
    case PL_ERR_NOMEM:
        pl_lua_no_memory(L, call);
        return NULL; /* not reached */
    case PL_ERR_STATE:
        return "the response has been sent already";
    case PL_ERR_DENIED:
        return "the server makes this field itself";
    case PL_ERR_INVALID:
        return "not a valid name or value";
    default:
        return pl_err_text(err);
    }
}

/* ---- bodies ---- */

struct kept {
    struct pl_vm *vm;
    int ref;
};

static void release_kept(void *arg)
{
    struct kept *kept = arg;

    luaL_unref(kept->vm->main, LUA_REGISTRYINDEX, kept->ref);
}

static int keep_string(lua_State *L, struct pl_request *req, int index,
                       struct pl_str text)
{
    struct kept *kept = pl_arena_alloc(&req->arena, sizeof(*kept));

    if (kept == NULL)
        return PL_ERR_NOMEM;
    lua_pushvalue(L, index);
    *kept = (struct kept){.vm = pl_vm_upvalue(L),
                          .ref = luaL_ref(L, LUA_REGISTRYINDEX)};
    return pl_response_bytes(&req->response, text, release_kept, kept);
}

static int set_text(lua_State *L, struct pl_request *req, int index)
{
    struct pl_response *res = &req->response;
    struct pl_str text;
    int err;

    text.data = lua_tolstring(L, index, &text.len);
    if (text.len > COPY_MAX) {
        err = keep_string(L, req, index, text);
    } else {
        text = pl_arena_str(&req->arena, text);
        err = text.data == NULL ? PL_ERR_NOMEM
                                : pl_response_bytes(res, text, NULL, NULL);
    }
    if (err == 0 && res->type.data == NULL)
        res->type = text.len > 0 && text.data[0] == '<'
                        ? PL_STR("text/html; charset=utf-8")
                        : PL_STR("text/plain; charset=utf-8");
    return err;
}

/* The body may be in res->text already, and encoding anew can fail. */
void pl_web_set_json(lua_State *L, struct pl_request *req, int index,
                     const char *call)
{
    struct pl_response *res = &req->response;
    struct pl_error error;
    int err = pl_response_bytes(res, PL_STR(""), NULL, NULL);

    if (err < 0)
        fail(L, req, call, why_not(L, call, err));
    res->text.len = 0;
    if (pl_lua_json_encode(L, index, &res->text, &error) < 0)
        fail(L, req, call, error.text);
    if (res->type.data == NULL)
        res->type = PL_STR("application/json");
    pl_response_bytes(res, pl_buf_str(&res->text), NULL, NULL);
}

void pl_web_set_body(lua_State *L, struct pl_request *req, int index,
                     const char *call)
{
    int err;

    switch (lua_type(L, index)) {
    case LUA_TTABLE:
        pl_web_set_json(L, req, index, call);
        return;
    case LUA_TNUMBER:
    case LUA_TSTRING:
        err = set_text(L, req, index);
        if (err < 0)
            fail(L, req, call, why_not(L, call, err));
        return;
    default:
        lua_pushfstring(L, "a body is a string or a table, not %s%s",
                        lua_isnoneornil(L, index) ? "" : "a ",
                        lua_isnoneornil(L, index) ? "nil"
                                                  : luaL_typename(L, index));
        fail(L, req, call, lua_tostring(L, -1));
    }
}

/* ---- fields ---- */

PL_COLD int pl_web_field_failed(lua_State *L, struct pl_request *req,
                                const char *call, struct pl_str name, int err)
{
    lua_pushlstring(L, name.data, PL_MIN(name.len, 64));
    lua_pushfstring(L, "\"%s\": %s", lua_tostring(L, -1),
                    why_not(L, call, err));
    return fail(L, req, call, lua_tostring(L, -1));
}

/* An array of values is several fields (Set-Cookie, Link). */
static int add_each(lua_State *L, struct pl_request *req, struct pl_str name,
                    int index, const char *call)
{
    struct pl_response *res = &req->response;
    int err = pl_response_set(res, name, pl_str(NULL, 0));
    struct pl_str value;

    for (int i = 1; err == 0 && i <= (int)lua_rawlen(L, index); i++) {
        lua_rawgeti(L, index, i);
        if (!lua_isstring(L, -1))
            return fail(L, req, call, "values of a field are strings");
        value.data = lua_tolstring(L, -1, &value.len);
        err = pl_response_add(res, name, value);
        lua_pop(L, 1);
    }
    return err;
}

void pl_web_set_field(lua_State *L, struct pl_request *req, struct pl_str name,
                      int index, const char *call)
{
    struct pl_str value = {NULL, 0};
    int err;

    if (lua_istable(L, index)) {
        err = add_each(L, req, name, index, call);
    } else if (!lua_toboolean(L, index) || lua_isstring(L, index)) {
        value.data = lua_tolstring(L, index, &value.len);
        err = pl_response_set(&req->response, name, value);
    } else {
        err = PL_ERR_INVALID;
    }
    if (err < 0)
        pl_web_field_failed(L, req, call, name, err);
}

/* ---- results ---- */

/* { ["x-a"] = "1" } */
static void set_fields(lua_State *L, struct pl_request *req, int table)
{
    if (!lua_istable(L, table))
        fail(L, req, NULL, "headers are a table");
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        struct pl_str name;

        if (lua_type(L, -2) != LUA_TSTRING)
            fail(L, req, NULL, "names of headers are strings");
        name.data = lua_tolstring(L, -2, &name.len);
        pl_web_set_field(L, req, name, lua_gettop(L), NULL);
    }
}

/* status; status, body; status, body, headers */
static void respond_status(lua_State *L, struct pl_request *req, int index)
{
    struct pl_response *res = &req->response;
    lua_Number number = lua_tonumber(L, index);
    int status = number >= 200 && number <= 999 ? (int)number : 0;

    if (status == 0 || number != status)
        fail(L, req, NULL, "a status is a whole number from 200 to 999");
    if (!lua_isnoneornil(L, index + 2))
        set_fields(L, req, index + 2);
    if (!lua_isnoneornil(L, index + 1))
        pl_web_set_body(L, req, index + 1, NULL);
    else if (status >= 400 && res->content == PL_CONTENT_NONE)
        pl_response_error(res, status, pl_str(NULL, 0));
    pl_response_status(res, status);
}

/* nil, err: as if err had been raised. */
static void raise_result(lua_State *L, struct pl_request *req, int index)
{
    int status = pl_lua_error_status(L, index);

    if (status != 0 && !req->response.started) { /* the same, but cheaper */
        pl_response_reset(&req->response);
        pl_response_error(&req->response, status, pl_str(NULL, 0));
        return;
    }
    lua_pushvalue(L, index);
    lua_error(L);
}

void pl_web_respond(lua_State *L, struct pl_request *req, int index)
{
    const struct pl_response *res = &req->response;
    int n = lua_gettop(L) + 1 - index;

    if (n > 0 && lua_type(L, index) == LUA_TSTRING && !res->started)
        pl_web_set_body(L, req, index, NULL);
    else if (lua_isnoneornil(L, index) && lua_isnoneornil(L, index + 1))
        return;
    else if (lua_isnil(L, index))
        raise_result(L, req, index + 1);
    else if (res->content != PL_CONTENT_NONE && lua_isboolean(L, index))
        return; /* return res:write(...), return res:send_file(...) */
    else if (pl_request_is_resumed(req))
        return; /* what does not go on ends: http/again.h */
    else if (res->started)
        fail(L, req, NULL, why_not(L, NULL, PL_ERR_STATE));
    else if (lua_type(L, index) == LUA_TNUMBER)
        respond_status(L, req, index);
    else
        pl_web_set_body(L, req, index, NULL);
}
