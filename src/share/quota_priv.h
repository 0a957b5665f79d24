/* quota_priv.h - a table of quotas, for quota.c and quotas.c. */
#ifndef PL_SHARE_QUOTA_PRIV_H
#define PL_SHARE_QUOTA_PRIV_H

#include "base/hash.h"
#include "share/quota.h"

/* Instead of a number of holds: it is about to be freed, nobody may hold it. */
#define PL_QUOTA_DEAD (1u << 31)

struct pl_quota_slot {
    _Atomic uint64_t key; /* who it is; may be late: state says who owns it */
    _Atomic uint64_t state;
};

struct pl_quota {
    struct pl_quota_slot *slots; /* at the border of a line; in memory */
    void *memory;
    size_t mask; /* of the number of a set */
    struct pl_hash_key hash;
    _Atomic uint64_t taken, refused, delayed, evicted;
    atomic_uint holds;
    struct pl_retired retired;
    bool named; /* in the list of the process, which frees it */
    enum pl_quota_kind kind;
    struct pl_str name;
    char text[];
};

/* As pl_quota_new(), with a name. */
int pl_quota_make(size_t places, struct pl_str name, struct pl_quota **out);
void pl_quota_free(struct pl_quota *quota);

#endif
