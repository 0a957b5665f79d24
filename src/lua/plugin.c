#include "lua/plugin.h"

#include "base/plugin.h"
#include "base/sys.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"

/* An inline function has no address of its own. */
static void *allocate(size_t size)
{
    return pl_malloc(size);
}

static const struct pl_lua_host host = {
    .malloc = allocate,
    .free = pl_free,
    .random = pl_random,
    .arg_str = pl_arg_str,
    .arg_integer = pl_arg_integer,
    .fail = pl_lua_fail,
    .return_error = pl_lua_return_error,
    .job_new = pl_lua_job_new,
};

int pl_lua_load_plugin(lua_State *L)
{
    struct pl_vm *vm = pl_vm_upvalue(L);
    const struct pl_plugin_want want = {
        .name = luaL_checkstring(L, 1),
        .host = &host,
        .host_size = sizeof(host),
        .offer_size = sizeof(struct pl_lua_offer),
    };
    const struct pl_lua_offer *offer;
    const void *table;
    struct pl_error error;

    if (pl_plugin_load(&want, &table, &error) < 0)
        return pl_lua_fail(L, "pl.%s: %s", want.name, error.text);
    offer = table;
    lua_newtable(L);
    pl_vm_register(L, vm, offer->natives);
    pl_lua_job_open(L, vm);
    pl_lua_run_foreign(L, offer->source);
    return 0;
}
