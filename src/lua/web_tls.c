/* web_tls.c - the option tls, from the table that lib/tls.lua has checked, and
 * what requests have of it. */
#include "base/features.h"
#include "base/str.h"
#include "lua/args.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "lua/web_priv.h"
#include "net/tls.h"

enum { SIX_MONTHS = 180 * 86400 };

/* Lives as long as the table. */
static const char *text(lua_State *L, int table, const char *name)
{
    const char *value;

    lua_getfield(L, table, name);
    value = lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1);
    return value;
}

static int field_type(lua_State *L, int table, const char *name, bool *value)
{
    int type;

    lua_getfield(L, table, name);
    type = lua_type(L, -1);
    *value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return type;
}

/* Whole seconds; fallback where it is not given. */
static uint64_t seconds(lua_State *L, int table, const char *call,
                        const char *name, uint64_t fallback)
{
    const char *value = text(L, table, name);
    uint64_t ms;

    if (value == NULL)
        return fallback;
    if (!pl_str_to_ms(pl_str_c(value), &ms) || ms < 1000 ||
        ms / 1000 > UINT32_MAX)
        pl_lua_fail(L, "%s: option 'tls': '%s' is not a duration (\"12h\")",
                    call, name);
    return ms / 1000;
}

static void read_pairs(lua_State *L, int table, struct pl_tls_options *options)
{
    struct pl_tls_pair *list;

    lua_getfield(L, table, "pairs");
    options->npairs = (unsigned)lua_rawlen(L, -1);
    list = lua_newuserdata(L, PL_MAX(options->npairs, 1u) * sizeof(*list));
    for (unsigned i = 0; i < options->npairs; i++) {
        int at;

        lua_rawgeti(L, -2, (int)i + 1);
        at = lua_gettop(L);
        list[i] = (struct pl_tls_pair){.cert = text(L, at, "cert"),
                                       .key = text(L, at, "key"),
                                       .staple = text(L, at, "ocsp")};
        lua_pop(L, 1);
    }
    options->pairs = list;
    lua_remove(L, -2);
}

const struct pl_tls_options *pl_lua_read_tls(lua_State *L, int table,
                                             const char *call)
{
    struct pl_tls_options *options = lua_newuserdata(L, sizeof(*options));
    const char *version = text(L, table, "min_version");
    bool flag;

    *options = (struct pl_tls_options){
        .ciphers = text(L, table, "ciphers"),
        .suites = text(L, table, "ciphersuites"),
        .groups = text(L, table, "curves"),
        .ca = text(L, table, "ca"),
        .tls13_only = version != NULL && strcmp(version, "1.3") == 0,
        .session_s = (uint32_t)seconds(L, table, call, "session_timeout", 0),
        .rotation_s =
            (uint32_t)seconds(L, table, call, "ticket_key_rotation", 0),
    };
    pl_tls_verify_parse(text(L, table, "verify"), &options->verify);
    lua_getfield(L, table, "verify_depth");
    options->verify_depth = (unsigned)lua_tointeger(L, -1);
    lua_pop(L, 1);
    field_type(L, table, "dev", &options->dev);
    field_type(L, table, "redirect", &options->http_redirect);
    if (field_type(L, table, "session_tickets", &flag) == LUA_TBOOLEAN)
        options->no_tickets = !flag;
    if (field_type(L, table, "hsts", &flag) == LUA_TBOOLEAN)
        options->hsts_s = flag ? SIX_MONTHS : 0;
    else
        options->hsts_s = seconds(L, table, call, "hsts", 0);
    read_pairs(L, table, options);
    return options;
}

/* ---- requests ---- */

static void push_client(lua_State *L, const struct pl_request_tls *tls)
{
    lua_newtable(L);
    pl_lua_set_flag(L, "verified", tls->verified);
    pl_lua_set_text(L, "error", tls->error);
    pl_lua_set_text(L, "subject", tls->subject);
    pl_lua_set_text(L, "issuer", tls->issuer);
    pl_lua_set_text(L, "serial", tls->serial);
    pl_lua_set_text(L, "fingerprint", tls->fingerprint);
    pl_lua_set_integer(L, "not_before", tls->not_before);
    pl_lua_set_integer(L, "not_after", tls->not_after);
}

int pl_web_request_tls(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    const struct pl_request_tls *tls;

    if (PL_WITH_TLS && pl_web_push_table(L, req, PL_WEB_SLOT_TLS))
        return 1;
    tls = PL_WITH_TLS ? pl_request_tls(req) : NULL;
    if (tls == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_newtable(L);
    pl_lua_set_text(L, "version", tls->version);
    pl_lua_set_text(L, "cipher", tls->cipher);
    pl_lua_set_text(L, "sni", tls->sni);
    pl_lua_set_text(L, "alpn", tls->alpn);
    pl_lua_set_flag(L, "resumed", tls->resumed);
    if (tls->has_client) {
        push_client(L, tls);
        lua_setfield(L, -2, "client");
    }
    pl_web_keep_table(L, req, PL_WEB_SLOT_TLS);
    return 1;
}
