/* metrics.h - what a worker counts for who looks on: how long its requests have
 * taken, and, while somebody asks, those of each route.
 *
 * Time is that of the worker's loop, which is read once a turn and after what
 * ran for a millisecond. A request that never waited and was quick counts as
 * PL_LATENCY_LEAST, which costs it two additions and no clock. */
#ifndef PL_SERVER_METRICS_H
#define PL_SERVER_METRICS_H

#include "base/compiler.h"
#include "http/request.h"

struct pl_generation;

enum {
    PL_LATENCY_BITS = 18,    /* bucket 0: less than 2^18 ns, that is 0.26 ms; */
    PL_LATENCY_PARTS = 4,    /* then so many for each doubling, */
    PL_LATENCY_OCTAVES = 25, /* up to 2.4 hours */
    PL_LATENCY_BUCKETS = 1 + PL_LATENCY_PARTS * PL_LATENCY_OCTAVES,
    PL_ROUTE_WATCH_S = 15, /* routes are counted so long after a question */
};
#define PL_LATENCY_LEAST (UINT64_C(1) << PL_LATENCY_BITS)

struct pl_latency {
    uint64_t buckets[PL_LATENCY_BUCKETS];
};

struct pl_route_metrics {
    uint64_t requests, failed; /* failed: answered with 5xx */
    struct pl_latency latency;
};

/* Of one generation: its routes by their index, and behind them what no route
 * has answered. */
struct pl_routes_watch {
    uint64_t generation; /* its id */
    uint64_t until;      /* now at which nobody wants to know any more */
    unsigned n;
    struct pl_route_metrics routes[];
};

struct pl_metrics {
    struct pl_latency latency; /* WebSockets and what has left HTTP excepted */
    struct pl_routes_watch *watch; /* NULL: routes are not counted */
};

void pl_latency_add(struct pl_latency *latency, uint64_t ns);

/* What bucket i counts is shorter than this; ns. */
uint64_t pl_latency_limit(unsigned bucket);

/* Counts the routes of generation from now on. Returns 0 or PL_ERR_NOMEM. */
int pl_metrics_watch(struct pl_metrics *metrics,
                     const struct pl_generation *generation, uint64_t now);

/* Another one serves from now on: if routes are being counted, then its own,
 * from nothing. */
void pl_metrics_move(struct pl_metrics *metrics,
                     const struct pl_generation *generation, uint64_t now);
void pl_metrics_fini(struct pl_metrics *metrics);

/* A request is over; the slow part of it. */
void pl_metrics_add(struct pl_metrics *metrics, const struct pl_request *req,
                    uint64_t now);

PL_INLINE void pl_metrics_count(struct pl_metrics *metrics,
                                const struct pl_request *req, uint64_t now)
{
    if (PL_LIKELY(now - req->started < PL_LATENCY_LEAST &&
                  metrics->watch == NULL))
        metrics->latency.buckets[0]++;
    else
        pl_metrics_add(metrics, req, now);
}

#endif
