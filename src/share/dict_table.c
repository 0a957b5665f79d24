/* dict_table.c - the buckets: looking, and replacing one as a whole.
 *
 * A word of a bucket is NULL, an entry, or an array with the lowest bit set.
 * Whoever's swap replaces a bucket retires what was reachable by the old one
 * only: the array, and the entries that are over. What a dead or forwarding
 * cell says never changes, so these are the same after the swap as before. */
#include "base/check.h"
#include "base/str.h"
#include "share/dict_priv.h"

/* ---- cells ---- */

bool pl_cell_inline(const struct pl_datum *value, pl_cell *cell)
{
    int64_t integer = value->integer;
    double number;

    switch (value->type) {
    case PL_DATUM_BOOL:
        *cell = pl_cell_make(PL_CELL_BOOL, value->boolean);
        return true;
    case PL_DATUM_INTEGER:
        *cell = pl_cell_make(PL_CELL_INTEGER, (uint64_t)integer);
        return integer >= -(INT64_C(1) << 47) && integer < INT64_C(1) << 47;
    case PL_DATUM_DOUBLE:
        number = value->number;
        if (number != number) /* one NaN stands for all */
            number = __builtin_nan("");
        memcpy(cell, &number, sizeof(*cell));
        return true;
    default:
        return false;
    }
}

static void read_bytes(const struct pl_dict_bytes *bytes,
                       struct pl_datum *value)
{
    value->type = bytes->type;
    value->version = bytes->version;
    if (bytes->type == PL_DATUM_INTEGER)
        memcpy(&value->integer, bytes->data, sizeof(value->integer));
    else
        value->bytes = pl_str(bytes->data, bytes->len);
}

void pl_cell_read(pl_cell cell, struct pl_datum *value)
{
    value->version = 0;
    switch (pl_cell_tag(cell)) {
    case PL_CELL_BOOL:
        value->type = PL_DATUM_BOOL;
        value->boolean = cell & 1;
        break;
    case PL_CELL_INTEGER:
        value->type = PL_DATUM_INTEGER;
        value->integer = (int64_t)(cell << 16) >> 16;
        break;
    case PL_CELL_BYTES:
        read_bytes(pl_cell_pointer(cell), value);
        break;
    default:
        value->type = PL_DATUM_DOUBLE;
        memcpy(&value->number, &cell, sizeof(cell));
    }
}

void pl_dict_retire_cell(const struct pl_dict_user *user, pl_cell cell)
{
    if (pl_cell_tag(cell) == PL_CELL_BYTES)
        pl_dict_retire_item(user, pl_cell_pointer(cell));
}

/* ---- looking ---- */

void pl_dict_each_begin(struct pl_dict_each *each, uintptr_t word)
{
    const struct pl_dict_array *array;

    each->single = (struct pl_dict_entry *)word;
    each->next = &each->single;
    each->end = each->next + (word != 0);
    if (word & PL_DICT_IS_ARRAY) {
        array = (const struct pl_dict_array *)(word - PL_DICT_IS_ARRAY);
        each->next = array->entries;
        each->end = each->next + array->count;
    }
}

struct pl_dict_entry *pl_dict_each(struct pl_dict_each *each)
{
    struct pl_dict_entry *entry;

    if (each->next == each->end)
        return NULL;
    entry = *each->next++;
    each->cell = atomic_load(&entry->cell);
    while (pl_cell_tag(each->cell) == PL_CELL_FORWARD) {
        entry = pl_cell_pointer(each->cell);
        each->cell = atomic_load(&entry->cell);
    }
    return entry;
}

void pl_dict_locate(struct pl_dict *dict, struct pl_dict_place *place)
{
    place->hash = pl_hash(place->key, dict->key);
    place->bucket = &dict->buckets[place->hash & dict->mask];
}

static bool is_of(const struct pl_dict_entry *entry,
                  const struct pl_dict_place *place)
{
    return entry->hash == place->hash && entry->key_len == place->key.len &&
           memcmp(entry->key, place->key.data, place->key.len) == 0;
}

/* The entry of the key, over or not; or NULL. */
static struct pl_dict_entry *look(struct pl_dict_place *place)
{
    struct pl_dict_entry *entry;
    struct pl_dict_each each;

    place->word = atomic_load(place->bucket);
    pl_dict_each_begin(&each, place->word);
    while ((entry = pl_dict_each(&each)) != NULL) {
        if (is_of(entry, place)) {
            place->cell = each.cell;
            return entry;
        }
    }
    return NULL;
}

void pl_dict_find(struct pl_dict *dict, const struct pl_dict_user *user,
                  struct pl_dict_place *place, bool kill)
{
    struct pl_dict_entry *entry = look(place);

    while (entry != NULL && pl_cell_tag(place->cell) != PL_CELL_DEAD) {
        if (!pl_dict_is_expired(entry, user)) {
            place->entry = entry;
            return;
        }
        if (!kill)
            break;
        if (pl_dict_kill(dict, user, entry, place->cell))
            atomic_fetch_add_explicit(&dict->expired, 1, memory_order_relaxed);
        entry = look(place);
    }
    place->entry = NULL;
}

/* ---- ending ---- */

