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

enum { SMALLEST = 64 };

/* 0: 64, 1: 96, 2: 128, 3: 192, 4: 256, ... */
static unsigned class_of(size_t size)
{
    unsigned shift, class;

    if (size <= SMALLEST)
        return 0;
    shift = 63 - (unsigned)__builtin_clzll(size - 1); /* 2^shift < size */
    class = (shift - 6) * 2;
    return size > ((size_t)3 << (shift - 1)) ? class + 2 : class + 1;
}

static size_t size_of(unsigned class)
{
    size_t base = (size_t)SMALLEST << class / 2;

    return class & 1 ? base + base / 2 : base;
}

void pl_pool_init(struct pl_pool *pool, struct pl_account *parent, size_t limit)
{
    _Static_assert(PL_POOL_MAX == 96 << 10 && PL_POOL_CLASSES == 22,
                   "the last class is the largest block");
    memset(pool, 0, sizeof(*pool));
    pl_account_init(&pool->account, parent, limit);
}

void pl_pool_trim(struct pl_pool *pool)
{
    for (unsigned class = 0; class < PL_POOL_CLASSES; class ++) {
        while (pool->free[class] != NULL) {
            struct pl_pool_block *block = pool->free[class];

            ASAN_UNPOISON_MEMORY_REGION(block, size_of(class));
            pool->free[class] = block->next;
            pl_free(block);
        }
        pool->count[class] = 0;
    }
}

void pl_pool_fini(struct pl_pool *pool)
{
    PL_ASSERT(pool->account.used == 0); /* a block was never given back */
    pl_pool_trim(pool);
}

size_t pl_pool_round(size_t size)
{
    return size > PL_POOL_MAX ? size : size_of(class_of(size));
}

void *pl_pool_get(struct pl_pool *pool, size_t size)
{
    unsigned class = size > PL_POOL_MAX ? PL_POOL_CLASSES : class_of(size);
    size_t rounded = class == PL_POOL_CLASSES ? size : size_of(class);
    struct pl_pool_block *block;

    if (pl_account_charge(&pool->account, rounded) < 0)
        return NULL;
    if (class < PL_POOL_CLASSES && pool->free[class] != NULL) {
        block = pool->free[class];
        ASAN_UNPOISON_MEMORY_REGION(block, rounded);
        pool->free[class] = block->next;
        pool->count[class]--;
        return block;
    }
    pool->mallocs++;
    block = pl_malloc(rounded);
    if (block == NULL)
        pl_account_release(&pool->account, rounded);
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
    unsigned class = size > PL_POOL_MAX ? PL_POOL_CLASSES : class_of(size);
    size_t rounded = class == PL_POOL_CLASSES ? size : size_of(class);
    struct pl_pool_block *block = ptr;

    if (ptr == NULL)
        return;
    pl_account_release(&pool->account, rounded);
    if (class == PL_POOL_CLASSES ||
        (pool->count[class] + 1) * rounded > PL_POOL_KEEP) {
        pl_free(block);
        return;
    }
    block->next = pool->free[class];
    pool->free[class] = block;
    pool->count[class]++;
    ASAN_POISON_MEMORY_REGION(block, rounded);
}
