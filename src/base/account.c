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
