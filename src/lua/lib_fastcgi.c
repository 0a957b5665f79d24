/* lib_fastcgi.c - pl.fastcgi: what lua/perilune/lib/fastcgi.lua has checked,
 * made a handler. */
#include "base/str.h"
#include "handlers/gateway.h"
#include "lua/parts.h"
#include "lua/upstream_args.h"
#include "lua/web_priv.h"

#define CALL "pl.fastcgi"

/* All that the options lead to; texts lie in values of the table. */
struct given {
    struct pl_fastcgi_options options;
    struct pl_proxy_server servers[PL_SERVERS_MAX];
    struct pl_pair params[PL_PAIRS_MAX], response[PL_PAIRS_MAX];
};

static void read_scripts(lua_State *L, int at,
                         struct pl_fastcgi_options *options)
{
    options->root = pl_upstream_text(L, at, "root");
    options->script_root = pl_upstream_text(L, at, "script_root");
    options->remote = pl_upstream_flag(L, at, "remote");
    options->suffixes = pl_upstream_text(L, at, "suffixes");
    options->index = pl_upstream_text(L, at, "index");
    options->fallback = pl_upstream_text(L, at, "fallback");
    options->no_scripts = pl_upstream_text(L, at, "no_scripts");
    options->symlinks = pl_upstream_text(L, at, "symlinks");
    options->files = pl_upstream_flag(L, at, "static");
    options->sendfile = pl_upstream_text(L, at, "sendfile");
    options->sendfile_prefix = pl_upstream_text(L, at, "sendfile_prefix");
}

static void read_options(lua_State *L, int at, struct given *given)
{
    given->options = (struct pl_fastcgi_options){
        .size = sizeof(given->options),
        .servers = given->servers,
        .nservers = pl_upstream_servers(L, at, CALL, given->servers),
        .balance = pl_upstream_text(L, at, "balance"),
        .hash = pl_upstream_text(L, at, "hash"),
        .buffer = pl_upstream_flag(L, at, "buffer"),
        .params = given->params,
        .nparams = pl_upstream_pairs(L, at, CALL, "params", given->params),
        .response_headers = given->response,
        .nresponse_headers =
            pl_upstream_pairs(L, at, CALL, "response_headers", given->response),
        .max_connections = pl_upstream_count(L, at, "max_connections"),
        .queue = pl_upstream_count(L, at, "queue"),
        .queue_ms = pl_upstream_ms(L, at, CALL, "queue_timeout"),
        .keepalive = pl_upstream_count(L, at, "keepalive"),
        .keepalive_ms = pl_upstream_ms(L, at, CALL, "keepalive_timeout"),
        .connect_ms = pl_upstream_ms(L, at, CALL, "connect_timeout"),
        .first_byte_ms = pl_upstream_ms(L, at, CALL, "first_byte_timeout"),
        .between_ms = pl_upstream_ms(L, at, CALL, "read_timeout"),
        .total_ms = pl_upstream_ms(L, at, CALL, "total_timeout"),
        .retries = pl_upstream_count(L, at, "retries"),
        .max_failures = pl_upstream_count(L, at, "max_failures"),
        .pause_ms = pl_upstream_ms(L, at, CALL, "pause"),
    };
    read_scripts(L, at, &given->options);
}

/* What scripts are, and what they may name, is read inside a sandbox as well.
 */
static void name_folders(lua_State *L, const struct pl_fastcgi_options *options)
{
    struct pl_site *site = pl_vm_upvalue(L)->site;
    const char *root = options->remote ? NULL : options->root;

    if ((root != NULL &&
         pl_site_name_path(site, pl_str_c(root), PL_PATH_READ) < 0) ||
        (options->sendfile != NULL &&
         pl_site_name_path(site, pl_str_c(options->sendfile), PL_PATH_READ) <
             0))
        pl_lua_fail(L, CALL ": out of memory");
}

/* mount(call, prefix, options) */
static int mount(lua_State *L)
{
    struct pl_error error = {.code = 0};
    struct given *given = lua_newuserdata(L, sizeof(*given));
    struct pl_route_options route;

    memset(given, 0, sizeof(*given));
    memset(&route, 0, sizeof(route));
    read_options(L, 3, given);
    pl_web_read_limits(L, 3, &route);
    name_folders(L, &given->options);
    pl_lua_push_caller(L);
    return pl_upstream_mount(L, pl_gateway_fcgi_new(&given->options, &error),
                             &route, &error);
}

const luaL_Reg pl_lua_fastcgi[] = {{"mount", mount}, {NULL, NULL}};
