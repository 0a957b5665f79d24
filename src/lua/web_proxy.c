/* web_proxy.c - req.proxy: what the PROXY header said that the connection of a
 * request began with. */
#include "base/str.h"
#include "lua/web_priv.h"

static void set_str(lua_State *L, const char *name, struct pl_str value)
{
    pl_lua_push_str(L, value);
    lua_setfield(L, -2, name);
}

static void push_tls(lua_State *L, const struct pl_proxy_info *info)
{
    lua_newtable(L);
    set_str(L, "version", info->tls_version);
    set_str(L, "cipher", info->tls_cipher);
    set_str(L, "cn", info->tls_cn);
    set_str(L, "signature", info->tls_signature);
    set_str(L, "key", info->tls_key);
    lua_pushboolean(L, info->tls_certificate);
    lua_setfield(L, -2, "certificate");
    lua_pushboolean(L, info->tls_verified);
    lua_setfield(L, -2, "verified");
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
    lua_pushinteger(L, said.version);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, said.address);
    lua_setfield(L, -2, "address");
    lua_pushinteger(L, said.port);
    lua_setfield(L, -2, "port");
    set_str(L, "alpn", said.alpn);
    set_str(L, "authority", said.authority);
    set_str(L, "unique_id", said.unique_id);
    set_str(L, "netns", said.netns);
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
