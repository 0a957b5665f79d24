/* web_proxy.c - req.proxy: what the PROXY header said that the connection of a
 * request began with. */
#include "base/str.h"
#include "lua/args.h"
#include "lua/web_priv.h"

static void push_tls(lua_State *L, const struct pl_proxy_info *info)
{
    lua_newtable(L);
    pl_lua_set_str(L, "version", info->tls_version);
    pl_lua_set_str(L, "cipher", info->tls_cipher);
    pl_lua_set_str(L, "cn", info->tls_cn);
    pl_lua_set_str(L, "signature", info->tls_signature);
    pl_lua_set_str(L, "key", info->tls_key);
    pl_lua_set_flag(L, "certificate", info->tls_certificate);
    pl_lua_set_flag(L, "verified", info->tls_verified);
}

/* Those that are free for proxies and networks of one's own (2.2.8). */
static void set_items(lua_State *L, struct pl_request *req)
{
    for (int type = 0xe0; type <= 0xff; type++) {
        struct pl_str value = pl_request_proxy_item(req, (uint8_t)type);

        if (value.data == NULL)
            continue;
        pl_lua_push_str(L, value);
        lua_rawseti(L, -2, type);
    }
}

/* info(req) -> table, or nil */
static int info(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    struct pl_proxy_info said = {.size = sizeof(said)};

    if (!pl_request_proxy(req, &said))
        return 0;
    lua_newtable(L);
    pl_lua_set_integer(L, "version", said.version);
    pl_lua_set_text(L, "address", said.address);
    pl_lua_set_integer(L, "port", said.port);
    pl_lua_set_str(L, "alpn", said.alpn);
    pl_lua_set_str(L, "authority", said.authority);
    pl_lua_set_str(L, "unique_id", said.unique_id);
    pl_lua_set_str(L, "netns", said.netns);
    set_items(L, req);
    if (said.tls) {
        push_tls(L, &said);
        lua_setfield(L, -2, "tls");
    }
    return 1;
}

const luaL_Reg pl_lua_proxy[] = {
    {"info", info},
    {NULL, NULL},
};
