/* test_crash.c - what a dying process leaves behind. */
#include "check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/sys.h"

/* Runs fn in a child whose stderr is a pipe; returns what it wrote there. */
static const char *last_words(void (*fn)(void), int signal)
{
    static char text[8192];
    struct rlimit none = {0, 0};
    int ends[2], status;
    size_t len = 0;
    pid_t pid;

    if (PL_ASAN || PL_TSAN)
        skip(); /* the signals are theirs */
    CHECK_INT(0, pipe(ends), "pipe");
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        pl_crash_install();
        if (pl_crash_thread_enter() == 0)
            fn();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n = 1; n > 0; len += (size_t)n)
        n = read(ends[0], text + len, sizeof(text) - 1 - len);
    text[len] = '\0';
    close(ends[0]);
    CHECK_INT(pid, waitpid(pid, &status, 0), "child");
    CHECK(WIFSIGNALED(status), text);
    CHECK_INT(signal, WTERMSIG(status), "dies of the same signal");
    return text;
}

static void read_nowhere(void)
{
    volatile int *volatile nowhere = (int *)16;

    if (pl_log_start(NULL, NULL, NULL) == 0) {
        pl_log(PL_LOG_WARN, "t", "queued");
        *nowhere = 1;
    }
}

PL_NOINLINE static int run_out(volatile char *above, int depth)
{
    volatile char here[512];

    here[0] = above[0];
    return depth < 0 ? here[0] : run_out(here, depth + 1) + here[0];
}

static void run_out_of_stack(void)
{
    struct rlimit small = {1 << 20, 1 << 20};
    char first = 1;

    setrlimit(RLIMIT_STACK, &small);
    run_out(&first, 1);
}

static void be_killed(void)
{
    kill(getpid(), SIGBUS);
}

static void test_crash__names_the_fault_after_the_queued_lines(void **state)
{
    const char *text, *fault;

    (void)state;
    text = last_words(read_nowhere, SIGSEGV);
    fault =
        strstr(text, "fatal signal 11 SIGSEGV address=0x10 pc=test_crash+0x");
    CHECK(fault != NULL, text);
    CHECK(strstr(fault, " thread=test_crash\n") != NULL, text);
    CHECK(strstr(fault, "fatal stack test_crash+0x") != NULL, text);
    CHECK(strstr(text, "warn t: queued\n") != NULL, text);
    CHECK(strstr(text, "warn t: queued\n") < fault, text);
}

static void test_crash__out_of_stack(void **state)
{
    const char *text;

    (void)state;
    text = last_words(run_out_of_stack, SIGSEGV);
    CHECK(strstr(text, " (out of stack)\n") != NULL, text);
    CHECK(strstr(text, "fatal stack test_crash+0x") != NULL, text);
}

static void test_crash__abort_and_kill(void **state)
{
    const char *text;

    (void)state;
    text = last_words(abort, SIGABRT);
    CHECK(strstr(text, "fatal signal 6 SIGABRT pc=") != NULL, text);
    text = last_words(be_killed, SIGBUS);
    CHECK(strstr(text, "fatal signal 7 SIGBUS pc=") != NULL, text);
}

RUN_TESTS(cmocka_unit_test(test_crash__names_the_fault_after_the_queued_lines),
          cmocka_unit_test(test_crash__out_of_stack),
          cmocka_unit_test(test_crash__abort_and_kill))
