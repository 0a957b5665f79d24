/* account.h - how much memory somebody may hold.
 *
 * Accounts form a chain (connection -> worker, generation -> worker): a charge
 * is refused when it would pass the limit of any account on the way up, and
 * then nothing is charged. Used by one thread only. */
#ifndef PL_BASE_ACCOUNT_H
#define PL_BASE_ACCOUNT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct pl_account {
    struct pl_account *parent; /* may be NULL */
    size_t limit, used;        /* bytes; limit 0 = unlimited */
    uint64_t refused;          /* charges that were refused here */
};

void pl_account_init(struct pl_account *account, struct pl_account *parent,
                     size_t limit);

/* Returns 0 or PL_ERR_LIMIT. account may be NULL: nobody counts. */
int pl_account_charge(struct pl_account *account, size_t size);

/* Gives back what was charged. */
void pl_account_release(struct pl_account *account, size_t size);

/* The same for what several threads hold together; it stands alone. used never
 * passes the limit. */
struct pl_common_account {
    atomic_size_t used;
    size_t limit; /* 0 = unlimited */
    _Atomic uint64_t refused;
};

void pl_common_account_init(struct pl_common_account *account, size_t limit);
int pl_common_account_charge(struct pl_common_account *account, size_t size);
void pl_common_account_release(struct pl_common_account *account, size_t size);

#endif
