/* test_op.c - operations: their states, their callbacks, and the two of time
 * and descriptors. */
#include "world.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

static unsigned done_calls, cancel_calls;

static void count_done(struct pl_op *op)
{
    CHECK_INT(PL_OP_DONE, op->state, "done");
    CHECK(pl_task_current() == NULL, "on the loop's stack");
    done_calls++;
}

static void count_cancel(struct pl_op *op)
{
    cancel_calls++;
}

static void cancel_now(struct pl_op *op)
{
    pl_op_complete(op, PL_ERR_CANCELED);
}

static void begin(struct pl_op *op, void (*cancel)(struct pl_op *op))
{
    done_calls = cancel_calls = 0;
    pl_op_init(op, &sched, cancel);
    pl_op_begin(op);
    pl_op_then(op, count_done);
}

static void test_op__done_is_called_once_and_later(void **state)
{
    struct pl_op op;

    begin(&op, NULL);
    pl_op_complete(&op, 7);
    CHECK_INT(0, done_calls, "never inline");
    turn(3);
    CHECK_INT(1, done_calls, "once");
    CHECK_INT(7, op.result, "result");

    pl_op_begin(&op);
    pl_op_complete(&op, 8);
    turn(1);
    CHECK_INT(2, done_calls, "used again");
}

static void test_op__done_may_be_asked_for_afterwards(void **state)
{
    struct pl_op op;

    done_calls = 0;
    pl_op_init(&op, &sched, NULL);
    pl_op_begin(&op);
    pl_op_complete(&op, 1);
    turn(1);
    pl_op_then(&op, count_done);
    CHECK_INT(0, done_calls, "never inline");
    turn(1);
    CHECK_INT(1, done_calls, "called");
}

static void test_op__cancel_asks_once_and_only_while_pending(void **state)
{
    struct pl_op op;

    begin(&op, count_cancel);
    pl_op_cancel(&op);
    pl_op_cancel(&op);
    CHECK_INT(1, cancel_calls, "asked once");
    CHECK_INT(PL_OP_PENDING, op.state, "a request only");
    pl_op_complete(&op, 3); /* the operation has won the race */
    pl_op_cancel(&op);
    CHECK_INT(1, cancel_calls, "not when DONE");
    turn(1);
    CHECK_INT(3, op.result, "result");

    begin(&op, NULL);
    pl_op_cancel(&op);
    CHECK_INT(PL_OP_PENDING, op.state, "cannot be hurried");
    pl_op_complete(&op, 0);
    turn(1);

    begin(&op, cancel_now);
    pl_op_cancel(&op);
    CHECK_INT(PL_ERR_CANCELED, op.result, "ended at once");
    turn(1);
    CHECK_INT(1, done_calls, "done");
}

/* Runs fn in a child process, which must die. */
static void check_dies(void (*fn)(void), const char *what)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    CHECK_INT(pid, waitpid(pid, &status, 0), what);
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0, what);
}

static void complete_twice(void)
{
    struct pl_op op;

    pl_op_init(&op, &sched, NULL);
    pl_op_begin(&op);
    pl_op_complete(&op, 0);
    pl_op_complete(&op, 0);
}

static void complete_idle(void)
{
    struct pl_op op;

    pl_op_init(&op, &sched, NULL);
    pl_op_complete(&op, 0);
}

static void wait_outside(void)
{
    struct pl_sleep_op sleep;

    pl_sleep_begin(&sleep, &sched, clock_ns);
    pl_op_wait(&sleep.op);
}

static int wait_under_lua(void *arg)
{
    sched.lua_depth++;
    return pl_fiber_sleep(1);
}

static void wait_with_lua_on_the_stack(void)
{
    pl_fiber_spawn(&sched, NULL, wait_under_lua, NULL, NULL);
}

static void test_op__misuse_stops_the_process(void **state)
{
    check_dies(complete_twice, "completed twice");
    check_dies(complete_idle, "completed before its begin");
    check_dies(wait_outside, "waited on the loop's stack");
    check_dies(wait_with_lua_on_the_stack, "waited under Lua");
}

/* ---- sleep ---- */

static void note_sleep(struct pl_op *op)
{
    struct pl_sleep_op *sleep = PL_CONTAINER_OF(op, struct pl_sleep_op, op);

    note(op->result == 0 ? (char)('a' + sleep->timer.due / MS % 26) : '!');
}

