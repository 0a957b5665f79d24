/* test_fiber.c - stacks and switches: what the machine must keep. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/faults.h"
#include "task/annotate.h"
#include "task/stacks.h"

/* TSan allows some 8000 threads and fibers at a time. */
enum { MANY = PL_TSAN ? 2000 : 10000 };

static bool on_valgrind(void)
{
#ifdef RUNNING_ON_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

/* Do frames and memory have other sizes than in use? */
static bool instrumented(void)
{
    return PL_ASAN || PL_TSAN || on_valgrind();
}

static int spawn(pl_fiber_fn *fn, void *arg)
{
    return pl_fiber_spawn(&sched, NULL, fn, arg, NULL);
}

/* ---- alignment and registers ---- */

static int print_floats(void *arg)
{
    char *text = arg;

    return snprintf(text, 64, "%.2f %.3Lf %g", 1.25, 2.125L, 1e300);
}

/* A vector on the stack is moved by movaps, which faults when misaligned. */
static int add_vectors(void *arg)
{
    typedef float v4 __attribute__((vector_size(16)));
    volatile v4 a = {1, 2, 3, 4}, b = {5, 6, 7, 8};
    volatile char odd[3] = {1, 1, 1};
    v4 sum = a + b;

#if defined(__x86_64__)
    __asm__ volatile("movaps %0, %%xmm0" : : "m"(a) : "xmm0");
#endif
    CHECK_INT(0, (uintptr_t)&a % 16, "aligned");
    *(float *)arg = sum[0] + sum[1] + sum[2] + sum[3] + odd[0];
    return 0;
}

static void test_fiber__stack_is_aligned(void **state)
{
    char text[64] = "";
    float sum = 0;

    CHECK_INT(0, spawn(print_floats, text), "spawn");
    CHECK_STR("1.25 2.125 1e+300", pl_str_c(text), "printf of floats");
    CHECK_INT(0, spawn(add_vectors, &sum), "spawn");
    CHECK_INT(37, sum, "vectors");
}

/* Keeps more values alive than there are registers, over a wait. */
static PL_NOINLINE double mix(volatile int *in, volatile double *fin)
{
    int a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5];
    double g = fin[0], h = fin[1], i = fin[2], j = fin[3];

    CHECK_INT(0, pl_fiber_sleep(1), "sleep");
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + g * h - i / j;
}

static int keep_registers(void *arg)
{
    int base = *(int *)arg;
    volatile int in[6];
    volatile double fin[4];

    for (int i = 0; i < 6; i++)
        in[i] = base + i;
    for (int i = 0; i < 4; i++)
        fin[i] = base + i + 0.5;
    for (int n = 0; n < 3; n++) {
        double want = 21.0 * base + 70 + fin[0] * fin[1] - fin[2] / fin[3];
        double got = mix(in, fin);

        CHECK(got - want < 1e-9 && want - got < 1e-9, "registers");
    }
    note('.');
    return 0;
}

static void test_fiber__registers_survive_a_wait(void **state)
{
    int bases[8];

    for (int i = 0; i < 8; i++) {
        bases[i] = i * 1000;
        CHECK_INT(0, spawn(keep_registers, &bases[i]), "spawn");
    }
    for (int i = 0; i < 8; i++)
        pass(1);
    check_trace("........", "all have ended");
}

static int round_up(void *arg)
{
    volatile double one = 1.0, three = 3.0;
    double up, nearest = *(double *)arg;

    CHECK_INT(FE_TONEAREST, fegetround(), "a fresh fiber has the default");
    fesetround(FE_UPWARD);
    up = one / three;
    CHECK_INT(0, pl_fiber_sleep(1), "sleep");
    CHECK_INT(FE_UPWARD, fegetround(), "kept over a wait");
    if (!on_valgrind()) /* it always rounds to nearest */
        CHECK(up > nearest && one / three == up, "rounding");
    return 0;
}

