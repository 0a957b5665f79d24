/* pool.h - a worker's memory: blocks by size class, kept for re-use.
 *
 * Everything that comes and goes with a request or a connection (arenas,
 * buffers, protocol state, tasks) is a block from here, so that a worker in
 * steady state never calls malloc. Classes are powers of two with one step
 * between (64, 96, 128, 192, ...); larger blocks go straight to malloc. Small
 * ones (up to PL_POOL_SMALL) are cut from slabs, without a header of malloc's,
 * and stay with the pool: an idle connection is one of them. Of the others a
 * class keeps at most PL_POOL_KEEP bytes of free blocks and returns the rest.
 *
 * Used by one thread only. */
#ifndef PL_BASE_POOL_H
#define PL_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/account.h"
#include "base/compiler.h"

enum {
    PL_POOL_CLASSES = 22,
    PL_POOL_SMALL = 512,
    PL_POOL_MAX = 96 * 1024,
};
#define PL_POOL_KEEP ((size_t)2 << 20)

struct pl_pool {
    struct pl_pool_block *free[PL_POOL_CLASSES];
    uint32_t count[PL_POOL_CLASSES]; /* free blocks in each class */
    struct pl_pool_slab *slabs;      /* newest first */
    uint32_t slab_left;              /* bytes of the newest not cut yet */
    struct pl_account account;       /* what is handed out now */
    uint64_t mallocs;                /* blocks ever taken from malloc */
};

/* limit in bytes for all blocks handed out; 0 = unlimited. */
void pl_pool_init(struct pl_pool *pool, struct pl_account *parent,
                  size_t limit);
void pl_pool_fini(struct pl_pool *pool);

/* The size that a block of at least size bytes really has. */
size_t pl_pool_round(size_t size);

/* A block of pl_pool_round(size) bytes, not cleared; NULL when out of memory or
 * over the limit. Give it back with the same size (or the rounded one). */
void *pl_pool_get(struct pl_pool *pool, size_t size);
void *pl_pool_get_zeroed(struct pl_pool *pool, size_t size);
void pl_pool_put(struct pl_pool *pool, void *block, size_t size);

/* Returns the free blocks to malloc (idle worker, memory pressure). */
void pl_pool_trim(struct pl_pool *pool);

#endif
