/* quota.c - one table. A state is the owner's sign, 12 bits of its key, and
 * below it a value of 52 bits: a time in ticks of 64 ns (enough for nine years
 * after the machine's start), or a count.
 *
 *     a new client     compare-and-swap the state, then store the key
 *     in between       the place has the key of the former client and the sign
 *                      of the new one: both look on, nobody uses it
 *
 * Two that take one place at nearly the same time may store their keys in the
 * other order, which leaves it in that state: until its time has come. */
#include "share/quota.h"

#include "base/str.h"
#include "base/sys.h"
#include "share/quota_priv.h"

enum {
    WAYS = 8, /* places of a set: two cache lines */
    LINE = 64,
    SIGN_BITS = 12,
    VALUE_BITS = 64 - SIGN_BITS,
    TICK_BITS = 6,
};

#define VALUE_MASK ((UINT64_C(1) << VALUE_BITS) - 1)

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- life ---- */

int pl_quota_make(size_t places, struct pl_str name, struct pl_quota **out)
{
    struct pl_quota *quota = pl_calloc(1, sizeof(*quota) + name.len);
    size_t sets = 1;

    if (quota == NULL)
        return PL_ERR_NOMEM;
    while (sets * WAYS < places)
        sets *= 2;
    /* Not touched before it is used: what nobody needs takes no memory. */
    quota->memory = pl_calloc(1, sets * WAYS * sizeof(quota->slots[0]) + LINE);
    if (quota->memory == NULL) {
        pl_free(quota);
        return PL_ERR_NOMEM;
    }
    quota->slots = (void *)(((uintptr_t)quota->memory + LINE - 1) &
                            ~(uintptr_t)(LINE - 1));
    quota->mask = sets - 1;
    quota->hash = pl_hash_key_new();
    atomic_init(&quota->holds, 1);
    memcpy(quota->text, name.data != NULL ? name.data : "", name.len);
    quota->name = pl_str(quota->text, name.len);
    *out = quota;
    return 0;
}

int pl_quota_new(size_t places, struct pl_quota **out)
{
    return pl_quota_make(places, PL_STR(""), out);
}

void pl_quota_free(struct pl_quota *quota)
{
    pl_free(quota->memory);
    pl_free(quota);
}

void pl_quota_hold(struct pl_quota *quota)
{
    atomic_fetch_add(&quota->holds, 1);
}

void pl_quota_drop(struct pl_quota *quota)
{
    bool named;

    if (quota == NULL)
        return;
    named = quota->named; /* with the last hold it may be freed */
    if (atomic_fetch_sub(&quota->holds, 1) == 1 && !named)
        pl_quota_free(quota);
}

struct pl_str pl_quota_name(const struct pl_quota *quota)
{
    return quota->name;
}

enum pl_quota_kind pl_quota_kind(const struct pl_quota *quota)
{
    return quota->kind;
}

struct pl_quota_stats pl_quota_stats(const struct pl_quota *quota)
{
    return (struct pl_quota_stats){
        .places = (quota->mask + 1) * WAYS,
        .taken = atomic_load(&quota->taken),
        .refused = atomic_load(&quota->refused),
        .delayed = atomic_load(&quota->delayed),
        .evicted = atomic_load(&quota->evicted),
    };
}

/* ---- places ---- */

uint64_t pl_quota_key(const struct pl_quota *quota, uint8_t space,
                      struct pl_str text)
{
    const struct pl_hash_key key = {quota->hash.k0 ^ space, quota->hash.k1};

    return pl_hash(text, key);
}

static uint64_t value_of(uint64_t state)
{
    return state & VALUE_MASK;
}

/* The sign of key above value. */
static uint64_t state_of(uint64_t key, uint64_t value)
{
    return key << VALUE_BITS | value;
}

static bool is_signed(uint64_t state, uint64_t key)
{
    return (state ^ state_of(key, 0)) >> VALUE_BITS == 0;
}

static struct pl_quota_slot *set_of(struct pl_quota *quota, uint64_t key)
{
    return &quota->slots[(key >> SIGN_BITS & quota->mask) * WAYS];
}

/* The place of key, with its state; or NULL. */
static struct pl_quota_slot *find(struct pl_quota *quota, uint64_t key,
                                  uint64_t *state)
{
    struct pl_quota_slot *slot = set_of(quota, key), *end = slot + WAYS;

    for (; slot < end; slot++) {
        if (atomic_load_explicit(&slot->key, memory_order_acquire) != key)
            continue;
        *state = atomic_load(&slot->state);
        if (is_signed(*state, key))
            return slot;
    }
    return NULL;
}