static void test_fiber__rounding_mode_belongs_to_the_fiber(void **state)
{
    volatile double one = 1.0, three = 3.0;
    double nearest = one / three;

    CHECK_INT(0, spawn(round_up, &nearest), "spawn");
    CHECK_INT(FE_TONEAREST, fegetround(), "the loop's is its own");
    CHECK(one / three == nearest, "rounding");
    fesetround(FE_DOWNWARD);
    pass(1);
    CHECK_INT(FE_DOWNWARD, fegetround(), "the loop's is its own");
    fesetround(FE_TONEAREST);
}

/* ---- who runs ---- */

static int check_current(void *arg)
{
    struct pl_task *task = pl_task_current();

    CHECK(pl_on_fiber() && task != NULL, "on a fiber");
    CHECK(pl_sched_current() == &sched && task->sched == &sched, "scheduler");
    CHECK(task->owner == arg, "this task");
    CHECK_INT(0, pl_fiber_sleep(1), "sleep");
    CHECK(pl_task_current() == task && pl_on_fiber(), "still after a wait");
    note('.');
    return 0;
}

static void test_fiber__current_task_is_right_after_switches(void **state)
{
    int owners[3];

    for (int i = 0; i < 3; i++) {
        struct pl_task *task =
            pl_fiber_new(&sched, NULL, check_current, &owners[i]);

        task->owner = &owners[i];
        pl_task_start(task);
        CHECK(pl_task_current() == NULL && !pl_on_fiber(), "on the loop");
    }
    pass(1);
    check_trace("...", "all have ended");
}

static int check_thread(void *arg)
{
    for (int i = 0; i < 100; i++) {
        CHECK(pl_sched_current() == arg, "the scheduler of this thread");
        CHECK_INT(0, pl_fiber_sleep(1), "sleep");
    }
    return 0;
}

/* A worker of its own, beside that of the test. */
static void *be_worker(void *arg)
{
    uint64_t now = MS;
    struct pl_loop_options options = {
        .backend = &pl_scripted, .clock = pl_fake_clock, .clock_arg = &now};
    struct pl_loop *own_loop;
    struct pl_sched own;

    (void)arg;
    CHECK_INT(0, pl_loop_new(&options, &own_loop), "loop");
    CHECK_INT(0, pl_sched_init(&own, own_loop, NULL), "sched");
    for (int i = 0; i < 10; i++)
        CHECK_INT(0, pl_fiber_spawn(&own, NULL, check_thread, &own, NULL), "");
    while (own.live > 0) {
        now += MS;
        CHECK(pl_loop_step(own_loop, 0) >= 0, "turn");
    }
    pl_sched_fini(&own);
    pl_loop_free(own_loop);
    return NULL;
}

static void test_fiber__workers_do_not_meet(void **state)
{
    pthread_t threads[3];

    for (size_t i = 0; i < PL_COUNT(threads); i++)
        CHECK_INT(0, pthread_create(&threads[i], NULL, be_worker, NULL), "");
    for (size_t i = 0; i < PL_COUNT(threads); i++)
        CHECK_INT(0, pthread_join(threads[i], NULL), "join");
    CHECK(pl_sched_current() == &sched, "this thread's own");
}

/* ---- many ---- */

static int nap(void *arg)
{
    ++*(int *)arg;
    CHECK_INT(0, pl_fiber_sleep(10), "sleep");
    --*(int *)arg;
    return 0;
}

static void test_fiber__many_live_at_once(void **state)
{
    unsigned stacks, used;
    int living = 0;

    for (int i = 0; i < MANY; i++)
        CHECK_INT(0, spawn(nap, &living), "spawn");
    CHECK_INT(MANY, living, "all alive");
    pl_fiber_stats(&sched, &stacks, &used);
    CHECK_INT(MANY, used, "a stack each");
    clock_ns += 10 * MS;
    for (int i = 0; living > 0 && i < 2 + MANY / PL_SCHED_BUDGET; i++)
        turn(1);
    CHECK_INT(0, living, "all ended, a budget's worth in each turn");
    pl_fiber_stats(&sched, &stacks, &used);
    CHECK_INT(MANY, stacks, "kept");
    CHECK_INT(0, used, "free");
}

