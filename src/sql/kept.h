/* kept.h - prepared statements of one session, found by their text; the one
 * that was used longest ago makes room. Part of each driver (which links to
 * nothing of ours), not of the program. */
#ifndef PL_SQL_KEPT_H
#define PL_SQL_KEPT_H

#include "base/list.h"
#include "sql/rows.h"

enum { PL_SQL_KEPT_BUCKETS = 64 }; /* a power of two */

struct pl_sql_kept {
    struct pl_list node; /* the last used first */
    struct pl_sql_kept *next;
    void *statement; /* the driver's */
    uint32_t hash, len;
    bool busy; /* in use: stays */
    char text[];
};

struct pl_sql_keeper {
    const struct pl_sql_memory *memory;
    struct pl_list all;
    struct pl_sql_kept *buckets[PL_SQL_KEPT_BUCKETS];
    unsigned count, most;
};

void pl_sql_keeper_init(struct pl_sql_keeper *keeper,
                        const struct pl_sql_memory *memory, unsigned most);

/* NULL: none. It counts as used now. */
struct pl_sql_kept *pl_sql_keeper_find(struct pl_sql_keeper *keeper,
                                       struct pl_str text);

/* One that is to go before the next is added, or NULL. */
struct pl_sql_kept *pl_sql_keeper_surplus(struct pl_sql_keeper *keeper);

/* Copies text. NULL: none are kept, or no memory. */
struct pl_sql_kept *pl_sql_keeper_add(struct pl_sql_keeper *keeper,
                                      struct pl_str text);

/* Its statement is the caller's. */
void pl_sql_keeper_drop(struct pl_sql_keeper *keeper, struct pl_sql_kept *kept);

/* Any of them, or NULL. */
struct pl_sql_kept *pl_sql_keeper_any(struct pl_sql_keeper *keeper);

#endif
