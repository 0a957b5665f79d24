/* fiber.h - C code that waits as if it blocked: stackful fibers.
 *
 * A fiber's stack comes from a pool of slabs, each with a guard page below it;
 * a fiber that runs over its stack dies on the guard page, never on its
 * neighbour. The switch is a few instructions of assembly (x86-64, aarch64) and
 * ucontext elsewhere; sanitizers and valgrind are told about it.
 *
 * Lua frames may never be on a fiber's stack when it waits (MECHANISMS 15):
 * pl_op_wait() asserts it through pl_fiber_lua_depth. */
#ifndef PL_TASK_FIBER_H
#define PL_TASK_FIBER_H

#include "task/task.h"

enum { PL_FIBER_STACK = 64 * 1024 }; /* usable bytes of a stack, by default */

typedef int pl_fiber_fn(void *arg);

/* Starts fn(arg) on a fiber; it runs at once if called on the loop's stack,
 * else from the run queue. Its result is the task's result. parent may be NULL;
 * join (may be NULL, IDLE) is begun and completed when the fiber is over.
 * Returns NULL when out of memory (join is then not begun). */
struct pl_task *pl_fiber_spawn(struct pl_sched *sched, struct pl_task *parent,
                               pl_fiber_fn *fn, void *arg, struct pl_op *join);

/* Waits until op is DONE; returns its result. On a fiber only. */
int pl_op_wait(struct pl_op *op);

/* True when the caller is on a fiber, and so may wait. */
bool pl_on_fiber(void);

/* Sleeps ms milliseconds: 0 or PL_ERR_CANCELED. On a fiber only. */
int pl_fiber_sleep(uint64_t ms);

/* Stacks: how many exist and how many are in use, for status and tests. */
void pl_fiber_stats(struct pl_sched *sched, unsigned *stacks, unsigned *used);

#endif