bool pl_dict_kill(struct pl_dict *dict, const struct pl_dict_user *user,
                  struct pl_dict_entry *entry, pl_cell cell)
{
    if (!atomic_compare_exchange_strong(&entry->cell, &cell,
                                        pl_cell_make(PL_CELL_DEAD, 0)))
        return false;
    pl_dict_retire_cell(user, cell);
    atomic_fetch_sub_explicit(&dict->keys, 1, memory_order_relaxed);
    return true;
}

/* ---- replacing a bucket ---- */

/* What a bucket is to be: the word, and its entries. */
struct content {
    uintptr_t word;
    struct pl_dict_array *array; /* or NULL: single, if it is not NULL */
    struct pl_dict_entry *single;
    size_t count;
};

static void add(struct content *content, struct pl_dict_entry *entry)
{
    if (content->array != NULL)
        content->array->entries[content->count] = entry;
    else
        content->single = entry;
    content->count++;
}

static size_t count_alive(uintptr_t word)
{
    struct pl_dict_each each;
    size_t n = 0;

    pl_dict_each_begin(&each, word);
    while (pl_dict_each(&each) != NULL)
        n += pl_cell_tag(each.cell) != PL_CELL_DEAD;
    return n;
}

/* What is alive in word, and more (or NULL), count of them. */
static int fill(struct pl_dict *dict, struct content *content, uintptr_t word,
                struct pl_dict_entry *more, size_t count)
{
    struct pl_dict_entry *entry;
    struct pl_dict_each each;
    int err = 0;

    *content = (struct content){.word = 0};
    if (count > 1)
        content->array = pl_dict_new_array(dict, count, &err);
    if (err < 0)
        return err;
    pl_dict_each_begin(&each, word);
    while ((entry = pl_dict_each(&each)) != NULL)
        if (pl_cell_tag(each.cell) != PL_CELL_DEAD)
            add(content, entry);
    if (more != NULL)
        add(content, more);
    if (content->array == NULL) {
        content->word = (uintptr_t)content->single;
    } else { /* some may have died since they were counted */
        content->array->count = content->count;
        content->word = (uintptr_t)content->array + PL_DICT_IS_ARRAY;
    }
    return 0;
}

/* Retires what is in word and not in content, which has the same order. */
static void retire_rest(const struct pl_dict_user *user, uintptr_t word,
                        const struct content *content)
{
    struct pl_dict_entry *const *kept =
        content->array == NULL ? &content->single : content->array->entries;
    struct pl_dict_entry *const *end = kept + content->count;
    struct pl_dict_each each;

    pl_dict_each_begin(&each, word);
    for (; each.next < each.end; each.next++) {
        struct pl_dict_entry *entry = *each.next;

        while (entry != NULL && (kept == end || entry != *kept)) {
            pl_cell cell = atomic_load(&entry->cell);

            pl_dict_retire_item(user, &entry->item);
            entry = pl_cell_tag(cell) == PL_CELL_FORWARD ? pl_cell_pointer(cell)
                                                         : NULL;
        }
        kept += entry != NULL;
    }
    if (word & PL_DICT_IS_ARRAY)
        pl_dict_retire_item(user,
                            (struct pl_dict_item *)(word - PL_DICT_IS_ARRAY));
}

/* See pl_dict_insert(). */
static int replace(struct pl_dict *dict, const struct pl_dict_user *user,
                   _Atomic uintptr_t *bucket, uintptr_t word,
                   struct pl_dict_entry *more, size_t *size)
{
    size_t count = count_alive(word) + (more != NULL);
    struct content content;
    int err = fill(dict, &content, word, more, count);

    *size = sizeof(*content.array) + count * sizeof(more);
    if (err < 0)
        return err;
    if (!atomic_compare_exchange_strong(bucket, &word, content.word)) {
        if (content.array != NULL)
            pl_dict_drop_item(&content.array->item);
        return PL_ERR_BUSY;
    }
    retire_rest(user, word, &content);
    return 0;
}

int pl_dict_insert(struct pl_dict *dict, const struct pl_dict_user *user,
                   const struct pl_dict_place *place,
                   struct pl_dict_entry *entry, size_t *size)
{
    int err = replace(dict, user, place->bucket, place->word, entry, size);

    if (err == 0)
        atomic_fetch_add_explicit(&dict->keys, 1, memory_order_relaxed);
    return err;
}

static bool is_tidy(uintptr_t word)
{
    struct pl_dict_each each;

    pl_dict_each_begin(&each, word);
    for (; each.next < each.end; each.next++) {
        unsigned tag = pl_cell_tag(atomic_load(&(*each.next)->cell));

        if (tag == PL_CELL_DEAD || tag == PL_CELL_FORWARD)
            return false;
    }
    return true;
}

void pl_dict_tidy(struct pl_dict *dict, const struct pl_dict_user *user,
                  _Atomic uintptr_t *bucket)
{
    uintptr_t word;
    size_t size;
    int err;

    do {
        word = atomic_load(bucket);
        err =
            is_tidy(word) ? 0 : replace(dict, user, bucket, word, NULL, &size);
    } while (err == PL_ERR_BUSY);
}
