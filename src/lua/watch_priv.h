/* watch_priv.h - the watchdog's part of a VM. */
#ifndef PL_LUA_WATCH_PRIV_H
#define PL_LUA_WATCH_PRIV_H

#include "lua/watch.h"

/* A coroutine that runs, or has resumed the one that does; on the C stack. */
struct pl_watch_link {
    lua_State *L;
    struct pl_watch_link *outer;
};

struct pl_watch {
    /* Set by the handler of a signal, for the run that it interrupts. */
    volatile bool armed;
    volatile enum pl_alarm_kind kind;
    struct pl_alarm *volatile alarm; /* NULL: it was heard */
    int status;
    char why[96];
    /* Set by the hook. */
    bool aborted;
    size_t limit;   /* of the VM's account, which allows nothing meanwhile */
    char where[80]; /* "site.lua:3: " */
    /* Lua 5.4: coroutines inside the task, innermost first. */
    struct pl_watch_link *volatile inner;
};

/* A new VM: makes traces look at the profiler's flag. */
void pl_watch_init(struct pl_vm *vm);

/* From an allocation of the run that is refused: aborts the run, whose meter
 * says why. */
void pl_watch_abort(struct pl_vm *vm);

/* A run that was armed is over, by itself or aborted: an error on top of co->L
 * becomes that of the abort. Returns the status to go on with. */
int pl_watch_end(struct pl_co *co, int status);

/* Adds core.resume, where hooks belong to coroutines. */
void pl_lua_open_watch(lua_State *L, struct pl_vm *vm);

#endif
