/* table.h - from strings to pointers: routes, settings, caches.
 *
 * Open addressing with linear probing; a removal closes its gap, so that there
 * are no tombstones and a long-lived table does not get slower. The hash is
 * keyed (hash.h): a peer that chooses the keys cannot make them collide.
 *
 * A key is BORROWED as long as its entry is there: it usually lies in what the
 * entry points at. Values are never freed here and never NULL. Used by one
 * thread only. */
#ifndef PL_BASE_TABLE_H
#define PL_BASE_TABLE_H

#include <perilune.h>

#include "base/hash.h"
#include "base/pool.h"

struct pl_table {
    struct pl_table_slot *slots; /* NULL until the first put */
    size_t count, size;          /* entries; slots, a power of two */
    struct pl_hash_key key;
    struct pl_pool *pool;
    struct pl_account *account; /* may be NULL */
};

/* Allocates nothing yet. Borrows pool and account. */
void pl_table_init(struct pl_table *table, struct pl_pool *pool,
                   struct pl_account *account);
void pl_table_fini(struct pl_table *table); /* empty, and usable again */

/* The value, or NULL. */
void *pl_table_get(const struct pl_table *table, struct pl_str key);

/* Adds or replaces; the key of a replaced entry is no longer used, either.
 * Gives the replaced value or NULL in *old (which may be NULL). Returns 0,
 * PL_ERR_NOMEM or PL_ERR_LIMIT (then nothing changed). */
int pl_table_put(struct pl_table *table, struct pl_str key, void *value,
                 void **old);

/* Returns the value that was there, or NULL. */
void *pl_table_remove(struct pl_table *table, struct pl_str key);

/* A walk over all entries in no order. The entry just shown may be removed;
 * nothing may be added.
 *
 *     for (struct pl_table_walk at = {0}; pl_table_next(&table, &at);)
 *         use(at.key, at.value); */
struct pl_table_walk {
    struct pl_str key;
    void *value;
    size_t place, left;
    bool begun;
};

bool pl_table_next(struct pl_table *table, struct pl_table_walk *walk);

#endif
