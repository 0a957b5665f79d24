/* limit.h - a filter that lets each client have only so much: requests in a
 * time, requests at a time.
 *
 *     of an address that is allowed ------------------------------> next
 *     too many of this client's are being answered ----------> 429
 *     a token is left, or will be in a moment: waits for it ------> next
 *     else ---------------------------------------------------> 429,
 * Retry-After
 *
 * Needs no task. What clients have used is in tables that all workers share
 * (share/quota.h). */
#ifndef PL_FILTERS_LIMIT_H
#define PL_FILTERS_LIMIT_H

#include "base/error.h"
#include "http/handler.h"
#include "share/quota.h"

/* Where the tables are: those of a name in share, or the filter's own (share is
 * NULL). */
struct pl_limit_home {
    struct pl_share *share;
    struct pl_str name;
};

/* COPIES options; calls free_arg(options->arg) (may be NULL) with the filter's
 * end, also on failure. NULL with *error. Workers may share the filter. */
struct pl_filter *pl_limit_new(const struct pl_limit_options *options,
                               const struct pl_limit_home *home,
                               void (*free_arg)(void *arg),
                               struct pl_error *error);

/* What the filter does, for who says who it is: key is a text for it. 1: go on,
 * after *wait ns; 0: the answer has been built; or PL_ERR_NOMEM. */
int pl_limit_ask(struct pl_filter *filter, struct pl_request *req,
                 struct pl_str key, uint64_t *wait);

/* Is it one of these, and does it know a rate? */
bool pl_limit_is(const struct pl_filter *filter);
bool pl_limit_has_rate(const struct pl_filter *filter);

/* Without a request: one token of the rate, for key. 1: go on, after *wait ns;
 * 0: none, not before *wait ns. There is a rate. */
int pl_limit_take(struct pl_filter *filter, struct pl_str key, uint64_t now,
                  uint64_t *wait);

/* What key has used of the rate is forgotten. */
void pl_limit_forget(struct pl_filter *filter, struct pl_str key);

#endif
