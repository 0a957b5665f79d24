/* share.h - what all threads of one process have together: dictionaries,
 * topics, who the workers are, and who of them leads.
 *
 * It belongs to the process: generations come and go, it stays. Any thread may
 * call these functions; a worker has a struct pl_member for the rest. */
#ifndef PL_SHARE_SHARE_H
#define PL_SHARE_SHARE_H

#include "base/account.h"
#include "base/error.h"
#include "share/dict.h"

struct pl_share;
struct pl_member;

enum {
    PL_SHARE_NOBODY = -1, /* instead of a worker's number */
    PL_SHARE_DICTS = 1024,
    PL_SHARE_NAME = 128,          /* bytes of a dictionary's name */
    PL_SHARE_DICT_MAX = 10 << 20, /* of one for which nothing else is said */
    PL_SHARE_KEPT = 64 << 20,     /* of messages that channels remember */
};

/* GIVES *out. Returns 0 or PL_ERR_NOMEM. */
int pl_share_new(struct pl_share **out);

/* No member is left, and nobody uses what is in it. share may be NULL. */
void pl_share_free(struct pl_share *share);

/* How many workers there are to be, before the first one joins. Returns 0 or
 * PL_ERR_NOMEM. */
int pl_share_set_workers(struct pl_share *share, unsigned workers);
unsigned pl_share_workers(const struct pl_share *share);

/* A number that was not given before. */
uint64_t pl_share_next_id(struct pl_share *share);

struct pl_epoch *pl_share_epoch(struct pl_share *share);

/* The dictionary of that name. options: what it is made with when it is not
 * there yet (NULL: 10 MiB, refusing); what an earlier call has said must be the
 * same, unless they are NULL. GIVES nothing: it lives as long as share. Returns
 * 0, PL_ERR_EXISTS (with other options), PL_ERR_INVALID, PL_ERR_LIMIT (too
 * many) or PL_ERR_NOMEM, with *error. */
int pl_share_dict(struct pl_share *share, struct pl_str name,
                  const struct pl_dict_options *options, struct pl_dict **out,
                  struct pl_error *error);

/* All of them, newest first. */
void pl_share_each_dict(struct pl_share *share,
                        void (*see)(void *arg, struct pl_str name,
                                    struct pl_dict *dict),
                        void *arg);

/* ---- for the room ---- */

/* In a section: the member that is worker number id, or NULL. */
struct pl_member *pl_share_member(struct pl_share *share, unsigned id);
void pl_share_set_member(struct pl_share *share, unsigned id,
                         struct pl_member *member);

/* The dictionary of names with subscriptions (topics.c); NULL when out of
 * memory. How many of its subscriptions are patterns. */
struct pl_dict *pl_share_topics(struct pl_share *share);
atomic_uint *pl_share_patterns(struct pl_share *share);

/* The dictionary of channels (channel.c); NULL when there is none yet (unless
 * make), or when out of memory. Their number, and what their messages take. */
struct pl_dict *pl_share_channels(struct pl_share *share, bool make);
atomic_uint *pl_share_channel_count(struct pl_share *share);
struct pl_common_account *pl_share_kept(struct pl_share *share);

/* The number of the worker that leads. At first it is 0, who has not joined
 * yet. */
_Atomic int *pl_share_leader(struct pl_share *share);

#endif
