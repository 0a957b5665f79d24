/* account.h - how much memory somebody may hold.
 *
 * Accounts form a chain (connection -> worker, generation -> worker): a charge
 * is refused when it would pass the limit of any account on the way up, and
 * then nothing is charged. Used by one thread only. */
#ifndef PL_BASE_ACCOUNT_H
#define PL_BASE_ACCOUNT_H

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

#endif
