/* module.h - shared objects of the site: loaded as private copies, counted by
 * who uses them, unloaded behind the last.
 *
 * The file is copied to a memfd and loaded from there, so that it may be
 * overwritten while its code runs, and a new one with the same name is loaded
 * beside it. The dynamic linker knows a copy by "/proc/self/fd/N": the
 * descriptor stays open until the copy is unloaded, or the next one with the
 * same number would be taken for it.
 *
 * All functions are for any thread. The dynamic linker's list is the process's,
 * so is ours: behind a mutex, which only loading, unloading and detached tasks
 * take, and nothing else while a module is loaded. */
#ifndef PL_BASE_MODULE_H
#define PL_BASE_MODULE_H

#include <perilune.h>

#include "base/error.h"

struct pl_module;

/* A round is one load of a site in all workers: they get the same copy of a
 * path, whatever happens to the file meanwhile. The next round looks again, and
 * goes on with the copy that is loaded if the file is byte for byte the same.
 */
void pl_modules_round(void);

/* GIVES a reference in *out. Reads files and runs the module's constructors:
 * for offload threads. Returns 0 or PL_ERR_* with *error: PL_ERR_NOT_FOUND,
 * PL_ERR_BUSY (it is being written), PL_ERR_INVALID (cannot be loaded),
 * PL_ERR_UNSUPPORTED (of another interface). */
int pl_module_open(const char *path, struct pl_module **out,
                   struct pl_error *error);

/* module may be NULL. The last reference unloads the copy: no code of it is on
 * the caller's stack. */
void pl_module_drop(struct pl_module *module);

/* All that are loaded stay so until the process ends: where a copy could not be
 * loaded a second time, because there is no /proc. */
void pl_modules_keep(void);

/* What it exports; constant. */
const struct pl_module_info *pl_module_info(const struct pl_module *module);
void *pl_module_symbol(const struct pl_module *module, const char *name);

/* GIVES a reference to the module that the code at address is of, or NULL: for
 * tasks that nothing else keeps it loaded for. */
struct pl_module *pl_module_of_code(uintptr_t address);

/* For status: each copy that is in memory. refs 0: it is not used, but the
 * dynamic linker would not unload it (a thread of it, a TLS destructor, unique
 * symbols of C++). see() is called under the lock. */
struct pl_module_fact {
    const char *path;
    uint32_t number; /* of the copies since the start, from 1 */
    unsigned refs;
};

void pl_modules_each(void (*see)(void *arg, const struct pl_module_fact *fact),
                     void *arg);

#endif
