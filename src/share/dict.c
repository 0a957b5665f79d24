#include "share/dict.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/dict_priv.h"

/* A bucket for so many bytes: about one for an entry. */
enum { BYTES_PER_BUCKET = 256, BUCKETS_MIN = 64, BUCKETS_MAX = 1 << 20 };

/* ---- life ---- */

int pl_dict_new(const struct pl_dict_options *options, struct pl_dict **out)
{
    struct pl_dict *dict;
    size_t buckets = BUCKETS_MIN;

    if (options->max < PL_DICT_SMALLEST)
        return PL_ERR_INVALID;
    while (buckets < BUCKETS_MAX &&
           buckets * 2 * BYTES_PER_BUCKET <= options->max)
        buckets *= 2;
    dict = pl_aligned_alloc(64, (sizeof(*dict) + 63) / 64 * 64);
    if (dict == NULL)
        return PL_ERR_NOMEM;
    memset(dict, 0, sizeof(*dict));
    dict->options = *options;
    dict->key = pl_hash_key_new();
    dict->mask = buckets - 1;
    pl_common_account_init(&dict->account, options->max);
    dict->soft = options->max - options->max / PL_DICT_RESERVE;
    dict->buckets = pl_calloc(buckets, sizeof(dict->buckets[0]));
    if (dict->buckets == NULL) {
        pl_free(dict);
        return PL_ERR_NOMEM;
    }
    atomic_store(&dict->account.used, buckets * sizeof(dict->buckets[0]));
    *out = dict;
    return 0;
}

static void free_entry(struct pl_dict_entry *entry)
{
    pl_cell cell = atomic_load(&entry->cell);

    pl_dict_drop_item(&entry->item);
    if (pl_cell_tag(cell) == PL_CELL_FORWARD)
        free_entry(pl_cell_pointer(cell));
    else if (pl_cell_tag(cell) == PL_CELL_BYTES)
        pl_dict_drop_item(pl_cell_pointer(cell));
}

void pl_dict_free(struct pl_dict *dict)
{
    if (dict == NULL)
        return;
    for (size_t i = 0; i <= dict->mask; i++) {
        uintptr_t word = atomic_load(&dict->buckets[i]);
        struct pl_dict_each each;

        pl_dict_each_begin(&each, word);
        for (; each.next < each.end; each.next++)
            free_entry(*each.next);
        if (word & PL_DICT_IS_ARRAY)
            pl_dict_drop_item((struct pl_dict_item *)(word - PL_DICT_IS_ARRAY));
    }
    PL_ASSERT(atomic_load(&dict->account.used) ==
              (dict->mask + 1) * sizeof(dict->buckets[0]));
    pl_free((void *)dict->buckets);
    pl_free(dict);
}

const struct pl_dict_options *pl_dict_options(const struct pl_dict *dict)
{
    return &dict->options;
}

/* ---- looking ---- */

