/* arena.h - memory that lives as long as its owner and is freed at once.
 *
 * Blocks come from the worker's pool; the owner (a request) usually lives in
 * the first block itself. Nothing is freed singly. */
#ifndef PL_BASE_ARENA_H
#define PL_BASE_ARENA_H

#include <perilune.h>

#include "base/pool.h"

struct pl_arena {
    char *at, *end;                /* free part of the newest block */
    struct pl_arena_block *blocks; /* newest first */
    struct pl_pool *pool;
    struct pl_account *account; /* may be NULL */
};

/* Nothing is allocated until the first call. Borrows both. */
void pl_arena_init(struct pl_arena *arena, struct pl_pool *pool,
                   struct pl_account *account);
void pl_arena_fini(struct pl_arena *arena);

/* Aligned for any type; not cleared; NULL when refused. size 0 gives a valid
 * pointer.
 */
void *pl_arena_alloc(struct pl_arena *arena, size_t size) PL_NODISCARD;
void *pl_arena_zeroed(struct pl_arena *arena, size_t size) PL_NODISCARD;

/* Not aligned: for text. */
char *pl_arena_bytes(struct pl_arena *arena, size_t size) PL_NODISCARD;

/* Copies, with a terminating NUL that is not counted. data is NULL if out of
 * memory or if s is absent. */
struct pl_str pl_arena_str(struct pl_arena *arena, struct pl_str s);
struct pl_str pl_arena_printf(struct pl_arena *arena, const char *fmt, ...)
    PL_PRINTF(2, 3);
struct pl_str pl_arena_vprintf(struct pl_arena *arena, const char *fmt,
                               va_list ap);

/* Bytes of all its blocks. */
size_t pl_arena_size(const struct pl_arena *arena);

/* Gives back what the newest allocation (ptr, was) does not need. */
void pl_arena_shrink(struct pl_arena *arena, char *ptr, size_t was, size_t now);

#endif
