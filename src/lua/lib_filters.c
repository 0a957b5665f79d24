/* lib_filters.c - filters written in C, made by a site: natives of
 * lua/perilune/lib/compress.lua and filters.lua, which have checked the types.
 */
#include "base/features.h"
#include "base/str.h"
#include "filters/compress.h"
#include "filters/cors.h"
#include "filters/request_id.h"
#include "filters/security.h"
#include "lua/filter.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

static struct pl_site *site_of(lua_State *L)
{
    return pl_vm_upvalue(L)->site;
}

static const char *text(lua_State *L, int index)
{
    return lua_tostring(L, index); /* NULL: not given */
}

/* Pushes what was made, or raises what is wrong with it. */
static int give(lua_State *L, const char *call, struct pl_filter *filter,
                const struct pl_error *error)
{
    if (filter == NULL)
        return pl_lua_fail(L, "%s: %s", call, error->text);
    pl_lua_filter_push(L, site_of(L), filter, call);
    return 1;
}

/* ---- compress ---- */

/* A size; 0 stands for the usual one, so "0" is the least. */
static uint64_t read_min(lua_State *L, int index)
{
    struct pl_str given = {NULL, 0};
    uint64_t size = 0;

    if (lua_isnil(L, index))
        return 0;
    given.data = lua_tolstring(L, index, &given.len);
    if (!pl_str_to_size(given, &size))
        pl_lua_fail(L, "pl.compress: min: '%s' is no size like \"1k\"",
                    text(L, index));
    return size == 0 ? 1 : size;
}

/* new(types, encodings, min, level, off, raw_requests) -> filter */
static int new_compress(lua_State *L)
{
    const struct pl_compress_options options = {
        .size = sizeof(options),
        .types = text(L, 1),
        .encodings = text(L, 2),
        .min = read_min(L, 3),
        .level = (unsigned)lua_tointeger(L, 4),
        .off = lua_toboolean(L, 5),
        .raw_requests = lua_toboolean(L, 6),
    };
    struct pl_error error = {.code = 0};
    struct pl_filter *filter = pl_compress_new(&options, &error);

    return give(L, "pl.compress", filter, &error);
}

/* around(filter): around all routes of the site */
static int around(lua_State *L)
{
    struct pl_filter *filter = pl_lua_filter_get(L, 1);

    filter->refs++;
    pl_site_around(site_of(L), filter);
    return 0;
}

const luaL_Reg pl_lua_compress[] = {
    {"new", new_compress},
    {"around", around},
    {NULL, NULL},
};

/* ---- fields ---- */

/* cors(origins, methods, headers, expose, credentials, max_age) -> filter */
static int new_cors(lua_State *L)
{
    struct pl_cors_options options = {
        .size = sizeof(options),
        .origins = text(L, 1),
        .methods = text(L, 2),
        .headers = text(L, 3),
        .expose = text(L, 4),
        .credentials = lua_toboolean(L, 5),
    };
    struct pl_error error = {.code = 0};
    uint64_t ms = 0;
    struct pl_filter *filter;

    if (lua_isstring(L, 6) && !pl_str_to_ms(pl_str_c(text(L, 6)), &ms))
        return pl_lua_fail(L, "pl.cors: max_age: '%s' is no time like \"10m\"",
                           text(L, 6));
    options.max_age_s = ms / 1000;
    filter = pl_cors_new(&options, &error);
    return give(L, "pl.cors", filter, &error);
}

/* security_headers(sniff, frame_ancestors, referrer_policy, csp,
 * csp_report_only, permissions_policy, coop, corp, coep) -> filter */
static int new_security(lua_State *L)
{
    const struct pl_security_options options = {
        .size = sizeof(options),
        .sniff = lua_toboolean(L, 1),
        .frame_ancestors = text(L, 2),
        .referrer_policy = text(L, 3),
        .csp = text(L, 4),
        .csp_report_only = lua_toboolean(L, 5),
        .permissions_policy = text(L, 6),
        .opener_policy = text(L, 7),
        .resource_policy = text(L, 8),
        .embedder_policy = text(L, 9),
    };
    struct pl_error error = {.code = 0};
    struct pl_filter *filter = pl_security_headers_new(&options, &error);

    return give(L, "pl.security_headers", filter, &error);
}

/* request_id(header) -> filter */
static int new_request_id(lua_State *L)
{
    struct pl_error error = {.code = 0};
    struct pl_filter *filter = pl_request_id_new(text(L, 1), &error);

    return give(L, "pl.request_id", filter, &error);
}

/* nonce(res) -> string or nil */
static int nonce(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_RESPONSE);

    pl_lua_push_str(L, pl_response_nonce(&req->response));
    return 1;
}

const luaL_Reg pl_lua_filters[] = {
    {"cors", new_cors},
    {"security_headers", new_security},
    {"request_id", new_request_id},
    {"nonce", nonce},
    {NULL, NULL},
};
