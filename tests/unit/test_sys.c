/* test_sys.c - what sys.h adds to the calls it passes on. */
#include "check.h"

#include <linux/openat2.h>
#include <signal.h>

#include "base/faults.h"
#include "base/sys.h"

static void test_sys__clocks_go_on(void **state)
{
    uint64_t before = pl_clock_monotonic(), after = pl_clock_monotonic();

    (void)state;
    CHECK(after >= before, "monotonic");
    CHECK(pl_clock_wall() / 1000000000u > 1700000000u, "after 2023");
    CHECK(pl_clock_wall() / 1000000000u - (uint64_t)time(NULL) + 2 < 4, "now");
}

static void test_sys__random_differs(void **state)
{
    char a[300] = {0}, b[300] = {0};

    (void)state;
    pl_random(a, sizeof(a));
    pl_random(b, sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0, "two draws");
    CHECK(memcmp(a + 280, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20) != 0,
          "to the end");
    pl_random(a, 0);
}

static void test_sys__openat2_stays_below(void **state)
{
    int dir = open("/proc/self", O_PATH | O_DIRECTORY), fd;

    (void)state;
    CHECK(dir >= 0, "folder");
    fd = pl_sys_openat2(dir, "status", O_RDONLY | O_CLOEXEC, RESOLVE_BENEATH);
    if (fd < 0 && errno == ENOSYS)
        skip(); /* an old kernel, or a sandbox */
    CHECK(fd >= 0, "file");
    CHECK_INT(0, pl_sys_close(fd), "close");
    fd = pl_sys_openat2(dir, "../version", O_RDONLY, RESOLVE_BENEATH);
    CHECK_INT(-1, fd, "outside");
    CHECK_INT(EXDEV, errno, "why");
    close(dir);
}

static void *report_mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return NULL;
}

static void test_sys__threads_get_no_signals_but_faults(void **state)
{
    sigset_t mask, mine;
    pthread_t thread;

    (void)state;
    CHECK_INT(0, pl_sys_thread(&thread, report_mask, &mask), "started");
    pthread_join(thread, NULL);
    CHECK(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP), "blocked");
    CHECK(!sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGABRT), "open");
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    CHECK(!sigismember(&mine, SIGTERM), "the caller's stay as they were");
    FOR_EACH_FAULT (PL_SYS_thread, EAGAIN) {
        int err = pl_sys_thread(&thread, report_mask, &mask);

        if (err == 0)
            pthread_join(thread, NULL);
        else
            CHECK_INT(EAGAIN, errno, "why");
    }
}

RUN_TESTS(cmocka_unit_test(test_sys__clocks_go_on),
          cmocka_unit_test(test_sys__random_differs),
          cmocka_unit_test(test_sys__openat2_stays_below),
          cmocka_unit_test(test_sys__threads_get_no_signals_but_faults))