static struct pl_dict_stripe *stripe_of(struct pl_dict *dict,
                                        const struct pl_dict_user *user)
{
    return &dict->stripes[(uintptr_t)user->reader / 64 % PL_DICT_STRIPES];
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void pl_dict_get(struct pl_dict *dict, const struct pl_dict_user *user,
                 struct pl_str key, struct pl_datum *value)
{
    struct pl_dict_stripe *stripe = stripe_of(dict, user);
    struct pl_dict_place place = {.key = key};

    pl_dict_locate(dict, &place);
    pl_epoch_enter(user->reader);
    pl_dict_find(dict, user, &place, false);
    if (place.entry == NULL) {
        count(&stripe->misses);
        value->type = PL_DATUM_NONE;
        value->version = 0;
        return;
    }
    count(&stripe->hits);
    pl_dict_touch(place.entry);
    pl_cell_read(place.cell, value);
}

int pl_dict_ttl(struct pl_dict *dict, const struct pl_dict_user *user,
                struct pl_str key, uint64_t *left)
{
    struct pl_dict_place place = {.key = key};
    uint64_t expires = 0;

    pl_dict_locate(dict, &place);
    pl_epoch_enter(user->reader);
    pl_dict_find(dict, user, &place, false);
    if (place.entry != NULL)
        expires = place.entry->expires;
    pl_epoch_leave(user->reader);
    if (place.entry == NULL)
        return PL_ERR_NOT_FOUND;
    *left = expires == UINT64_MAX ? PL_DICT_FOREVER : expires - user->now;
    return 0;
}

/* ---- changing ---- */

/* What is to happen to a key. Memory for it is got outside of sections, when
 * a look has shown that it is needed, and kept for the next look. */
struct change {
    bool must_exist, must_be_new;
    const struct pl_datum *expected; /* or NULL: whatever is there */
    const struct pl_datum *value;    /* NONE: the key goes */
    bool keep_expiry;                /* of what is there */
    uint64_t expires;                /* else */
    /* ready */
    pl_cell cell;
    struct pl_dict_bytes *bytes; /* what cell points to; NULL when used up */
    struct pl_dict_entry *entry;
    size_t array; /* room that is needed to try again; 0: none */
};

/* Beside 0 and the errors, what one look may come to. */
enum look { AGAIN = 1, WANTS_ENTRY, WANTS_ROOM };

static uint64_t expiry(const struct pl_dict *dict,
                       const struct pl_dict_user *user, uint64_t ttl)
{
    if (ttl == PL_DICT_DEFAULT)
        ttl = dict->options.ttl;
    return ttl == PL_DICT_FOREVER || ttl > UINT64_MAX - user->now
               ? UINT64_MAX
               : user->now + ttl;
}

static double as_double(const struct pl_datum *value)
{
    return value->type == PL_DATUM_INTEGER ? (double)value->integer
                                           : value->number;
}

static bool is_number(const struct pl_datum *value)
{
    return value->type == PL_DATUM_INTEGER || value->type == PL_DATUM_DOUBLE;
}

/* In a section. */
static bool is_equal(const struct pl_datum *a, const struct pl_datum *b)
{
    if (a->version != 0)
        return a->version == b->version;
    if (is_number(a) && is_number(b) && a->type != b->type)
        return as_double(a) == as_double(b);
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case PL_DATUM_NONE:
        return true;
    case PL_DATUM_BOOL:
        return a->boolean == b->boolean;
    case PL_DATUM_INTEGER:
        return a->integer == b->integer;
    case PL_DATUM_DOUBLE:
        return a->number == b->number;
    default:
        return pl_str_eq(a->bytes, b->bytes);
    }
}

static int insert(struct pl_dict *dict, const struct pl_dict_user *user,
                  struct pl_dict_place *place, struct change *change)
{
    int err;

    if (change->value->type == PL_DATUM_NONE)
        return 0;
    if (change->entry == NULL)
        return WANTS_ENTRY;
    change->entry->expires = change->expires;
    atomic_store_explicit(&change->entry->cell, change->cell,
                          memory_order_relaxed);
    err = pl_dict_insert(dict, user, place, change->entry, &change->array);
    if (err == PL_ERR_LIMIT)
        return WANTS_ROOM;
    if (err == PL_ERR_BUSY)
        return AGAIN;
    if (err < 0)
        return err;
    change->entry = NULL;
    change->bytes = NULL;
    return 0;
}

/* Another expiry, and so another entry: the cell of the old one leads to it. */
static int forward(struct pl_dict *dict, const struct pl_dict_user *user,
                   struct pl_dict_place *place, struct change *change)
{
    if (change->entry == NULL)
        return WANTS_ENTRY;
    change->entry->expires = change->expires;
    atomic_store_explicit(&change->entry->cell, change->cell,
                          memory_order_relaxed);
    if (!atomic_compare_exchange_strong(
            &place->entry->cell, &place->cell,
            pl_cell_make(PL_CELL_FORWARD, (uintptr_t)change->entry)))
        return AGAIN;
    change->entry = NULL;
    change->bytes = NULL;
    pl_dict_tidy(dict, user, place->bucket);
    return 0;
}

