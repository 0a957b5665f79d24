/* table.c - see table.h. An entry is in its home (hash & mask) or behind it,
 * with no empty slot between: that is what get() relies on and what remove()
 * restores. */
#include "base/table.h"

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"

struct pl_table_slot {
    const char *data;
    void *value; /* NULL: the slot is empty */
    uint32_t len, hash;
};

enum { SMALLEST = 8 };

void pl_table_init(struct pl_table *table, struct pl_pool *pool,
                   struct pl_account *account)
{
    *table = (struct pl_table){
        .key = pl_hash_key_new(), .pool = pool, .account = account};
}

static void release(struct pl_table *table, struct pl_table_slot *slots,
                    size_t size)
{
    if (slots == NULL)
        return;
    pl_pool_put(table->pool, slots, size * sizeof(*slots));
    pl_account_release(table->account, size * sizeof(*slots));
}

void pl_table_fini(struct pl_table *table)
{
    release(table, table->slots, table->size);
    table->slots = NULL;
    table->count = table->size = 0;
}

static size_t after(const struct pl_table *table, size_t place)
{
    return (place + 1) & (table->size - 1);
}

static uint32_t hash_of(const struct pl_table *table, struct pl_str key)
{
    return (uint32_t)pl_hash(key, table->key);
}

/* The slot of key, or the empty one where it would go. */
static struct pl_table_slot *find(const struct pl_table *table,
                                  struct pl_str key, uint32_t hash)
{
    size_t place = hash & (table->size - 1);
    struct pl_table_slot *slot = &table->slots[place];

    while (slot->value != NULL &&
           (slot->hash != hash ||
            !pl_str_eq(pl_str(slot->data, slot->len), key))) {
        place = after(table, place);
        slot = &table->slots[place];
    }
    return slot;
}

void *pl_table_get(const struct pl_table *table, struct pl_str key)
{
    if (table->count == 0)
        return NULL;
    return find(table, key, hash_of(table, key))->value;
}

/* Into a table that has room and no such key. */
static void move_in(struct pl_table *table, const struct pl_table_slot *entry)
{
    size_t place = entry->hash & (table->size - 1);

    while (table->slots[place].value != NULL)
        place = after(table, place);
    table->slots[place] = *entry;
}

/* Three quarters full at most: probes stay short and an empty slot ends them.
 */
static bool is_full(const struct pl_table *table)
{
    return table->count >= table->size - table->size / 4;
}

static int grow(struct pl_table *table)
{
    struct pl_table_slot *old = table->slots, *slots;
    size_t was = table->size, bytes;
    size_t size = was == 0 ? SMALLEST : was * 2;

    if (__builtin_mul_overflow(size, sizeof(*slots), &bytes) ||
        pl_account_charge(table->account, bytes) < 0)
        return PL_ERR_LIMIT;
    slots = pl_pool_get_zeroed(table->pool, bytes);
    if (slots == NULL) {
        pl_account_release(table->account, bytes);
        return PL_ERR_NOMEM;
    }
    table->slots = slots;
    table->size = size;
    for (size_t i = 0; i < was; i++)
        if (old[i].value != NULL)
            move_in(table, &old[i]);
    release(table, old, was);
    return 0;
}

int pl_table_put(struct pl_table *table, struct pl_str key, void *value,
                 void **old)
{
    uint32_t hash = hash_of(table, key);
    struct pl_table_slot *slot = NULL;
    void *was;
    int err;

    PL_ASSERT(value != NULL);
    if (key.len > UINT32_MAX)
        return PL_ERR_LIMIT;
    if (table->size > 0)
        slot = find(table, key, hash);
    if ((slot == NULL || slot->value == NULL) && is_full(table)) {
        err = grow(table);
        if (err < 0)
            return err;
        slot = find(table, key, hash);
    }
    was = slot->value;
    table->count += was == NULL;
    *slot = (struct pl_table_slot){key.data, value, (uint32_t)key.len, hash};
    if (old != NULL)
        *old = was;
    return 0;
}

/* Moves entries of the same run back into the gap, as long as that does not
 * bring one before its home. */
static void close_gap(struct pl_table *table, size_t gap)
{
    size_t mask = table->size - 1;

    for (size_t place = after(table, gap); table->slots[place].value != NULL;
         place = after(table, place)) {
        size_t home = table->slots[place].hash & mask;

        if (((place - home) & mask) >= ((place - gap) & mask)) {
            table->slots[gap] = table->slots[place];
            gap = place;
        }
    }
    table->slots[gap] = (struct pl_table_slot){0};
}

void *pl_table_remove(struct pl_table *table, struct pl_str key)
{
    struct pl_table_slot *slot;
    void *value;

    if (table->count == 0)
        return NULL;
    slot = find(table, key, hash_of(table, key));
    value = slot->value;
    if (value == NULL)
        return NULL;
    close_gap(table, (size_t)(slot - table->slots));
    table->count--;
    return value;
}

/* Goes down from an empty slot, all the way round: a removal moves entries down
 * only, from places that were shown to the one just shown, and never over an
 * empty slot. So nothing is shown twice or missed. */
bool pl_table_next(struct pl_table *table, struct pl_table_walk *walk)
{
    const struct pl_table_slot *slot;

    if (!walk->begun) {
        walk->begun = true;
        walk->left = table->size;
        while (walk->left > 0 && table->slots[walk->place].value != NULL)
            walk->place++;
    }
    while (walk->left > 0) {
        walk->left--;
        walk->place = (walk->place - 1) & (table->size - 1);
        slot = &table->slots[walk->place];
        if (slot->value != NULL) {
            walk->key = pl_str(slot->data, slot->len);
            walk->value = slot->value;
            return true;
        }
    }
    return false;
}
