/* module.h - native modules in the VMs of a worker (docs/modules.md).
 *
 * A copy of the file is the process's (base/module.h); an instance is what one
 * VM has of it: parameters, options, and the names that it offers. The VM loads
 * modules while it loads its site, and unloads them when no task is left, while
 * its Lua state is still there. The copy is let go when the state is closed:
 * finalizers are code of the module, too.
 *
 *     open (offload thread) -> on_load -> ... -> on_unload -> close -> drop */
#ifndef PL_LUA_MODULE_H
#define PL_LUA_MODULE_H

#include <perilune.h>

#include "base/list.h"
#include "lua/compat.h"

struct pl_module;
struct pl_module_80s;
struct pl_vm;

/* What the VMs of one worker have in common; the worker's. */
struct pl_module_home {
    struct pl_list instances; /* of all its VMs, oldest first */
    const char *paths;        /* of -m, with commas between; NULL: none */
    const char *entry;        /* the site, as it was named; for 80s.h */
    int port;                 /* the same: of the command line; or -1 */
    bool scratch;             /* the site is only read */
};

PL_INLINE void pl_module_home_init(struct pl_module_home *home)
{
    *home = (struct pl_module_home){.port = -1};
    pl_list_init(&home->instances);
}

enum pl_module_kind {
    PL_MODULE_KIND_HANDLER,
    PL_MODULE_KIND_METHOD,
    PL_MODULE_KIND_FUNCTION,
    PL_MODULE_KINDS
};

/* A name that a module offers. */
struct pl_module_name {
    struct pl_module_name *next;
    enum pl_module_kind kind;
    struct pl_module_item item;
    void *arg;
};

/* An option of pl.module(). */
struct pl_module_pair {
    struct pl_module_pair *next;
    const char *value; /* behind name, in the same block */
    char name[];
};

/* The program's part of params.load. */
struct pl_module_load {
    struct pl_list node;    /* in the VM's modules */
    struct pl_list at_home; /* in home->instances */
    struct pl_module_home *home;
    struct pl_vm *vm;
    struct pl_module *module;
    struct pl_module_params params;
    struct pl_module_80s *of_80s; /* NULL: it is one of ours */
    struct pl_module_name *names; /* newest first */
    struct pl_module_pair *options;
    char *path;
    bool loading, begun; /* in on_load; on_unload is due */
};

/* ---- the life of a VM (lib_module.c) ---- */

/* No task is left, the state is there: each on_unload, newest first. */
void pl_vm_unload_modules(struct pl_vm *vm);

/* The state is closed. Any thread. */
void pl_vm_drop_modules(struct pl_vm *vm);

/* What was loaded, in order, with the names of each in order; for lists. */
void pl_vm_each_module(const struct pl_vm *vm,
                       void (*see)(void *arg, const char *path,
                                   const struct pl_module_name *name),
                       void *arg);

/* The handler that pl.handler() gave as the value at index; or NULL. */
struct pl_handler *pl_lua_bound_handler(lua_State *L, int index);

/* ---- methods (module_call.c) ---- */

int pl_lua_call_new(lua_State *L);
int pl_lua_call_begin(lua_State *L);
int pl_lua_call_end(lua_State *L);

#endif
