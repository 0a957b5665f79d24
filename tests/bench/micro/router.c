/* router.c - N times finding a route among 1 000: exact names, parameters and
 * mounts in turn, as an application of a hundred resources has them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "route/router.h"

enum { RESOURCES = 100 };

/* %d: the number of the resource. */
static const char *const patterns[] = {
    "/api/v1/resource%d",
    "/api/v1/resource%d/search",
    "/api/v1/resource%d/:id",
    "/api/v1/resource%d/:id/edit",
    "/api/v1/resource%d/:id/comments",
    "/api/v1/resource%d/:id/comments/:comment",
    "/api/v1/resource%d/:id/files/*path",
    "/resource%d",
    "/resource%d/new",
    "/resource%d/:id/history/:from/:to",
};

/* One path for each of them. */
static const char *const paths[] = {
    "/api/v1/resource%d",
    "/api/v1/resource%d/search",
    "/api/v1/resource%d/1234567",
    "/api/v1/resource%d/1234567/edit",
    "/api/v1/resource%d/1234567/comments",
    "/api/v1/resource%d/1234567/comments/7",
    "/api/v1/resource%d/1234567/files/a/b/c.txt",
    "/resource%d",
    "/resource%d/new",
    "/resource%d/1234567/history/2025-01-01/2026-01-01",
};

enum { KINDS = sizeof(patterns) / sizeof(patterns[0]) };

static char asked[RESOURCES * KINDS][80];

static struct pl_router *make(void)
{
    struct pl_router *router = pl_router_new();
    struct pl_error error = {0};
    char pattern[80];

    PL_ASSERT(router != NULL);
    for (int i = 0; i < RESOURCES * KINDS; i++) {
        struct pl_route route = {.pattern = pattern,
                                 .host = "",
                                 .where = "",
                                 .methods = PL_METHODS_ANY};

        snprintf(pattern, sizeof(pattern), patterns[i % KINDS], i / KINDS);
        snprintf(asked[i], sizeof(asked[i]), paths[i % KINDS], i / KINDS);
        PL_ASSERT(pl_router_add(router, &route, &error) == 0);
    }
    return router;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 10000000;
    struct pl_router *router = make();
    struct pl_match match;
    uint64_t start = pl_clock_monotonic();

    for (long i = 0; i < n; i++) {
        /* 37 has no divisor in common with 1000: each path, in a wild order */
        unsigned at = (unsigned)(i * 37 % (RESOURCES * KINDS));

        pl_router_find(router, PL_STR(""), PL_METHOD_GET, pl_str_c(asked[at]),
                       &match);
        PL_ASSERT(match.route != NULL && match.route->index == at);
    }
    printf("%.1f ns a route\n",
           (double)(pl_clock_monotonic() - start) / (double)n);
    pl_router_free(router);
    return 0;
}
