/* memo.h - what was made once is kept for a while: by key, by one thread.
 *
 *     get: nothing there --> PENDING --fill--> READY --> (old, pushed out,
 *                               |                         invalidated) gone
 *                               +-----fail---> gone
 *
 * Whoever gets PL_MEMO_MISS makes the value, and must call fill or fail; who
 * comes meanwhile gets PL_MEMO_WAIT and may be told by a waiter: so a value is
 * made once however many ask, and making it may take as long as it likes. The
 * waiting itself is the caller's: this room knows no tasks.
 *
 * Entries are counted: one that is gone lives on until its last user releases
 * it. Only then its value is freed. Time is what the caller passes as now, in
 * any unit. When the values are larger than the limit together, those not used
 * for longest go (CLOCK: one bit of memory each). */
#ifndef PL_BASE_CACHE_H
#define PL_BASE_CACHE_H

#include <perilune.h>

#include "base/list.h"
#include "base/table.h"

struct pl_memo_entry {
    void *value;            /* while READY */
    struct pl_str key;      /* lies behind the entry */
    int err;                /* why making it failed, or 0 */
    bool pending;           /* somebody makes it */
    bool listed;            /* get() finds it: it holds a reference itself */
    bool used;              /* since the hand came by */
    uint32_t refs;          /* never 0 */
    uint64_t expires;       /* the first moment when it is too old */
    size_t size;            /* of the value, as fill() said */
    struct pl_list node;    /* in the order of the hand; READY and listed */
    struct pl_list waiters; /* struct pl_memo_waiter */
    char text[];
};

struct pl_memo_options {
    uint64_t ttl;                         /* 0: for ever */
    size_t limit;                         /* of the sizes; 0: none */
    void (*free)(void *value, void *arg); /* may be NULL */
    void *arg;
};

struct pl_memo {
    struct pl_table table;
    struct pl_list hand; /* the next to go first */
    struct pl_memo_options options;
    size_t used; /* sizes of what is listed */
    uint64_t hits, misses, evictions;
};

/* Told once, when the entry is READY (err 0) or failed. Embedded in what
 * waits. */
struct pl_memo_waiter {
    struct pl_list node;
    void (*done)(struct pl_memo_waiter *waiter, int err);
};

enum pl_memo_result { PL_MEMO_HIT, PL_MEMO_MISS, PL_MEMO_WAIT };

/* Borrows pool and account (may be NULL), which pay for the entries; values are
 * the caller's to charge. */
void pl_memo_init(struct pl_memo *memo, const struct pl_memo_options *options,
                  struct pl_pool *pool, struct pl_account *account);

/* Every entry must have been released. */
void pl_memo_fini(struct pl_memo *memo);

/* A pl_memo_result with a reference to *entry: HIT, its value is there; MISS,
 * the caller makes it; WAIT, another one does. Or PL_ERR_NOMEM, PL_ERR_LIMIT.
 */
int pl_memo_get(struct pl_memo *memo, struct pl_str key, uint64_t now,
                struct pl_memo_entry **entry);

/* A reference to a READY entry, or NULL. */
struct pl_memo_entry *pl_memo_peek(struct pl_memo *memo, struct pl_str key,
                                   uint64_t now);

/* After MISS: the value is there (TAKES it), or could not be made. The caller
 * keeps its reference. Tells the waiters. */
void pl_memo_fill(struct pl_memo *memo, struct pl_memo_entry *entry,
                  void *value, size_t size, uint64_t now);
void pl_memo_fail(struct pl_memo *memo, struct pl_memo_entry *entry, int err);

/* After WAIT, while the entry is pending. The waiter keeps its reference. */
void pl_memo_wait(struct pl_memo_entry *entry, struct pl_memo_waiter *waiter);

/* No more interest; also after it was told. */
void pl_memo_unwait(struct pl_memo_waiter *waiter);

/* TAKES value, in place of what was there or is being made. Returns 0,
 * PL_ERR_NOMEM or PL_ERR_LIMIT (value is freed then). */
int pl_memo_put(struct pl_memo *memo, struct pl_str key, void *value,
                size_t size, uint64_t now);

/* The next get() is a MISS. Who waits for a pending one still gets it. */
void pl_memo_invalidate(struct pl_memo *memo, struct pl_str key);
void pl_memo_clear(struct pl_memo *memo);

/* Pushes out the least used, as if there were no room for it. False if there is
 * none. */
bool pl_memo_evict(struct pl_memo *memo);

/* Gives back a reference. */
void pl_memo_release(struct pl_memo *memo, struct pl_memo_entry *entry);

#endif
