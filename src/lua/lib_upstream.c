/* lib_upstream.c - pl.proxy: what lua/perilune/lib/upstream.lua has checked,
 * made a handler. */
#include "base/str.h"
#include "handlers/gateway.h"
#include "lua/args.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

enum { SERVERS_MAX = 64, FIELDS_MAX = 64 };

/* All that the options lead to; texts lie in values of the table. */
struct given {
    struct pl_proxy_options options;
    struct pl_proxy_server servers[SERVERS_MAX];
    struct pl_pair request[FIELDS_MAX], response[FIELDS_MAX];
    struct pl_proxy_check check;
    struct pl_tls_client tls;
};

static const char *text_of(lua_State *L, int table, const char *name)
{
    const char *text;

    lua_getfield(L, table, name);
    text = lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static bool flag_of(lua_State *L, int table, const char *name)
{
    bool flag;

    lua_getfield(L, table, name);
    flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static bool is_off(lua_State *L, int table, const char *name)
{
    bool off;

    lua_getfield(L, table, name);
    off = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    return off;
}

/* 0: is not said; false and 0 are none. */
static uint32_t count_of(lua_State *L, int table, const char *name)
{
    uint32_t n = 0;

    lua_getfield(L, table, name);
    if (lua_type(L, -1) == LUA_TNUMBER)
        n = (uint32_t)lua_tonumber(L, -1);
    if (!lua_isnil(L, -1) && n == 0)
        n = UINT32_MAX;
    lua_pop(L, 1);
    return n;
}

static uint32_t ms_of(lua_State *L, int table, const char *name)
{
    struct pl_str text = {NULL, 0};
    uint64_t ms = 0;

    lua_getfield(L, table, name);
    if (lua_type(L, -1) == LUA_TSTRING) {
        text.data = lua_tolstring(L, -1, &text.len);
        if (!pl_str_to_ms(text, &ms) || ms >= UINT32_MAX)
            pl_lua_fail(L, "pl.proxy: %s: '%s' is no time like \"5s\"", name,
                        text.data);
    }
    if (!lua_isnil(L, -1) && ms == 0)
        ms = UINT32_MAX;
    lua_pop(L, 1);
    return (uint32_t)ms;
}

/* ---- lists ---- */

static void read_servers(lua_State *L, int table, struct given *given)
{
    size_t n;

    lua_getfield(L, table, "to");
    n = lua_rawlen(L, -1);
    if (n > SERVERS_MAX)
        pl_lua_fail(L, "pl.proxy: to: more than %d servers", SERVERS_MAX);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        given->servers[i] = (struct pl_proxy_server){
            .url = text_of(L, lua_gettop(L), "url"),
            .backup = flag_of(L, lua_gettop(L), "backup")};
        lua_getfield(L, -1, "weight");
        given->servers[i].weight = (unsigned)lua_tointeger(L, -1);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    given->options.servers = given->servers;
    given->options.nservers = n;
}

/* Names and values by turns. */
static size_t read_fields(lua_State *L, int table, const char *name,
                          struct pl_pair *pairs)
{
    size_t n;

    lua_getfield(L, table, name);
    n = lua_rawlen(L, -1) / 2;
    if (n > FIELDS_MAX)
        pl_lua_fail(L, "pl.proxy: %s: more than %d fields", name, FIELDS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct pl_pair *pair = &pairs[i];

        lua_rawgeti(L, -1, (int)(2 * i) + 1);
        lua_rawgeti(L, -2, (int)(2 * i) + 2);
        pair->name.data = lua_tolstring(L, -2, &pair->name.len);
        pair->value = (struct pl_str){NULL, 0};
        if (lua_isstring(L, -1))
            pair->value.data = lua_tolstring(L, -1, &pair->value.len);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return n;
}

/* ---- tables ---- */

static void read_check(lua_State *L, int table, struct given *given)
{
    int at;

    lua_getfield(L, table, "check");
    at = lua_gettop(L);
    if (lua_istable(L, at)) {
        given->check = (struct pl_proxy_check){
            .size = sizeof(given->check),
            .path = text_of(L, at, "path"),
            .host = text_of(L, at, "host"),
            .interval_ms = ms_of(L, at, "interval"),
            .timeout_ms = ms_of(L, at, "timeout"),
            .rises = count_of(L, at, "rises"),
            .falls = count_of(L, at, "falls"),
        };
        lua_getfield(L, at, "status_from");
        lua_getfield(L, at, "status_to");
        given->check.status_from = (unsigned)lua_tointeger(L, -2);
        given->check.status_to = (unsigned)lua_tointeger(L, -1);
        given->options.check = &given->check;
    }
    lua_settop(L, at - 1);
}

static void read_tls(lua_State *L, int table, struct given *given)
{
    int at;

    lua_getfield(L, table, "tls");
    at = lua_gettop(L);
    if (lua_istable(L, at)) {
        given->tls = (struct pl_tls_client){
            .size = sizeof(given->tls),
            .ca = text_of(L, at, "ca"),
            .name = text_of(L, at, "name"),
            .cert = text_of(L, at, "cert"),
            .key = text_of(L, at, "key"),
            .insecure = flag_of(L, at, "insecure"),
        };
        given->options.tls = &given->tls;
    }
    lua_pop(L, 1);
}

static void read_options(lua_State *L, int at, struct given *given)
{
    given->options = (struct pl_proxy_options){
        .size = sizeof(given->options),
        .balance = text_of(L, at, "balance"),
        .hash = text_of(L, at, "hash"),
        .strip = flag_of(L, at, "strip"),
        .path = text_of(L, at, "path"),
        .host = text_of(L, at, "host"),
        .forwarded =
            is_off(L, at, "forwarded") ? "" : text_of(L, at, "forwarded"),
        .via = text_of(L, at, "via"),
        .request_headers = given->request,
        .nrequest_headers =
            read_fields(L, at, "request_headers", given->request),
        .response_headers = given->response,
        .nresponse_headers =
            read_fields(L, at, "response_headers", given->response),
        .keep_location = is_off(L, at, "rewrite_location"),
        .keep_cookies = is_off(L, at, "rewrite_cookies"),
        .cookie_domain = is_off(L, at, "cookie_domain")
                             ? ""
                             : text_of(L, at, "cookie_domain"),
        .no_websocket = is_off(L, at, "websocket"),
        .max_connections = count_of(L, at, "max_connections"),
        .queue = count_of(L, at, "queue"),
        .queue_ms = ms_of(L, at, "queue_timeout"),
        .keepalive = count_of(L, at, "keepalive"),
        .keepalive_ms = ms_of(L, at, "keepalive_timeout"),
        .connect_ms = ms_of(L, at, "connect_timeout"),
        .first_byte_ms = ms_of(L, at, "first_byte_timeout"),
        .between_ms = ms_of(L, at, "read_timeout"),
        .total_ms = ms_of(L, at, "total_timeout"),
        .tunnel_ms = ms_of(L, at, "websocket_timeout"),
        .retries = count_of(L, at, "retries"),
        .max_failures = count_of(L, at, "max_failures"),
        .pause_ms = ms_of(L, at, "pause"),
    };
    read_servers(L, at, given);
    read_check(L, at, given);
    read_tls(L, at, given);
}

/* ---- functions ---- */

/* mount(call, prefix, options) -> handle, for the functions below: good as long
 * as the site. */
static int mount(lua_State *L)
{
    struct pl_site *site = pl_vm_upvalue(L)->site;
    struct pl_error error = {.code = 0};
    struct pl_route_options route;
    struct pl_str prefix = {NULL, 0};
    struct pl_handler *handler;
    struct given *given = lua_newuserdata(L, sizeof(*given));
    const char *where;

    memset(given, 0, sizeof(*given));
    read_options(L, 3, given);
    memset(&route, 0, sizeof(route));
    prefix.data = lua_tolstring(L, 2, &prefix.len);
    pl_lua_push_caller(L);
    where = lua_tostring(L, -1);
    handler = pl_gateway_new(&given->options, &error);
    if (handler == NULL || pl_site_route(site, PL_METHODS_ANY, prefix, true,
                                         handler, &route, where, &error) < 0)
        return pl_lua_fail(L, "pl.proxy: %s", error.text);
    lua_pushlightuserdata(L, handler);
    return 1;
}

/* check_ms(handle) -> milliseconds between checks; 0: there are none */
static int check_ms(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)pl_gateway_check_ms(lua_touserdata(L, 1)));
    return 1;
}

static int check(lua_State *L)
{
    pl_gateway_check(lua_touserdata(L, 1));
    return 0;
}

/* set_key(req, text) */
static int set_key(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    struct pl_str key;

    key.data = luaL_checklstring(L, 2, &key.len);
    if (pl_gateway_set_key(req, key) < 0)
        return pl_lua_fail(L, "pl.proxy: out of memory");
    return 0;
}

const luaL_Reg pl_lua_upstream[] = {
    {"mount", mount},     {"check_ms", check_ms}, {"check", check},
    {"set_key", set_key}, {NULL, NULL},
};
