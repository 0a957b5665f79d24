#include "base/sys.h"

#include <linux/openat2.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/check.h"

int pl_sys_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .resolve = resolve};

    return PL_SYS_DO(openat2, NULL, -1,
                     (int)syscall(SYS_openat2, dir, path, &how, sizeof(how)));
}

int pl_sys_pidfd_open(pid_t pid)
{
    return PL_SYS_DO(pidfd_open, NULL, -1,
                     (int)syscall(SYS_pidfd_open, pid, 0));
}

int pl_sys_waitid(pid_t pid, siginfo_t *info, int options)
{
    return PL_SYS_DO(waitid, NULL, -1, waitid(P_PID, (id_t)pid, info, options));
}

enum { WAKE_TRIES = 10 };

void pl_sys_wake(int fd)
{
    const uint64_t one = 1;
    int saved = errno;

    for (int i = 0; i < WAKE_TRIES; i++)
        if (pl_sys_write(fd, &one, sizeof(one)) == sizeof(one) ||
            errno == EAGAIN)
            break;
    errno = saved;
}

static int start_thread(pthread_t *out, void *(*run)(void *), void *arg)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE,
                                 SIGABRT, SIGSYS, SIGTRAP};
    sigset_t mask, old;
    int err;

    sigfillset(&mask);
    for (size_t i = 0; i < PL_COUNT(faults); i++)
        sigdelset(&mask, faults[i]);
    pthread_sigmask(SIG_SETMASK, &mask, &old);
    err = pthread_create(out, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = err;
    return err == 0 ? 0 : -1;
}

int pl_sys_thread(pthread_t *out, void *(*run)(void *), void *arg)
{
    return PL_SYS_DO(thread, NULL, -1, start_thread(out, run, arg));
}

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t pl_clock_monotonic(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t pl_clock_wall(void)
{
    return clock_ns(CLOCK_REALTIME);
}

uint64_t pl_clock_thread(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void pl_random(void *out, size_t len)
{
    char *at = out;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        PL_ASSERT(n > 0);
        at += n;
        len -= (size_t)n;
    }
}
