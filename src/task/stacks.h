/* stacks.h - a worker's stacks for fibers, kept for re-use.
 *
 * Stacks come from slabs of one mmap each:
 *
 *     | guard | stack  | guard | stack  | ...       a stack grows down
 *
 * and are handed out last in, first out, so that the warm ones are used again.
 * Those that nobody has needed for a while give their pages back to the kernel;
 * the address space stays. */
#ifndef PL_TASK_STACKS_H
#define PL_TASK_STACKS_H

#include <stddef.h>

#include "task/fiber.h"

/* Sanitizers make frames several times larger. */
enum {
    PL_STACK_SIZE = (PL_ASAN || PL_TSAN ? 4 : 1) * PL_FIBER_STACK,
    PL_STACK_GUARD = 16 * 1024, /* no frame of ours is so large as to skip it */
};

struct pl_stack_slab;

struct pl_stack_pool {
    /* free[0 .. cold) have no pages, free[cold .. count) may have; the last is
     * the next to be handed out. Room for every stack that exists. */
    char **free;
    unsigned count, cold;
    unsigned low; /* the smallest count since the last look at the cold */
    unsigned total, limit;
    struct pl_stack_slab *slabs; /* newest first; only it has unmade stacks */
    struct pl_loop *loop;
    struct pl_timer trim;
};

/* limit: most stacks. Nothing is mapped yet. Borrows loop. */
void pl_stack_pool_init(struct pl_stack_pool *pool, struct pl_loop *loop,
                        unsigned limit);
void pl_stack_pool_fini(struct pl_stack_pool *pool); /* none is in use */

/* The lowest byte of PL_STACK_SIZE bytes, aligned to a page; NULL when out of
 * memory or at the limit. */
char *pl_stack_get(struct pl_stack_pool *pool);
void pl_stack_put(struct pl_stack_pool *pool, char *base);

#endif