static void test_fiber__stacks_are_used_again_last_first(void **state)
{
    unsigned stacks, used;
    int living = 0;
    struct pl_task *tasks[5], *again;

    for (int i = 0; i < 1000; i++) {
        for (size_t n = 0; n < PL_COUNT(tasks); n++) {
            tasks[n] = pl_fiber_new(&sched, NULL, nap, &living);
            pl_task_start(tasks[n]);
        }
        pass(11);
        again = pl_fiber_new(&sched, NULL, nap, &living);
        CHECK(again == tasks[4], "the stack of the one that ended last");
        pl_task_start(again);
        pass(11);
    }
    pl_fiber_stats(&sched, &stacks, &used);
    CHECK_INT(5, stacks, "no more than were alive at a time");
}

static void test_fiber__spawn_fails_at_the_limit(void **state)
{
    struct pl_join_op join = {.op = {.state = PL_OP_IDLE}};
    int living = 0;

    sched.fiber_limit = 3;
    for (int i = 0; i < 3; i++)
        CHECK_INT(0, spawn(nap, &living), "spawn");
    CHECK_INT(PL_ERR_NOMEM, pl_fiber_spawn(&sched, NULL, nap, &living, &join),
              "full");
    CHECK_INT(PL_OP_IDLE, join.op.state, "join was left alone");
    pass(11);
    CHECK_INT(0, spawn(nap, &living), "room again");
    pass(11);
    CHECK_INT(0, living, "over");
}

/* Two slabs' worth of fibers, of which one may fail; then all ends. */
static void spawn_despite_failures(const char *what)
{
    int living = 0, want = 0;

    for (int n = 0; n < 70; n++) {
        int err = spawn(nap, &living);

        CHECK(err == 0 || (err == PL_ERR_NOMEM && pl_faults_hit()), what);
        want += err == 0;
    }
    CHECK(want >= 69, what);
    CHECK_INT(want, living, what);
    pass(10);
    CHECK_INT(0, living, what);
    pl_sched_fini(&sched); /* the stacks, too */
    CHECK_INT(0, pl_sched_init(&sched, loop, NULL), what);
}

static void test_fiber__spawn_survives_every_failure(void **state)
{
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM)
        spawn_despite_failures("malloc");
    FOR_EACH_FAULT (PL_SYS_mmap, ENOMEM)
        spawn_despite_failures("mmap");
    FOR_EACH_FAULT (PL_SYS_madvise, EINVAL)
        spawn_despite_failures("one guard of the other kind");
    for (uint64_t n = 0; n <= 70; n += 10) {
        pl_faults_reset();
        pl_faults_fail_every(PL_SYS_madvise, 1, EINVAL);
        pl_faults_fail_nth(PL_SYS_mprotect, n, ENOMEM);
        spawn_despite_failures("guards of either kind");
    }
    pl_faults_reset();
}

static void test_fiber__spawn_fails_without_memory(void **state)
{
    struct rlimit was, tight = {64 << 20, RLIM_INFINITY};
    int living = 0, err = 0, spawned = 0;

    if (instrumented())
        skip(); /* their own memory counts too */
    getrlimit(RLIMIT_AS, &was);
    tight.rlim_max = was.rlim_max;
    CHECK_INT(0, setrlimit(RLIMIT_AS, &tight), "limit");
    while (spawned < MANY && (err = spawn(nap, &living)) == 0)
        spawned++;
    CHECK_INT(0, setrlimit(RLIMIT_AS, &was), "limit");
    CHECK_INT(PL_ERR_NOMEM, err, "an error, no crash");
    CHECK_INT(0, spawn(nap, &living), "goes on with memory");
    CHECK_INT(spawned + 1, living, "the others live");
    clock_ns += 10 * MS;
    while (living > 0)
        turn(1);
}

/* ---- memory ---- */

static unsigned touched(char *base)
{
    unsigned char pages[PL_STACK_SIZE / 4096];
    unsigned n = 0;

    CHECK_INT(0, mincore(base, PL_STACK_SIZE, pages), "mincore");
    for (size_t i = 0; i < sizeof(pages); i++)
        n += pages[i] & 1;
    return n;
}

