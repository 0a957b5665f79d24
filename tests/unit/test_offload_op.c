/* test_offload_op.c - waiting for work on a thread, with real threads. */
#include "world.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "loop/offload.h"

static struct pl_offload *offload;

/* One thread, and room for two jobs that wait. */
static int make_threads(void **state)
{
    struct pl_loop_options options = {.backend = &pl_epoll};

    (void)state;
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    CHECK_INT(0, pl_offload_new(1, 2, &offload), "offload");
    CHECK_INT(0, pl_sched_init(&sched, loop, offload), "sched");
    return 0;
}

static int end_threads(void **state)
{
    pl_offload_free(offload);
    while (!pl_sched_idle(&sched))
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    return end_world(state);
}

/* What a job works on. Reads one byte from the gate before it is over. */
struct errand {
    int gate[2];
    int answer;
    int freed;
    atomic_int started;
};

static struct errand errand;

static void make_errand(bool open)
{
    errand = (struct errand){.answer = 0};
    CHECK_INT(0, pipe(errand.gate), "pipe");
    if (open)
        CHECK_INT(1, write(errand.gate[1], "x", 1), "open the gate");
}

static void end_errand(void)
{
    close(errand.gate[0]);
    close(errand.gate[1]);
}

static int run_errand(void *arg)
{
    struct errand *e = arg;
    char c;

    atomic_fetch_add(&e->started, 1);
    e->answer = read(e->gate[0], &c, 1) == 1 ? 42 : -1;
    return 7;
}

static void free_errand(void *arg)
{
    struct errand *e = arg;

    e->freed++;
}

/* ---- */

static int fetch(void *arg)
{
    struct pl_offload_op op;
    int result;

    pl_offload_begin(&op, &sched, run_errand, &errand, free_errand);
    result = pl_op_wait(&op.op);
    CHECK_INT(PL_OP_DONE, op.op.state, "done");
    if (result >= 0) {
        CHECK_INT(42, errand.answer, "arg holds what work has found out");
        CHECK_INT(0, errand.freed, "until the end");
    }
    pl_offload_end(&op);
    pl_offload_end(&op); /* harmless */
    return result;
}

static void run_until(const struct pl_op *op)
{
    while (op->state != PL_OP_DONE)
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
}

static void test_offload__gives_result_and_argument(void **state)
{
    struct pl_join_op join;

    make_errand(true);
    CHECK_INT(0, pl_fiber_spawn(&sched, NULL, fetch, NULL, &join), "spawn");
    run_until(&join.op);
    CHECK_INT(7, join.op.result, "result");
    CHECK_INT(1, errand.freed, "freed once");
    end_errand();
}

static void test_offload__canceled_frees_when_work_is_over(void **state)
{
    struct pl_join_op join;
    struct pl_task *task = pl_fiber_new(&sched, NULL, fetch, NULL);

    make_errand(false);
    pl_task_join_begin(&join, task);
    pl_task_start(task);
    while (atomic_load(&errand.started) == 0)
        sched_yield(); /* work is in the middle of it */
    pl_task_cancel(task);
    run_until(&join.op);
    CHECK_INT(PL_ERR_CANCELED, join.op.result, "at once");
    CHECK_INT(0, errand.freed, "work still uses it");
    CHECK(!pl_sched_idle(&sched), "the job is still out");
    CHECK_INT(1, write(errand.gate[1], "x", 1), "open the gate");
    while (!pl_sched_idle(&sched))
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    CHECK_INT(1, errand.freed, "freed once");
    CHECK_INT(42, errand.answer, "work has ended undisturbed");
    end_errand();
}

static void test_offload__full_queue_is_an_error(void **state)
{
    struct pl_offload_op ops[8];
    int begun = 0, refused = 0;

    make_errand(false);
    for (size_t i = 0; i < PL_COUNT(ops); i++) {
        pl_offload_begin(&ops[i], &sched, run_errand, &errand, free_errand);
        if (ops[i].op.state == PL_OP_DONE) {
            CHECK_INT(PL_ERR_LIMIT, ops[i].op.result, "refused");
            refused++;
        } else {
            begun++;
        }
    }
    CHECK(begun >= 2 && refused >= 1, "some of each");
    CHECK_INT(refused, errand.freed, "those were freed");
    CHECK_INT(8, write(errand.gate[1], "xxxxxxxx", 8), "open the gate");
    for (size_t i = 0; i < PL_COUNT(ops); i++) {
        run_until(&ops[i].op);
        pl_offload_end(&ops[i]);
    }
    CHECK_INT(8, errand.freed, "each once");
    end_errand();
}

static int do_nothing(void *arg)
{
    return 0;
}

static void test_offload__cancel_races_with_the_end(void **state)
{
    enum { TIMES = 2000 };
    struct pl_offload_op op;

    errand.freed = 0;
    for (int i = 0; i < TIMES; i++) {
        pl_offload_begin(&op, &sched, do_nothing, &errand, free_errand);
        for (int n = 0; n < i % 4; n++)
            CHECK(pl_loop_step(loop, 0) >= 0, "turn");
        pl_op_cancel(&op.op);
        pl_offload_end(&op);
    }
    while (!pl_sched_idle(&sched))
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    CHECK_INT(TIMES, errand.freed, "each exactly once");
}

#define THREAD_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, make_threads, end_threads)

RUN_TESTS(THREAD_TEST(test_offload__gives_result_and_argument),
          THREAD_TEST(test_offload__canceled_frees_when_work_is_over),
          THREAD_TEST(test_offload__full_queue_is_an_error),
          THREAD_TEST(test_offload__cancel_races_with_the_end))
