/* web_body.c - reading a request's body from Lua. The loops are in
 * lua/perilune/lib/body.lua; each function here does one step. */
#include "base/error.h"
#include "base/str.h"
#include "http/media.h"
#include "http/query.h"
#include "lua/json.h"
#include "lua/web_priv.h"

enum { READ_DEFAULT = 64 * 1024, READ_MAX = 1 << 20 };

static struct pl_request *self(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_REQUEST);
}

/* body.wait(req, call) -> 0 when there is something to see, or a negative
 * code */
static int body_wait(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_co *co = pl_co_may_wait(L, lua_tostring(L, 2));
    struct pl_body_op *wait = lua_newuserdata(L, sizeof(*wait));

    pl_body_wait_begin(wait, req);
    return pl_co_wait(L, co, &wait->op, lua_gettop(L));
}

/* body.collect(req) -> 0: all of it is there; or PL_ERR_AGAIN, or the
 * error. */
static int body_collect(lua_State *L)
{
    lua_pushinteger(L, pl_body_whole(self(L)));
    return 1;
}

/* body.text(req) -> the collected body */
static int body_text(lua_State *L)
{
    pl_lua_push_str(L, pl_body_text(self(L)));
    return 1;
}

/* body.read(req [, n]) -> up to n bytes; "" at the end; or a code */
static int body_read(lua_State *L)
{
    struct pl_request *req = self(L);
    lua_Integer n = READ_DEFAULT;
    struct pl_str there;
    int err;

    if (!lua_isnoneornil(L, 2))
        n = pl_arg_integer(L, 2, "req:read", "the number of bytes", 1,
                           READ_MAX);
    err = pl_body_peek(req, (size_t)n, &there);
    if (err < 0) {
        lua_pushinteger(L, err);
        return 1;
    }
    lua_pushlstring(L, there.data, there.len); /* may raise: skip after it */
    pl_body_skip(req, there.len);
    return 1;
}

/* body.json(req) -> true, value | false, message */
static int body_json(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_error error;

    lua_pushboolean(L, 1);
    if (pl_lua_json_decode(L, pl_body_text(req), &error) == 0)
        return 2;
    lua_pushboolean(L, 0);
    lua_pushstring(L, error.text);
    return 2;
}

/* Whatever their names are, so many cost what they cost. */
static bool too_many(struct pl_str form, uint32_t most)
{
    struct pl_str name, value;
    uint32_t n = 0;

    while (most != 0 && n <= most && pl_query_next(&form, &name, &value))
        n++;
    return most != 0 && n > most;
}

/* body.form(req) -> table, nil when it is no urlencoded form, or
 * PL_ERR_LIMIT */
static int body_form(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_str type = pl_request_header_id(req, PL_HEADER_CONTENT_TYPE);

    if (type.data != NULL &&
        !pl_media_is(type, PL_STR("application/x-www-form-urlencoded")))
        lua_pushnil(L);
    else if (too_many(pl_body_text(req), req->limits->max_fields))
        lua_pushinteger(L, PL_ERR_LIMIT);
    else
        pl_web_push_pairs(L, req, pl_body_text(req));
    return 1;
}

const luaL_Reg pl_lua_body[] = {
    {"wait", body_wait}, {"collect", body_collect}, {"text", body_text},
    {"read", body_read}, {"json", body_json},       {"form", body_form},
    {NULL, NULL},
};
