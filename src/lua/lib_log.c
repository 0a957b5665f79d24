/* lib_log.c - the C half of pl.log. */
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "http/request.h"
#include "lua/parts.h"

static enum pl_level check_level(lua_State *L)
{
    struct pl_str name;
    enum pl_level level = PL_LOG_INFO;

    name.data = luaL_checklstring(L, 1, &name.len);
    if (!pl_log_level_parse(name, &level))
        luaL_argerror(L, 1, "no such level");
    return level;
}

/* enabled(level): are such lines written? */
static int enabled(lua_State *L)
{
    lua_pushboolean(L, check_level(L) >= pl_log_level);
    return 1;
}

/* write(level, text). A web server in front of us is told, too, what is wrong
 * with one of its requests. A script's line is never left out for coming too
 * often: each call counts as a site of its own. */
static int write_line(lua_State *L)
{
    enum pl_level level = check_level(L);
    struct pl_log_site site = {0};
    struct pl_str text;

    text.data = luaL_checklstring(L, 2, &text.len);
    if (level >= pl_log_level)
        pl_log_write(&site, level, "site", "%.*s", PL_STR_ARG(text));
    if (PL_WITH_FASTCGI && level >= PL_LOG_WARN)
        pl_request_complain(pl_request_of_task(pl_task_current()), text);
    return 0;
}

const luaL_Reg pl_lua_log[] = {
    {"enabled", enabled},
    {"write", write_line},
    {NULL, NULL},
};
