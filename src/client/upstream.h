/* upstream.h - the origins that one handler chooses from, and how.
 *
 * Made when a site is loaded, and never changed but for one counter: workers
 * may share it. What a choice depends on lies elsewhere: health with the
 * process (origin.h), connections with the worker (pool.h). */
#ifndef PL_CLIENT_UPSTREAM_H
#define PL_CLIENT_UPSTREAM_H

#include "client/pool.h"

enum { PL_UPSTREAM_MAX = 64, PL_UPSTREAM_WEIGHT_MAX = 100 };

enum pl_balance {
    PL_BALANCE_TURNS, /* by turns, as often as their weights say */
    PL_BALANCE_LEAST, /* fewest exchanges for its weight, on this worker */
    PL_BALANCE_HASH,  /* by a key; consistent: see ring below */
};

struct pl_upstream_server {
    struct pl_origin *origin;
    uint8_t weight; /* 1 to PL_UPSTREAM_WEIGHT_MAX */
    bool backup;    /* only when none of the others can be asked */
};

/* A point of a circle: keys up to it are the server's. One server more or less
 * moves only the keys that it gets or had. */
struct pl_upstream_point {
    uint32_t at;
    uint8_t server;
};

struct pl_upstream {
    enum pl_balance balance;
    unsigned n;
    struct pl_upstream_server servers[PL_UPSTREAM_MAX];
    uint32_t max_active; /* exchanges of a server and worker; 0: no limit */
    _Atomic uint32_t turn;
    /* An order of the servers, each as often as its weight says and spread as
     * evenly as can be: [0] of the first choice, [1] of the backups. */
    struct {
        uint8_t *order;
        unsigned n;
    } turns[2];
    struct pl_upstream_point *ring;
    unsigned nring;
};

/* COPIES servers. Returns 0, or PL_ERR_NOMEM with nothing to be freed. */
int pl_upstream_init(struct pl_upstream *upstream,
                     const struct pl_upstream_server *servers, unsigned n,
                     enum pl_balance balance, uint32_t max_active);
void pl_upstream_fini(struct pl_upstream *upstream);

/* The index of the server for a request with that key. tried: bits of those
 * that are not wanted any more. Where all are paused, the pauses do not count:
 * one of them may be back. Or PL_ERR_BUSY: all that could be asked have enough
 * to do; PL_ERR_UNREACHABLE: there is none. */
int pl_upstream_choose(struct pl_upstream *upstream,
                       const struct pl_clients *clients, uint64_t key,
                       uint64_t tried, uint64_t now_ms);

/* A key from a text. */
uint64_t pl_upstream_key(struct pl_str text);

#endif
