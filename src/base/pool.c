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

/* Of the blocks that are kept: 64, 96, 128, 192, 256, ... */
struct class
{
    unsigned index;
    size_t size;
};

/* The first two bits of size - 1, the least number that the block need not
 * have room for, are 10 or 11: they say which of the two classes between powers
 * of two it is. */
PL_INLINE struct class class_of(size_t size)
{
    size_t last = PL_MAX(size, (size_t)SMALLEST) - 1;
    unsigned shift = 62 - (unsigned)__builtin_clzll(last);
    unsigned bits = (unsigned)(last >> shift);

    return (struct class){.index = 2 * shift + bits - 11,
                          .size = (size_t)(bits + 1) << shift};
}

PL_INLINE size_t size_of(unsigned index)
{
    size_t base = (size_t)SMALLEST << index / 2;

    return index & 1 ? base + base / 2 : base;
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
    for (unsigned i = 0; i < PL_POOL_CLASSES; i++) {
        if (size_of(i) <= SMALL)
            continue;
        while (pool->free[i] != NULL) {
            struct pl_pool_block *block = pool->free[i];

            ASAN_UNPOISON_MEMORY_REGION(block, size_of(i));
            pool->free[i] = block->next;
            pl_free(block);
        }
        pool->count[i] = 0;
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
    return size > PL_POOL_MAX ? size : class_of(size).size;
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
        pl_account_release(&pool->account, size);
    return block;
}

PL_INLINE void *take(struct pl_pool *pool, struct class class)
{
    struct pl_pool_block *block = pool->free[class.index];

    if (PL_UNLIKELY(block == NULL))
        return get_new(pool, class.size);
    ASAN_UNPOISON_MEMORY_REGION(block, class.size);
    pool->free[class.index] = block->next;
    pool->count[class.index]--;
    return block;
}

/* Too large to be kept, or there is more to do than to count. */
static PL_NOINLINE void *get_other(struct pl_pool *pool, size_t size)
{
    size_t whole = pl_pool_round(size);

    if (pl_account_charge(&pool->account, whole) < 0)
        return NULL;
    return size > PL_POOL_MAX ? get_new(pool, whole)
                              : take(pool, class_of(size));
}

/* The pool of a worker has no limit and no parent: then counting is all. */
void *pl_pool_get(struct pl_pool *pool, size_t size)
{
    struct pl_account *account = &pool->account;
    struct class class;

    if (PL_UNLIKELY(size > PL_POOL_MAX || account->limit != 0 ||
                    account->parent != NULL))
        return get_other(pool, size);
    class = class_of(size);
    account->used += class.size;
    return take(pool, class);
}

void *pl_pool_get_zeroed(struct pl_pool *pool, size_t size)
{
    void *block = pl_pool_get(pool, size);

    if (block != NULL)
        memset(block, 0, size);
    return block;
}

PL_INLINE void keep(struct pl_pool *pool, struct pl_pool_block *block,
                    struct class class)
{
    if (PL_UNLIKELY((pool->count[class.index] + 1) * class.size >
                    PL_POOL_KEEP) &&
        class.size > SMALL) {
        pl_free(block);
        return;
    }
    block->next = pool->free[class.index];
    pool->free[class.index] = block;
    pool->count[class.index]++;
    ASAN_POISON_MEMORY_REGION(block, class.size);
}

static PL_NOINLINE void put_other(struct pl_pool *pool, void *ptr, size_t size)
{
    pl_account_release(&pool->account, pl_pool_round(size));
    if (size > PL_POOL_MAX)
        pl_free(ptr);
    else
        keep(pool, ptr, class_of(size));
}

void pl_pool_put(struct pl_pool *pool, void *ptr, size_t size)
{
    struct pl_account *account = &pool->account;
    struct class class;

    if (ptr == NULL)
        return;
    if (PL_UNLIKELY(size > PL_POOL_MAX || account->parent != NULL)) {
        put_other(pool, ptr, size);
        return;
    }
    class = class_of(size);
    PL_ASSERT(account->used >= class.size);
    account->used -= class.size;
    keep(pool, ptr, class);
}
