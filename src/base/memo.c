#include "base/memo.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"

void pl_memo_init(struct pl_memo *memo, const struct pl_memo_options *options,
                  struct pl_pool *pool, struct pl_account *account)
{
    *memo = (struct pl_memo){.options = *options};
    pl_table_init(&memo->table, pool, account);
    pl_list_init(&memo->hand);
}

void pl_memo_fini(struct pl_memo *memo)
{
    pl_memo_clear(memo);
    pl_table_fini(&memo->table);
}

/* ---- entries ----------------------------------------------------------- */

static size_t block_size(size_t key_len)
{
    return sizeof(struct pl_memo_entry) + key_len;
}

static int entry_new(struct pl_memo *memo, struct pl_str key,
                     struct pl_memo_entry **out)
{
    size_t size = pl_pool_round(block_size(key.len));
    struct pl_memo_entry *entry;

    if (pl_account_charge(memo->table.account, size) < 0)
        return PL_ERR_LIMIT;
    entry = pl_pool_get_zeroed(memo->table.pool, size);
    if (entry == NULL) {
        pl_account_release(memo->table.account, size);
        return PL_ERR_NOMEM;
    }
    if (key.len > 0)
        memcpy(entry->text, key.data, key.len);
    entry->key = pl_str(entry->text, key.len);
    entry->refs = 1;
    entry->pending = true;
    pl_list_init(&entry->node);
    pl_list_init(&entry->waiters);
    *out = entry;
    return 0;
}

void pl_memo_release(struct pl_memo *memo, struct pl_memo_entry *entry)
{
    size_t size = pl_pool_round(block_size(entry->key.len));

    PL_ASSERT(entry->refs > 0);
    if (--entry->refs > 0)
        return;
    PL_ASSERT(pl_list_empty(&entry->waiters)); /* each has a reference */
    if (entry->value != NULL && memo->options.free != NULL)
        memo->options.free(entry->value, memo->options.arg);
    pl_account_release(memo->table.account, size);
    pl_pool_put(memo->table.pool, entry, size);
}

/* get() does not find it any more. */
static void unlist(struct pl_memo *memo, struct pl_memo_entry *entry)
{
    if (!entry->listed)
        return;
    pl_table_remove(&memo->table, entry->key);
    pl_list_remove(&entry->node);
    entry->listed = false;
    memo->used -= entry->size;
    pl_memo_release(memo, entry);
}

static int list(struct pl_memo *memo, struct pl_memo_entry *entry)
{
    int err = pl_table_put(&memo->table, entry->key, entry, NULL);

    if (err < 0)
        return err;
    entry->listed = true;
    entry->refs++;
    return 0;
}

/* Takes the least used. An entry in use is passed over as long as there are
 * others (passes: looks that are left): its memory would not come back. */
static bool evict(struct pl_memo *memo, size_t *passes)
{
    while (!pl_list_empty(&memo->hand)) {
        struct pl_memo_entry *entry =
            PL_LIST_ENTRY(memo->hand.next, struct pl_memo_entry, node);

        if (*passes == 0 || (!entry->used && entry->refs == 1)) {
            memo->evictions++;
            unlist(memo, entry);
            return true;
        }
        --*passes;
        entry->used = false;
        pl_list_remove(&entry->node);
        pl_list_push(&memo->hand, &entry->node);
    }
    return false;
}

bool pl_memo_evict(struct pl_memo *memo)
{
    size_t passes = 2 * memo->table.count;

    return evict(memo, &passes);
}

static void make_room(struct pl_memo *memo, size_t size)
{
    size_t passes = 2 * memo->table.count;

    while (memo->used > memo->options.limit - size && evict(memo, &passes))
        ;
}

/* ---- asking ------------------------------------------------------------ */

/* The entry that get() would find; what is too old goes. */
static struct pl_memo_entry *look_up(struct pl_memo *memo, struct pl_str key,
                                     uint64_t now)
{
    struct pl_memo_entry *entry = pl_table_get(&memo->table, key);

    if (entry == NULL || entry->pending || memo->options.ttl == 0 ||
        now < entry->expires)
        return entry;
    unlist(memo, entry);
    return NULL;
}

