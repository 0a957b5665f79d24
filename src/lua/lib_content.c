/* lib_content.c - the C half of folders of pages
 * (lua/perilune/lib/content.lua): their files are served by handlers/content.h,
 * which passes what is none of them on to Lua; a page has a route of its own.
 */
#include "base/str.h"
#include "handlers/content.h"
#include "lua/parts.h"
#include "lua/web_priv.h"

static int refuse(lua_State *L, const struct pl_error *error)
{
    return pl_lua_fail(L, "%s: %s", luaL_checkstring(L, 1), error->text);
}

/* mount(call, prefix, root, no_static, fn): fn answers GET and HEAD of what is
 * no file. */
static int mount(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    const char *prefix = luaL_checkstring(L, 2), *root = luaL_checkstring(L, 3);
    struct pl_content_options options = {.root = root,
                                         .no_static = lua_toboolean(L, 4)};
    struct pl_error error = {.code = 0};
    struct pl_handler *handler;

    if (pl_site_name_path(vm->site, pl_str_c(root), PL_PATH_READ) < 0)
        return pl_lua_fail(L, "%s: out of memory", luaL_checkstring(L, 1));
    options.pages = pl_web_handler_new(L, vm, 5, true);
    handler = pl_content_new(&options, &error);
    if (handler == NULL ||
        pl_site_route(vm->site,
                      PL_METHOD_BIT(PL_METHOD_GET) |
                          PL_METHOD_BIT(PL_METHOD_HEAD),
                      pl_str_c(prefix), true, handler, NULL, root, &error) < 0)
        return refuse(L, &error);
    return 0;
}

/* route(call, method, path, fn, where) -> true; false: the site has a route of
 * that path itself. where: the file. */
static int route(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    enum pl_method method = pl_method_parse(pl_str_c(luaL_checkstring(L, 2)));
    const char *path = luaL_checkstring(L, 3), *where = luaL_checkstring(L, 5);
    struct pl_error error = {.code = 0};
    struct pl_handler *handler = pl_web_handler_new(L, vm, 4, true);

    if (pl_site_route(vm->site, PL_METHOD_BIT(method), pl_str_c(path), false,
                      handler, NULL, where, &error) < 0 &&
        error.code != PL_ERR_EXISTS)
        return refuse(L, &error);
    lua_pushboolean(L, error.code == 0);
    return 1;
}

const luaL_Reg pl_lua_content[] = {
    {"mount", mount},
    {"route", route},
    {NULL, NULL},
};
