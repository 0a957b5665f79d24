/* dict_room.c - the memory of a dictionary: what it may have, and who must go.
 *
 * All is charged before it is allocated and until it is freed, garbage
 * included: the limit is never passed. Puts stop short of it by the reserve,
 * which leaves room for garbage that somebody may still look at, and for the
 * arrays that taking something out needs.
 *
 * Who must go: a hand walks over the buckets as that of a clock (CLOCK). What
 * was used since it came by last stays once more. */
#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/dict_priv.h"

enum {
    MALLOC_HEADER = 16, /* what malloc itself takes for a block */
    LARGEST = 2,        /* one value takes at most half of the room */
    TRIES = 4,
    SWEEP_NS = 100000000, /* a full dictionary is swept at most so often */
};

/* ---- items ---- */

static bool fits(const struct pl_dict *dict, size_t size)
{
    return atomic_load_explicit(&dict->account.used, memory_order_relaxed) +
               size <=
           dict->soft;
}

static int refuse(struct pl_dict *dict)
{
    atomic_fetch_add_explicit(&dict->account.refused, 1, memory_order_relaxed);
    return PL_ERR_LIMIT;
}

static struct pl_dict_item *allocate(struct pl_dict *dict, size_t size,
                                     int *err)
{
    struct pl_dict_item *item;

    *err = pl_common_account_charge(&dict->account, size + MALLOC_HEADER);
    if (*err < 0)
        return NULL;
    item = pl_malloc(size);
    if (item == NULL) {
        pl_common_account_release(&dict->account, size + MALLOC_HEADER);
        *err = PL_ERR_NOMEM;
        return NULL;
    }
    PL_ASSERT((uintptr_t)item >> 48 == 0); /* cells have 48 bits for it */
    item->dict = dict;
    item->size = size + MALLOC_HEADER;
    return item;
}

void pl_dict_drop_item(struct pl_dict_item *item)
{
    if (item == NULL)
        return;
    pl_common_account_release(&item->dict->account, item->size);
    pl_free(item);
}

static void free_retired(struct pl_retired *retired)
{
    pl_dict_drop_item(PL_CONTAINER_OF(retired, struct pl_dict_item, retired));
}

void pl_dict_retire_item(const struct pl_dict_user *user,
                         struct pl_dict_item *item)
{
    pl_epoch_retire(user->reader, &item->retired, free_retired, item->size);
}

/* With room made for it. */
static struct pl_dict_item *new_item(struct pl_dict *dict,
                                     const struct pl_dict_user *user,
                                     size_t size, int *err)
{
    struct pl_dict_item *item = NULL;

    size = (size + 15) & ~(size_t)15;
    if (size > dict->soft / LARGEST) {
        *err = refuse(dict);
        return NULL;
    }
    *err = fits(dict, size + MALLOC_HEADER)
               ? 0
               : pl_dict_make_room(dict, user, size + MALLOC_HEADER);
    for (int i = 0; i < TRIES && *err == 0; i++) {
        item = allocate(dict, size, err);
        if (*err != PL_ERR_LIMIT) /* else others have taken the room */
            break;
        *err = pl_dict_make_room(dict, user, size + MALLOC_HEADER);
    }
    if (item == NULL && *err == 0)
        *err = PL_ERR_LIMIT;
    return item;
}

struct pl_dict_entry *pl_dict_new_entry(struct pl_dict *dict,
                                        const struct pl_dict_user *user,
                                        const struct pl_dict_place *place,
                                        int *err)
{
    struct pl_dict_entry *entry = (struct pl_dict_entry *)new_item(
        dict, user, sizeof(*entry) + place->key.len, err);

    if (entry == NULL)
        return NULL;
    entry->hash = place->hash;
    entry->expires = UINT64_MAX;
    entry->key_len = (uint32_t)place->key.len;
    atomic_init(&entry->used, false);
    memcpy(entry->key, place->key.data, place->key.len);
    return entry;
}

struct pl_dict_bytes *pl_dict_new_bytes(struct pl_dict *dict,
                                        const struct pl_dict_user *user,
                                        const struct pl_datum *value, int *err)
{
    struct pl_str data = value->bytes;
    struct pl_dict_bytes *bytes = NULL;

    if (value->type == PL_DATUM_INTEGER)
        data = pl_str((const char *)&value->integer, sizeof(value->integer));
    *err = PL_ERR_LIMIT;
    if (data.len <= UINT32_MAX)
        bytes = (struct pl_dict_bytes *)new_item(
            dict, user, sizeof(*bytes) + data.len, err);
    if (bytes == NULL)
        return NULL;
    bytes->version =
        atomic_fetch_add_explicit(&dict->versions, 1, memory_order_relaxed) + 1;
    bytes->type = value->type;
    bytes->len = (uint32_t)data.len;
    memcpy(bytes->data, data.data, data.len);
    return bytes;
}

