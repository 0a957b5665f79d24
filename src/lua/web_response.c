/* web_response.c - answering from Lua. What waits (write) is one step here and
 * a loop in lua/perilune/core/response.lua. */
#include "base/str.h"
#include "http/cookie.h"
#include "lua/json.h"
#include "lua/web_priv.h"

/* Bodies up to this are copied into the request's arena; larger strings are
 * kept by a reference until they have been sent. */
enum { COPY_MAX = 4096 };

static struct pl_request *self(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_RESPONSE);
}

/* ---- the body ---- */

struct kept {
    struct pl_vm *vm;
    int ref;
};

static void release_kept(void *arg)
{
    struct kept *kept = arg;

    luaL_unref(kept->vm->main, LUA_REGISTRYINDEX, kept->ref);
}

static int set_string(lua_State *L, struct pl_vm *vm, struct pl_request *req,
                      int index)
{
    struct pl_str text = pl_lua_check_str(L, index);
    struct kept *kept;

    if (text.len <= COPY_MAX) {
        text = pl_arena_str(&req->arena, text);
        return text.data == NULL
                   ? PL_ERR_NOMEM
                   : pl_response_bytes(&req->response, text, NULL, NULL);
    }
    kept = pl_arena_alloc(&req->arena, sizeof(*kept));
    if (kept == NULL)
        return PL_ERR_NOMEM;
    lua_pushvalue(L, index);
    *kept = (struct kept){.vm = vm, .ref = luaL_ref(L, LUA_REGISTRYINDEX)};
    return pl_response_bytes(&req->response, text, release_kept, kept);
}

static int set_json(lua_State *L, struct pl_request *req, int index)
{
    struct pl_response *res = &req->response;
    struct pl_error error;

    res->text.len = 0;
    if (pl_lua_json_encode(L, index, &res->text, &error) < 0)
        return pl_lua_fail(L, "JSON: %s", error.text);
    if (res->type.data == NULL)
        res->type = PL_STR("application/json");
    return pl_response_bytes(res, pl_buf_str(&res->text), NULL, NULL);
}

void pl_web_set_body(lua_State *L, struct pl_vm *vm, struct pl_request *req,
                     int index)
{
    struct pl_response *res = &req->response;
    int err = 0;

    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE:
        return;
    case LUA_TTABLE:
        err = set_json(L, req, index);
        break;
    case LUA_TNUMBER:
    case LUA_TSTRING:
        err = set_string(L, vm, req, index);
        if (err == 0 && res->type.data == NULL)
            res->type = res->bytes.len > 0 && res->bytes.data[0] == '<'
                            ? PL_STR("text/html; charset=utf-8")
                            : PL_STR("text/plain; charset=utf-8");
        break;
    default:
        pl_lua_fail(L, "a body is a string or a table, not a %s",
                    luaL_typename(L, index));
    }
    if (err < 0)
        pl_lua_fail(L, "the response cannot be set: %s",
                    err == PL_ERR_STATE ? "it has been sent already"
                                        : pl_err_text(err));
}

/* res:send(value): the whole body, a string or (as JSON) a table */
static int send_body(lua_State *L)
{
    pl_web_set_body(L, pl_vm_upvalue(L), self(L), 2);
    return 0;
}

/* res:json(value) */
static int json(lua_State *L)
{
    struct pl_request *req = self(L);
    int err;

    luaL_checkany(L, 2);
    err = set_json(L, req, 2);
    return err < 0 ? pl_web_raise(L, "res:json", err) : 0;
}

/* ---- head ---- */

/* res:status() -> the status so far; res:status(number) sets it */
static int status(lua_State *L)
{
    struct pl_response *res = &self(L)->response;
    int err;

    if (lua_isnoneornil(L, 2)) {
        lua_pushinteger(L, res->status == 0 ? 200 : res->status);
        return 1;
    }
    err = pl_response_status(res, (int)luaL_checkinteger(L, 2));
    if (err < 0)
        return pl_lua_fail(L, "res:status: %s",
                           err == PL_ERR_STATE
                               ? "the response has been sent already"
                               : "a number from 200 to 999 is needed");
    return 0;
}

static int field_failed(lua_State *L, const char *call, struct pl_str name,
                        int err)
{
    const char *why = err == PL_ERR_STATE ? "the response has been sent already"
                      : err == PL_ERR_DENIED
                          ? "the server makes this field itself"
                      : err == PL_ERR_INVALID ? "not a valid name or value"
                                              : pl_err_text(err);

    lua_pushlstring(L, name.data, PL_MIN(name.len, 64));
    return pl_lua_fail(L, "%s(\"%s\"): %s", call, lua_tostring(L, -1), why);
}

/* An array of values is several fields (Set-Cookie, Link). */
static int add_each(lua_State *L, struct pl_response *res, struct pl_str name)
{
    int err = pl_response_set(res, name, pl_str(NULL, 0));

    for (int i = 1; err == 0 && i <= (int)lua_rawlen(L, 3); i++) {
        lua_rawgeti(L, 3, i);
        err = pl_response_add(res, name, pl_lua_check_str(L, -1));
        lua_pop(L, 1);
    }
    return err;
}

/* res:header(name) -> value or nil; res:header(name, value) sets the field, a
 * table of strings several, nil or false removes it */
static int header(lua_State *L)
{
    struct pl_response *res = &self(L)->response;
    struct pl_str name = pl_lua_check_str(L, 2), none = {NULL, 0};
    int err;

    if (lua_isnone(L, 3)) {
        pl_lua_push_str(L, pl_response_get(res, name));
        return 1;
    }
    if (lua_istable(L, 3))
        err = add_each(L, res, name);
    else
        err = pl_response_set(
            res, name, lua_toboolean(L, 3) ? pl_lua_check_str(L, 3) : none);
    return err < 0 ? field_failed(L, "res:header", name, err) : 0;
}