/* The key is there. */
static int alter(struct pl_dict *dict, const struct pl_dict_user *user,
                 struct pl_dict_place *place, struct change *change)
{
    int err;

    if (change->value->type == PL_DATUM_NONE) {
        if (!pl_dict_kill(dict, user, place->entry, place->cell))
            return AGAIN;
        pl_dict_tidy(dict, user, place->bucket);
        return 0;
    }
    if (!change->keep_expiry && change->expires != place->entry->expires) {
        err = forward(dict, user, place, change);
    } else if (atomic_compare_exchange_strong(&place->entry->cell, &place->cell,
                                              change->cell)) {
        change->bytes = NULL;
        err = 0;
    } else {
        err = AGAIN;
    }
    if (err == 0)
        pl_dict_retire_cell(user, place->cell);
    return err;
}

/* One look. In a section. */
static int try_change(struct pl_dict *dict, const struct pl_dict_user *user,
                      struct pl_dict_place *place, struct change *change)
{
    struct pl_datum there = {.type = PL_DATUM_NONE};

    pl_dict_find(dict, user, place, true);
    if (place->entry == NULL && change->must_exist)
        return PL_ERR_NOT_FOUND;
    if (place->entry != NULL && change->must_be_new)
        return PL_ERR_EXISTS;
    if (change->expected != NULL) {
        if (place->entry != NULL)
            pl_cell_read(place->cell, &there);
        if (!is_equal(change->expected, &there))
            return PL_ERR_STATE;
    }
    if (place->entry == NULL)
        return insert(dict, user, place, change);
    pl_dict_touch(place->entry);
    return alter(dict, user, place, change);
}

/* The cell for the value, with memory if it needs some. */
static int prepare(struct pl_dict *dict, const struct pl_dict_user *user,
                   struct change *change)
{
    int err = 0;

    if (change->value->type == PL_DATUM_NONE ||
        pl_cell_inline(change->value, &change->cell))
        return 0;
    change->bytes = pl_dict_new_bytes(dict, user, change->value, &err);
    if (change->bytes != NULL)
        change->cell = pl_cell_make(PL_CELL_BYTES, (uintptr_t)change->bytes);
    return err;
}

static int apply(struct pl_dict *dict, const struct pl_dict_user *user,
                 struct pl_str key, struct change *change)
{
    struct pl_dict_place place = {.key = key};
    int err;

    if (key.len > PL_DICT_KEY_MAX)
        return PL_ERR_TOO_LONG;
    pl_dict_locate(dict, &place);
    err = prepare(dict, user, change);
    if (err < 0)
        return err;
    do {
        pl_epoch_enter(user->reader);
        err = try_change(dict, user, &place, change);
        pl_epoch_leave(user->reader);
        if (err == WANTS_ENTRY) {
            change->entry = pl_dict_new_entry(dict, user, &place, &err);
            err = err == 0 ? AGAIN : err;
        } else if (err == WANTS_ROOM) {
            err = pl_dict_make_room(dict, user, change->array);
            err = err == 0 ? AGAIN : err;
        }
    } while (err == AGAIN);
    if (change->bytes != NULL)
        pl_dict_drop_item(&change->bytes->item);
    if (change->entry != NULL)
        pl_dict_drop_item(&change->entry->item);
    pl_epoch_tidy(user->reader);
    return err;
}

int pl_dict_put(struct pl_dict *dict, const struct pl_dict_user *user,
                struct pl_str key, const struct pl_datum *value,
                const struct pl_dict_put *put)
{
    struct change change = {
        .must_be_new = put->mode == PL_DICT_ADD,
        .must_exist = put->mode == PL_DICT_REPLACE,
        .value = value,
        .expires = expiry(dict, user, put->ttl),
    };

    PL_ASSERT(value->type != PL_DATUM_NONE);
    return apply(dict, user, key, &change);
}