struct pl_memo_entry *pl_memo_peek(struct pl_memo *memo, struct pl_str key,
                                   uint64_t now)
{
    struct pl_memo_entry *entry = look_up(memo, key, now);

    if (entry == NULL || entry->pending)
        return NULL;
    entry->used = true;
    entry->refs++;
    memo->hits++;
    return entry;
}

int pl_memo_get(struct pl_memo *memo, struct pl_str key, uint64_t now,
                struct pl_memo_entry **out)
{
    struct pl_memo_entry *entry = look_up(memo, key, now);
    int err;

    if (entry != NULL) {
        entry->used = true;
        entry->refs++;
        memo->hits++;
        *out = entry;
        return entry->pending ? PL_MEMO_WAIT : PL_MEMO_HIT;
    }
    memo->misses++;
    err = entry_new(memo, key, &entry);
    if (err < 0)
        return err;
    err = list(memo, entry);
    if (err < 0) {
        pl_memo_release(memo, entry);
        return err;
    }
    *out = entry;
    return PL_MEMO_MISS;
}

/* ---- answering --------------------------------------------------------- */

/* A waiter may do anything in done(), also stop the others from waiting. */
static void tell(struct pl_memo_entry *entry, int err)
{
    struct pl_list *node;

    while ((node = pl_list_pop(&entry->waiters)) != NULL) {
        struct pl_memo_waiter *waiter =
            PL_LIST_ENTRY(node, struct pl_memo_waiter, node);

        waiter->done(waiter, err);
    }
}

void pl_memo_fill(struct pl_memo *memo, struct pl_memo_entry *entry,
                  void *value, size_t size, uint64_t now)
{
    PL_ASSERT(entry->pending && value != NULL);
    entry->pending = false;
    entry->value = value;
    if (__builtin_add_overflow(now, memo->options.ttl, &entry->expires))
        entry->expires = UINT64_MAX;
    if (memo->options.limit != 0 && size > memo->options.limit) {
        unlist(memo, entry); /* for those who asked, and nobody after them */
    } else if (entry->listed) {
        if (memo->options.limit != 0)
            make_room(memo, size);
        entry->size = size;
        memo->used += size;
        pl_list_push(&memo->hand, &entry->node);
    }
    tell(entry, 0);
}

void pl_memo_fail(struct pl_memo *memo, struct pl_memo_entry *entry, int err)
{
    PL_ASSERT(entry->pending && err < 0);
    entry->pending = false;
    entry->err = err;
    unlist(memo, entry);
    tell(entry, err);
}

void pl_memo_wait(struct pl_memo_entry *entry, struct pl_memo_waiter *waiter)
{
    PL_ASSERT(entry->pending);
    pl_list_push(&entry->waiters, &waiter->node);
}

void pl_memo_unwait(struct pl_memo_waiter *waiter)
{
    pl_list_remove(&waiter->node);
}

int pl_memo_put(struct pl_memo *memo, struct pl_str key, void *value,
                size_t size, uint64_t now)
{
    struct pl_memo_entry *entry;
    int err;

    pl_memo_invalidate(memo, key);
    err = pl_memo_get(memo, key, now, &entry);
    if (err < 0) {
        if (memo->options.free != NULL)
            memo->options.free(value, memo->options.arg);
        return err;
    }
    pl_memo_fill(memo, entry, value, size, now);
    pl_memo_release(memo, entry);
    return 0;
}

void pl_memo_invalidate(struct pl_memo *memo, struct pl_str key)
{
    struct pl_memo_entry *entry = pl_table_get(&memo->table, key);

    if (entry != NULL)
        unlist(memo, entry);
}

void pl_memo_clear(struct pl_memo *memo)
{
    for (struct pl_table_walk at = {0}; pl_table_next(&memo->table, &at);)
        unlist(memo, at.value);
}