/* The one of the set with the least value. */
static struct pl_quota_slot *find_least(struct pl_quota *quota, uint64_t key,
                                        uint64_t *state)
{
    struct pl_quota_slot *slot = set_of(quota, key), *least = slot;
    uint64_t seen;

    *state = atomic_load(&slot->state);
    for (unsigned i = 1; i < WAYS; i++) {
        seen = atomic_load(&slot[i].state);
        if (value_of(seen) < value_of(*state)) {
            *state = seen;
            least = &slot[i];
        }
    }
    return least;
}

static bool swap(struct pl_quota_slot *slot, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong(&slot->state, &from, to);
}

/* slot was another's, or nobody's: former is what it was. */
static void own(struct pl_quota *quota, struct pl_quota_slot *slot,
                uint64_t key, uint64_t former)
{
    atomic_store_explicit(&slot->key, key, memory_order_release);
    if (former == 0)
        count(&quota->taken);
}

/* ---- rates ---- */

static uint64_t ticks(uint64_t ns)
{
    return (ns + (1 << (TICK_BITS - 1))) >> TICK_BITS;
}

/* What a client without a place begins with: what who had the place had used,
 * but for one token. */
static uint64_t inherit(uint64_t until, uint64_t now, uint64_t room,
                        uint64_t step)
{
    uint64_t most = now + room - step;

    return PL_MIN(until, most);
}

int pl_quota_take(struct pl_quota *quota, uint64_t key,
                  const struct pl_quota_rate *rate, uint64_t now,
                  uint64_t *wait)
{
    const uint64_t step = PL_MAX(ticks(rate->step), 1);
    const uint64_t room = PL_MAX(ticks(rate->room), step);
    const uint64_t patience = ticks(rate->patience);
    const uint64_t at = ticks(now);
    struct pl_quota_slot *slot;
    uint64_t state, until, over;
    bool known;

    do {
        slot = find(quota, key, &state);
        known = slot != NULL;
        if (!known)
            slot = find_least(quota, key, &state);
        until = value_of(state);
        if (!known)
            until = inherit(until, at, room, step);
        until = PL_MAX(until, at) + step;
        over = until > at + room ? until - at - room : 0;
        if (over > patience) {
            count(&quota->refused);
            *wait = (over - patience) << TICK_BITS;
            return PL_ERR_LIMIT;
        }
    } while (!swap(slot, state, state_of(key, until & VALUE_MASK)));
    if (!known) {
        own(quota, slot, key, state);
        if (value_of(state) > at)
            count(&quota->evicted);
    }
    if (over > 0)
        count(&quota->delayed);
    *wait = over << TICK_BITS;
    return 0;
}

void pl_quota_forget(struct pl_quota *quota, uint64_t key)
{
    struct pl_quota_slot *slot;
    uint64_t state;

    do
        slot = find(quota, key, &state);
    while (slot != NULL && !swap(slot, state, state_of(key, 0)));
}

/* ---- what is in use ---- */

int pl_quota_enter(struct pl_quota *quota, uint64_t key, uint64_t most,
                   struct pl_quota_place *place)
{
    struct pl_quota_slot *slot;
    uint64_t state;
    bool known;

    *place = (struct pl_quota_place){NULL, NULL};
    do {
        slot = find(quota, key, &state);
        known = slot != NULL;
        if (!known)
            slot = find_least(quota, key, &state);
        if (!known && value_of(state) > 0) {
            count(&quota->evicted); /* would have to be: goes uncounted */
            return 0;
        }
        if (value_of(state) >= most) {
            count(&quota->refused);
            return PL_ERR_LIMIT;
        }
    } while (!swap(slot, state, state_of(key, value_of(state) + 1)));
    if (!known)
        own(quota, slot, key, state);
    pl_quota_hold(quota);
    *place = (struct pl_quota_place){quota, slot};
    return 0;
}

void pl_quota_leave(struct pl_quota_place *place)
{
    struct pl_quota_slot *slot = place->slot;

    if (place->quota == NULL)
        return;
    atomic_fetch_sub(&slot->state, 1); /* nobody else can own it before */
    pl_quota_drop(place->quota);
    place->quota = NULL;
}
