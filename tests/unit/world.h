/* world.h - one worker for a test: a scripted loop, a clock by hand, tasks. */
#ifndef PL_TESTS_WORLD_H
#define PL_TESTS_WORLD_H

#include "check.h"

#include "loop/scripted.h"
#include "task/fiber.h"

#define MS ((uint64_t)1000000)

static uint64_t clock_ns;
static struct pl_loop *loop;
static struct pl_sched sched;

/* What happened, in order: one letter each. */
static char trace[256];

PL_UNUSED static int make_world(void **state)
{
    struct pl_loop_options options = {
        .backend = &pl_scripted,
        .clock = pl_fake_clock,
        .clock_arg = &clock_ns,
    };

    (void)state;
    clock_ns = 1000 * MS;
    trace[0] = '\0';
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    CHECK_INT(0, pl_sched_init(&sched, loop, NULL), "sched");
    return 0;
}

PL_UNUSED static int end_world(void **state)
{
    (void)state;
    pl_sched_fini(&sched); /* asserts that nothing is left */
    pl_loop_free(loop);
    return 0;
}

/* Turns the loop n times. */
PL_UNUSED static void turn(int n)
{
    while (n-- > 0)
        CHECK(pl_loop_step(loop, 0) >= 0, "turn");
}

/* ms pass; whoever that wakes runs until it waits again. */
PL_UNUSED static void pass(uint64_t ms)
{
    clock_ns += ms * MS;
    turn(3);
}

PL_UNUSED static void note(char what)
{
    size_t len = strlen(trace);

    CHECK(len + 1 < sizeof(trace), "trace");
    trace[len] = what;
    trace[len + 1] = '\0';
}

PL_UNUSED static void check_trace(const char *want, const char *what)
{
    CHECK_STR(want, pl_str_c(trace), what);
    trace[0] = '\0';
}

#define WORLD_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, make_world, end_world)

#endif
