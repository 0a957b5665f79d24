/* dict_priv.h - what the files of the dictionary share: its memory, its table.
 *
 *     bucket (one word) --+--> nothing
 *                         +--> an entry
 *                         +--> an array of entries, never changed
 *     entry: key, expiry, and a cell (one word) --> the value
 *
 * A bucket is replaced as a whole by one compare-and-swap, a value by one of
 * the cell. The cell of an entry that is over says so for ever: DEAD (the key
 * is not there) or FORWARD (another entry has taken its place: a changed
 * expiry). So an entry that is found and whose cell is neither is the one of
 * its key, whatever bucket it was found in; and the swap of the cell is the
 * moment at which a change happens. Taking what is over out of its bucket is
 * tidying up, which whoever changes the bucket next does, too.
 *
 * A cell is a double, or, among the NaNs that no calculation gives, a tag and
 * 48 bits: so numbers are changed in place and need no memory. */
#ifndef PL_SHARE_DICT_PRIV_H
#define PL_SHARE_DICT_PRIV_H

#include "base/account.h"
#include "base/hash.h"
#include "share/dict.h"

typedef uint64_t pl_cell;

enum pl_cell_tag {
    PL_CELL_INTEGER = 0xfff9, /* 48 bits, signed */
    PL_CELL_BYTES,            /* a struct pl_dict_bytes */
    PL_CELL_FORWARD,          /* a struct pl_dict_entry */
    PL_CELL_DEAD,
    PL_CELL_BOOL,
};

/* The beginning of all that is charged to a dictionary and retired. */
struct pl_dict_item {
    struct pl_retired retired;
    struct pl_dict *dict;
    size_t size;
};

struct pl_dict_bytes {
    struct pl_dict_item item;
    uint64_t version;
    enum pl_datum_type type; /* STRING, PACKED, INTEGER (beyond 48 bits) */
    uint32_t len;
    char data[];
};

struct pl_dict_entry {
    struct pl_dict_item item;
    _Atomic pl_cell cell;
    uint64_t hash;
    uint64_t expires; /* ns; UINT64_MAX: never */
    uint32_t key_len;
    atomic_bool used; /* since the hand came by */
    char key[];
};

struct pl_dict_array {
    struct pl_dict_item item;
    size_t count;
    struct pl_dict_entry *entries[];
};

/* The lowest bit of a bucket's word. */
enum { PL_DICT_IS_ARRAY = 1 };

enum { PL_DICT_STRIPES = 16 };

/* Counted by many threads: each has its line, most of the time. */
struct pl_dict_stripe {
    _Atomic uint64_t hits, misses;
    char rest[48];
};

struct pl_dict {
    struct pl_dict_options options;
    struct pl_common_account account;
    size_t soft; /* puts go no further: options.max without the reserve */
    struct pl_hash_key key;
    size_t mask; /* buckets - 1 */
    _Atomic uintptr_t *buckets;
    _Atomic uint64_t versions;
    atomic_size_t keys, hand;
    _Atomic uint64_t evicted, expired, swept; /* swept: when, ns */
    struct pl_dict_stripe stripes[PL_DICT_STRIPES];
};

/* A key, and what a look at its bucket has found. */
struct pl_dict_place {
    struct pl_str key;
    uint64_t hash;
    _Atomic uintptr_t *bucket;
    uintptr_t word;              /* of the bucket */
    struct pl_dict_entry *entry; /* of the key; NULL: none, or it is over */
    pl_cell cell;                /* of entry */
};

/* ---- cells ---- */

PL_INLINE unsigned pl_cell_tag(pl_cell cell)
{
    return (unsigned)(cell >> 48);
}

PL_INLINE void *pl_cell_pointer(pl_cell cell)
{
    return (void *)(uintptr_t)(cell << 16 >> 16);
}

PL_INLINE pl_cell pl_cell_make(enum pl_cell_tag tag, uint64_t bits)
{
    return (uint64_t)tag << 48 | (bits & UINT64_C(0xffffffffffff));
}

/* The cell of a value without bytes; false if it needs some. */
bool pl_cell_inline(const struct pl_datum *value, pl_cell *cell);

/* In a section: what a cell, not over, holds. */
void pl_cell_read(pl_cell cell, struct pl_datum *value);

/* ---- memory (dict_room.c); not in a section, unless it says so ---- */

/* Charged and not yet to be seen by anybody; NULL and *err, having made room if
 * that was possible. */
struct pl_dict_entry *pl_dict_new_entry(struct pl_dict *dict,
                                        const struct pl_dict_user *user,
                                        const struct pl_dict_place *place,
                                        int *err);
struct pl_dict_bytes *pl_dict_new_bytes(struct pl_dict *dict,
                                        const struct pl_dict_user *user,
                                        const struct pl_datum *value, int *err);

/* In a section, so that no room can be made: NULL and *err if there is none. */
struct pl_dict_array *pl_dict_new_array(struct pl_dict *dict, size_t count,
                                        int *err);

/* Makes room for size more bytes: 0, or PL_ERR_LIMIT if that cannot be. */
int pl_dict_make_room(struct pl_dict *dict, const struct pl_dict_user *user,
                      size_t size);

/* One that nobody can have seen; may be NULL. */
void pl_dict_drop_item(struct pl_dict_item *item);

void pl_dict_retire_item(const struct pl_dict_user *user,
                         struct pl_dict_item *item);

/* ---- the table (dict_table.c); in a section ---- */

/* Sets hash and bucket for place->key. */
void pl_dict_locate(struct pl_dict *dict, struct pl_dict_place *place);

/* Looks at the bucket. An expired entry counts as none; with kill it is. */
void pl_dict_find(struct pl_dict *dict, const struct pl_dict_user *user,
                  struct pl_dict_place *place, bool kill);

/* Puts entry into the bucket as it was found, without what is over. Returns 0;
 * PL_ERR_BUSY: it has changed, look again; PL_ERR_LIMIT, PL_ERR_NOMEM with the
 * *size that would be needed. */
int pl_dict_insert(struct pl_dict *dict, const struct pl_dict_user *user,
                   const struct pl_dict_place *place,
                   struct pl_dict_entry *entry, size_t *size);

/* Takes what is over out of the bucket, if there is memory for that. */
void pl_dict_tidy(struct pl_dict *dict, const struct pl_dict_user *user,
                  _Atomic uintptr_t *bucket);

/* The value of a cell that was swapped for another is no longer used. */
void pl_dict_retire_cell(const struct pl_dict_user *user, pl_cell cell);

/* The entry ends if its cell is still cell. */
bool pl_dict_kill(struct pl_dict *dict, const struct pl_dict_user *user,
                  struct pl_dict_entry *entry, pl_cell cell);

/* The entries of a bucket: for (at = ...; (entry = pl_dict_each(&at));) gives
 * each, followed to the one that has its place now, and its cell. */
struct pl_dict_each {
    struct pl_dict_entry *const *next, *const *end;
    struct pl_dict_entry *single;
    pl_cell cell;
};

void pl_dict_each_begin(struct pl_dict_each *each, uintptr_t word);
struct pl_dict_entry *pl_dict_each(struct pl_dict_each *each);

/* Stays when the hand comes by next. */
PL_INLINE void pl_dict_touch(struct pl_dict_entry *entry)
{
    if (!atomic_load_explicit(&entry->used, memory_order_relaxed))
        atomic_store_explicit(&entry->used, true, memory_order_relaxed);
}

PL_INLINE bool pl_dict_is_expired(const struct pl_dict_entry *entry,
                                  const struct pl_dict_user *user)
{
    return entry->expires <= user->now;
}

#endif