/* res:add_header(name, value): one field more */
static int add_header(lua_State *L)
{
    struct pl_response *res = &self(L)->response;
    struct pl_str name = pl_lua_check_str(L, 2);
    int err = pl_response_add(res, name, pl_lua_check_str(L, 3));

    return err < 0 ? field_failed(L, "res:add_header", name, err) : 0;
}

/* res:redirect(location [, status = 302]) */
static int redirect(lua_State *L)
{
    struct pl_response *res = &self(L)->response;
    int code = (int)luaL_optinteger(L, 3, 302);
    int err = pl_response_redirect(res, pl_lua_check_str(L, 2), code);

    if (err == PL_ERR_INVALID)
        return pl_lua_fail(L, "res:redirect: a location without control "
                              "characters and a status from 300 to 399");
    return err < 0 ? pl_web_raise(L, "res:redirect", err) : 0;
}

/* ---- cookies ---- */

static struct pl_str field_str(lua_State *L, int table, const char *name)
{
    struct pl_str value = {NULL, 0};

    lua_getfield(L, table, name);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING)
            pl_lua_fail(L, "res:cookie: %s must be a string", name);
        value = pl_lua_check_str(L, -1);
    }
    lua_pop(L, 1); /* still kept by the table */
    return value;
}

static bool field_number(lua_State *L, int table, const char *name,
                         int64_t *out)
{
    lua_getfield(L, table, name);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    if (lua_type(L, -1) != LUA_TNUMBER)
        pl_lua_fail(L, "res:cookie: %s must be a number", name);
    *out = (int64_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
    return true;
}

static bool field_bool(lua_State *L, int table, const char *name,
                       bool otherwise)
{
    bool value = otherwise;

    lua_getfield(L, table, name);
    if (!lua_isnil(L, -1))
        value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static enum pl_same_site same_site(lua_State *L, int table)
{
    static const struct {
        const char *name;
        enum pl_same_site value;
    } names[] = {{"lax", PL_SAME_SITE_LAX},
                 {"strict", PL_SAME_SITE_STRICT},
                 {"none", PL_SAME_SITE_NONE}};
    struct pl_str text = field_str(L, table, "same_site");

    if (text.data == NULL)
        return PL_SAME_SITE_UNSET;
    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (pl_str_ieq(text, pl_str_c(names[i].name)))
            return names[i].value;
    pl_lua_fail(L, "res:cookie: same_site is lax, strict or none");
    return PL_SAME_SITE_UNSET;
}

/* res:cookie(name, value [, { path = "/", domain, max_age, expires, secure,
 * http_only = true, same_site = "lax", partitioned }]) */
static int cookie(lua_State *L)
{
    struct pl_response *res = &self(L)->response;
    struct pl_cookie c = {.name = pl_lua_check_str(L, 2),
                          .value = pl_lua_check_str(L, 3),
                          .path = PL_STR("/"),
                          .http_only = true,
                          .same_site = PL_SAME_SITE_LAX};
    int err;

    if (!lua_isnoneornil(L, 4)) {
        struct pl_str path;

        luaL_checktype(L, 4, LUA_TTABLE);
        path = field_str(L, 4, "path");
        c.path = path.data != NULL ? path : c.path;
        c.domain = field_str(L, 4, "domain");
        c.has_max_age = field_number(L, 4, "max_age", &c.max_age);
        c.has_expires = field_number(L, 4, "expires", &c.expires);
        c.secure = field_bool(L, 4, "secure", false);
        c.http_only = field_bool(L, 4, "http_only", true);
        c.partitioned = field_bool(L, 4, "partitioned", false);
        if (same_site(L, 4) != PL_SAME_SITE_UNSET)
            c.same_site = same_site(L, 4);
    }
    res->text.len = 0;
    err = pl_cookie_format(&c, &res->text);
    if (err == 0)
        err =
            pl_response_add(res, PL_STR("Set-Cookie"), pl_buf_str(&res->text));
    res->text.len = 0;
    return err < 0 ? field_failed(L, "res:cookie", c.name, err) : 0;
}

/* ---- streams ---- */

/* core.res_push(res, text) -> 0, PL_ERR_AGAIN (wait now), or an error */
static int push(lua_State *L)
{
    struct pl_response *res = &self(L)->response;

    lua_pushinteger(L, pl_response_push(res, pl_lua_check_str(L, 2)));
    return 1;
}

/* core.res_drain(res) -> 0 when the peer has read, or an error */
static int drain(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_co *co = pl_co_may_wait(L, "res:write");
    struct pl_drain_op *wait = lua_newuserdata(L, sizeof(*wait));

    pl_response_drain_begin(wait, &req->response);
    return pl_co_wait(L, co, &wait->op, lua_gettop(L));
}

/* res:flush(): what was written leaves now, not at the end of the turn */
static int flush(lua_State *L)
{
    struct pl_request *req = self(L);

    if (req->wire != NULL)
        req->wire->flush(req);
    return 0;
}

void pl_lua_open_web_response(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"res_send", send_body},
        {"res_json", json},
        {"res_status", status},
        {"res_header", header},
        {"res_add_header", add_header},
        {"res_redirect", redirect},
        {"res_cookie", cookie},
        {"res_push", push},
        {"res_drain", drain},
        {"res_flush", flush},
        {NULL, NULL},
    };

    pl_vm_register(L, vm, functions);
}