int pl_dict_swap(struct pl_dict *dict, const struct pl_dict_user *user,
                 struct pl_str key, const struct pl_datum *expected,
                 const struct pl_datum *value)
{
    struct change change = {
        .expected = expected,
        .value = value,
        .keep_expiry = true,
        .expires = expiry(dict, user, PL_DICT_DEFAULT),
    };

    return apply(dict, user, key, &change);
}

int pl_dict_delete(struct pl_dict *dict, const struct pl_dict_user *user,
                   struct pl_str key)
{
    const struct pl_datum none = {.type = PL_DATUM_NONE};
    struct change change = {.must_exist = true, .value = &none};

    return apply(dict, user, key, &change);
}

/* ---- counting ---- */

static struct pl_datum sum(const struct pl_datum *a, const struct pl_datum *b)
{
    struct pl_datum sum = {.type = PL_DATUM_INTEGER};

    if (a->type == PL_DATUM_INTEGER && b->type == PL_DATUM_INTEGER &&
        !__builtin_add_overflow(a->integer, b->integer, &sum.integer))
        return sum;
    sum.type = PL_DATUM_DOUBLE;
    sum.number = as_double(a) + as_double(b);
    return sum;
}

/* One look at a number: 0, AGAIN, an error; or WANTS_ENTRY, when *there must
 * be swapped for *total, which needs memory. In a section. */
static int try_incr(struct pl_dict *dict, const struct pl_dict_user *user,
                    struct pl_dict_place *place, const struct pl_datum *by,
                    struct pl_datum *there, struct pl_datum *total)
{
    pl_cell cell;

    pl_dict_find(dict, user, place, false);
    if (place->entry == NULL)
        return PL_ERR_NOT_FOUND;
    pl_dict_touch(place->entry);
    pl_cell_read(place->cell, there);
    if (!is_number(there))
        return PL_ERR_INVALID;
    *total = sum(there, by);
    if (!pl_cell_inline(total, &cell) ||
        pl_cell_tag(place->cell) == PL_CELL_BYTES)
        return WANTS_ENTRY;
    return atomic_compare_exchange_strong(&place->entry->cell, &place->cell,
                                          cell)
               ? 0
               : AGAIN;
}

int pl_dict_incr(struct pl_dict *dict, const struct pl_dict_user *user,
                 struct pl_str key, struct pl_datum *value,
                 const struct pl_datum *init, uint64_t ttl)
{
    const struct pl_dict_put put = {PL_DICT_ADD, ttl};
    struct pl_dict_place place = {.key = key};
    struct pl_datum there, total = {.type = PL_DATUM_NONE};
    int err;

    if (key.len > PL_DICT_KEY_MAX)
        return PL_ERR_TOO_LONG;
    pl_dict_locate(dict, &place);
    do {
        pl_epoch_enter(user->reader);
        err = try_incr(dict, user, &place, value, &there, &total);
        pl_epoch_leave(user->reader);
        if (err == WANTS_ENTRY) {
            err = pl_dict_swap(dict, user, key, &there, &total);
            err = err == PL_ERR_STATE ? AGAIN : err;
        } else if (err == PL_ERR_NOT_FOUND && init != NULL) {
            total = sum(init, value);
            err = pl_dict_put(dict, user, key, &total, &put);
            err = err == PL_ERR_EXISTS ? AGAIN : err;
        }
    } while (err == AGAIN);
    if (err == 0)
        *value = total;
    return err;
}

/* ---- expiry ---- */

/* The value moves to another entry, as it is. In a section. */
static int try_expire(struct pl_dict *dict, const struct pl_dict_user *user,
                      struct pl_dict_place *place, struct change *change)
{
    pl_dict_find(dict, user, place, true);
    if (place->entry == NULL)
        return PL_ERR_NOT_FOUND;
    if (place->entry->expires == change->expires)
        return 0;
    change->cell = place->cell;
    return forward(dict, user, place, change);
}

