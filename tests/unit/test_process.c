/* test_process.c - child processes, real ones. */
#include "os_world.h"

#include <stdatomic.h>
#include <sys/wait.h>

#include "os/process.h"

/* ---- what every test checks at its end: nothing is left ---- */

static int fds_before;

static int make_process_world(void **state)
{
    make_os_world(state);
    signal(SIGPIPE, SIG_IGN); /* as in the program */
    fds_before = count_names("/proc/self/fd");
    return 0;
}

static int end_process_world(void **state)
{
    pl_faults_reset();
    while (!pl_sched_idle(&sched))
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "no child");
    CHECK_INT(fds_before, count_names("/proc/self/fd"), "no descriptor");
    return end_os_world(state);
}

#define PROCESS_TEST(name)                                                     \
    cmocka_unit_test_setup_teardown(name, make_process_world, end_process_world)

/* ---- runs ---- */

struct errand {
    const char *argv[5];
    const char *folder, *input;
    enum pl_process_use err_use;
    uint64_t timeout, grace;
    size_t max_output;
    struct pl_process_run run; /* what became of it */
};

static struct pl_process_spec spec_of(const struct errand *errand)
{
    return (struct pl_process_spec){
        .argv = (char *const *)errand->argv,
        .folder = errand->folder,
        .use = {errand->input == NULL ? PL_PROCESS_NULL : PL_PROCESS_PIPE,
                PL_PROCESS_PIPE, errand->err_use},
        .grace = errand->grace,
    };
}

static int run_errand(void *arg)
{
    struct errand *errand = arg;
    struct pl_process_spec spec = spec_of(errand);
    struct pl_process_run *run = &errand->run;

    run->input = pl_str_c(errand->input);
    run->timeout = errand->timeout;
    run->max_output = errand->max_output == 0 ? 1 << 20 : errand->max_output;
    pl_process_run_begin(run, pl_task_current(), &spec);
    return pl_op_wait(&run->op);
}

static void check_output(const char *want, const struct pl_process_output *out)
{
    CHECK_STR(want, pl_str(out->data == NULL ? "" : out->data, out->len),
              "output");
}

#define SHELL(text) .argv = {"/bin/sh", "-c", text}

static void test_process__runs(void **state)
{
    struct errand e = {SHELL("echo out; echo err >&2; exit 3")};

    (void)state;
    CHECK_INT(0, on_fiber(run_errand, &e), "run");
    CHECK_INT(3, e.run.status, "status");
    CHECK_INT(0, e.run.signal, "signal");
    check_output("out\n", &e.run.out);
    check_output("err\n", &e.run.err);
    pl_process_run_fini(&e.run);

    e.err_use = PL_PROCESS_MERGE;
    CHECK_INT(0, on_fiber(run_errand, &e), "run");
    check_output("out\nerr\n", &e.run.out);
    check_output("", &e.run.err);
    pl_process_run_fini(&e.run);
}

static void test_process__tells_of_a_signal(void **state)
{
    struct errand e = {SHELL("kill -9 $$")};

    (void)state;
    CHECK_INT(0, on_fiber(run_errand, &e), "run");
    CHECK_INT(128 + 9, e.run.status, "status");
    CHECK_INT(9, e.run.signal, "signal");
    pl_process_run_fini(&e.run);
}

static const struct {
    const char *program, *folder, *why;
    int want;
} starts[] = {
    {"no-such-program", NULL, "No such file or directory", PL_ERR_NOT_FOUND},
    {"./none", NULL, "No such file or directory", PL_ERR_NOT_FOUND},
    {"./plain", NULL, "Permission denied", PL_ERR_DENIED},
    {"./garbage", NULL, "Exec format error", PL_ERR_INVALID},
    {"true", "none", "there is no such folder to run in", PL_ERR_NOT_FOUND},
    {"true", "plain", "there is no such folder to run in", PL_ERR_NOT_FOUND},
};

static void test_process__says_why_it_cannot_start(void **state)
{
    (void)state;
    put_file("plain", "x");
    put_file("garbage", "\1\2\3");
    CHECK(chmod("garbage", 0755) == 0, "mode");
    for (size_t i = 0; i < PL_COUNT(starts); i++) {
        struct errand e = {.argv = {starts[i].program},
                           .folder = starts[i].folder};

        CHECK_INT(starts[i].want, on_fiber(run_errand, &e), starts[i].program);
        CHECK_STR(starts[i].why, pl_str_c(e.run.problem), starts[i].program);
        pl_process_run_fini(&e.run);
    }
}

