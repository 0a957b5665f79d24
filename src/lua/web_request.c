/* web_request.c - reading a request from Lua: its fields as one C function
 * each, which makes a string only for what a script asks for. How they become
 * fields and methods of the object is in lua/perilune/core/request.lua. */
#include "base/str.h"
#include "http/cookie.h"
#include "http/query.h"
#include "http/uri.h"
#include "lua/web_priv.h"

static struct pl_request *self(lua_State *L)
{
    return pl_web_check(L, 1, PL_WEB_REQUEST);
}

static struct pl_str name_arg(lua_State *L, const char *call)
{
    return pl_arg_str(L, 2, call, "the name");
}

/* ---- the request line ---- */

static int get_method(lua_State *L)
{
    pl_lua_push_str(L, self(L)->method_name);
    return 1;
}

static int get_path(lua_State *L)
{
    pl_lua_push_str(L, self(L)->path);
    return 1;
}

static int get_raw_path(lua_State *L)
{
    pl_lua_push_str(L, self(L)->raw_path);
    return 1;
}

static int get_query(lua_State *L)
{
    pl_lua_push_str(L, self(L)->query);
    return 1;
}

static int get_rest(lua_State *L)
{
    pl_lua_push_str(L, self(L)->rest);
    return 1;
}

static int get_version(lua_State *L)
{
    struct pl_request *req = self(L);
    char text[4] = {(char)('0' + req->version / 10), '.',
                    (char)('0' + req->version % 10)};

    /* From HTTP/2 on there are no minor ones. */
    lua_pushlstring(L, text, req->version < 20 ? 3 : 1);
    return 1;
}

/* ---- who ---- */

static int get_host(lua_State *L)
{
    uint16_t port;

    pl_lua_push_str(L, pl_request_host(self(L), &port));
    return 1;
}

static int get_scheme(lua_State *L)
{
    pl_lua_push_str(L, pl_request_scheme(self(L)));
    return 1;
}

static int get_remote(lua_State *L)
{
    uint16_t port;

    pl_lua_push_str(L, pl_request_remote(self(L), &port));
    return 1;
}

static int get_remote_port(lua_State *L)
{
    uint16_t port;

    pl_request_remote(self(L), &port);
    lua_pushinteger(L, port);
    return 1;
}

static int get_id(lua_State *L)
{
    char id[PL_REQUEST_ID_LEN];

    pl_request_id(self(L), id);
    lua_pushlstring(L, id, sizeof(id));
    return 1;
}

/* ---- single values ---- */

/* req:header(name) -> string or nil; several fields are joined (RFC 9110,
 * 5.3) */
static int header(lua_State *L)
{
    struct pl_request *req = self(L);

    pl_lua_push_str(L, pl_request_header(req, name_arg(L, "req:header")));
    return 1;
}

/* req:arg(name) -> the first value of that name in the query, decoded; or nil
 */
static int arg(lua_State *L)
{
    struct pl_request *req = self(L);

    pl_lua_push_str(L, pl_request_arg(req, name_arg(L, "req:arg")));
    return 1;
}

/* req:param(name) -> the parameter of the route's pattern, or nil */
static int param(lua_State *L)
{
    struct pl_request *req = self(L);

    pl_lua_push_str(L, pl_request_param(req, name_arg(L, "req:param")));
    return 1;
}

/* req:cookie(name) -> string or nil */
static int cookie(lua_State *L)
{
    struct pl_request *req = self(L);

    pl_lua_push_str(L, pl_request_cookie(req, name_arg(L, "req:cookie")));
    return 1;
}

/* ---- tables: made when they are first asked for ---- */

/* t[name] = value unless it is there: the first one counts. Table on top. */
static void set_first(lua_State *L, struct pl_str name, struct pl_str value,
                      bool empty)
{
    pl_lua_push_str(L, name);
    if (!empty) {
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (!lua_isnil(L, -1)) {
            lua_pop(L, 2);
            return;
        }
        lua_pop(L, 1);
    }
    pl_lua_push_str(L, value);
    lua_rawset(L, -3);
}

/* A decoded part of a query or form; raises when out of memory. */
static inline struct pl_str decode(lua_State *L, struct pl_request *req,
                                   struct pl_str part)
{
    struct pl_str text = pl_uri_decode(part, &req->arena, true);

    if (text.data == NULL)
        pl_lua_no_memory(L, NULL);
    return text;
}

void pl_web_push_pairs(lua_State *L, struct pl_request *req, struct pl_str text)
{
    struct pl_str name, value;
    bool empty = true;

    lua_createtable(L, 0, pl_str_chr(text, '&') < 0 ? text.len > 0 : 4);
    for (; pl_query_next(&text, &name, &value); empty = false)
        set_first(L, decode(L, req, name), decode(L, req, value), empty);
}

