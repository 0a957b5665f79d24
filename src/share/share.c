#include "share/share.h"

#include <stdio.h>

#include "base/check.h"
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/channel.h"
#include "share/quota.h"

static const struct pl_dict_options default_options = {.max =
                                                           PL_SHARE_DICT_MAX};

/* Counts of subscriptions, not messages: 16 MiB are some 100 000 topics. */
static const struct pl_dict_options topic_options = {.max = 16 << 20};

/* One name of a list that only grows. */
struct named {
    struct named *next;
    struct pl_dict *dict;
    struct pl_dict_options declared; /* max 0: nobody has said any */
    struct pl_str name;
    char text[];
};

struct pl_share {
    struct pl_epoch *epoch;
    struct named *_Atomic dicts;
    struct pl_dict *_Atomic topics;
    struct pl_dict *_Atomic channels;
    struct pl_quotas *_Atomic quotas;
    atomic_uint nchannels, patterns;
    _Atomic uint64_t ids;
    struct pl_common_account kept; /* messages in the rings of channels */
    _Atomic int leader;
    unsigned workers;
    struct pl_member *_Atomic *members;
};

/* ---- life ---- */

int pl_share_new(struct pl_share **out)
{
    struct pl_share *share;
    int err = PL_ERR_NOMEM;

    *out = NULL;
    if (!PL_WITH_SHARE)
        return 0;
    share = pl_calloc(1, sizeof(*share));
    if (share != NULL)
        err = pl_epoch_new(&share->epoch);
    if (err < 0) {
        pl_free(share);
        return err;
    }
    pl_common_account_init(&share->kept, PL_SHARE_KEPT);
    *out = share;
    return 0;
}

static void free_named(struct named *named)
{
    pl_dict_free(named->dict);
    pl_free(named);
}

void pl_share_free(struct pl_share *share)
{
    struct named *named, *next;

    if (!PL_WITH_SHARE || share == NULL)
        return;
    for (unsigned i = 0; i < share->workers; i++)
        PL_ASSERT(atomic_load(&share->members[i]) == NULL);
    pl_channels_free(share);
    pl_epoch_free(share->epoch); /* first: garbage is charged to these */
    if (PL_WITH_LIMITS)
        pl_quotas_free(atomic_load(&share->quotas));
    pl_dict_free(atomic_load(&share->channels));
    pl_dict_free(atomic_load(&share->topics));
    for (named = atomic_load(&share->dicts); named != NULL; named = next) {
        next = named->next;
        free_named(named);
    }
    pl_free((void *)share->members);
    pl_free(share);
}

int pl_share_set_workers(struct pl_share *share, unsigned workers)
{
    if (!PL_WITH_SHARE)
        return 0;
    PL_ASSERT(share->members == NULL);
    share->members = pl_calloc(workers, sizeof(share->members[0]));
    if (share->members == NULL)
        return PL_ERR_NOMEM;
    share->workers = workers;
    return 0;
}

unsigned pl_share_workers(const struct pl_share *share)
{
    return share->workers;
}

uint64_t pl_share_next_id(struct pl_share *share)
{
    return atomic_fetch_add(&share->ids, 1) + 1;
}

struct pl_epoch *pl_share_epoch(struct pl_share *share)
{
    return share->epoch;
}

struct pl_member *pl_share_member(struct pl_share *share, unsigned id)
{
    return id < share->workers ? atomic_load(&share->members[id]) : NULL;
}

void pl_share_set_member(struct pl_share *share, unsigned id,
                         struct pl_member *member)
{
    PL_ASSERT(id < share->workers);
    atomic_store(&share->members[id], member);
}

void pl_share_each_dict(struct pl_share *share,
                        void (*see)(void *arg, struct pl_str name,
                                    struct pl_dict *dict),
                        void *arg)
{
    const struct named *named;

    for (named = atomic_load(&share->dicts); named != NULL; named = named->next)
        see(arg, named->name, named->dict);
}

_Atomic int *pl_share_leader(struct pl_share *share)
{
    return &share->leader;
}

