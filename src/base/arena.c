#include "base/arena.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_BLOCK = 4096, ALIGN = _Alignof(max_align_t) };

struct pl_arena_block {
    _Alignas(max_align_t) struct pl_arena_block *next;
    size_t size;
};

_Static_assert(sizeof(struct pl_arena_block) % ALIGN == 0, "keeps alignment");

void pl_arena_init(struct pl_arena *arena, struct pl_pool *pool,
                   struct pl_account *account)
{
    *arena = (struct pl_arena){.pool = pool, .account = account};
}

void pl_arena_fini(struct pl_arena *arena)
{
    /* The arena and its account may lie in any of the blocks. */
    struct pl_pool *pool = arena->pool;
    struct pl_arena_block *block = arena->blocks;

    pl_account_release(arena->account, pl_arena_size(arena));
    arena->at = arena->end = NULL;
    arena->blocks = NULL;
    while (block != NULL) {
        struct pl_arena_block *next = block->next;

        pl_pool_put(pool, block, block->size);
        block = next;
    }
}

/* A block for at least need bytes becomes the newest, unless most of it would
 * be one large piece: that one goes behind, so that the rest of the newest
 * stays in use. */
static char *grow(struct pl_arena *arena, size_t need)
{
    size_t size = sizeof(struct pl_arena_block) + need;
    bool large = size > FIRST_BLOCK && arena->blocks != NULL;
    struct pl_arena_block *block;

    if (size < need)
        return NULL;
    size = pl_pool_round(PL_MAX(size, FIRST_BLOCK));
    if (pl_account_charge(arena->account, size) < 0)
        return NULL;
    block = pl_pool_get(arena->pool, size);
    if (block == NULL) {
        pl_account_release(arena->account, size);
        return NULL;
    }
    block->size = size;
    if (large) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
        return (char *)(block + 1);
    }
    block->next = arena->blocks;
    arena->blocks = block;
    arena->at = (char *)(block + 1) + need;
    arena->end = (char *)block + size;
    return (char *)(block + 1);
}

PL_INLINE char *take(struct pl_arena *arena, size_t size)
{
    char *at = arena->at;

    if (PL_UNLIKELY((size_t)(arena->end - at) < size || at == NULL))
        return grow(arena, size);
    arena->at = at + size;
    return at;
}

char *pl_arena_bytes(struct pl_arena *arena, size_t size)
{
    return take(arena, size);
}

void *pl_arena_alloc(struct pl_arena *arena, size_t size)
{
    size_t pad = (size_t)(-(uintptr_t)arena->at & (ALIGN - 1));

    if (PL_UNLIKELY(arena->at == NULL ||
                    (size_t)(arena->end - arena->at) < pad + size ||
                    pad + size < size))
        return grow(arena, size);
    arena->at += pad + size;
    return arena->at - size;
}

void *pl_arena_zeroed(struct pl_arena *arena, size_t size)
{
    void *ptr = pl_arena_alloc(arena, size);

    return ptr == NULL ? NULL : memset(ptr, 0, size);
}

struct pl_str pl_arena_str(struct pl_arena *arena, struct pl_str s)
{
    char *copy = s.data == NULL ? NULL : take(arena, s.len + 1);

    if (copy == NULL)
        return (struct pl_str){NULL, 0};
    memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return (struct pl_str){copy, s.len};
}

struct pl_str pl_arena_vprintf(struct pl_arena *arena, const char *fmt,
                               va_list ap)
{
    size_t room = (size_t)(arena->end - arena->at);
    va_list again;
    char *out;
    int len;

    va_copy(again, ap);
    len = vsnprintf(arena->at, room, fmt, ap);
    if (len < 0) {
        out = NULL;
    } else if ((size_t)len < room) {
        out = arena->at;
        arena->at += len + 1;
    } else {
        out = pl_arena_bytes(arena, (size_t)len + 1);
        if (out != NULL)
            vsnprintf(out, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    return (struct pl_str){out, out == NULL ? 0 : (size_t)len};
}

struct pl_str pl_arena_printf(struct pl_arena *arena, const char *fmt, ...)
{
    struct pl_str text;
    va_list ap;

    va_start(ap, fmt);
    text = pl_arena_vprintf(arena, fmt, ap);
    va_end(ap);
    return text;
}

void pl_arena_shrink(struct pl_arena *arena, char *ptr, size_t was, size_t now)
{
    if (ptr + was == arena->at)
        arena->at = ptr + now;
}

size_t pl_arena_size(const struct pl_arena *arena)
{
    size_t size = 0;

    for (struct pl_arena_block *block = arena->blocks; block != NULL;
         block = block->next)
        size += block->size;
    return size;
}
