/* test_task.c - the run queue and the tree: who runs when, what cancelling and
 * ending do. Fibers stand for all tasks, but for the last tests. */
#include "world.h"

#include "base/check.h"

static int spawn(struct pl_task *parent, pl_fiber_fn *fn, void *arg)
{
    return pl_fiber_spawn(&sched, parent, fn, arg, NULL);
}

static int sleep_and_note(void *arg)
{
    int err = pl_fiber_sleep(10);

    note(err == 0 ? *(char *)arg : '!');
    return err;
}

/* ---- the run queue ---- */

static int note_letter(void *arg)
{
    note(*(char *)arg);
    return 0;
}

static int spawn_two(void *arg)
{
    note('(');
    CHECK_INT(0, spawn(NULL, note_letter, "a"), "spawn");
    CHECK_INT(0, spawn(NULL, note_letter, "b"), "spawn");
    note(')');
    return 0;
}

static void test_sched__spawn_runs_at_once_only_from_the_loop(void **state)
{
    CHECK_INT(0, spawn(NULL, spawn_two, NULL), "spawn");
    check_trace("()", "the first at once, its own queued");
    turn(1);
    check_trace("ab", "in order");
}

static int sleep_twice(void *arg)
{
    for (int i = 0; i < 2; i++) {
        CHECK_INT(0, pl_fiber_sleep(1), "sleep");
        note(*(char *)arg);
    }
    return 0;
}

static void test_sched__is_first_in_first_out(void **state)
{
    CHECK_INT(0, spawn(NULL, sleep_twice, "a"), "spawn");
    CHECK_INT(0, spawn(NULL, sleep_twice, "b"), "spawn");
    CHECK_INT(0, spawn(NULL, sleep_twice, "c"), "spawn");
    pass(1);
    pass(1);
    check_trace("abcabc", "nobody overtakes");
}

static struct pl_op ping, pong;
static unsigned volleys;

/* Wakes the other, then waits for it: for ever. */
static int volley(struct pl_op *mine, struct pl_op *other)
{
    int err = 0;

    while (err == 0) {
        volleys++;
        pl_op_begin(mine);
        if (other->state == PL_OP_PENDING)
            pl_op_complete(other, 0);
        err = pl_op_wait(mine);
    }
    if (other->state == PL_OP_PENDING)
        pl_op_complete(other, err);
    return err;
}

static int play_ping(void *arg)
{
    return volley(&ping, &pong);
}

static int play_pong(void *arg)
{
    return volley(&pong, &ping);
}

static void
test_sched__two_that_wake_each_other_do_not_hold_the_loop(void **state)
{
    volleys = 0;
    pl_op_init(&ping, &sched, NULL);
    pl_op_init(&pong, &sched, NULL);
    CHECK_INT(0, spawn(NULL, play_ping, NULL), "spawn");
    CHECK_INT(0, spawn(NULL, play_pong, NULL), "spawn");
    turn(1);
    CHECK(volleys >= PL_SCHED_BUDGET, "a turn's worth");
    CHECK(volleys <= PL_SCHED_BUDGET + 2, "and no more");
    if (ping.state == PL_OP_PENDING)
        pl_op_complete(&ping, PL_ERR_CLOSED);
    else
        pl_op_complete(&pong, PL_ERR_CLOSED);
    turn(3);
    CHECK(pl_sched_idle(&sched), "over");
}

static int counted;

static int count_one(void *arg)
{
    counted++;
    return 0;
}

static int spawn_many(void *arg)
{
    for (int i = 0; i < 3 * PL_SCHED_BUDGET; i++)
        CHECK_INT(0, spawn(NULL, count_one, NULL), "spawn");
    return 0;
}

/* Else a peer that makes more of them in each turn fills the memory. */
static void test_sched__a_turn_runs_all_that_were_due(void **state)
{
    counted = 0;
    CHECK_INT(0, spawn(NULL, spawn_many, NULL), "spawn");
    CHECK_INT(0, counted, "queued");
    turn(1);
    CHECK_INT(3 * PL_SCHED_BUDGET, counted, "all of them");
}

