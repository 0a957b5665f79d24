/* plugin.h - plug-ins that are a part of the Lua library (base/plugin.h).
 *
 * Such a one offers functions of C and the Lua file that makes a part of `pl`
 * of them; it is run as the parts that are built in are (parts.h). */
#ifndef PL_LUA_PLUGIN_H
#define PL_LUA_PLUGIN_H

#include <perilune.h>

#include "lua/job.h"
#include "lua/library.h"

/* What the plug-in is given. */
struct pl_lua_host {
    void *(*malloc)(size_t size);
    void (*free)(void *ptr);
    void (*random)(void *out, size_t len); /* from the kernel; never fails */
    /* lua/args.h */
    struct pl_str (*arg_str)(lua_State *L, int index, const char *call,
                             const char *what);
    lua_Integer (*arg_integer)(lua_State *L, int index, const char *call,
                               const char *what, lua_Integer low,
                               lua_Integer high);
    /* lua/wait.h, lua/failure.h */
    int (*fail)(lua_State *L, const char *fmt, ...);
    int (*return_error)(lua_State *L, int code, const char *call,
                        const char *text);
    /* lua/job.h */
    void *(*job_new)(lua_State *L, const struct pl_lua_job_type *type,
                     size_t size);
};

/* What it offers. The file gets core, pl and a table of the functions, which
 * have the VM as their upvalue; run_job of job.h is among them. */
struct pl_lua_offer {
    const luaL_Reg *natives;
    const struct pl_lua_source *source;
};

/* load(name): loads the plug-in and runs its file, which fills a part of `pl`;
 * raises an error that says what is missing. With the VM as upvalue. */
int pl_lua_load_plugin(lua_State *L);

#endif
