/* web_tls.c - the option tls, from the table that lib/tls.lua has checked. */
#include "base/str.h"
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

static enum pl_tls_verify verify(lua_State *L, int table)
{
    static const char *const words[] = {"none", "optional", "required", "any"};
    const char *word = text(L, table, "verify");
    int i = 0;

    while (word != NULL && i < (int)PL_COUNT(words) &&
           strcmp(words[i], word) != 0)
        i++;
    return (enum pl_tls_verify)(i % (int)PL_COUNT(words));
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
        .verify = verify(L, table),
        .tls13_only = version != NULL && strcmp(version, "1.3") == 0,
        .session_s = (uint32_t)seconds(L, table, call, "session_timeout", 0),
        .rotation_s =
            (uint32_t)seconds(L, table, call, "ticket_key_rotation", 0),
    };
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
