/* lib_luafcgid.c - the C half of scripts of luafcgid's
 * (lua/perilune/lib/luafcgid*.lua). */
#include "base/md5.h"
#include "base/str.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

/* ---- what has been said, and is over ---- */

/* reset(res): no field has been set, and no status. The head has not left. */
static int reset(lua_State *L)
{
    pl_response_reset(&pl_web_check(L, 1, PL_WEB_RESPONSE)->response);
    return 0;
}

/* is_over(req): has its last function in Lua ended? */
static int is_over(lua_State *L)
{
    const struct pl_web_object *object = luaL_checkudata(L, 1, "pl.request");

    lua_pushboolean(L, object->req == NULL);
    return 1;
}

/* ---- md5 ---- */

static void sum(lua_State *L, unsigned char out[PL_MD5_SIZE])
{
    struct pl_str text = {NULL, 0};

    text.data = luaL_checklstring(L, 1, &text.len);
    pl_md5(out, text);
}

/* md5(text) -> 16 bytes */
static int md5(lua_State *L)
{
    unsigned char out[PL_MD5_SIZE];

    sum(L, out);
    lua_pushlstring(L, (const char *)out, sizeof(out));
    return 1;
}

/* md5_hex(text) -> 32 digits */
static int md5_hex(lua_State *L)
{
    unsigned char out[PL_MD5_SIZE];
    char digits[2 * PL_MD5_SIZE];

    sum(L, out);
    pl_hex_encode(digits, pl_str((const char *)out, sizeof(out)));
    lua_pushlstring(L, digits, sizeof(digits));
    return 1;
}

/* ---- the variables of a request ---- */

/* script(req) -> SCRIPT_FILENAME of a web server, by FastCGI; or nil */
static int script(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);

    if (req->env == NULL) /* has come by HTTP, and nobody has asked yet */
        return 0;
    pl_lua_push_str(L, pl_request_env(req, PL_STR("SCRIPT_FILENAME")));
    return 1;
}

/* variables(req) -> all of them, as a table that is the script's */
static int variables(lua_State *L)
{
    enum { OWN = 6 }; /* those below, and what luafcgid.lua adds */
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    struct pl_str name, value;

    if (!pl_request_env_at(req, 0, &name, &value))
        return pl_lua_no_memory(L, "pl.luafcgid");
    lua_createtable(L, 0, req->nenv + OWN);
    lua_pushinteger(L, 1);
    lua_setfield(L, -2, "LUAFCGID_VERSION");
    lua_pushliteral(L, "RESPONDER"); /* the web server may know better */
    lua_setfield(L, -2, "FCGI_ROLE");
    for (unsigned i = 0; pl_request_env_at(req, i, &name, &value); i++) {
        pl_lua_push_str(L, name);
        pl_lua_push_str(L, value);
        lua_rawset(L, -3);
    }
    return 1;
}

const luaL_Reg pl_lua_luafcgid[] = {
    {"reset", reset},     {"is_over", is_over}, {"md5", md5},
    {"md5_hex", md5_hex}, {"script", script},   {"variables", variables},
    {NULL, NULL},
};