int pl_dict_expire(struct pl_dict *dict, const struct pl_dict_user *user,
                   struct pl_str key, uint64_t ttl)
{
    struct change change = {.expires = expiry(dict, user, ttl)};
    struct pl_dict_place place = {.key = key};
    int err;

    if (key.len > PL_DICT_KEY_MAX)
        return PL_ERR_TOO_LONG;
    pl_dict_locate(dict, &place);
    do {
        pl_epoch_enter(user->reader);
        err = try_expire(dict, user, &place, &change);
        pl_epoch_leave(user->reader);
        if (err == WANTS_ENTRY) {
            change.entry = pl_dict_new_entry(dict, user, &place, &err);
            err = err == 0 ? AGAIN : err;
        }
    } while (err == AGAIN);
    if (change.entry != NULL)
        pl_dict_drop_item(&change.entry->item);
    pl_epoch_tidy(user->reader);
    return err;
}

/* ---- all of them ---- */

bool pl_dict_walk(struct pl_dict *dict, const struct pl_dict_user *user,
                  size_t *at, void (*see)(void *arg, struct pl_str key),
                  void *arg)
{
    struct pl_dict_entry *entry;
    struct pl_dict_each each;

    while (*at <= dict->mask &&
           atomic_load_explicit(&dict->buckets[*at], memory_order_relaxed) == 0)
        ++*at;
    if (*at > dict->mask)
        return false;
    pl_epoch_enter(user->reader);
    pl_dict_each_begin(&each, atomic_load(&dict->buckets[*at]));
    ++*at;
    while ((entry = pl_dict_each(&each)) != NULL)
        if (pl_cell_tag(each.cell) != PL_CELL_DEAD &&
            !pl_dict_is_expired(entry, user))
            see(arg, pl_str(entry->key, entry->key_len));
    pl_epoch_leave(user->reader);
    return true;
}

static void flush_bucket(struct pl_dict *dict, const struct pl_dict_user *user,
                         _Atomic uintptr_t *bucket)
{
    struct pl_dict_entry *entry;
    struct pl_dict_each each;

    pl_dict_each_begin(&each, atomic_load(bucket));
    while ((entry = pl_dict_each(&each)) != NULL) {
        pl_cell cell = each.cell;

        /* One that is changed meanwhile is deleted by the next look. */
        while (pl_cell_tag(cell) != PL_CELL_DEAD &&
               pl_cell_tag(cell) != PL_CELL_FORWARD &&
               !pl_dict_kill(dict, user, entry, cell))
            cell = atomic_load(&entry->cell);
    }
    pl_dict_tidy(dict, user, bucket);
}

void pl_dict_flush(struct pl_dict *dict, const struct pl_dict_user *user)
{
    for (size_t at = 0; at <= dict->mask; at++) {
        if (atomic_load(&dict->buckets[at]) == 0)
            continue;
        pl_epoch_enter(user->reader);
        flush_bucket(dict, user, &dict->buckets[at]);
        pl_epoch_leave(user->reader);
        pl_epoch_tidy(user->reader);
    }
}

struct pl_dict_stats pl_dict_stats(struct pl_dict *dict)
{
    struct pl_dict_stats stats = {
        .keys = atomic_load(&dict->keys),
        .used = atomic_load(&dict->account.used),
        .limit = dict->options.max,
        .evicted = atomic_load(&dict->evicted),
        .expired = atomic_load(&dict->expired),
        .refused = atomic_load(&dict->account.refused),
    };

    for (int i = 0; i < PL_DICT_STRIPES; i++) {
        stats.hits += atomic_load(&dict->stripes[i].hits);
        stats.misses += atomic_load(&dict->stripes[i].misses);
    }
    return stats;
}