/* The dictionary there, made if need be. */
static struct pl_dict *get_dict(struct pl_dict *_Atomic *place)
{
    struct pl_dict *dict = atomic_load(place), *other = NULL;

    if (dict != NULL || pl_dict_new(&topic_options, &dict) < 0)
        return dict;
    if (atomic_compare_exchange_strong(place, &other, dict))
        return dict;
    pl_dict_free(dict); /* another thread was faster */
    return other;
}

struct pl_dict *pl_share_topics(struct pl_share *share)
{
    return get_dict(&share->topics);
}

struct pl_dict *pl_share_channels(struct pl_share *share, bool make)
{
    return make ? get_dict(&share->channels) : atomic_load(&share->channels);
}

atomic_uint *pl_share_channel_count(struct pl_share *share)
{
    return &share->nchannels;
}

atomic_uint *pl_share_patterns(struct pl_share *share)
{
    return &share->patterns;
}

struct pl_quotas *_Atomic *pl_share_quotas(struct pl_share *share)
{
    return &share->quotas;
}

struct pl_common_account *pl_share_kept(struct pl_share *share)
{
    return &share->kept;
}

/* ---- dictionaries by name ---- */

static struct named *find(struct named *list, struct pl_str name,
                          unsigned *count)
{
    for (*count = 0; list != NULL; list = list->next, ++*count)
        if (pl_str_eq(list->name, name))
            return list;
    return NULL;
}

static struct named *new_named(struct pl_str name,
                               const struct pl_dict_options *options, int *err)
{
    struct named *named = pl_calloc(1, sizeof(*named) + name.len);

    *err = PL_ERR_NOMEM;
    if (named == NULL)
        return NULL;
    memcpy(named->text, name.data, name.len);
    named->name = pl_str(named->text, name.len);
    if (options != NULL)
        named->declared = *options;
    *err =
        pl_dict_new(options != NULL ? options : &default_options, &named->dict);
    if (*err == 0)
        return named;
    pl_free(named);
    return NULL;
}

/* Finds the name or adds it: 0 or PL_ERR_*. */
static int find_or_add(struct pl_share *share, struct pl_str name,
                       const struct pl_dict_options *options,
                       struct named **out)
{
    struct named *list = atomic_load(&share->dicts), *made;
    unsigned count;
    int err;

    *out = find(list, name, &count);
    if (*out != NULL)
        return 0;
    if (count >= PL_SHARE_DICTS)
        return PL_ERR_LIMIT;
    made = new_named(name, options, &err);
    if (made == NULL)
        return err;
    for (;;) {
        made->next = list;
        if (atomic_compare_exchange_weak(&share->dicts, &list, made)) {
            *out = made;
            return 0;
        }
        *out = find(list, name, &count);
        if (*out == NULL)
            continue;
        free_named(made); /* another thread was faster */
        return 0;
    }
}

static bool is_same(const struct pl_dict_options *a,
                    const struct pl_dict_options *b)
{
    return a->max == b->max && a->ttl == b->ttl && a->evict == b->evict;
}

int pl_share_dict(struct pl_share *share, struct pl_str name,
                  const struct pl_dict_options *options, struct pl_dict **out,
                  struct pl_error *error)
{
    struct named *named;
    int err = name.len == 0 || name.len > PL_SHARE_NAME ? PL_ERR_INVALID : 0;

    if (err < 0)
        return pl_error_set(error, err, "", "the name must have 1 to %d bytes",
                            PL_SHARE_NAME);
    err = find_or_add(share, name, options, &named);
    if (err == PL_ERR_INVALID)
        return pl_error_set(error, err, "", "max must be at least %dk",
                            PL_DICT_SMALLEST / 1024);
    if (err == PL_ERR_LIMIT)
        return pl_error_set(error, err, "", "there are %d dictionaries already",
                            PL_SHARE_DICTS);
    if (err < 0)
        return pl_error_set(error, err, "", "%s", pl_err_text(err));
    if (options != NULL && !is_same(options, pl_dict_options(named->dict)))
        return pl_error_set(error, PL_ERR_EXISTS, "",
                            "'%.*s' is there already, with other options",
                            PL_STR_ARG(name));
    *out = named->dict;
    return 0;
}