static void test_sleep__ends_in_the_order_of_its_times(void **state)
{
    static const unsigned after[] = {30, 10, 20, 10, 0};
    struct pl_sleep_op sleeps[PL_COUNT(after)];
    uint64_t start = clock_ns;

    for (size_t i = 0; i < PL_COUNT(after); i++) {
        pl_sleep_begin(&sleeps[i], &sched, start + after[i] * MS);
        pl_op_then(&sleeps[i].op, note_sleep);
    }
    pass(1);
    CHECK_INT(1, strlen(trace), "what was due at once");
    CHECK_INT(PL_OP_PENDING, sleeps[1].op.state, "not early");
    for (int i = 0; i < 40; i++)
        pass(1);
    for (size_t i = 1; i < strlen(trace); i++)
        CHECK((trace[i] - trace[i - 1] + 26) % 26 <= 10, "in order");
    CHECK_INT(PL_COUNT(after), strlen(trace), "all");
    trace[0] = '\0';
}

static void test_sleep__can_be_canceled(void **state)
{
    struct pl_sleep_op sleep;

    pl_sleep_begin(&sleep, &sched, clock_ns + 5 * MS);
    pl_op_then(&sleep.op, note_sleep);
    pl_op_cancel(&sleep.op);
    pass(10);
    check_trace("!", "canceled, and not again when it would be due");
}

/* ---- descriptors ---- */

static struct pl_fd_op fd_wait;
static int far, near;

static void wait_for(unsigned events, uint64_t due)
{
    done_calls = 0;
    pl_fd_begin(&fd_wait, &sched, near, events, due);
    pl_op_then(&fd_wait.op, count_done);
}

static void check_fd(int want, const char *what)
{
    turn(3);
    CHECK_INT(1, done_calls, what);
    CHECK_INT(PL_OP_DONE, fd_wait.op.state, what);
    CHECK_INT(want, fd_wait.op.result, what);
    CHECK_INT(0, fd_wait.source.slot, "watched no more");
}

static void test_stop__is_told_once_to_all(void **state)
{
    struct pl_stop_op waits[3], late;

    (void)state;
    pl_stop_wait_begin(&waits[0], &sched, 0);
    pl_stop_wait_begin(&waits[1], &sched, clock_ns + 10 * MS);
    pl_stop_wait_begin(&waits[2], &sched, 0);
    pass(10);
    CHECK_INT(PL_OP_DONE, waits[1].op.state, "its time is over");
    CHECK_INT(0, waits[1].op.result, "in vain");
    pl_op_cancel(&waits[2].op);
    CHECK_INT(PL_ERR_CANCELED, waits[2].op.result, "canceled");
    CHECK_INT(PL_OP_PENDING, waits[0].op.state, "as long as it takes");
    pl_sched_stop(&sched);
    CHECK_INT(1, waits[0].op.result, "told");
    pl_stop_wait_begin(&late, &sched, 0);
    CHECK_INT(1, late.op.result, "at once");
}

static void test_fd__tells_what_has_happened(void **state)
{
    struct pl_script *script = pl_script_of(loop);

    near = pl_script_pair(script, &far);
    wait_for(PL_READABLE, 0);
    pass(1000);
    CHECK_INT(PL_OP_PENDING, fd_wait.op.state, "0 is for ever");
    pl_script_send(script, far, PL_STR("x"));
    check_fd(PL_READABLE, "readable");

    wait_for(PL_READABLE, clock_ns + 1000 * MS);
    check_fd(PL_READABLE, "still readable: level-triggered");
    pass(2000);
    CHECK_INT(1, done_calls, "no timer is left");

    wait_for(PL_WRITABLE, 0);
    check_fd(PL_WRITABLE, "writable");

    pl_script_reset(script, far);
    wait_for(PL_READABLE, 0);
    turn(3);
    CHECK(fd_wait.op.result & PL_HANGUP, "hang-up");
    CHECK_INT(0, pl_loop_close_fd(loop, near), "close");
}

