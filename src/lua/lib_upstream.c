/* lib_upstream.c - pl.proxy: what lua/perilune/lib/upstream.lua has checked,
 * made a handler. */
#include "handlers/gateway.h"
#include "lua/args.h"
#include "lua/parts.h"
#include "lua/upstream_args.h"
#include "lua/web_priv.h"

#define CALL "pl.proxy"

/* All that the options lead to; texts lie in values of the table. */
struct given {
    struct pl_proxy_options options;
    struct pl_proxy_server servers[PL_SERVERS_MAX];
    struct pl_pair request[PL_PAIRS_MAX], response[PL_PAIRS_MAX];
    struct pl_proxy_check check;
    struct pl_tls_client tls;
};

/* ---- tables ---- */

static void read_check(lua_State *L, int table, struct given *given)
{
    int at;

    lua_getfield(L, table, "check");
    at = lua_gettop(L);
    if (lua_istable(L, at)) {
        given->check = (struct pl_proxy_check){
            .size = sizeof(given->check),
            .path = pl_upstream_text(L, at, "path"),
            .host = pl_upstream_text(L, at, "host"),
            .interval_ms = pl_upstream_ms(L, at, CALL, "interval"),
            .timeout_ms = pl_upstream_ms(L, at, CALL, "timeout"),
            .rises = pl_upstream_count(L, at, "rises"),
            .falls = pl_upstream_count(L, at, "falls"),
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
            .ca = pl_upstream_text(L, at, "ca"),
            .name = pl_upstream_text(L, at, "name"),
            .cert = pl_upstream_text(L, at, "cert"),
            .key = pl_upstream_text(L, at, "key"),
            .insecure = pl_upstream_flag(L, at, "insecure"),
        };
        given->options.tls = &given->tls;
    }
    lua_pop(L, 1);
}

static void read_options(lua_State *L, int at, struct given *given)
{
    given->options = (struct pl_proxy_options){
        .size = sizeof(given->options),
        .balance = pl_upstream_text(L, at, "balance"),
        .hash = pl_upstream_text(L, at, "hash"),
        .strip = pl_upstream_flag(L, at, "strip"),
        .path = pl_upstream_text(L, at, "path"),
        .host = pl_upstream_text(L, at, "host"),
        .forwarded = pl_upstream_is_off(L, at, "forwarded")
                         ? ""
                         : pl_upstream_text(L, at, "forwarded"),
        .via = pl_upstream_text(L, at, "via"),
        .request_headers = given->request,
        .nrequest_headers =
            pl_upstream_pairs(L, at, CALL, "request_headers", given->request),
        .response_headers = given->response,
        .nresponse_headers =
            pl_upstream_pairs(L, at, CALL, "response_headers", given->response),
        .keep_location = pl_upstream_is_off(L, at, "rewrite_location"),
        .keep_cookies = pl_upstream_is_off(L, at, "rewrite_cookies"),
        .cookie_domain = pl_upstream_is_off(L, at, "cookie_domain")
                             ? ""
                             : pl_upstream_text(L, at, "cookie_domain"),
        .no_websocket = pl_upstream_is_off(L, at, "websocket"),
        .max_connections = pl_upstream_count(L, at, "max_connections"),
        .queue = pl_upstream_count(L, at, "queue"),
        .queue_ms = pl_upstream_ms(L, at, CALL, "queue_timeout"),
        .keepalive = pl_upstream_count(L, at, "keepalive"),
        .keepalive_ms = pl_upstream_ms(L, at, CALL, "keepalive_timeout"),
        .connect_ms = pl_upstream_ms(L, at, CALL, "connect_timeout"),
        .first_byte_ms = pl_upstream_ms(L, at, CALL, "first_byte_timeout"),
        .between_ms = pl_upstream_ms(L, at, CALL, "read_timeout"),
        .total_ms = pl_upstream_ms(L, at, CALL, "total_timeout"),
        .tunnel_ms = pl_upstream_ms(L, at, CALL, "websocket_timeout"),
        .retries = pl_upstream_count(L, at, "retries"),
        .max_failures = pl_upstream_count(L, at, "max_failures"),
        .pause_ms = pl_upstream_ms(L, at, CALL, "pause"),
    };
    given->options.servers = given->servers;
    given->options.nservers = pl_upstream_servers(L, at, CALL, given->servers);
    read_check(L, at, given);
    read_tls(L, at, given);
}

/* ---- functions ---- */

/* mount(call, prefix, options) -> handle, for the functions below: good as long
 * as the site. */
static int mount(lua_State *L)
{
    const struct pl_route_options route = {.expires = {NULL, 0}};
    struct pl_error error = {.code = 0};
    struct given *given = lua_newuserdata(L, sizeof(*given));

    memset(given, 0, sizeof(*given));
    read_options(L, 3, given);
    pl_lua_push_caller(L);
    return pl_upstream_mount(L, pl_gateway_new(&given->options, &error), &route,
                             &error);
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
        return pl_lua_fail(L, CALL ": out of memory");
    return 0;
}

const luaL_Reg pl_lua_upstream[] = {
    {"mount", mount},     {"check_ms", check_ms}, {"check", check},
    {"set_key", set_key}, {NULL, NULL},
};
