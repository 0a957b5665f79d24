/* quotas.c - the tables of a process, by name. A reload asks for those it wants
 * before the former generation has let go of its own, so that what it still
 * wants stays; what nobody holds goes when the next one is made. */
#include "base/check.h"
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/member.h"
#include "share/quota_priv.h"

struct pl_quotas {
    struct pl_retired retired;
    unsigned count;
    struct pl_quota *list[];
};

static bool try_hold(struct pl_quota *quota)
{
    unsigned holds = atomic_load(&quota->holds);

    do
        if (holds == PL_QUOTA_DEAD)
            return false;
    while (!atomic_compare_exchange_weak(&quota->holds, &holds, holds + 1));
    return true;
}

/* From here on nobody can hold it; or somebody does. */
static bool try_bury(struct pl_quota *quota)
{
    unsigned none = 0;

    return atomic_compare_exchange_strong(&quota->holds, &none,
                                          PL_QUOTA_DEAD) ||
           none == PL_QUOTA_DEAD;
}

static bool is_it(const struct pl_quota *quota, const struct pl_quota *want)
{
    return quota->kind == want->kind && quota->mask == want->mask &&
           pl_str_eq(quota->name, want->name);
}

static struct pl_quota *find(const struct pl_quotas *quotas,
                             const struct pl_quota *want)
{
    for (unsigned i = 0; quotas != NULL && i < quotas->count; i++)
        if (is_it(quotas->list[i], want) && try_hold(quotas->list[i]))
            return quotas->list[i];
    return NULL;
}

/* Those of old that somebody holds, and made. */
static struct pl_quotas *grow(const struct pl_quotas *old,
                              struct pl_quota *made)
{
    unsigned count = old == NULL ? 0 : old->count;
    struct pl_quotas *next =
        pl_calloc(1, sizeof(*next) + (count + 1) * sizeof(next->list[0]));

    for (unsigned i = 0; next != NULL && i < count; i++)
        if (!try_bury(old->list[i]))
            next->list[next->count++] = old->list[i];
    if (next != NULL)
        next->list[next->count++] = made;
    return next;
}

/* ---- what nobody can find any more ---- */

static void free_array(struct pl_retired *retired)
{
    pl_free(PL_CONTAINER_OF(retired, struct pl_quotas, retired));
}

static void free_quota(struct pl_retired *retired)
{
    pl_quota_free(PL_CONTAINER_OF(retired, struct pl_quota, retired));
}

/* What old has and next, which keeps its order, has not. */
static void retire(struct pl_reader *reader, struct pl_quotas *old,
                   const struct pl_quotas *next)
{
    unsigned kept = 0;

    if (old == NULL)
        return;
    for (unsigned i = 0; i < old->count; i++)
        if (next->list[kept] == old->list[i])
            kept++; /* made, the last one, is not in old */
        else
            pl_epoch_retire(reader, &old->list[i]->retired, free_quota,
                            PL_EPOCH_BATCH_BYTES);
    pl_epoch_retire(reader, &old->retired, free_array, sizeof(*old));
}

/* In a section: the one that is there, or made, which belongs to the list then.
 */
static int find_or_add(struct pl_quotas *_Atomic *place,
                       struct pl_reader *reader, struct pl_quota *made,
                       struct pl_quota **out)
{
    struct pl_quotas *old = atomic_load(place), *next;

    for (;;) {
        *out = find(old, made);
        if (*out != NULL)
            return 0;
        next = grow(old, made);
        if (next == NULL)
            return PL_ERR_NOMEM;
        if (next->count > PL_QUOTA_MOST) {
            pl_free(next);
            return PL_ERR_LIMIT;
        }
        if (atomic_compare_exchange_strong(place, &old, next))
            break;
        pl_free(next); /* another thread was faster */
    }
    retire(reader, old, next);
    *out = made;
    return 0;
}

int pl_share_quota(struct pl_share *share, enum pl_quota_kind kind,
                   struct pl_str name, size_t places, struct pl_quota **out)
{
    struct pl_guest guest;
    struct pl_quota *made;
    int err = pl_quota_make(places, name, &made);

    if (err < 0)
        return err;
    made->kind = kind;
    made->named = true;
    err = pl_guest_begin(&guest, share);
    if (err == 0) {
        pl_epoch_enter(guest.user.reader);
        err = find_or_add(pl_share_quotas(share), guest.user.reader, made, out);
        pl_epoch_leave(guest.user.reader);
        pl_epoch_tidy(guest.user.reader);
        pl_guest_end(&guest);
    }
    if (err < 0 || *out != made)
        pl_quota_free(made);
    return err;
}

void pl_share_each_quota(struct pl_share *share,
                         void (*see)(void *arg, const struct pl_quota *quota),
                         void *arg)
{
    const struct pl_quotas *quotas;
    struct pl_guest guest;

    if (pl_guest_begin(&guest, share) < 0)
        return;
    pl_epoch_enter(guest.user.reader);
    quotas = atomic_load(pl_share_quotas(share));
    for (unsigned i = 0; quotas != NULL && i < quotas->count; i++)
        if (atomic_load(&quotas->list[i]->holds) % PL_QUOTA_DEAD > 0)
            see(arg, quotas->list[i]);
    pl_epoch_leave(guest.user.reader);
    pl_guest_end(&guest);
}

void pl_quotas_free(struct pl_quotas *quotas)
{
    for (unsigned i = 0; quotas != NULL && i < quotas->count; i++) {
        PL_ASSERT(atomic_load(&quotas->list[i]->holds) % PL_QUOTA_DEAD == 0);
        pl_quota_free(quotas->list[i]);
    }
    pl_free(quotas);
}