/* req.args: the decoded query */
static int args(lua_State *L)
{
    struct pl_request *req = self(L);

    if (!pl_web_push_table(L, req, PL_WEB_SLOT_ARGS)) {
        pl_web_push_pairs(L, req, req->query);
        pl_web_keep_table(L, req, PL_WEB_SLOT_ARGS);
    }
    return 1;
}

static const char headers_name[] = "pl.headers";

/* req.headers: by lower-case name; the metatable finds them in any case. */
static int headers(lua_State *L)
{
    struct pl_request *req = self(L);

    if (pl_web_push_table(L, req, PL_WEB_SLOT_HEADERS))
        return 1;
    lua_createtable(L, 0, req->nheaders);
    for (unsigned i = 0; i < req->nheaders; i++) {
        struct pl_str name = pl_header_name(&req->headers[i]);
        char *lower = pl_arena_bytes(&req->arena, name.len);

        if (lower == NULL)
            return pl_lua_no_memory(L, NULL);
        pl_str_lower(lower, name);
        set_first(L, pl_str(lower, name.len), pl_request_header(req, name),
                  false);
    }
    luaL_setmetatable(L, headers_name);
    pl_web_keep_table(L, req, PL_WEB_SLOT_HEADERS);
    return 1;
}

/* req.params: of the route's pattern */
static int params(lua_State *L)
{
    struct pl_request *req = self(L);

    if (pl_web_push_table(L, req, PL_WEB_SLOT_PARAMS))
        return 1;
    lua_createtable(L, 0, req->nparams);
    for (unsigned i = 0; i < req->nparams; i++) {
        pl_lua_push_str(L, req->params[i].name);
        pl_lua_push_str(L, req->params[i].value);
        lua_rawset(L, -3);
    }
    pl_web_keep_table(L, req, PL_WEB_SLOT_PARAMS);
    return 1;
}

/* req.cookies: by name */
static int cookies(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_str rest, name, value;

    if (pl_web_push_table(L, req, PL_WEB_SLOT_COOKIES))
        return 1;
    rest = pl_request_header_id(req, PL_HEADER_COOKIE);
    lua_newtable(L);
    while (pl_cookie_next(&rest, &name, &value))
        set_first(L, name, value, false);
    pl_web_keep_table(L, req, PL_WEB_SLOT_COOKIES);
    return 1;
}

/* core.req_own(req [, create]): what scripts have set in the request; nil if
 * that is nothing and it is not to be made */
static int own(lua_State *L)
{
    struct pl_request *req = self(L);

    if (pl_web_push_table(L, req, PL_WEB_SLOT_OWN))
        return 1;
    if (!lua_toboolean(L, 2)) {
        lua_pushnil(L);
        return 1;
    }
    lua_newtable(L);
    pl_web_keep_table(L, req, PL_WEB_SLOT_OWN);
    return 1;
}

/* req:all(name) -> array of all values of that name in the query */
static int all(lua_State *L)
{
    struct pl_request *req = self(L);
    struct pl_str want = name_arg(L, "req:all"), rest = req->query;
    struct pl_str name, value;
    int n = 0;

    lua_newtable(L);
    while (pl_query_next(&rest, &name, &value)) {
        if (!pl_uri_decodes_to(name, want))
            continue;
        pl_lua_push_str(L, decode(L, req, value));
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* "pl.request: GET /path" */
PL_COLD static int as_text(lua_State *L)
{
    struct pl_request *req = self(L);

    lua_pushliteral(L, "pl.request: ");
    pl_lua_push_str(L, req->method_name);
    lua_pushliteral(L, " ");
    pl_lua_push_str(L, req->path);
    lua_concat(L, 4);
    return 1;
}

void pl_lua_open_web_request(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"req_method", get_method},
        {"req_path", get_path},
        {"req_raw_path", get_raw_path},
        {"req_query", get_query},
        {"req_rest", get_rest},
        {"req_version", get_version},
        {"req_host", get_host},
        {"req_scheme", get_scheme},
        {"req_remote", get_remote},
        {"req_remote_port", get_remote_port},
        {"req_id", get_id},
        {"req_header", header},
        {"req_arg", arg},
        {"req_param", param},
        {"req_cookie", cookie},
        {"req_args", args},
        {"req_all", all},
        {"req_params", params},
        {"req_cookies", cookies},
        {"req_headers", headers},
        {"req_own", own},
        {"req_text", as_text},
        {"req_tls", pl_web_request_tls},
        {NULL, NULL},
    };

    pl_web_register(L, vm, functions);
    luaL_newmetatable(L, headers_name);
    lua_setfield(L, -2, "headers_meta");
}
