#include "server/metrics.h"

#include "base/sys.h"
#include "route/router.h"
#include "server/generation.h"

/* ---- latencies ---- */

static unsigned bucket_of(uint64_t ns)
{
    unsigned octave, part;

    if (ns < PL_LATENCY_LEAST)
        return 0;
    octave = 63 - (unsigned)__builtin_clzll(ns) - PL_LATENCY_BITS;
    if (octave >= PL_LATENCY_OCTAVES)
        return PL_LATENCY_BUCKETS - 1;
    part = (unsigned)(ns >> (PL_LATENCY_BITS + octave - 2)) &
           (PL_LATENCY_PARTS - 1u);
    return 1 + octave * PL_LATENCY_PARTS + part;
}

void pl_latency_add(struct pl_latency *latency, uint64_t ns)
{
    latency->buckets[bucket_of(ns)]++;
}

uint64_t pl_latency_limit(unsigned bucket)
{
    unsigned octave = bucket == 0 ? 0 : (bucket - 1) / PL_LATENCY_PARTS;
    unsigned part = bucket == 0 ? 0 : (bucket - 1) % PL_LATENCY_PARTS;

    if (bucket == 0)
        return PL_LATENCY_LEAST;
    return (uint64_t)(PL_LATENCY_PARTS + part + 1)
           << (PL_LATENCY_BITS - 2 + octave);
}

/* ---- routes ---- */

static unsigned count_routes(const struct pl_generation *generation)
{
    unsigned n = 0;

    while (pl_router_route(generation->site->router, n) != NULL)
        n++;
    return n;
}

int pl_metrics_watch(struct pl_metrics *metrics,
                     const struct pl_generation *generation, uint64_t now)
{
    struct pl_routes_watch *watch = metrics->watch;
    unsigned n;

    if (watch == NULL || watch->generation != generation->id) {
        pl_metrics_fini(metrics);
        n = count_routes(generation) + 1;
        watch = pl_calloc(1, sizeof(*watch) + n * sizeof(watch->routes[0]));
        if (watch == NULL)
            return PL_ERR_NOMEM;
        watch->generation = generation->id;
        watch->n = n;
        metrics->watch = watch;
    }
    watch->until = now + PL_ROUTE_WATCH_S * UINT64_C(1000000000);
    return 0;
}

void pl_metrics_move(struct pl_metrics *metrics,
                     const struct pl_generation *generation, uint64_t now)
{
    uint64_t until = metrics->watch == NULL ? 0 : metrics->watch->until;

    pl_metrics_fini(metrics);
    if (now < until && pl_metrics_watch(metrics, generation, now) == 0)
        metrics->watch->until = until;
}

void pl_metrics_fini(struct pl_metrics *metrics)
{
    pl_free(metrics->watch);
    metrics->watch = NULL;
}

/* Its time is that of a connection, not of an answer. */
static bool is_connection(const struct pl_request *req)
{
    return req->response.status == 101 || req->hijacked ||
           req->ws_stream != NULL;
}

static void add_route(struct pl_routes_watch *watch,
                      const struct pl_request *req, uint64_t ns)
{
    struct pl_route_metrics *route = &watch->routes[watch->n - 1];

    if (req->route != NULL && req->route->index < watch->n - 1)
        route = &watch->routes[req->route->index];
    route->requests++;
    route->failed += req->response.status >= 500;
    if (!is_connection(req))
        pl_latency_add(&route->latency, ns);
}

static bool is_watched(const struct pl_routes_watch *watch,
                       const struct pl_generation *generation)
{
    return generation != NULL && generation->id == watch->generation;
}

void pl_metrics_add(struct pl_metrics *metrics, const struct pl_request *req,
                    uint64_t now)
{
    uint64_t ns = now - req->started;

    if (!is_connection(req))
        pl_latency_add(&metrics->latency, ns);
    if (metrics->watch == NULL)
        return;
    if (now > metrics->watch->until)
        pl_metrics_fini(metrics);
    else if (is_watched(metrics->watch, req->generation))
        add_route(metrics->watch, req, ns);
}
