/* web_response.c - answering from Lua. What waits (write) is one step here and
 * a loop in lua/perilune/lib/response.lua. */
#include "base/str.h"
#include "base/sys.h"
#include "handlers/static.h"
#include "http/cookie.h"
#include "lua/web_priv.h"

static struct pl_request *self(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_RESPONSE);
}

/* The error of a call that cannot wait, with the caller's position. */
static int raise_error(lua_State *L, const char *call, int err)
{
    if (err == PL_ERR_NOMEM)
        return pl_lua_no_memory(L, call);
    return pl_lua_fail(L, "%s: %s", call,
                       err == PL_ERR_STATE
                           ? "the response has been sent already"
                           : pl_err_text(err));
}

/* ---- the body ---- */

/* res:send(value): the whole body, a string or (as JSON) a table */
static int send_body(lua_State *L)
{
    pl_web_set_body(L, self(L), 2, "res:send");
    return 0;
}

/* res:json(value) */
static int json(lua_State *L)
{
    struct pl_request *req = self(L);

    lua_settop(L, 2);
    pl_web_set_json(L, req, 2, "res:json");
    return 0;
}

static const char send_file_name[] = "res:send_file";

static int say(lua_State *L, int err)
{
    if (err == PL_ERR_STATE)
        return raise_error(L, send_file_name, err);
    lua_pushinteger(L, err);
    return 1;
}

/* The folder: absent if the path is the site's own choice. */
static struct pl_str file_root(lua_State *L, int index)
{
    struct pl_str root = {NULL, 0};

    if (!lua_isnoneornil(L, index))
        root = pl_arg_str(L, index, send_file_name, "the root");
    return root;
}

/* res.send_file(res, path [, root]) -> 0, a code, or AGAIN: the disk has
 * to be waited for */
static int send_file(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_str path = pl_arg_str(L, 2, send_file_name, "the path");

    return say(L, pl_static_send(req, file_root(L, 3), path));
}

#define FETCH "pl.fetch"

static int free_fetch(lua_State *L)
{
    struct pl_file_op *op = lua_touserdata(L, 1);

    if (op->file != NULL)
        pl_file_drop(op->file);
    op->file = NULL;
    return 0;
}

/* res.new_fetch() -> what a file is fetched into. It holds the file until
 * take_file() has it; the task that dropped it in between was cancelled. */
static int new_fetch(lua_State *L)
{
    struct pl_file_op *op = lua_newuserdata(L, sizeof(*op));

    memset(op, 0, sizeof(*op));
    luaL_setmetatable(L, FETCH);
    return 1;
}

/* res.fetch_file(res, fetch, path [, root]) -> 0 or a code */
PL_COLD static int fetch_file(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_file_op *op = luaL_checkudata(L, 2, FETCH);
    struct pl_str path = pl_arg_str(L, 3, send_file_name, "the path");
    struct pl_co *co = pl_co_may_wait(L, send_file_name);

    pl_static_fetch(op, req, file_root(L, 4), path);
    return pl_co_wait(L, co, &op->op, 2);
}

/* res.take_file(res, fetch) -> 0 or a code */
PL_COLD static int take_file(lua_State *L)
{
    struct pl_request *req = self(L);

    return say(L, pl_static_take(luaL_checkudata(L, 2, FETCH), req));
}

/* open(): makes the type of what a file is fetched into. */
static int open_response(lua_State *L)
{
    pl_vm_type(L, FETCH, free_fetch);
    return 0;
}

/* ---- head ---- */

/* res:status() -> the status so far; res:status(number) sets it */
static int status(lua_State *L)
{
    struct pl_response *res = &self(L)->response;
    lua_Integer code;
    int err;

    if (lua_isnone(L, 2)) {
        lua_pushinteger(L, res->status == 0 ? 200 : res->status);
        return 1;
    }
    code = pl_arg_integer(L, 2, "res:status", "the status", 200, 999);
    err = pl_response_status(res, (int)code);
    return err < 0 ? raise_error(L, "res:status", err) : 0;
}

/* res:header(name) -> value or nil; res:header(name, value) sets the field, a
 * table of strings several, nil or false removes it */
static int header(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_str name = pl_arg_str(L, 2, "res:header", "the name");

    if (lua_isnone(L, 3)) {
        pl_lua_push_str(L, pl_response_get(&req->response, name));
        return 1;
    }
    pl_web_set_field(L, req, name, 3, "res:header");
    return 0;
}

/* res:add_header(name, value): one field more */
static int add_header(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_str name = pl_arg_str(L, 2, "res:add_header", "the name");
    struct pl_str value = pl_arg_str(L, 3, "res:add_header", "the value");
    int err = pl_response_add(&req->response, name, value);

    return err < 0 ? pl_web_field_failed(L, req, "res:add_header", name, err)
                   : 0;
}