struct pl_dict_array *pl_dict_new_array(struct pl_dict *dict, size_t count,
                                        int *err)
{
    return (struct pl_dict_array *)allocate(
        dict,
        sizeof(struct pl_dict_array) + count * sizeof(struct pl_dict_entry *),
        err);
}

/* ---- making room ---- */

static size_t size_of(const struct pl_dict_entry *entry, pl_cell cell)
{
    const struct pl_dict_bytes *bytes = pl_cell_pointer(cell);

    return entry->item.size +
           (pl_cell_tag(cell) == PL_CELL_BYTES ? bytes->item.size : 0);
}

/* One bucket; returns the bytes of what had to go. In a section. */
static size_t visit(struct pl_dict *dict, const struct pl_dict_user *user,
                    _Atomic uintptr_t *bucket, bool evict)
{
    struct pl_dict_entry *entry;
    struct pl_dict_each each;
    size_t freed = 0;

    pl_dict_each_begin(&each, atomic_load(bucket));
    while ((entry = pl_dict_each(&each)) != NULL) {
        bool old = pl_dict_is_expired(entry, user);
        size_t size;

        if (pl_cell_tag(each.cell) == PL_CELL_DEAD)
            continue;
        if (!old && (!evict || atomic_load_explicit(&entry->used,
                                                    memory_order_relaxed))) {
            atomic_store_explicit(&entry->used, false, memory_order_relaxed);
            continue;
        }
        size = size_of(entry, each.cell);
        if (pl_dict_kill(dict, user, entry, each.cell)) {
            atomic_fetch_add_explicit(old ? &dict->expired : &dict->evicted, 1,
                                      memory_order_relaxed);
            freed += size;
        }
    }
    if (freed > 0)
        pl_dict_tidy(dict, user, bucket);
    return freed;
}

/* Moves the hand on, until so many bytes are garbage. */
static void evict(struct pl_dict *dict, const struct pl_dict_user *user,
                  size_t want)
{
    size_t steps = 2 * (dict->mask + 1), freed = 0;

    for (; steps > 0 && freed < want; steps--) {
        size_t at =
            atomic_fetch_add_explicit(&dict->hand, 1, memory_order_relaxed) &
            dict->mask;

        if (atomic_load_explicit(&dict->buckets[at], memory_order_relaxed) == 0)
            continue;
        pl_epoch_enter(user->reader);
        freed += visit(dict, user, &dict->buckets[at], true);
        pl_epoch_leave(user->reader);
        pl_epoch_tidy(user->reader);
    }
}

/* Looks everywhere for what has expired, unless that was done just now. */
static void sweep(struct pl_dict *dict, const struct pl_dict_user *user)
{
    uint64_t swept = atomic_load(&dict->swept);

    if ((swept != 0 && user->now < swept + SWEEP_NS) ||
        !atomic_compare_exchange_strong(&dict->swept, &swept, user->now))
        return;
    for (size_t at = 0; at <= dict->mask; at++) {
        if (atomic_load_explicit(&dict->buckets[at], memory_order_relaxed) == 0)
            continue;
        pl_epoch_enter(user->reader);
        visit(dict, user, &dict->buckets[at], false);
        pl_epoch_leave(user->reader);
        pl_epoch_tidy(user->reader);
    }
}

int pl_dict_make_room(struct pl_dict *dict, const struct pl_dict_user *user,
                      size_t size)
{
    size_t used;

    pl_epoch_collect(user->reader);
    if (fits(dict, size))
        return 0;
    if (!dict->options.evict) {
        sweep(dict, user);
        pl_epoch_collect(user->reader);
        return fits(dict, size) ? 0 : refuse(dict);
    }
    used = atomic_load_explicit(&dict->account.used, memory_order_relaxed);
    evict(dict, user, used + size - PL_MIN(dict->soft, used + size));
    pl_epoch_collect(user->reader);
    /* What others still look at may lie in the reserve for a while. */
    used = atomic_load_explicit(&dict->account.used, memory_order_relaxed);
    return used + size <= dict->options.max ? 0 : refuse(dict);
}
