/* web_cgi.c - req.env: the variables of CGI, as a web server has said them by
 * FastCGI, or would have. */
#include "lua/args.h"
#include "lua/web_priv.h"

/* env(req) -> table */
static int env(lua_State *L)
{
    struct pl_request *req = pl_web_check(L, 1, PL_WEB_REQUEST);
    struct pl_str name, value;

    if (pl_web_push_table(L, req, PL_WEB_SLOT_ENV))
        return 1;
    if (!pl_request_env_at(req, 0, &name, &value))
        return pl_lua_no_memory(L, "req.env");
    lua_createtable(L, 0, req->nenv);
    for (unsigned i = 0; pl_request_env_at(req, i, &name, &value); i++) {
        pl_lua_push_str(L, name);
        pl_lua_push_str(L, value);
        lua_rawset(L, -3);
    }
    pl_web_keep_table(L, req, PL_WEB_SLOT_ENV);
    return 1;
}

const luaL_Reg pl_lua_cgi[] = {
    {"env", env},
    {NULL, NULL},
};