/* res:redirect(location [, status = 302]) */
PL_COLD static int redirect(lua_State *L)
{
    struct pl_response *res = &self(L)->response;
    struct pl_str location = pl_arg_str(L, 2, "res:redirect", "the location");
    lua_Integer code = 302;
    int err;

    if (!lua_isnoneornil(L, 3))
        code = pl_arg_integer(L, 3, "res:redirect", "the status", 300, 399);
    err = pl_response_redirect(res, location, (int)code);
    if (err == PL_ERR_INVALID)
        return pl_lua_fail(L, "res:redirect: a location has no control "
                              "characters");
    return err < 0 ? raise_error(L, "res:redirect", err) : 0;
}

/* ---- cookies ---- */

/* Options of a cookie: the value of one is popped, and kept by the table. */
static struct pl_str field_str(lua_State *L, int table, const char *name)
{
    struct pl_str value = {NULL, 0};

    lua_getfield(L, table, name);
    if (lua_type(L, -1) == LUA_TSTRING)
        value.data = lua_tolstring(L, -1, &value.len);
    else if (!lua_isnil(L, -1))
        pl_lua_fail(L, "res:cookie: option '%s' must be a string", name);
    lua_pop(L, 1);
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
        pl_lua_fail(L, "res:cookie: option '%s' must be a number", name);
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

static void cookie_options(lua_State *L, int table, struct pl_cookie *c)
{
    struct pl_str path = field_str(L, table, "path");
    enum pl_same_site site = same_site(L, table);

    c->path = path.data != NULL ? path : c->path;
    c->domain = field_str(L, table, "domain");
    c->has_max_age = field_number(L, table, "max_age", &c->max_age);
    c->has_expires = field_number(L, table, "expires", &c->expires);
    c->secure = field_bool(L, table, "secure", false);
    c->http_only = field_bool(L, table, "http_only", true);
    c->partitioned = field_bool(L, table, "partitioned", false);
    c->same_site = site != PL_SAME_SITE_UNSET ? site : c->same_site;
}

static int add_cookie(struct pl_request *req, const struct pl_cookie *c)
{
    struct pl_buf text;
    int err;

    pl_buf_init(&text, req->arena.pool, &req->account, 0);
    err = pl_cookie_format(c, &text);
    if (err == 0)
        err = pl_response_add(&req->response, PL_STR("Set-Cookie"),
                              pl_buf_str(&text));
    pl_buf_fini(&text);
    return err;
}

/* res.cookie(res, name, value [, { path = "/", domain, max_age, expires,
 * secure, http_only = true, same_site = "lax", partitioned }]) */
PL_COLD static int cookie(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_cookie c = {.name = pl_arg_str(L, 2, "res:cookie", "the name"),
                          .value = pl_arg_str(L, 3, "res:cookie", "the value"),
                          .path = PL_STR("/"),
                          .http_only = true,
                          .same_site = PL_SAME_SITE_LAX};
    int err;

    if (!lua_isnoneornil(L, 4))
        cookie_options(L, 4, &c);
    err = add_cookie(req, &c);
    return err < 0 ? pl_web_field_failed(L, req, "res:cookie", c.name, err) : 0;
}

/* ---- streams ---- */

/* res.push(res, text, from) -> 0, PL_ERR_AGAIN (wait now), 1 (let others run)
 * or an error; and, unless that was all of it, the byte to go on from */
static int push(lua_State *L)
{
    struct pl_request *req = self(L);
    size_t from = (size_t)lua_tointeger(L, 3);
    struct pl_str text = {NULL, 0}, piece;
    int result;

    text.data = lua_tolstring(L, 2, &text.len);
    text = pl_str_skip(text, from);
    piece = pl_str_first(text, PL_RESPONSE_PIECE);
    result = pl_response_push(&req->response, piece);
    if (result == 0 && pl_loop_is_late(req->http->net->loop))
        result = 1;
    lua_pushinteger(L, result);
    if (piece.len == text.len)
        return 1;
    lua_pushinteger(L, (lua_Integer)(from + piece.len));
    return 2;
}

/* res.pause() -> 0 in the next turn of the loop, or PL_ERR_CANCELED */
static int res_pause(lua_State *L)
{
    struct pl_co *co = pl_co_may_wait(L, "res:write");
    struct pl_sched *sched = co->task.sched;

    pl_sleep_begin(&co->own.sleep, sched, pl_now(sched->loop));
    return pl_co_wait(L, co, &co->own.sleep.op, 0);
}

/* res.drain(res) -> 0 when the peer has read, or an error */
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

const luaL_Reg pl_lua_response[] = {
    {"open", open_response},
    {"cookie", cookie},
    {"send_file", send_file},
    {"new_fetch", new_fetch},
    {"fetch_file", fetch_file},
    {"take_file", take_file},
    {"push", push},
    {"drain", drain},
    {"pause", res_pause},
    {NULL, NULL},
};

void pl_lua_open_web_response(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"res_send", send_body},        {"res_json", json},
        {"res_status", status},         {"res_header", header},
        {"res_add_header", add_header}, {"res_redirect", redirect},
        {"res_flush", flush},           {NULL, NULL},
    };

    pl_web_register(L, vm, functions);
}
