/* limit_priv.h - a limit, for limit.c and limit_options.c. */
#ifndef PL_FILTERS_LIMIT_PRIV_H
#define PL_FILTERS_LIMIT_PRIV_H

#include "base/arena.h"
#include "filters/limit.h"
#include "http/request.h"
#include "net/trust.h"

/* What clients are told from each other by; each has names of its own. */
enum pl_limit_by {
    PL_LIMIT_ADDRESS,
    PL_LIMIT_USER,
    PL_LIMIT_HEADER,
    PL_LIMIT_ALL,
    PL_LIMIT_KEY, /* what a function says */
};

/* Never changes, but for the tables. */
struct pl_limit {
    struct pl_filter filter;
    struct pl_quota *rates, *uses; /* held; NULL: no such limit */
    struct pl_quota_rate rate;
    uint64_t concurrent;
    enum pl_limit_by by;
    uint8_t ipv4_bits, ipv6_bits;
    uint16_t status;
    struct pl_str header;
    struct pl_str (*key_of)(struct pl_request *req, void *arg);
    void (*free_arg)(void *arg);
    void *arg;
    const struct pl_trust *allowed; /* NULL: nobody */
    struct pl_str message;
    struct pl_arena arena;
    struct pl_pool pool;
};

/* A client in both tables. */
struct pl_limit_client {
    uint64_t rate, use;
};

void pl_limit_name(const struct pl_limit *limit, uint8_t space,
                   struct pl_str name, struct pl_limit_client *client);

void pl_limit_start(struct pl_filter *filter, struct pl_request *req,
                    const struct pl_next *next, struct pl_then *then);

#endif