static void test_sched__work_queued_outside_a_turn_does_not_wait(void **state)
{
    struct pl_loop_options options = {.backend = &pl_epoll};

    CHECK_INT(0, end_world(NULL), "no fake this time: it never sleeps");
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    CHECK_INT(0, pl_sched_init(&sched, loop, NULL), "sched");
    CHECK_INT(0, spawn(NULL, spawn_two, NULL), "spawn");
    CHECK(pl_loop_step(loop, -1) >= 0, "turn"); /* else: hangs */
    check_trace("()ab", "ran");
}

/* ---- cancelling ---- */

static int swallow_errors(void *arg)
{
    for (int i = 0; i < 3; i++)
        note(pl_fiber_sleep(10) == PL_ERR_CANCELED ? 'c' : '0');
    return 42;
}

static void test_cancel__is_sticky(void **state)
{
    struct pl_task *task = pl_fiber_new(&sched, NULL, swallow_errors, NULL);

    pl_task_start(task);
    pass(10);
    check_trace("0", "first");
    pl_task_cancel(task);
    pl_task_cancel(task);
    check_trace("", "not inline");
    turn(1);
    check_trace("cc", "without time passing");
    CHECK(pl_sched_idle(&sched), "over");
}

static void test_cancel__before_the_first_run_still_runs(void **state)
{
    struct pl_task *task = pl_fiber_new(&sched, NULL, swallow_errors, NULL);

    pl_task_cancel(task);
    pl_task_start(task);
    check_trace("ccc", "to release what it owns");
}

static int cancel_self(void *arg)
{
    pl_task_cancel(pl_task_current());
    return swallow_errors(arg);
}

static void test_cancel__works_from_inside(void **state)
{
    CHECK_INT(0, spawn(NULL, cancel_self, NULL), "spawn");
    check_trace("ccc", "its own waits");
}

/* An operation that takes its time to be cancelled. */
static struct pl_op slow;
static bool slow_asked;

static void cancel_slowly(struct pl_op *op)
{
    slow_asked = true;
}

static int wait_for_slow(void *arg)
{
    int result;

    pl_op_init(&slow, &sched, cancel_slowly);
    pl_op_begin(&slow);
    result = pl_op_wait(&slow);
    note('r');
    return result;
}

static void test_cancel__waiter_returns_only_when_the_op_is_done(void **state)
{
    struct pl_join_op join;
    struct pl_task *task = pl_fiber_new(&sched, NULL, wait_for_slow, NULL);

    slow_asked = false;
    pl_task_join_begin(&join, task);
    pl_task_start(task);
    pl_task_cancel(task);
    CHECK(slow_asked, "asked");
    pass(1000);
    check_trace("", "its memory is still in use");
    pl_op_complete(&slow, 7);
    turn(1);
    check_trace("r", "now");
    CHECK_INT(7, join.op.result, "it had won the race");
}

static int wait_for_done_op(void *arg)
{
    struct pl_op op;

    pl_op_init(&op, &sched, NULL);
    pl_op_begin(&op);
    pl_op_complete(&op, 9);
    pl_task_cancel(pl_task_current());
    return pl_op_wait(&op);
}

static void test_cancel__what_was_done_before_keeps_its_result(void **state)
{
    struct pl_join_op join;

    CHECK_INT(0, pl_fiber_spawn(&sched, NULL, wait_for_done_op, NULL, &join),
              "spawn");
    CHECK_INT(9, join.op.result, "it may be a descriptor");
}

/* ---- the tree ---- */

static int spawn_children(void *arg)
{
    struct pl_task *self = pl_task_current();

    CHECK_INT(0, spawn(self, sleep_and_note, "a"), "spawn");
    CHECK_INT(0, spawn(self, sleep_and_note, "b"), "spawn");
    if (arg != NULL)
        CHECK_INT(0, pl_fiber_sleep(5), "sleep");
    note('p');
    return 5;
}

