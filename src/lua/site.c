#include "lua/site.h"

#include "base/features.h"
#include "lua/module.h"
#include "lua/web_priv.h"

struct opening {
    struct pl_vm *vm;
    struct pl_site *site;
};

static int open_site(lua_State *L)
{
    const struct opening *opening = lua_touserdata(L, 1);
    struct pl_vm *vm = opening->vm;

    lua_gc(L, LUA_GCSTOP, 0); /* what is made here stays */
    vm->site = opening->site;
    pl_lua_push_core(L);
    pl_web_share_metatables(L);
    pl_lua_open_web_request(L, vm);
    pl_lua_open_web_response(L, vm);
    pl_lua_open_web_run(L, vm);
    pl_lua_open_web_record(L, vm);
    pl_lua_run_core(L, "web");
    pl_lua_run_core(L, "request");
    pl_lua_run_core(L, "response");
    if (PL_WITH_MODULES && vm->options.modules != NULL) {
        lua_pushstring(L, vm->options.modules->paths); /* NULL: nil */
        lua_setfield(L, -2, "module_paths");
    }
    pl_web_find_runners(L, vm);
    lua_gc(L, LUA_GCRESTART, 0);
    return 0;
}

int pl_lua_site_open(struct pl_vm *vm, struct pl_site *site,
                     struct pl_error *error)
{
    struct opening opening = {vm, site};
    lua_State *L = pl_vm_state(vm);
    struct pl_error ignored;
    int err;

    if (pl_vm_protect(L, open_site, &opening) == 0)
        return 0;
    err = pl_lua_error_get(L, L, error == NULL ? &ignored : error);
    lua_pop(L, 1);
    return err;
}

void pl_lua_site_close(struct pl_vm *vm)
{
    vm->site = NULL;
}
