/* watch.h - what a watchdog can do about Lua that holds its worker: ask where
 * it is, and end it.
 *
 * Both are done by a hook that is called before the next instruction. LuaJIT's
 * compiled code looks at no hook. But when the profiler's mode "l" is set while
 * traces are made, they look at the profiler's flag, at each line; and the
 * profiler's state, one for all VMs of a process, decides whose flag a signal
 * raises. So a VM of ours that runs nothing, the dummy, owns the profiler, and
 * a VM gets it for the moment of an alarm (docs/watchdog.md has the cost).
 *
 *     open -> VMs with options.watched -> alarms -> all VMs freed -> close
 *
 * An alarm that aborts cannot be swallowed: the hook stays, each instruction
 * raises again, and the error is one that no message handler is called for,
 * until the task's run is over. */
#ifndef PL_LUA_WATCH_H
#define PL_LUA_WATCH_H

#include "lua/vm.h"

enum pl_alarm_kind { PL_ALARM_REPORT, PL_ALARM_ABORT };

/* What is asked of the Lua that runs, and what it answers. BORROWED until
 * heard() or the end of the run; kind and why are copied by pl_lua_alarm(). */
struct pl_alarm {
    enum pl_alarm_kind kind;
    int status;   /* for the answer to an aborted request: 500, 503 */
    char why[96]; /* "it ran for 30 s without waiting" */
    /* Called on the thread of the VM, in no signal handler. */
    void (*heard)(struct pl_alarm *alarm);
    char where[1000]; /* "site.lua:3 in spin < site.lua:9", for heard() */
};

/* By the thread that runs the process, before its VMs: 0, or PL_ERR_NOMEM (then
 * compiled code is not reached). close: when no VM is left. */
int pl_lua_watch_open(void);
void pl_lua_watch_close(void);

/* Tries, once and in a VM of its own, whether compiled code can be reached. By
 * the thread that sends alarms, before its first. Without it only interpreted
 * code is. Takes some milliseconds. */
bool pl_lua_watch_probe(void);

/* ---- in a signal handler on the worker's thread ----
 *
 * task is the one that runs (pl_sched_seen). One alarm at a time in the whole
 * process, until it is heard. */

/* Returns false if no Lua runs. */
bool pl_lua_alarm(const struct pl_task *task, struct pl_alarm *alarm);

/* Where Lua is that does not hear an alarm, because it is in a C function: only
 * then can its stack be looked at. Returns false if no Lua runs. */
bool pl_lua_where(const struct pl_task *task, char *out, size_t size);

/* ---- on the worker's thread, while no Lua runs ---- */

/* Where a task of Lua waits. Returns false if task is none. */
bool pl_lua_waits(const struct pl_task *task, char *out, size_t size);

#endif
