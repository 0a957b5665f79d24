/* fiber_spawn.c - N fibers one after the other, none of which waits: what every
 * C handler costs before it does anything. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/sys.h"
#include "task/fiber.h"

static int count(void *arg)
{
    ++*(long *)arg;
    return 0;
}

int main(int argc, char **argv)
{
    struct pl_loop_options options = {.backend = &pl_epoll};
    long n = argc > 1 ? atol(argv[1]) : 10000000, ran = 0;
    struct pl_loop *loop;
    struct pl_sched sched;
    uint64_t start;

    PL_ASSERT(pl_loop_new(&options, &loop) == 0);
    PL_ASSERT(pl_sched_init(&sched, loop, NULL) == 0);
    start = pl_clock_monotonic();
    for (long i = 0; i < n; i++)
        PL_ASSERT(pl_fiber_spawn(&sched, NULL, count, &ran, NULL) == 0);
    printf("%.1f ns a spawn\n",
           (double)(pl_clock_monotonic() - start) / (double)n);
    PL_ASSERT(ran == n);
    pl_sched_fini(&sched);
    pl_loop_free(loop);
    return 0;
}
