/* quota.h - how much each of many clients has used lately, for all workers.
 *
 * A table of a fixed size, whatever comes, in sets of eight places. A place is
 * two words: the keyed hash of who it is, and a state, which one
 * compare-and-swap replaces.
 *
 * Of a rate the state is the time at which the client's bucket of tokens is
 * full again (the generic cell rate algorithm): nothing has to be refilled, and
 * a place whose time has come is free. Who comes to a set without a free place
 * takes that of whoever has used least, and what that one had used, but for one
 * token (as in the Space-Saving algorithm of Metwally, Agrawal and El Abbadi,
 * 2005). So who has used much is forgotten only when seven others of its set,
 * which nobody can choose, have used more; who is pushed out and comes back
 * gains one request by it; and who is new is answered also in a flood from all
 * the addresses of the world, and then has the plain rate, only no burst.
 *
 * Of what is in use the state is a count, and places in use are never taken
 * away. Who finds none is not counted: a table has more places than a process
 * has connections.
 *
 * Two threads that make a place for the same client at once may make two: one
 * of them is used no more, and the client has gained what the other one had
 * counted. Any thread, without locks. */
#ifndef PL_SHARE_QUOTA_H
#define PL_SHARE_QUOTA_H

#include "base/epoch.h"
#include "base/error.h"

struct pl_share;

enum {
    PL_QUOTA_PLACES = 65536, /* unless somebody says more: 1 MiB */
    PL_QUOTA_PLACES_MAX = 1 << 24,
    PL_QUOTA_NAME = 128, /* bytes of a name */
    PL_QUOTA_MOST = 256, /* tables of a process that are in use */
};

enum pl_quota_kind { PL_QUOTA_RATE, PL_QUOTA_USE };

struct pl_quota;

/* Times in ns. */
struct pl_quota_rate {
    uint64_t step;     /* until a token is back */
    uint64_t room;     /* until all of them are */
    uint64_t patience; /* one may wait so long for its turn; 0: not at all */
};

struct pl_quota_stats {
    uint64_t places, taken; /* ever, by anybody */
    uint64_t refused, delayed;
    uint64_t evicted; /* places taken from who had used something */
};

/* A table of so many places or a few more, for who has the only pointer to it.
 * GIVES *out with one hold. 0 or PL_ERR_NOMEM. */
int pl_quota_new(size_t places, struct pl_quota **out);

void pl_quota_hold(struct pl_quota *quota);
void pl_quota_drop(struct pl_quota *quota); /* may be NULL */

/* The table of that name and kind in the process, made if there is none of that
 * size: it is there, with what was used, as long as somebody holds it, and then
 * until somebody asks for a new one. GIVES *out with one hold. 0, PL_ERR_LIMIT
 * (PL_QUOTA_MOST) or PL_ERR_NOMEM. */
int pl_share_quota(struct pl_share *share, enum pl_quota_kind kind,
                   struct pl_str name, size_t places, struct pl_quota **out);

/* Each that is held. */
void pl_share_each_quota(struct pl_share *share,
                         void (*see)(void *arg, const struct pl_quota *quota),
                         void *arg);

struct pl_str pl_quota_name(const struct pl_quota *quota);
enum pl_quota_kind pl_quota_kind(const struct pl_quota *quota);
struct pl_quota_stats pl_quota_stats(const struct pl_quota *quota);

/* Who it is: a text, of a space of names of its own (0 to 255). */
uint64_t pl_quota_key(const struct pl_quota *quota, uint8_t space,
                      struct pl_str text);

/* Takes one token at now (monotonic ns). 0: go on, after *wait ns; or
 * PL_ERR_LIMIT: none was taken, there will be one for you in *wait ns. */
int pl_quota_take(struct pl_quota *quota, uint64_t key,
                  const struct pl_quota_rate *rate, uint64_t now,
                  uint64_t *wait);

/* The client has not used anything. */
void pl_quota_forget(struct pl_quota *quota, uint64_t key);

/* A place in use. */
struct pl_quota_place {
    struct pl_quota *quota; /* held; NULL: not counted */
    void *slot;
};

/* One more, of most at a time: 0, and then pl_quota_leave(); or PL_ERR_LIMIT.
 */
int pl_quota_enter(struct pl_quota *quota, uint64_t key, uint64_t most,
                   struct pl_quota_place *place);
void pl_quota_leave(struct pl_quota_place *place);

/* ---- for the room: quotas.c ---- */

/* All of a process, in an array that is never changed but replaced. */
struct pl_quotas;

struct pl_quotas *_Atomic *pl_share_quotas(struct pl_share *share);
void pl_quotas_free(struct pl_quotas *quotas); /* may be NULL */

#endif