static void test_fd__times_out_fails_and_can_be_canceled(void **state)
{
    struct pl_script *script = pl_script_of(loop);

    near = pl_script_pair(script, &far);
    wait_for(PL_READABLE, clock_ns + 10 * MS);
    pass(9);
    CHECK_INT(PL_OP_PENDING, fd_wait.op.state, "not early");
    pass(2);
    check_fd(PL_ERR_TIMEOUT, "time-out");
    pl_script_send(script, far, PL_STR("x"));
    turn(2);
    CHECK_INT(1, done_calls, "not again");

    wait_for(PL_WRITABLE, 0);
    pl_op_cancel(&fd_wait.op);
    check_fd(PL_ERR_CANCELED, "canceled");

    pl_script_fail(script, "add", PL_ERR_LIMIT, 1);
    wait_for(PL_READABLE, clock_ns + 10 * MS);
    check_fd(PL_ERR_LIMIT, "cannot be watched");
    pass(20);
    CHECK_INT(1, done_calls, "no timer is left");
    CHECK_INT(0, pl_loop_close_fd(loop, near), "close");
}

/* ---- several ---- */

static struct pl_sleep_op naps[3];
static struct pl_many_op many;

/* Waits for sleeps of 10, 20 and 30 ms. */
static void wait_for_naps(bool all, uint64_t due)
{
    static struct pl_op *parts[] = {&naps[0].op, &naps[1].op, &naps[2].op};

    done_calls = 0;
    for (unsigned i = 0; i < 3; i++)
        pl_sleep_begin(&naps[i], &sched, clock_ns + (i + 1) * 10 * MS);
    pl_many_begin(&many, &sched, parts, 3, all, due);
    pl_op_then(&many.op, count_done);
}

static void check_many(int want, const char *results, const char *what)
{
    turn(3);
    CHECK_INT(1, done_calls, what);
    CHECK_INT(want, many.op.result, what);
    for (int i = 0; i < 3; i++)
        CHECK_INT(results[i] == '0' ? 0 : PL_ERR_CANCELED, naps[i].op.result,
                  what);
    pass(100);
    CHECK_INT(1, done_calls, "once");
}

static void test_many__ends_with_the_first_or_with_all(void **state)
{
    wait_for_naps(false, 0);
    pass(9);
    CHECK_INT(0, done_calls, "none is over");
    pass(2);
    check_many(0, "0xx", "the first: the others are canceled");

    wait_for_naps(true, 0);
    pass(25);
    CHECK_INT(0, done_calls, "not all");
    pass(6);
    check_many(0, "000", "all");

    wait_for_naps(false, 0);
    clock_ns += 25 * MS;
    check_many(0, "00x", "two at once: both have got there");
}

static void test_many__times_out_and_can_be_canceled(void **state)
{
    wait_for_naps(true, clock_ns + 15 * MS);
    pass(14);
    CHECK_INT(0, done_calls, "not early");
    pass(2);
    check_many(PL_ERR_TIMEOUT, "0xx", "late");

    wait_for_naps(false, clock_ns + 15 * MS);
    pl_op_cancel(&many.op);
    check_many(PL_ERR_CANCELED, "xxx", "canceled");

    wait_for_naps(true, 0);
    pass(11);
    pl_op_cancel(&naps[1].op);
    check_many(PL_ERR_CANCELED, "0xx", "a part has failed");

    wait_for_naps(true, 0);
    for (int i = 0; i < 3; i++)
        pl_op_cancel(&naps[i].op);
    pl_op_cancel(&many.op);
    check_many(PL_ERR_CANCELED, "xxx", "all have failed at once");
}

RUN_TESTS(WORLD_TEST(test_op__done_is_called_once_and_later),
          WORLD_TEST(test_op__done_may_be_asked_for_afterwards),
          WORLD_TEST(test_op__cancel_asks_once_and_only_while_pending),
          WORLD_TEST(test_op__misuse_stops_the_process),
          WORLD_TEST(test_sleep__ends_in_the_order_of_its_times),
          WORLD_TEST(test_sleep__can_be_canceled),
          WORLD_TEST(test_stop__is_told_once_to_all),
          WORLD_TEST(test_fd__tells_what_has_happened),
          WORLD_TEST(test_fd__times_out_fails_and_can_be_canceled),
          WORLD_TEST(test_many__ends_with_the_first_or_with_all),
          WORLD_TEST(test_many__times_out_and_can_be_canceled))
