#include "task/stacks.h"

#include <string.h>

#include "base/check.h"
#include "base/sys.h"
#include "task/annotate.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

/* Fewer warm stacks than KEEP_WARM are never cooled; beyond that, those which
 * were not needed for COOL_NS are, at most COOL_BATCH a turn (~1 us each). */
enum { SLAB_STACKS = 64, KEEP_WARM = 64, COOL_BATCH = 256 };
#define COOL_NS ((uint64_t)1000000000)

enum { STRIDE = PL_STACK_GUARD + PL_STACK_SIZE, SLAB = SLAB_STACKS * STRIDE };

struct pl_stack_slab {
    struct pl_stack_slab *next;
    char *memory;
    unsigned made; /* stacks that have a guard and were handed out once */
    unsigned valgrind_ids[SLAB_STACKS];
};

/* ---- making ---- */

static int add_slab(struct pl_stack_pool *pool)
{
    struct pl_stack_slab *slab = pl_malloc(sizeof(*slab));
    void *memory = MAP_FAILED;
    char **free;

    if (slab == NULL)
        return PL_ERR_NOMEM;
    free = pl_realloc(pool->free, (pool->total + SLAB_STACKS) * sizeof(*free));
    if (free == NULL)
        goto fail;
    pool->free = free;
    memory = pl_sys_mmap(NULL, SLAB, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        goto fail;
    /* A huge page would make the first byte of a stack cost 2 MiB. Fails where
     * the kernel has none. */
    (void)pl_sys_madvise(memory, SLAB, MADV_NOHUGEPAGE);
    *slab = (struct pl_stack_slab){.next = pool->slabs, .memory = memory};
    pool->slabs = slab;
    return 0;
fail:
    pl_free(slab);
    return PL_ERR_NOMEM;
}

/* Page table marks are enough where the kernel knows them: a protected range is
 * a mapping of its own, of which a process may have 65530. */
static int guard(char *at)
{
    if (pl_sys_madvise(at, PL_STACK_GUARD, MADV_GUARD_INSTALL) == 0 ||
        pl_sys_mprotect(at, PL_STACK_GUARD, PROT_NONE) == 0)
        return 0;
    return PL_ERR_NOMEM;
}

static PL_NOINLINE char *make_stack(struct pl_stack_pool *pool)
{
    struct pl_stack_slab *slab;
    char *base;

    if (pool->total >= pool->limit)
        return NULL;
    if ((pool->slabs == NULL || pool->slabs->made == SLAB_STACKS) &&
        add_slab(pool) < 0)
        return NULL;
    slab = pool->slabs;
    base = slab->memory + (size_t)slab->made * STRIDE + PL_STACK_GUARD;
    if (guard(base - PL_STACK_GUARD) < 0)
        return NULL;
    slab->valgrind_ids[slab->made++] = pl_stack_register(base, PL_STACK_SIZE);
    pool->total++;
    return base;
}

/* ---- cooling ---- */

static bool has_spare(const struct pl_stack_pool *pool)
{
    return pool->count > pool->cold + KEEP_WARM;
}

static void start_cooling(struct pl_stack_pool *pool)
{
    pl_timer_start(pl_loop_wheel(pool->loop), &pool->trim,
                   pl_now(pool->loop) + COOL_NS);
}

/* free[0 .. low) were not touched since the last time. */
static void cool(struct pl_timer *timer)
{
    struct pl_stack_pool *pool =
        PL_CONTAINER_OF(timer, struct pl_stack_pool, trim);
    unsigned end = pool->low > KEEP_WARM ? pool->low - KEEP_WARM : 0;

    end = PL_MIN(end, pool->cold + COOL_BATCH);
    for (; pool->cold < end; pool->cold++)
        (void)pl_sys_madvise(pool->free[pool->cold], PL_STACK_SIZE,
                             MADV_DONTNEED);
    pool->low = pool->count;
    if (has_spare(pool))
        start_cooling(pool);
}

/* ---- the pool ---- */

void pl_stack_pool_init(struct pl_stack_pool *pool, struct pl_loop *loop,
                        unsigned limit)
{
    *pool = (struct pl_stack_pool){.loop = loop, .limit = limit};
    pl_timer_init(&pool->trim, cool);
}

void pl_stack_pool_fini(struct pl_stack_pool *pool)
{
    struct pl_stack_slab *slab;

    PL_ASSERT(pool->count == pool->total); /* else: a fiber is alive */
    pl_timer_stop(pl_loop_wheel(pool->loop), &pool->trim);
    while ((slab = pool->slabs) != NULL) {
        pool->slabs = slab->next;
        for (unsigned i = 0; i < slab->made; i++)
            pl_stack_deregister(slab->valgrind_ids[i]);
        pl_stack_unpoison(slab->memory, SLAB);
        (void)pl_sys_munmap(slab->memory, SLAB);
        pl_free(slab);
    }
    pl_free(pool->free);
}

char *pl_stack_get(struct pl_stack_pool *pool)
{
    char *base;

    if (PL_UNLIKELY(pool->count == 0))
        return make_stack(pool);
    base = pool->free[--pool->count];
    pool->low = PL_MIN(pool->low, pool->count);
    pool->cold = PL_MIN(pool->cold, pool->count);
    pl_stack_unpoison(base, PL_STACK_SIZE);
    return base;
}

void pl_stack_put(struct pl_stack_pool *pool, char *base)
{
    pl_stack_poison(base, PL_STACK_SIZE);
    pool->free[pool->count++] = base;
    if (PL_UNLIKELY(has_spare(pool) && !pool->trim.armed))
        start_cooling(pool);
}