/* The C library itself ignores signals from 32 on. */
static void test_process__starts_with_a_clean_slate(void **state)
{
    struct errand e = {
        SHELL("awk '/^Sig(Blk|Ign)/ {print substr($2, 10)}' /proc/self/status;"
              "test \"$(ps -o pgid= $$)\" -eq $$ || echo group;"
              "ls /proc/self/fd")};
    int leaked = dup(1); /* as of a library that forgets O_CLOEXEC */

    (void)state;
    CHECK_INT(0, on_fiber(run_errand, &e), "run");
    close(leaked);
    check_output("0000000\n0000000\n0\n1\n2\n3\n", /* 3: of ls itself */
                 &e.run.out);
    pl_process_run_fini(&e.run);
}

static void test_process__feeds_and_floods(void **state)
{
    static char input[1000001];
    struct errand cat = {.argv = {"cat"}, .input = input},
                  blind = {.argv = {"true"}, .input = input},
                  flood = {.argv = {"yes"}, .max_output = 300000};

    (void)state;
    memset(input, 'x', sizeof(input) - 1);
    CHECK_INT(0, on_fiber(run_errand, &cat), "both ways at once");
    CHECK_INT(sizeof(input) - 1, cat.run.out.len, "all of it");
    CHECK_INT(0, on_fiber(run_errand, &blind), "it need not read");
    CHECK_INT(PL_ERR_LIMIT, on_fiber(run_errand, &flood), "too much");
    CHECK_INT(300000, flood.run.out.len, "up to the limit");
    CHECK(flood.run.signal != 0, "ended");
    pl_process_run_fini(&cat.run);
    pl_process_run_fini(&blind.run);
    pl_process_run_fini(&flood.run);
}

static void test_process__is_ended_when_late(void **state)
{
    struct errand soft = {SHELL("echo a; sleep 100"), .timeout = 100 * MS},
                  hard = {SHELL("trap '' TERM; echo a; while :; do sleep 1;"
                                "done"),
                          .timeout = 100 * MS, .grace = 50 * MS},
                  behind = {SHELL("sleep 100 & echo a"), .timeout = 100 * MS};

    (void)state;
    CHECK_INT(PL_ERR_TIMEOUT, on_fiber(run_errand, &soft), "TERM");
    CHECK_INT(SIGTERM, soft.run.signal, "TERM");
    CHECK_INT(PL_ERR_TIMEOUT, on_fiber(run_errand, &hard), "KILL");
    CHECK_INT(SIGKILL, hard.run.signal, "KILL");
    check_output("a\n", &hard.run.out);
    CHECK_INT(PL_ERR_TIMEOUT, on_fiber(run_errand, &behind), "of its group");
    CHECK_INT(0, behind.run.status, "it had exited itself");
    pl_process_run_fini(&soft.run);
    pl_process_run_fini(&hard.run);
    pl_process_run_fini(&behind.run);
}

/* ---- many at once ---- */

enum { MANY = 200 };

static void test_process__many_at_once(void **state)
{
    static struct errand errands[MANY];
    static struct pl_join_op joins[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        errands[i] = (struct errand){SHELL("cat; exit 7"), .input = "hello"};
        CHECK_INT(
            0, pl_fiber_spawn(&sched, NULL, run_errand, &errands[i], &joins[i]),
            "spawn");
    }
    for (int i = 0; i < MANY; i++) {
        run_until(&joins[i].op);
        CHECK_INT(0, joins[i].op.result, "run");
        CHECK_INT(7, errands[i].run.status, "status");
        check_output("hello", &errands[i].run.out);
        pl_process_run_fini(&errands[i].run);
    }
}

/* ---- cancellation ---- */

static int gate[2];

static int hold_thread(void *arg)
{
    char c;

    (void)arg;
    return (int)read(gate[0], &c, 1);
}

static int hold_threads(void *arg)
{
    struct pl_offload_op ops[2];

    (void)arg;
    for (int i = 0; i < 2; i++)
        pl_offload_begin(&ops[i], &sched, hold_thread, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        pl_op_wait(&ops[i].op);
        pl_offload_end(&ops[i]);
    }
    return 0;
}

