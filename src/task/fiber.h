/* fiber.h - C code that waits as if it blocked: stackful fibers.
 *
 * A fiber's stack comes from a pool of slabs, each with a guard below it; a
 * fiber that runs over its stack dies on the guard, never on its neighbour. The
 * switch is a few instructions of assembly (x86-64, aarch64) and ucontext
 * elsewhere; sanitizers and valgrind are told about it.
 *
 * Lua frames may never be on a fiber's stack when it waits (MECHANISMS 15):
 * pl_op_wait() asserts it through sched->lua_depth. */
#ifndef PL_TASK_FIBER_H
#define PL_TASK_FIBER_H

#include "task/task.h"

enum { PL_FIBER_STACK = 64 * 1024 }; /* usable bytes of a stack */

typedef int pl_fiber_fn(void *arg);

/* A fiber that will call fn(arg), whose result becomes the task's. Start it by
 * pl_task_start(). parent may be NULL. Returns NULL when out of memory or at
 * sched->fiber_limit. */
struct pl_task *pl_fiber_new(struct pl_sched *sched, struct pl_task *parent,
                             pl_fiber_fn *fn, void *arg);

/* The above, and starts it: it runs at once if called on the loop's stack, and
 * may be over when this returns. join (may be NULL) is begun before. Returns 0,
 * or PL_ERR_NOMEM with join left alone. */
int pl_fiber_spawn(struct pl_sched *sched, struct pl_task *parent,
                   pl_fiber_fn *fn, void *arg, struct pl_join_op *join);

/* Waits until op is DONE; returns its result. On a fiber only. */
int pl_op_wait(struct pl_op *op);

/* True when the caller is on a fiber, and so may wait. */
bool pl_on_fiber(void);

/* Where the stack of a fiber ends (above all its frames); 0 if the task is
 * none. For signal handlers, too. */
uintptr_t pl_fiber_stack_end(const struct pl_task *task);

/* Copies what is on the stack of a fiber that waits, the innermost first: at
 * most n words. Returns how many; 0 if the task is no fiber, runs or has not
 * begun, or where that is not known. */
size_t pl_fiber_copy_stack(const struct pl_task *task, uintptr_t *words,
                           size_t n);

/* Sleeps ms milliseconds: 0 or PL_ERR_CANCELED. On a fiber only. */
int pl_fiber_sleep(uint64_t ms);

/* Stacks: how many exist and how many are in use, for status and tests. */
void pl_fiber_stats(struct pl_sched *sched, unsigned *stacks, unsigned *used);

#endif
