#include "base/sys.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
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

int pl_sys_setgroups(size_t count, const gid_t *groups)
{
    return PL_SYS_DO(setgroups, NULL, -1, setgroups(count, groups));
}

int pl_sys_forgo(int what, unsigned long a, unsigned long b)
{
    return PL_SYS_DO(forgo, NULL, -1, prctl(what, a, b, 0ul, 0ul));
}

int pl_sys_capset(uint64_t effective, uint64_t permitted)
{
    struct __user_cap_header_struct header = {.version =
                                                  _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
        {.effective = (uint32_t)(effective >> 32),
         .permitted = (uint32_t)(permitted >> 32)}};

    return PL_SYS_DO(capset, NULL, -1, (int)syscall(SYS_capset, &header, data));
}

int pl_sys_seccomp(unsigned flags, const void *filter, unsigned short count)
{
    struct sock_fprog program = {.len = count, .filter = (void *)filter};

    return PL_SYS_DO(seccomp, NULL, -1,
                     (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                  flags | SECCOMP_FILTER_FLAG_TSYNC, &program));
}

int pl_sys_landlock_create_ruleset(const void *ruleset, size_t size,
                                   uint32_t flags)
{
    return PL_SYS_DO(
        landlock_create_ruleset, NULL, -1,
        (int)syscall(SYS_landlock_create_ruleset, ruleset, size, flags));
}

int pl_sys_landlock_add_rule(int ruleset, int parent, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access,
                                              .parent_fd = parent};

    return PL_SYS_DO(landlock_add_rule, NULL, -1,
                     (int)syscall(SYS_landlock_add_rule, ruleset,
                                  LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
}

int pl_sys_landlock_restrict_self(int ruleset)
{
    return PL_SYS_DO(landlock_restrict_self, NULL, -1,
                     (int)syscall(SYS_landlock_restrict_self, ruleset, 0));
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

void pl_sys_nice(int more)
{
    (void)!nice(more);
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
