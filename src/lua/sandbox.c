/* sandbox.c - the sandbox of a site: the paths that it names, and those that
 * its modules come from. */
#include "lua/sandbox.h"

#include "base/str.h"
#include "lua/wait.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "route/site.h"

/* name_path(path, access): see enum pl_path_access */
static int name_path(lua_State *L)
{
    struct pl_str path;

    path.data = luaL_checklstring(L, 1, &path.len);
    if (pl_site_name_path(pl_vm_upvalue(L)->site, path,
                          (unsigned)luaL_checkinteger(L, 2)) < 0)
        return pl_lua_fail(L, "pl.set: out of memory");
    return 0;
}

const luaL_Reg pl_lua_sandbox[] = {
    {"name_path", name_path},
    {NULL, NULL},
};

static void see_templates(struct pl_str templates,
                          void (*see)(void *arg, struct pl_str folder),
                          void *arg)
{
    struct pl_str one;

    while (pl_str_split(&templates, ';', &one)) {
        ptrdiff_t mark = pl_str_chr(one, '?'), slash;

        one = pl_str_first(one, mark < 0 ? one.len : (size_t)mark);
        slash = pl_str_rchr(one, '/');
        if (slash > 0)
            see(arg, pl_str_first(one, (size_t)slash));
    }
}

void pl_lua_search_folders(struct pl_vm *vm,
                           void (*see)(void *arg, struct pl_str folder),
                           void *arg)
{
    static const char *const fields[] = {"path", "cpath"};
    lua_State *L = vm->main;
    int top = lua_gettop(L);

    lua_getglobal(L, "package");
    for (size_t i = 0; i < PL_COUNT(fields) && lua_istable(L, -1); i++) {
        struct pl_str templates;

        lua_pushstring(L, fields[i]);
        lua_rawget(L, -2);
        templates.data = lua_tolstring(L, -1, &templates.len);
        if (templates.data != NULL)
            see_templates(templates, see, arg);
        lua_pop(L, 1);
    }
    lua_settop(L, top);
}
