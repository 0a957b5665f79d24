#include "lua/parts.h"

#include <string.h>

#include "base/features.h"
#include "lua/wait.h"
#include "lua/vm_priv.h"

/* What `pl` may lack: its field, the part that sets it, and the functions that
 * the part is given (each with the VM as its upvalue), or NULL. */
#define PART(feature, field, name, natives)                                    \
    {                                                                          \
#field, #name, PL_WITH_##feature ? natives : NULL,                     \
            PL_WITH_##feature ? NULL : PL_FEATURE_##feature                    \
    }

static const struct part {
    const char *field;
    const char *name;
    const luaL_Reg *natives;
    const char *missing; /* the feature, if it was left out */
} parts[] = {
    /* clang-format off */
    PART(LIBRARY, base64, codec, pl_lua_codec),
    PART(LIBRARY, crypto, crypto, pl_lua_crypto),
    PART(CORE, env, env, pl_lua_env),
    PART(LIBRARY, escape, codec, pl_lua_codec),
    PART(LIBRARY, fs, fs, pl_lua_fs),
    PART(LIBRARY, fs_watch, fs_watch, pl_lua_fs_watch),
    PART(LIBRARY, hex, codec, pl_lua_codec),
    PART(CORE, log, log, pl_lua_log),
    PART(LIBRARY, mime, mime, pl_lua_mime),
    PART(LIBRARY, process, process, pl_lua_process),
    PART(CORE, time, time, pl_lua_time),
    PART(LIBRARY, url, url, pl_lua_url),
    PART(LIBRARY, uuid, uuid, pl_lua_uuid),
    PART(SOCKETS, wait, wait, pl_lua_wait),
    PART(SOCKETS, wait_all, wait, pl_lua_wait),
    PART(SOCKETS, wait_any, wait, pl_lua_wait),
    PART(WATCHDOG, watchdog, watchdog, pl_lua_watchdog),
    PART(SHARE, messages, bus, pl_lua_bus),
    PART(SHARE, publish, bus, pl_lua_bus),
    PART(SHARE, shared, shared, pl_lua_shared),
    PART(SHARE, subscribe, bus, pl_lua_bus),
    PART(SHARE, workers, workers, pl_lua_bus),
    /* clang-format on */
};

static const struct part *find(const char *field)
{
    for (size_t i = 0; i < PL_COUNT(parts); i++) {
        if (strcmp(parts[i].field, field) == 0)
            return &parts[i];
    }
    return NULL;
}

static void push_natives(lua_State *L, const struct part *part)
{
    lua_newtable(L);
    if (part->natives != NULL)
        pl_vm_register(L, pl_vm_upvalue(L), part->natives);
}

/* pl.NAME for a name that pl does not have. */
static int load_part(lua_State *L)
{
    const struct part *part = NULL;

    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING)
        part = find(lua_tostring(L, 2));
    if (part == NULL)
        return 0;
    if (part->missing != NULL)
        return pl_lua_fail(L, "pl.%s: " PL_WITHOUT "%s", part->field,
                           part->missing);
    push_natives(L, part);
    if (!pl_lua_run_lib(L, part->name))
        lua_setfield(L, 1, part->field);
    lua_pushvalue(L, 2);
    lua_rawget(L, 1);
    return 1;
}

void pl_lua_open_parts(lua_State *L, struct pl_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"__index", load_part},
        {NULL, NULL},
    };

    lua_newtable(L);
    pl_vm_register(L, vm, functions);
    lua_setmetatable(L, -2);
}