static void note_join(struct pl_op *op)
{
    note('j');
}

static void test_tree__ending_cancels_and_joins_the_children(void **state)
{
    struct pl_join_op join;

    CHECK_INT(0, pl_fiber_spawn(&sched, NULL, spawn_children, "", &join),
              "spawn");
    pl_op_then(&join.op, note_join);
    pass(5);
    check_trace("p!!j", "children first, then the join");
    CHECK_INT(5, join.op.result, "result");

    CHECK_INT(0, pl_fiber_spawn(&sched, NULL, spawn_children, NULL, &join),
              "spawn");
    pl_op_then(&join.op, note_join);
    turn(2);
    check_trace("p!!j", "also children that have not run yet");
}

static int wait_for_a_child(void *arg)
{
    struct pl_join_op join;
    int result;

    CHECK_INT(
        0,
        pl_fiber_spawn(&sched, pl_task_current(), sleep_and_note, arg, &join),
        "spawn");
    result = pl_op_wait(&join.op);
    note('p');
    return result;
}

static void test_tree__join_gives_the_result(void **state)
{
    struct pl_join_op joins[3];
    struct pl_task *task = pl_fiber_new(&sched, NULL, wait_for_a_child, "a");

    for (int i = 0; i < 3; i++)
        pl_task_join_begin(&joins[i], task);
    pl_op_cancel(&joins[1].op);
    CHECK_INT(PL_ERR_CANCELED, joins[1].op.result, "lets go");
    pl_task_start(task);
    turn(1);
    pass(10);
    check_trace("ap", "the task goes on");
    CHECK_INT(0, joins[0].op.result, "result");
    CHECK_INT(PL_OP_DONE, joins[2].op.state, "several may join");
    CHECK(joins[2].task == NULL, "forgotten");
}

static void test_tree__cancelling_reaches_the_grandchildren(void **state)
{
    struct pl_join_op join;
    struct pl_task *task = pl_fiber_new(&sched, NULL, wait_for_a_child, "a");

    pl_task_join_begin(&join, task);
    pl_task_start(task);
    turn(1);
    pl_task_cancel(task);
    turn(3);
    check_trace("p!", "both, and the parent is over last");
    CHECK_INT(PL_ERR_CANCELED, join.op.result, "result");
    CHECK(pl_sched_idle(&sched), "over");
}

static int spawn_when_canceled(void *arg)
{
    CHECK_INT(PL_ERR_CANCELED, pl_fiber_sleep(10), "canceled");
    CHECK_INT(0, spawn(pl_task_current(), sleep_and_note, arg), "spawn");
    return wait_for_slow(NULL);
}

static void test_tree__children_inherit_the_cancellation(void **state)
{
    struct pl_task *task = pl_fiber_new(&sched, NULL, spawn_when_canceled, "a");

    pl_task_start(task);
    pl_task_cancel(task);
    turn(3);
    check_trace("!", "its sleep fails at once");
    pl_op_complete(&slow, 0);
    turn(1);
    check_trace("r", "the parent had not ended before");
}

enum { DEEP = 3000 };

static unsigned deepest, bottom;

static int descend(void *arg)
{
    unsigned depth = *(unsigned *)arg;
    unsigned below = depth + 1;

    deepest = PL_MAX(deepest, depth);
    if (depth < DEEP)
        CHECK_INT(0, spawn(pl_task_current(), descend, &below), "spawn");
    else
        bottom++;
    pl_fiber_sleep(1000);
    return 0;
}

static void test_tree__may_be_deep(void **state)
{
    unsigned top = 1;
    struct pl_task *task = pl_fiber_new(&sched, NULL, descend, &top);

    deepest = bottom = 0;
    pl_task_start(task);
    while (bottom == 0)
        turn(1);
    CHECK_INT(DEEP, deepest, "all the way down");
    CHECK_INT(DEEP, sched.live, "all alive");
    pl_task_cancel(task);
    for (int i = 0; i < 2 * DEEP / PL_SCHED_BUDGET + 2; i++)
        turn(1);
    CHECK(pl_sched_idle(&sched), "all gone");
}