/* The pages of the stack that the address lies on. */
static char *stack_around(void *at)
{
    return (char *)((uintptr_t)at & ~(uintptr_t)4095) - PL_STACK_SIZE + 4096;
}

static void test_fiber__a_parked_one_touches_two_pages(void **state)
{
    struct pl_task *task;
    int living = 0;

    if (instrumented())
        skip(); /* their frames are larger */
    task = pl_fiber_new(&sched, NULL, nap, &living);
    pl_task_start(task);
    CHECK_INT(1, living, "parked");
    CHECK(touched(stack_around(task)) <= 2, "at most 8 KiB");
    pass(11);
}

static int dirty(void *arg)
{
    char many[40 * 1024];

    memset(many, *(int *)arg, sizeof(many));
    __asm__ volatile("" : : "r"(many) : "memory");
    return nap(arg);
}

static void test_fiber__cold_stacks_give_their_pages_back(void **state)
{
    enum { BURST = 300 };
    static char *bases[BURST];
    unsigned pages = 0;
    int living = 0;

    if (instrumented())
        skip();
    for (int i = 0; i < BURST; i++) {
        struct pl_task *task = pl_fiber_new(&sched, NULL, dirty, &living);

        bases[i] = stack_around(task);
        pl_task_start(task);
    }
    clock_ns += 10 * MS;
    while (living > 0)
        turn(1);
    for (int i = 0; i < BURST; i++)
        pages += touched(bases[i]);
    CHECK(pages >= BURST * 10, "warm while they were used just now");
    for (int i = 0; i < 5; i++)
        pass(1000);
    pages = 0;
    for (int i = 0; i < BURST; i++)
        pages += touched(bases[i]);
    CHECK(pages <= 64 * 12, "all but those that are kept warm");
    for (int i = 0; i < BURST; i++)
        CHECK_INT(0, spawn(dirty, &living), "cold ones are usable");
    clock_ns += 10 * MS;
    while (living > 0)
        turn(1);
}

/* ---- the guard ---- */

static PL_NOINLINE int dig(volatile char *above)
{
    volatile char here[512];

    here[0] = above[0];
    return here[0] == 0 ? 0 : dig(here) + here[0]; /* it never is */
}

static int overflow(void *arg)
{
    volatile char top = 1;

    return dig(&top);
}

static void test_fiber__overflow_dies_on_the_guard(void **state)
{
    int status, living = 0;
    pid_t pid;

    CHECK_INT(0, spawn(nap, &living), "the neighbour below");
    pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};

        setrlimit(RLIMIT_CORE, &none);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        signal(SIGSEGV, SIG_DFL);
        spawn(overflow, NULL);
        _exit(0);
    }
    CHECK_INT(pid, waitpid(pid, &status, 0), "child");
    if (PL_ASAN || PL_TSAN) /* they report it and exit */
        CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0, "died");
    else
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "SIGSEGV");
    pass(11);
}

RUN_TESTS(WORLD_TEST(test_fiber__stack_is_aligned),
          WORLD_TEST(test_fiber__registers_survive_a_wait),
          WORLD_TEST(test_fiber__rounding_mode_belongs_to_the_fiber),
          WORLD_TEST(test_fiber__current_task_is_right_after_switches),
          WORLD_TEST(test_fiber__workers_do_not_meet),
          WORLD_TEST(test_fiber__many_live_at_once),
          WORLD_TEST(test_fiber__stacks_are_used_again_last_first),
          WORLD_TEST(test_fiber__spawn_fails_at_the_limit),
          WORLD_TEST(test_fiber__spawn_survives_every_failure),
          WORLD_TEST(test_fiber__spawn_fails_without_memory),
          WORLD_TEST(test_fiber__a_parked_one_touches_two_pages),
          WORLD_TEST(test_fiber__cold_stacks_give_their_pages_back),
          WORLD_TEST(test_fiber__overflow_dies_on_the_guard))