static void test_process__canceled_before_it_starts(void **state)
{
    struct errand e = {SHELL("touch started; sleep 100")};
    struct pl_task *task = pl_fiber_new(&sched, NULL, run_errand, &e);
    struct pl_join_op join, holding;

    (void)state;
    CHECK(pipe(gate) == 0, "gate");
    pl_fiber_spawn(&sched, NULL, hold_threads, NULL, &holding);
    pl_task_join_begin(&join, task);
    pl_task_start(task);
    pl_task_cancel(task);
    run_until(&join.op);
    CHECK_INT(PL_ERR_CANCELED, join.op.result, "canceled at once");
    CHECK_INT(2, write(gate[1], "xx", 2), "open the gate");
    run_until(&holding.op);
    close(gate[0]);
    close(gate[1]);
    pl_process_run_fini(&e.run);
    /* That it started and was ended: end_process_world() */
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void wait_for_file(const char *path)
{
    while (!is_there(path))
        CHECK(pl_loop_step(loop, 10) >= 0, "turn");
}

static void test_process__canceled_while_it_runs(void **state)
{
    struct errand e = {SHELL("echo part; touch running; sleep 100")};
    struct pl_task *task = pl_fiber_new(&sched, NULL, run_errand, &e);
    struct pl_join_op join;

    (void)state;
    pl_task_join_begin(&join, task);
    pl_task_start(task);
    wait_for_file("running");
    while (e.run.process->state == PL_PROCESS_STARTING)
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    pl_task_cancel(task);
    run_until(&join.op);
    CHECK_INT(PL_ERR_CANCELED, join.op.result, "canceled");
    CHECK_INT(SIGTERM, e.run.signal, "and ended");
    pl_process_run_fini(&e.run);
}

static void test_process__canceled_after_its_exit(void **state)
{
    struct errand e = {
        SHELL("(touch running; exec sleep 100) & echo $! >child; exit 0")};
    struct pl_task *task = pl_fiber_new(&sched, NULL, run_errand, &e);
    struct pl_join_op join;

    (void)state;
    pl_task_join_begin(&join, task);
    pl_task_start(task);
    wait_for_file("running");
    pl_task_cancel(task);
    run_until(&join.op);
    CHECK_INT(PL_ERR_CANCELED, join.op.result, "canceled");
    pl_process_run_fini(&e.run);
}

/* ---- spoken with ---- */

static int start_child(struct pl_process **process, const char *text)
{
    const char *const argv[] = {"/bin/sh", "-c", text, NULL};
    struct pl_process_spec spec = {.argv = (char *const *)argv,
                                   .grace = 50 * MS};
    struct pl_process_start_op start;

    CHECK_INT(0, pl_process_new(pl_task_current(), &spec, process), "new");
    pl_process_start_begin(&start, *process);
    return pl_op_wait(&start.offload.op);
}

static ssize_t read_some(struct pl_process *process, char *to, size_t len)
{
    struct pl_process_io_op io;
    ssize_t n;

    while ((n = pl_process_take(process, PL_PROCESS_OUT, to, len)) ==
           PL_ERR_AGAIN) {
        pl_process_io_begin(&io, process, PL_PROCESS_OUT);
        pl_op_wait(&io.op);
    }
    return n;
}

static int talk(void *arg)
{
    struct pl_process *process;
    struct pl_process_wait_op end;
    char text[64];
    ssize_t n;

    (void)arg;
    CHECK_INT(0, start_child(&process, "read a; echo got $a; cat; exit 5"),
              "start");
    CHECK_INT(6, pl_process_give(process, "hello\n", 6), "give");
    n = read_some(process, text, sizeof(text));
    CHECK_STR("got hello\n", pl_str(text, (size_t)n), "answer");
    pl_process_close(process, PL_PROCESS_IN);
    CHECK_INT(PL_ERR_CLOSED, pl_process_give(process, "x", 1), "closed");
    CHECK_INT(0, read_some(process, text, sizeof(text)), "the end");
    pl_process_wait_begin(&end, process);
    CHECK_INT(0, pl_op_wait(&end.op), "wait");
    CHECK_INT(5, process->status, "status");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_process_signal(process, SIGTERM), "over");
    pl_process_release(process);
    CHECK(process == NULL, "the owner's pointer is cleared");
    return 0;
}

static void test_process__is_spoken_with(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(talk, NULL), "talk");
}

/* Its end is that of the task, with and without an owner's pointer. */
static int leave_behind(void *arg)
{
    static struct pl_process *process;

    CHECK_INT(0, start_child(&process, arg), "start");
    return 0;
}

static int forget(void *arg)
{
    struct pl_process *process;

    CHECK_INT(0, start_child(&process, arg), "start");
    pl_process_forget(process);
    return 0;
}