static void test_tree__all_can_be_canceled(void **state)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(0, spawn(NULL, wait_for_a_child, "a"), "spawn");
    turn(1);
    CHECK(!pl_sched_idle(&sched), "alive");
    pl_sched_cancel_all(&sched);
    turn(3);
    check_trace("p!p!p!", "every one");
    CHECK(pl_sched_idle(&sched), "none left");
}

/* ---- defers ---- */

static struct pl_task_defer defers[3];

static void note_defer(void *arg)
{
    CHECK(pl_on_fiber(), "on the fiber itself");
    note(*(char *)arg);
}

static void note_slow_defer(void *arg)
{
    note('<');
    note(pl_fiber_sleep(20) == 0 ? *(char *)arg : '!');
}

static int defer_three(void *arg)
{
    struct pl_task *self = pl_task_current();

    pl_task_defer(self, &defers[0], note_defer, "1");
    pl_task_defer(self, &defers[1], note_slow_defer, "2");
    pl_task_defer(self, &defers[2], note_defer, "3");
    if (arg != NULL)
        CHECK_INT(0, spawn(self, sleep_and_note, arg), "spawn");
    note(pl_fiber_sleep(10) == 0 ? '0' : 'c');
    return 6;
}

static void test_defer__runs_last_first_and_may_wait(void **state)
{
    struct pl_join_op join;

    CHECK_INT(0, pl_fiber_spawn(&sched, NULL, defer_three, NULL, &join),
              "spawn");
    pl_op_then(&join.op, note_join);
    pass(10);
    check_trace("03<", "after the function");
    pass(20);
    check_trace("21j", "before the join");
    CHECK_INT(6, join.op.result, "result");
}

static void test_defer__may_wait_after_cancellation(void **state)
{
    struct pl_task *task = pl_fiber_new(&sched, NULL, defer_three, NULL);

    pl_task_start(task);
    pl_task_cancel(task);
    turn(1);
    check_trace("c3<", "its own wait has failed");
    pl_task_cancel(task); /* no effect: the time of defers is limited */
    turn(1);
    check_trace("", "still waiting");
    pass(20);
    check_trace("21", "to its end");
}

static void test_defer__finds_the_children_gone(void **state)
{
    CHECK_INT(0, spawn(NULL, defer_three, "a"), "spawn");
    turn(1);
    pl_sched_cancel_all(&sched);
    turn(2);
    check_trace("c!3<", "what a defer frees is in use no more");
    pass(20);
    check_trace("21", "the others");
}

static void spawn_in_defer(void *arg)
{
    CHECK_INT(0, spawn(pl_task_current(), sleep_and_note, arg), "spawn");
    CHECK_INT(0, pl_fiber_sleep(10), "sleep");
    note('d');
}

static int defer_a_spawn(void *arg)
{
    pl_task_defer(pl_task_current(), &defers[0], spawn_in_defer, arg);
    return pl_fiber_sleep(1000);
}

static void test_defer__may_spawn(void **state)
{
    CHECK_INT(0, spawn(NULL, defer_a_spawn, "a"), "spawn");
    pl_sched_cancel_all(&sched);
    pass(1);
    pass(10);
    CHECK(pl_sched_idle(&sched), "over");
    check_trace("da", "the child lived as long");
}

static void wait_too_long(void *arg)
{
    for (int i = 0; i < 3; i++)
        note(pl_fiber_sleep(4000) == 0 ? '0' : '!');
}

static int defer_too_long(void *arg)
{
    pl_task_defer(pl_task_current(), &defers[0], note_defer, "1");
    pl_task_defer(pl_task_current(), &defers[1], wait_too_long, NULL);
    return 0;
}

static void test_defer__has_a_time_limit(void **state)
{
    CHECK_INT(0, spawn(NULL, defer_too_long, NULL), "spawn");
    pass(4000);
    check_trace("0", "4 s are allowed");
    pass(999);
    check_trace("", "up to 5 s");
    pass(2);
    check_trace("!!1", "then waits fail, and the others still run");
    CHECK(pl_sched_idle(&sched), "over");
}

