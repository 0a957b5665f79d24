/* fiber_switch.c - N round trips from the loop's stack to a fiber and back,
 * alone and with the waiting and queueing that go with one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/sys.h"
#include "task/context.h"
#include "task/fiber.h"

static struct pl_context main_context, fiber_context;

static struct pl_context *bounce(void *arg)
{
    for (long i = *(long *)arg; i > 1; i--)
        pl_context_switch(&fiber_context, &main_context);
    return &main_context;
}

static double switches(long n)
{
    enum { SIZE = 64 * 1024 };
    char *stack = aligned_alloc(4096, SIZE);
    uint64_t start;
    double ns;

    PL_ASSERT(stack != NULL);
    pl_context_make(&fiber_context, stack, stack + SIZE, bounce, &n);
    start = pl_clock_monotonic();
    for (long i = 0; i < n; i++)
        pl_context_switch(&main_context, &fiber_context);
    ns = (double)(pl_clock_monotonic() - start) / (double)n;
    free(stack);
    return ns;
}

static struct pl_op op;

static int wait_often(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--) {
        pl_op_begin(&op);
        pl_op_wait(&op);
    }
    return 0;
}

/* Completes op from the loop's stack, then lets the run queue run. */
static double waits(long n)
{
    struct pl_loop_options options = {.backend = &pl_epoll};
    struct pl_loop *loop;
    struct pl_sched sched;
    uint64_t start;
    double ns;

    PL_ASSERT(pl_loop_new(&options, &loop) == 0);
    PL_ASSERT(pl_sched_init(&sched, loop, NULL) == 0);
    pl_op_init(&op, &sched, NULL);
    PL_ASSERT(pl_fiber_spawn(&sched, NULL, wait_often, &n, NULL) == 0);
    start = pl_clock_monotonic();
    for (long i = 0; i < n; i++) {
        pl_op_complete(&op, 0);
        sched.hook.run(&sched.hook);
    }
    ns = (double)(pl_clock_monotonic() - start) / (double)n;
    pl_sched_fini(&sched);
    pl_loop_free(loop);
    return ns;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 10000000;

    printf("%.1f ns a switch there and back\n", switches(n));
    printf("%.1f ns a wait: begin, park, complete, resume\n", waits(n));
    return 0;
}