static void test_process__ends_with_its_task(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(leave_behind, "sleep 100"), "TERM");
    CHECK_INT(0,
              on_fiber(leave_behind, "trap '' TERM; while :; do sleep 1;"
                                     "done"),
              "KILL");
    CHECK_INT(0, on_fiber(forget, "sleep 100"), "forgotten");
    CHECK_INT(0, on_fiber(forget, "exit 0"), "forgotten and over");
}

/* Somebody else waits for the stream that is closed, and for the end. */
static struct pl_process *shared;

static int read_shared(void *arg)
{
    struct pl_process_io_op io, second;

    (void)arg;
    pl_process_io_begin(&io, shared, PL_PROCESS_OUT);
    pl_process_io_begin(&second, shared, PL_PROCESS_OUT);
    CHECK_INT(PL_ERR_BUSY, pl_op_wait(&second.op), "one at a time");
    return pl_op_wait(&io.op);
}

static int wait_shared(void *arg)
{
    struct pl_process_wait_op end;

    (void)arg;
    pl_process_wait_begin(&end, shared);
    return pl_op_wait(&end.op);
}

static int release_shared(void *arg)
{
    struct pl_join_op reading, waiting;

    (void)arg;
    CHECK_INT(0, start_child(&shared, "sleep 100"), "start");
    pl_fiber_spawn(&sched, NULL, read_shared, NULL, &reading);
    pl_fiber_spawn(&sched, NULL, wait_shared, NULL, &waiting);
    pl_fiber_sleep(0);
    pl_process_release(shared);
    CHECK_INT(PL_ERR_CLOSED, pl_op_wait(&reading.op), "reader");
    CHECK_INT(PL_ERR_CLOSED, pl_op_wait(&waiting.op), "waiter");
    return 0;
}

static void test_process__release_ends_the_waits_of_others(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(release_shared, NULL), "release");
}

/* ---- faults ---- */

static void test_process__each_fault_leaves_nothing(void **state)
{
    static const enum pl_sys_call calls[] = {
        PL_SYS_malloc, PL_SYS_pipe2,  PL_SYS_spawn, PL_SYS_epoll_ctl,
        PL_SYS_read,   PL_SYS_waitid, PL_SYS_kill,  PL_SYS_write,
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(calls); i++)
        FOR_EACH_FAULT (calls[i], calls[i] == PL_SYS_malloc ? ENOMEM : EIO) {
            struct errand e = {SHELL("cat; sleep 100"), .input = "x",
                               .timeout = 20 * MS};
            int result = on_fiber(run_errand, &e);

            CHECK(result == PL_ERR_TIMEOUT || pl_faults_hit(), "run");
            pl_process_run_fini(&e.run);
        }
}

static void test_process__is_looked_for_without_a_pidfd(void **state)
{
    struct errand e = {SHELL("cat; exit 4"), .input = "x"},
                  late = {SHELL("sleep 100"), .timeout = 50 * MS};

    (void)state;
    pl_faults_fail_every(PL_SYS_pidfd_open, 1, ENOSYS);
    CHECK_INT(0, on_fiber(run_errand, &e), "run");
    CHECK_INT(4, e.run.status, "status");
    CHECK_INT(PL_ERR_TIMEOUT, on_fiber(run_errand, &late), "ended");
    pl_process_run_fini(&e.run);
    pl_process_run_fini(&late.run);
}

RUN_TESTS(PROCESS_TEST(test_process__runs),
          PROCESS_TEST(test_process__tells_of_a_signal),
          PROCESS_TEST(test_process__says_why_it_cannot_start),
          PROCESS_TEST(test_process__starts_with_a_clean_slate),
          PROCESS_TEST(test_process__feeds_and_floods),
          PROCESS_TEST(test_process__is_ended_when_late),
          PROCESS_TEST(test_process__many_at_once),
          PROCESS_TEST(test_process__canceled_before_it_starts),
          PROCESS_TEST(test_process__canceled_while_it_runs),
          PROCESS_TEST(test_process__canceled_after_its_exit),
          PROCESS_TEST(test_process__is_spoken_with),
          PROCESS_TEST(test_process__ends_with_its_task),
          PROCESS_TEST(test_process__release_ends_the_waits_of_others),
          PROCESS_TEST(test_process__each_fault_leaves_nothing),
          PROCESS_TEST(test_process__is_looked_for_without_a_pidfd))