/* ---- a task type without a stack, as coroutines are ---- */

struct machine {
    struct pl_task task;
    struct pl_sleep_op sleep;
    int step;
};

static void machine_resume(struct pl_task *task)
{
    struct machine *machine = PL_CONTAINER_OF(task, struct machine, task);

    CHECK(pl_task_current() == task && !pl_on_fiber(), "current");
    if (machine->step++ == 0) {
        note('m');
        pl_sleep_begin(&machine->sleep, &sched, clock_ns + 10 * MS);
        if (pl_task_prepare_wait(task, &machine->sleep.op))
            return;
    }
    note(machine->sleep.op.result == 0 ? 'M' : '!');
    pl_task_end(task, 3);
}

static void machine_release(struct pl_task *task)
{
    note('R');
}

static const struct pl_task_type machine_type = {"machine", machine_resume,
                                                 machine_release};

static void note_machine_defer(void *arg)
{
    CHECK(pl_task_current() == arg && !pl_on_fiber(), "in its name");
    note('d');
}

static void test_type__ends_in_order(void **state)
{
    struct machine machine = {.step = 0};
    struct pl_join_op join;

    pl_task_init(&machine.task, &machine_type, &sched, NULL);
    pl_task_join_begin(&join, &machine.task);
    pl_op_then(&join.op, note_join);
    pl_task_defer(&machine.task, &defers[0], note_machine_defer, &machine.task);
    CHECK_INT(0, spawn(&machine.task, sleep_and_note, "a"), "child");
    pl_task_start(&machine.task);
    check_trace("m", "suspended");
    pl_task_cancel(&machine.task);
    turn(2);
    check_trace("!!dRj", "own wait, the child's, defers, release, join");
    CHECK_INT(3, join.op.result, "result");
}

static void test_type__canceled_before_waiting_does_not_suspend(void **state)
{
    struct machine machine = {.step = 0};

    pl_task_init(&machine.task, &machine_type, &sched, NULL);
    pl_task_cancel(&machine.task);
    pl_task_start(&machine.task);
    check_trace("m!R", "in one go");
}

RUN_TESTS(WORLD_TEST(test_sched__spawn_runs_at_once_only_from_the_loop),
          WORLD_TEST(test_sched__is_first_in_first_out),
          WORLD_TEST(test_sched__two_that_wake_each_other_do_not_hold_the_loop),
          WORLD_TEST(test_sched__a_turn_runs_all_that_were_due),
          WORLD_TEST(test_sched__work_queued_outside_a_turn_does_not_wait),
          WORLD_TEST(test_cancel__is_sticky),
          WORLD_TEST(test_cancel__before_the_first_run_still_runs),
          WORLD_TEST(test_cancel__works_from_inside),
          WORLD_TEST(test_cancel__waiter_returns_only_when_the_op_is_done),
          WORLD_TEST(test_cancel__what_was_done_before_keeps_its_result),
          WORLD_TEST(test_tree__ending_cancels_and_joins_the_children),
          WORLD_TEST(test_tree__join_gives_the_result),
          WORLD_TEST(test_tree__cancelling_reaches_the_grandchildren),
          WORLD_TEST(test_tree__children_inherit_the_cancellation),
          WORLD_TEST(test_tree__may_be_deep),
          WORLD_TEST(test_tree__all_can_be_canceled),
          WORLD_TEST(test_defer__runs_last_first_and_may_wait),
          WORLD_TEST(test_defer__may_wait_after_cancellation),
          WORLD_TEST(test_defer__finds_the_children_gone),
          WORLD_TEST(test_defer__may_spawn),
          WORLD_TEST(test_defer__has_a_time_limit),
          WORLD_TEST(test_type__ends_in_order),
          WORLD_TEST(test_type__canceled_before_waiting_does_not_suspend))
