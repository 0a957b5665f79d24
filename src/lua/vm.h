/* vm.h - one Lua VM: the world of one worker in one generation.
 *
 *     new -> load (as a task) -> commit -> ... -> [quiet] -> stop -> free
 *
 * While it loads, a VM only records: `spawn` and `every` start at the commit,
 * so that a site which fails to load has done nothing. All of the site's Lua
 * runs in tasks (coroutine.h), on the loop's stack; the main lua_State runs
 * only what this room itself calls.
 *
 * A VM belongs to the thread of its scheduler. */
#ifndef PL_LUA_VM_H
#define PL_LUA_VM_H

#include "base/account.h"
#include "base/error.h"
#include "lua/compat.h"
#include "task/task.h"

struct pl_chunks;
struct pl_member;
struct pl_module_home;
struct pl_vm;

/* A site in the language of another server, and what the command line says of
 * it; members are NULL if it does not. */
struct pl_dialect {
    const char *name; /* "lwan" */
    const char *load; /* the text of Lua that loads it */
    const char *listen, *tls_listen, *cert, *key;
    bool chroot; /* the folder becomes the root of all paths */
};

/* A figure, as scripts have it: stats[group][name]. */
struct pl_stat {
    const char *group, *name;
    uint64_t value;
};

enum { PL_STATS_MAX = 32 };

/* pl.reload(): completes with 0, or with PL_ERR_* and error. */
struct pl_vm_reload_op {
    struct pl_op op;
    struct pl_error error;
    void *state; /* of who does it */
};

struct pl_vm_options {
    struct pl_account *account; /* charged with the VM's memory; may be NULL */
    size_t memory_limit;        /* bytes; 0 = unlimited */
    const char *folder;         /* the site's: first in package.path; or NULL */
    const char *script;         /* the site's file; or NULL */
    const struct pl_dialect *dialect; /* which the file is in; NULL: ours */
    bool tells; /* of all loads of the site this one logs remarks about it */
    unsigned worker, workers;       /* this worker's number, from 0; how many */
    struct pl_member *member;       /* the worker's; NULL: nothing is shared */
    struct pl_module_home *modules; /* the worker's; NULL: there are none */
    struct pl_chunks *chunks;       /* the generation's (it takes a reference);
                                       NULL: Lua reads its files itself */
    struct pl_vm **serving; /* the worker's: which of its VMs serves; may be
                               NULL, and is where nothing is reloaded */
    bool jit_off;           /* LuaJIT only interprets */
    bool edited;  /* people work at the site's files: --watch, --dev */
    bool watched; /* compiled code can be reached: watch.h */
    void *ctx;    /* passed to these: */
    /* An error that no Lua code has caught, with its traceback. NULL: logged */
    void (*report)(void *ctx, struct pl_task *task, struct pl_str text);
    /* pl.stop(status) was called. NULL: it raises an error. */
    void (*stop)(void *ctx, int status);
    /* What the worker has counted, at most PL_STATS_MAX figures: fills out and
     * returns their number. NULL: there is no server. */
    unsigned (*stats)(void *ctx, struct pl_stat *out);
    /* pl.reload() was called: begins reload->op. NULL: it raises an error. */
    void (*reload)(void *ctx, struct pl_vm_reload_op *reload);
    /* Something has asked for a reload, and does not wait for it; why: a
     * constant. NULL: there is nothing to reload. */
    void (*want_reload)(void *ctx, const char *why);
};

/* Copies options; borrows what they point to, and sched, until it is freed.
 * GIVES *out. Returns 0 or PL_ERR_*, with *error filled. */
int pl_vm_new(struct pl_sched *sched, const struct pl_vm_options *options,
              struct pl_vm **out, struct pl_error *error);

/* No task of the VM is left (pl_vm_stop_begin), or none was ever started. */
void pl_vm_free(struct pl_vm *vm);

/* ---- running the site ---- */

/* Runs a file, or a text with a chunk name ("=name"), as a task of its own. The
 * op completes with 0, or with PL_ERR_SYNTAX, _INVALID, ... and error filled;
 * cancelling it cancels the task. value is the number that the chunk has
 * returned, or 0. */
struct pl_vm_load {
    struct pl_op op;
    struct pl_error error;
    int value;
    bool script; /* of pl_vm_script_begin() */
    struct pl_co *co;
};

void pl_vm_load_begin(struct pl_vm_load *load, struct pl_vm *vm,
                      const char *path);
void pl_vm_load_text_begin(struct pl_vm_load *load, struct pl_vm *vm,
                           const char *name, struct pl_str text);

/* Runs a script as a program of its own: args (ends with NULL) are its
 * arguments, `...` and `arg[1]` and on, and arg[0] is path. An error that it
 * raises is also reported, with its traceback; one of syntax is not. */
void pl_vm_script_begin(struct pl_vm_load *load, struct pl_vm *vm,
                        const char *path, char **args);

/* Starts what was recorded. Timers that previous (may be NULL) has too, by name
 * and period, keep its due times; previous begins no more of them, ends its
 * subscriptions behind what they have got, and from now on lets go of its
 * WebSockets (move.h). Returns 0 or PL_ERR_NOMEM. */
int pl_vm_commit(struct pl_vm *vm, struct pl_vm *previous);

/* Runs the functions of pl.on(event), one after another, as one task; done (may
 * be NULL) joins it. Returns 0 (also if there is none: done is DONE then) or
 * PL_ERR_NOMEM (done is not begun). */
int pl_vm_emit(struct pl_vm *vm, const char *event, struct pl_join_op *done);

/* Completes when no task is left, and no WebSocket that has callbacks. Once for
 * each VM. */
void pl_vm_drain_begin(struct pl_op *drained, struct pl_vm *vm);

/* Another generation serves, and the last request of this one has gone: cancels
 * what runs in the background, that is what the commit has started, with what
 * that has spawned. Tasks of requests go on. */
void pl_vm_quiet(struct pl_vm *vm);

/* Cancels all tasks of the VM, which can start no more, and closes its
 * WebSockets (1012: come again). */
void pl_vm_stop(struct pl_vm *vm);

/* Both drain and stop: drained completes when all is over. */
void pl_vm_stop_begin(struct pl_op *drained, struct pl_vm *vm);

/* A VM that is drained may hold much, and freeing that at once would hold its
 * worker: detach gives up all that it refers to, of which then each step
 * collects a little, finalizers included, on the VM's own thread. The step that
 * returns true was the last; pl_vm_free() is short then. Nothing else may be
 * asked of the VM. */
void pl_vm_detach(struct pl_vm *vm);
bool pl_vm_collect_step(struct pl_vm *vm);

/* "LuaJIT 2.1.0-beta3", "Lua 5.4.4": which Lua this is built with. */
const char *pl_vm_version(void);

/* ---- upkeep ---- */

/* For an idle worker: gives back spare threads and does one step of the
 * garbage collector. Returns true when a cycle has ended. */
bool pl_vm_idle(struct pl_vm *vm);

struct pl_vm_stats {
    size_t bytes;     /* held by Lua now */
    unsigned tasks;   /* that are not over */
    unsigned spare;   /* finished threads, kept for the next tasks */
    uint64_t threads; /* ever made */
};

struct pl_vm_stats pl_vm_stats(const struct pl_vm *vm);

/* The main state: for calls from C between tasks, all of them protected. */
lua_State *pl_vm_state(struct pl_vm *vm);

#endif
