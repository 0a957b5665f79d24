#include "client/upstream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/sys.h"

enum { POINTS = 160 }; /* of a server of weight 1 */

/* The same in all workers and processes: a client stays with its server. */
static const struct pl_hash_key fixed = {0x7065726c756e6531,
                                         0x7570737472656d73};

uint64_t pl_upstream_key(struct pl_str text)
{
    return pl_hash(text, fixed);
}

/* ---- orders ---- */

static unsigned gcd(unsigned a, unsigned b)
{
    while (b != 0) {
        unsigned rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Smooth weighted turns (as nginx has them): each step all gain their weight,
 * and the richest pays the sum for its turn. */
static int make_turns(struct pl_upstream *upstream, bool backup)
{
    unsigned total = 0, divisor = 0;
    int rich[PL_UPSTREAM_MAX] = {0};
    uint8_t *order;

    for (unsigned i = 0; i < upstream->n; i++)
        if (upstream->servers[i].backup == backup)
            divisor = gcd(upstream->servers[i].weight, divisor);
    for (unsigned i = 0; i < upstream->n; i++)
        if (upstream->servers[i].backup == backup)
            total += upstream->servers[i].weight / divisor;
    if (total == 0)
        return 0;
    order = pl_malloc(total);
    if (order == NULL)
        return PL_ERR_NOMEM;
    for (unsigned turn = 0; turn < total; turn++) {
        int best = -1;

        for (unsigned i = 0; i < upstream->n; i++) {
            if (upstream->servers[i].backup != backup)
                continue;
            rich[i] += upstream->servers[i].weight / (int)divisor;
            if (best < 0 || rich[i] > rich[best])
                best = (int)i;
        }
        rich[best] -= (int)total;
        order[turn] = (uint8_t)best;
    }
    upstream->turns[backup].order = order;
    upstream->turns[backup].n = total;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct pl_upstream_point *p = a, *q = b;

    if (p->at != q->at)
        return p->at < q->at ? -1 : 1;
    return p->server - q->server;
}

static int make_ring(struct pl_upstream *upstream)
{
    unsigned total = 0, n = 0;

    for (unsigned i = 0; i < upstream->n; i++)
        if (!upstream->servers[i].backup)
            total += POINTS * upstream->servers[i].weight;
    if (upstream->balance != PL_BALANCE_HASH || total == 0)
        return 0;
    upstream->ring = pl_malloc(total * sizeof(*upstream->ring));
    if (upstream->ring == NULL)
        return PL_ERR_NOMEM;
    for (unsigned i = 0; i < upstream->n; i++) {
        const struct pl_upstream_server *server = &upstream->servers[i];
        unsigned points = server->backup ? 0u : POINTS * server->weight;

        for (unsigned p = 0; p < points; p++) {
            char text[PL_HOST_MAX + 64];
            int len = snprintf(text, sizeof(text), "%.*s#%u",
                               PL_STR_ARG(server->origin->url), p);
            uint64_t at = pl_upstream_key(pl_str(text, (size_t)len));

            upstream->ring[n++] =
                (struct pl_upstream_point){(uint32_t)at, (uint8_t)i};
        }
    }
    qsort(upstream->ring, n, sizeof(*upstream->ring), compare);
    upstream->nring = n;
    return 0;
}

int pl_upstream_init(struct pl_upstream *upstream,
                     const struct pl_upstream_server *servers, unsigned n,
                     enum pl_balance balance, uint32_t max_active)
{
    memset(upstream, 0, sizeof(*upstream));
    upstream->balance = balance;
    upstream->n = n;
    upstream->max_active = max_active;
    memcpy(upstream->servers, servers, n * sizeof(*servers));
    if (make_turns(upstream, false) == 0 && make_turns(upstream, true) == 0 &&
        make_ring(upstream) == 0)
        return 0;
    pl_upstream_fini(upstream);
    return PL_ERR_NOMEM;
}

void pl_upstream_fini(struct pl_upstream *upstream)
{
    pl_free(upstream->turns[0].order);
    pl_free(upstream->turns[1].order);
    pl_free(upstream->ring);
}

/* ---- choosing ---- */

struct choice {
    struct pl_upstream *upstream;
    const struct pl_clients *clients;
    uint64_t key, tried, now_ms;
    bool desperate; /* pauses do not count */
    bool busy;      /* one was left out only because it has enough to do */
};

static bool may_be(struct choice *choice, unsigned i)
{
    const struct pl_upstream *upstream = choice->upstream;
    const struct pl_origin *origin = upstream->servers[i].origin;

    if (choice->tried >> i & 1)
        return false;
    if (choice->desperate ? pl_origin_is_bad(origin)
                          : !pl_origin_usable(origin, choice->now_ms))
        return false;
    if (upstream->max_active == 0 ||
        pl_stock_active(choice->clients, origin) < upstream->max_active)
        return true;
    choice->busy = true;
    return false;
}

static int by_turns(struct choice *choice, bool backup)
{
    struct pl_upstream *upstream = choice->upstream;
    unsigned n = upstream->turns[backup].n, turn;

    if (n == 0)
        return -1;
    turn = atomic_fetch_add_explicit(&upstream->turn, 1, memory_order_relaxed);
    for (unsigned i = 0; i < n; i++) {
        unsigned which = upstream->turns[backup].order[(turn + i) % n];

        if (may_be(choice, which))
            return (int)which;
    }
    return -1;
}

/* Equals take turns. */
static int by_least(struct choice *choice, bool backup)
{
    struct pl_upstream *upstream = choice->upstream;
    unsigned start =
        atomic_fetch_add_explicit(&upstream->turn, 1, memory_order_relaxed);
    uint64_t least = 0;
    int best = -1;

    for (unsigned k = 0; k < upstream->n; k++) {
        unsigned i = (start + k) % upstream->n;
        const struct pl_upstream_server *server = &upstream->servers[i];
        uint64_t load;

        if (server->backup != backup || !may_be(choice, i))
            continue;
        /* A whole number that orders as active / weight does. */
        load =
            ((uint64_t)pl_stock_active(choice->clients, server->origin) << 20) /
            server->weight;
        if (best < 0 || load < least) {
            best = (int)i;
            least = load;
        }
    }
    return best;
}

static int by_ring(struct choice *choice)
{
    const struct pl_upstream *upstream = choice->upstream;
    uint32_t key = (uint32_t)choice->key;
    unsigned low = 0, high = upstream->nring;
    uint64_t seen = 0;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (upstream->ring[middle].at < key)
            low = middle + 1;
        else
            high = middle;
    }
    for (unsigned k = 0; k < upstream->nring; k++) {
        unsigned i = upstream->ring[(low + k) % upstream->nring].server;

        if (seen >> i & 1)
            continue;
        seen |= UINT64_C(1) << i;
        if (may_be(choice, i))
            return (int)i;
    }
    return -1;
}

static int choose(struct choice *choice)
{
    int which;

    for (int backup = 0; backup < 2; backup++) {
        if (choice->upstream->balance == PL_BALANCE_LEAST)
            which = by_least(choice, backup);
        else if (choice->upstream->balance == PL_BALANCE_HASH && !backup)
            which = by_ring(choice);
        else
            which = by_turns(choice, backup);
        if (which >= 0)
            return which;
    }
    return -1;
}

int pl_upstream_choose(struct pl_upstream *upstream,
                       const struct pl_clients *clients, uint64_t key,
                       uint64_t tried, uint64_t now_ms)
{
    struct choice choice = {.upstream = upstream,
                            .clients = clients,
                            .key = key,
                            .tried = tried,
                            .now_ms = now_ms};
    int which = choose(&choice);

    if (which >= 0)
        return which;
    if (choice.busy)
        return PL_ERR_BUSY;
    choice.desperate = true;
    which = choose(&choice);
    if (which >= 0)
        return which;
    return choice.busy ? PL_ERR_BUSY : PL_ERR_UNREACHABLE;
}
