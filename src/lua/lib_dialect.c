/* lib_dialect.c - what sites in the languages of other servers ask of C
 * (lua/perilune/lib/lwan*.lua, luafcgid*.lua). */
#include "http/header.h"
#include "http/status.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

/* asked() -> what the command line says: { file, listen, tls_listen, cert, key,
 * chroot }; or nil: the site itself is in no dialect */
static int asked(lua_State *L)
{
    const struct pl_vm_options *options = &pl_vm_upvalue(L)->options;
    const struct pl_dialect *dialect = options->dialect;

    if (dialect == NULL)
        return 0;
    lua_newtable(L);
    lua_pushstring(L, options->script); /* NULL: nil */
    lua_setfield(L, -2, "file");
    lua_pushstring(L, dialect->listen);
    lua_setfield(L, -2, "listen");
    lua_pushstring(L, dialect->tls_listen);
    lua_setfield(L, -2, "tls_listen");
    lua_pushstring(L, dialect->cert);
    lua_setfield(L, -2, "cert");
    lua_pushstring(L, dialect->key);
    lua_setfield(L, -2, "key");
    pl_lua_set_flag(L, "chroot", dialect->chroot);
    return 1;
}

/* tells(): is this the load, of those of all workers, that logs remarks? */
static int tells(lua_State *L)
{
    lua_pushboolean(L, pl_vm_upvalue(L)->options.tells);
    return 1;
}

/* reason(status) -> "Not Found", or nil for a number that is none */
static int reason(lua_State *L)
{
    lua_Number number = luaL_checknumber(L, 1);
    int status = number >= 100 && number <= 999 ? (int)number : 0;
    struct pl_str text = pl_status_reason(status);

    if (number != status || text.len == 0)
        return 0;
    pl_lua_push_str(L, text);
    return 1;
}

/* is_framing(name): does the server make this field itself? */
static int is_framing(lua_State *L)
{
    struct pl_str name = pl_arg_str(L, 1, "req:set_headers", "a name");

    lua_pushboolean(L, pl_header_is_framing(pl_header_lookup(name)));
    return 1;
}

/* close(req): the connection ends with this response. */
static int close_after(lua_State *L)
{
    pl_web_check(L, 1, PL_WEB_REQUEST)->last = true;
    return 0;
}

const luaL_Reg pl_lua_dialect[] = {
    {"asked", asked},           {"tells", tells},       {"reason", reason},
    {"is_framing", is_framing}, {"close", close_after}, {NULL, NULL},
};
