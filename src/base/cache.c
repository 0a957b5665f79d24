#include "base/cache.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"

void pl_cache_init(struct pl_cache *cache,
                   const struct pl_cache_options *options, struct pl_pool *pool,
                   struct pl_account *account)
{
    *cache = (struct pl_cache){.options = *options};
    pl_table_init(&cache->table, pool, account);
    pl_list_init(&cache->hand);
}

void pl_cache_fini(struct pl_cache *cache)
{
    pl_cache_clear(cache);
    pl_table_fini(&cache->table);
}

/* ---- entries ----------------------------------------------------------- */

static size_t block_size(size_t key_len)
{
    return sizeof(struct pl_cache_entry) + key_len;
}

static int entry_new(struct pl_cache *cache, struct pl_str key,
                     struct pl_cache_entry **out)
{
    size_t size = pl_pool_round(block_size(key.len));
    struct pl_cache_entry *entry;

    if (pl_account_charge(cache->table.account, size) < 0)
        return PL_ERR_LIMIT;
    entry = pl_pool_get_zeroed(cache->table.pool, size);
    if (entry == NULL) {
        pl_account_release(cache->table.account, size);
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

void pl_cache_release(struct pl_cache *cache, struct pl_cache_entry *entry)
{
    size_t size = pl_pool_round(block_size(entry->key.len));

    PL_ASSERT(entry->refs > 0);
    if (--entry->refs > 0)
        return;
    PL_ASSERT(pl_list_empty(&entry->waiters)); /* each has a reference */
    if (entry->value != NULL && cache->options.free != NULL)
        cache->options.free(entry->value, cache->options.arg);
    pl_account_release(cache->table.account, size);
    pl_pool_put(cache->table.pool, entry, size);
}

/* get() does not find it any more. */
static void unlist(struct pl_cache *cache, struct pl_cache_entry *entry)
{
    if (!entry->listed)
        return;
    pl_table_remove(&cache->table, entry->key);
    pl_list_remove(&entry->node);
    entry->listed = false;
    cache->used -= entry->size;
    pl_cache_release(cache, entry);
}

static int list(struct pl_cache *cache, struct pl_cache_entry *entry)
{
    int err = pl_table_put(&cache->table, entry->key, entry, NULL);

    if (err < 0)
        return err;
    entry->listed = true;
    entry->refs++;
    return 0;
}

/* Takes the least used until there is room. An entry in use is passed over as
 * long as there are others: its memory would not come back. */
static void make_room(struct pl_cache *cache, size_t size)
{
    size_t passes = 2 * cache->table.count;

    while (cache->used > cache->options.limit - size &&
           !pl_list_empty(&cache->hand)) {
        struct pl_cache_entry *entry =
            PL_LIST_ENTRY(cache->hand.next, struct pl_cache_entry, node);

        if (passes > 0 && (entry->used || entry->refs > 1)) {
            passes--;
            entry->used = false;
            pl_list_remove(&entry->node);
            pl_list_push(&cache->hand, &entry->node);
            continue;
        }
        cache->evictions++;
        unlist(cache, entry);
    }
}

/* ---- asking ------------------------------------------------------------ */

/* The entry that get() would find; what is too old goes. */
static struct pl_cache_entry *look_up(struct pl_cache *cache, struct pl_str key,
                                      uint64_t now)
{
    struct pl_cache_entry *entry = pl_table_get(&cache->table, key);

    if (entry == NULL || entry->pending || cache->options.ttl == 0 ||
        now < entry->expires)
        return entry;
    unlist(cache, entry);
    return NULL;
}

struct pl_cache_entry *pl_cache_peek(struct pl_cache *cache, struct pl_str key,
                                     uint64_t now)
{
    struct pl_cache_entry *entry = look_up(cache, key, now);

    if (entry == NULL || entry->pending)
        return NULL;
    entry->used = true;
    entry->refs++;
    cache->hits++;
    return entry;
}

int pl_cache_get(struct pl_cache *cache, struct pl_str key, uint64_t now,
                 struct pl_cache_entry **out)
{
    struct pl_cache_entry *entry = look_up(cache, key, now);
    int err;

    if (entry != NULL) {
        entry->used = true;
        entry->refs++;
        cache->hits++;
        *out = entry;
        return entry->pending ? PL_CACHE_WAIT : PL_CACHE_HIT;
    }
    cache->misses++;
    err = entry_new(cache, key, &entry);
    if (err < 0)
        return err;
    err = list(cache, entry);
    if (err < 0) {
        pl_cache_release(cache, entry);
        return err;
    }
    *out = entry;
    return PL_CACHE_MISS;
}

/* ---- answering --------------------------------------------------------- */

/* A waiter may do anything in done(), also stop the others from waiting. */
static void tell(struct pl_cache_entry *entry, int err)
{
    struct pl_list *node;

    while ((node = pl_list_pop(&entry->waiters)) != NULL) {
        struct pl_cache_waiter *waiter =
            PL_LIST_ENTRY(node, struct pl_cache_waiter, node);

        waiter->done(waiter, err);
    }
}

void pl_cache_fill(struct pl_cache *cache, struct pl_cache_entry *entry,
                   void *value, size_t size, uint64_t now)
{
    PL_ASSERT(entry->pending && value != NULL);
    entry->pending = false;
    entry->value = value;
    if (__builtin_add_overflow(now, cache->options.ttl, &entry->expires))
        entry->expires = UINT64_MAX;
    if (cache->options.limit != 0 && size > cache->options.limit) {
        unlist(cache, entry); /* for those who asked, and nobody after them */
    } else if (entry->listed) {
        if (cache->options.limit != 0)
            make_room(cache, size);
        entry->size = size;
        cache->used += size;
        pl_list_push(&cache->hand, &entry->node);
    }
    tell(entry, 0);
}

void pl_cache_fail(struct pl_cache *cache, struct pl_cache_entry *entry,
                   int err)
{
    PL_ASSERT(entry->pending && err < 0);
    entry->pending = false;
    entry->err = err;
    unlist(cache, entry);
    tell(entry, err);
}

void pl_cache_wait(struct pl_cache_entry *entry, struct pl_cache_waiter *waiter)
{
    PL_ASSERT(entry->pending);
    pl_list_push(&entry->waiters, &waiter->node);
}

void pl_cache_unwait(struct pl_cache_waiter *waiter)
{
    pl_list_remove(&waiter->node);
}

int pl_cache_put(struct pl_cache *cache, struct pl_str key, void *value,
                 size_t size, uint64_t now)
{
    struct pl_cache_entry *entry;
    int err;

    pl_cache_invalidate(cache, key);
    err = pl_cache_get(cache, key, now, &entry);
    if (err < 0) {
        if (cache->options.free != NULL)
            cache->options.free(value, cache->options.arg);
        return err;
    }
    pl_cache_fill(cache, entry, value, size, now);
    pl_cache_release(cache, entry);
    return 0;
}

void pl_cache_invalidate(struct pl_cache *cache, struct pl_str key)
{
    struct pl_cache_entry *entry = pl_table_get(&cache->table, key);

    if (entry != NULL)
        unlist(cache, entry);
}

void pl_cache_clear(struct pl_cache *cache)
{
    for (struct pl_table_walk at = {0}; pl_table_next(&cache->table, &at);)
        unlist(cache, at.value);
}
