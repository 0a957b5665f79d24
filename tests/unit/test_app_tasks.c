/* test_app_tasks.c - what a C program does beside its requests: timers and
 * functions of one worker and of each. */
#include "app_world.h"

#include <sched.h>

enum { WORKERS = 3 };

static atomic_int calls[WORKERS], inside, overlaps, deferred, begun, canceled;

static void make_app(void)
{
    app = pl_app_new();
    pl_app_set(app, "workers", "3");
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&calls[i], 0);
    atomic_store(&inside, 0);
    atomic_store(&overlaps, 0);
    atomic_store(&deferred, 0);
    atomic_store(&begun, 0);
    atomic_store(&canceled, 0);
}

static void on_end(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* Takes longer than its period. */
static void tick(struct pl_app *self, void *arg)
{
    CHECK(self == app && arg == &deferred, "what was said");
    atomic_fetch_add(&overlaps, atomic_fetch_add(&inside, 1) > 0);
    CHECK_INT(0, pl_defer(on_end, arg), "defer");
    pl_sleep(NULL, 3);
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&calls[pl_worker_id()], 1);
}

static void test_app_tasks__a_timer_runs_once_per_process(void **state)
{
    int others = 0, mine;

    (void)state;
    make_app();
    CHECK_INT(0, pl_app_every(app, PL_ONE_WORKER, 1, tick, &deferred), "every");
    start_app();
    while (atomic_load(&deferred) < 20)
        sched_yield();
    for (int i = 0; i < WORKERS; i++)
        others += atomic_load(&calls[i]) == 0;
    CHECK_INT(WORKERS - 1, others, "one worker does it");
    CHECK_INT(0, atomic_load(&overlaps), "never twice at a time");
    stop_app();
    mine = atomic_load(&deferred);
    CHECK_INT(0, atomic_load(&inside), "none is cut off in the middle");
    CHECK(mine >= 20, "each call has run what it deferred");
}

static void count_worker(struct pl_app *self, void *arg)
{
    (void)self;
    (void)arg;
    atomic_fetch_add(&calls[pl_worker_id()], 1);
}

static void test_app_tasks__a_timer_of_each_worker(void **state)
{
    (void)state;
    make_app();
    pl_app_every(app, PL_EACH_WORKER, 1, count_worker, NULL);
    start_app();
    for (int i = 0; i < WORKERS; i++)
        while (atomic_load(&calls[i]) < 3)
            sched_yield();
    stop_app();
}

static void stay(struct pl_app *self, void *arg)
{
    (void)self;
    atomic_fetch_add((atomic_int *)arg, 1);
    if (pl_sleep(NULL, 1u << 30) == PL_ERR_CANCELED)
        atomic_fetch_add(&canceled, 1);
}

static void
test_app_tasks__spawned_functions_end_with_their_worker(void **state)
{
    static atomic_int once;

    (void)state;
    make_app();
    CHECK_INT(0, pl_app_spawn(app, PL_EACH_WORKER, stay, &begun), "each");
    CHECK_INT(0, pl_app_spawn(app, PL_ONE_WORKER, stay, &once), "one");
    start_app();
    while (atomic_load(&begun) < WORKERS || atomic_load(&once) == 0)
        sched_yield();
    CHECK_INT(PL_ERR_STATE, pl_app_spawn(app, PL_ONE_WORKER, stay, &once),
              "it runs");
    CHECK_INT(PL_ERR_STATE, pl_app_every(app, PL_ONE_WORKER, 0, stay, &once),
              "it runs");
    stop_app();
    CHECK_INT(WORKERS, atomic_load(&begun), "once in each");
    CHECK_INT(atomic_load(&begun) + atomic_load(&once), atomic_load(&canceled),
              "all were told to end");
}

static void test_app_tasks__bad_periods_are_refused(void **state)
{
    (void)state;
    make_app();
    CHECK_INT(PL_ERR_INVALID, pl_app_every(app, PL_ONE_WORKER, 0, tick, NULL),
              "0");
    CHECK(strstr(pl_app_error(app), "pl_app_every()") != NULL,
          pl_app_error(app));
    CHECK_INT(PL_ERR_INVALID,
              pl_app_every(app, PL_ONE_WORKER, (uint64_t)PL_EVERY_MAX + 1, tick,
                           NULL),
              "too long");
    CHECK_INT(3, pl_app_run(app), "refuses to run");
    pl_app_free(app);
}

RUN_TESTS(
    cmocka_unit_test(test_app_tasks__a_timer_runs_once_per_process),
    cmocka_unit_test(test_app_tasks__a_timer_of_each_worker),
    cmocka_unit_test(test_app_tasks__spawned_functions_end_with_their_worker),
    cmocka_unit_test(test_app_tasks__bad_periods_are_refused))
