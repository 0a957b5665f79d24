#include "base/account.h"

#include "base/check.h"
#include "base/error.h"

void pl_account_init(struct pl_account *account, struct pl_account *parent,
                     size_t limit)
{
    *account = (struct pl_account){.parent = parent, .limit = limit};
}

int pl_account_charge(struct pl_account *account, size_t size)
{
    struct pl_account *a;

    for (a = account; a != NULL; a = a->parent) {
        if (a->limit != 0 && (size > a->limit || a->used > a->limit - size)) {
            a->refused++;
            return PL_ERR_LIMIT;
        }
    }
    for (a = account; a != NULL; a = a->parent)
        a->used += size;
    return 0;
}

void pl_account_release(struct pl_account *account, size_t size)
{
    for (; account != NULL; account = account->parent) {
        PL_ASSERT(account->used >= size);
        account->used -= size;
    }
}

void pl_common_account_init(struct pl_common_account *account, size_t limit)
{
    atomic_init(&account->used, 0);
    atomic_init(&account->refused, 0);
    account->limit = limit;
}

int pl_common_account_charge(struct pl_common_account *account, size_t size)
{
    size_t used = atomic_load_explicit(&account->used, memory_order_relaxed);

    do {
        if (account->limit != 0 &&
            (size > account->limit || used > account->limit - size)) {
            atomic_fetch_add_explicit(&account->refused, 1,
                                      memory_order_relaxed);
            return PL_ERR_LIMIT;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &account->used, &used, used + size, memory_order_relaxed,
        memory_order_relaxed));
    return 0;
}

void pl_common_account_release(struct pl_common_account *account, size_t size)
{
    size_t used =
        atomic_fetch_sub_explicit(&account->used, size, memory_order_relaxed);

    PL_ASSERT(used >= size);
}
