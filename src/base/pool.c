#include "base/pool.h"

#include <string.h>

#include "base/check.h"
#include "base/sys.h"

#if PL_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#endif

struct pl_pool_block {
    struct pl_pool_block *next;
};

struct pl_pool_slab {
    struct pl_pool_slab *next;
};

/* Under ASan every block is malloc's own, with its red zones. */
enum { SMALLEST = 64, SLAB = 16 * 1024, SMALL = PL_ASAN ? 0 : PL_POOL_SMALL };

/* 0: 64, 1: 96, 2: 128, 3: 192, 4: 256, ... */
PL_INLINE unsigned class_of(size_t size)
{
    unsigned shift, class;

    if (size <= SMALLEST)
        return 0;
    shift = 63 - (unsigned)__builtin_clzll(size - 1); /* 2^shift < size */
    class = (shift - 6) * 2;
    return size > ((size_t)3 << (shift - 1)) ? class + 2 : class + 1;
}

PL_INLINE size_t size_of(unsigned class)
{
    size_t base = (size_t)SMALLEST << class / 2;

    return class & 1 ? base + base / 2 : base;
}

/* The pool of a worker has no limit and no parent: then counting is all. */
PL_INLINE int charge(struct pl_pool *pool, size_t size)
{
    struct pl_account *account = &pool->account;

    if (PL_UNLIKELY(account->limit != 0 || account->parent != NULL))
        return pl_account_charge(account, size);
    account->used += size;
    return 0;
}

PL_INLINE void release(struct pl_pool *pool, size_t size)
{
    struct pl_account *account = &pool->account;

    if (PL_UNLIKELY(account->parent != NULL)) {
        pl_account_release(account, size);
        return;
    }
    PL_ASSERT(account->used >= size);
    account->used -= size;
}

PL_COLD void pl_pool_init(struct pl_pool *pool, struct pl_account *parent,
                          size_t limit)
{
    _Static_assert(PL_POOL_MAX == 96 << 10 && PL_POOL_CLASSES == 22,
                   "the last class is the largest block");
    memset(pool, 0, sizeof(*pool));
    pl_account_init(&pool->account, parent, limit);
}

PL_COLD void pl_pool_trim(struct pl_pool *pool)
{
    for (unsigned class = 0; class < PL_POOL_CLASSES; class ++) {
        if (size_of(class) <= SMALL)
            continue;
        while (pool->free[class] != NULL) {
            struct pl_pool_block *block = pool->free[class];

            ASAN_UNPOISON_MEMORY_REGION(block, size_of(class));
            pool->free[class] = block->next;
            pl_free(block);
        }
        pool->count[class] = 0;
    }
}

PL_COLD void pl_pool_fini(struct pl_pool *pool)
{
    PL_ASSERT(pool->account.used == 0); /* a block was never given back */
    pl_pool_trim(pool);
    while (pool->slabs != NULL) {
        struct pl_pool_slab *slab = pool->slabs;

        pool->slabs = slab->next;
        pl_free(slab);
    }
}

size_t pl_pool_round(size_t size)
{
    return size > PL_POOL_MAX ? size : size_of(class_of(size));
}

/* The next piece of the newest slab, or of a new one; NULL: no memory. The
 * first line is the slab's own, so that blocks of 64 bytes are cache lines. */
static void *cut(struct pl_pool *pool, size_t size)
{
    char *block;

    if (pool->slab_left < size) {
        struct pl_pool_slab *slab = pl_aligned_alloc(SMALLEST, SLAB);

        if (slab == NULL)
            return NULL;
        pool->mallocs++;
        slab->next = pool->slabs;
        pool->slabs = slab;
        pool->slab_left = SLAB - SMALLEST;
    }
    block = (char *)pool->slabs + SLAB - pool->slab_left;
    pool->slab_left -= (uint32_t)size;
    return block;
}

/* No free block of that size, or one too large to be kept. */
static PL_NOINLINE void *get_new(struct pl_pool *pool, size_t size)
{
    void *block;

    if (size <= SMALL) {
        block = cut(pool, size);
    } else {
        block = pl_malloc(size);
        pool->mallocs++;
    }
    if (block == NULL)
        release(pool, size);
    return block;
}

void *pl_pool_get(struct pl_pool *pool, size_t size)
{
    struct pl_pool_block *block;
    unsigned class;

    if (PL_UNLIKELY(size > PL_POOL_MAX))
        return charge(pool, size) < 0 ? NULL : get_new(pool, size);
    class = class_of(size);
    size = size_of(class);
    if (charge(pool, size) < 0)
        return NULL;
    block = pool->free[class];
    if (PL_UNLIKELY(block == NULL))
        return get_new(pool, size);
    ASAN_UNPOISON_MEMORY_REGION(block, size);
    pool->free[class] = block->next;
    pool->count[class]--;
    return block;
}

void *pl_pool_get_zeroed(struct pl_pool *pool, size_t size)
{
    void *block = pl_pool_get(pool, size);

    if (block != NULL)
        memset(block, 0, size);
    return block;
}

void pl_pool_put(struct pl_pool *pool, void *ptr, size_t size)
{
    struct pl_pool_block *block = ptr;
    unsigned class;

    if (ptr == NULL)
        return;
    if (PL_UNLIKELY(size > PL_POOL_MAX)) {
        release(pool, size);
        pl_free(block);
        return;
    }
    class = class_of(size);
    size = size_of(class);
    release(pool, size);
    if (PL_UNLIKELY((pool->count[class] + 1) * size > PL_POOL_KEEP) &&
        size > SMALL) {
        pl_free(block);
        return;
    }
    block->next = pool->free[class];
    pool->free[class] = block;
    pool->count[class]++;
    ASAN_POISON_MEMORY_REGION(block, size);
}
