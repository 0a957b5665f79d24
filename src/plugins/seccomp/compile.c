/* compile.c - the list as a program for the kernel, by libseccomp. */
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#include "seccomp.h"

static const uint32_t actions[] = {
    [PL_SECCOMP_TRAP] = SCMP_ACT_TRAP,
    [PL_SECCOMP_ERRNO] = SCMP_ACT_ERRNO(EPERM),
    [PL_SECCOMP_KILL] = SCMP_ACT_KILL_PROCESS,
    [PL_SECCOMP_LOG] = SCMP_ACT_LOG,
};

static bool is_for(const struct pl_seccomp_wish *wish, enum pl_call_for who)
{
    return who == PL_FOR_ALL || (who == PL_FOR_PROCESSES && wish->processes) ||
           (who == PL_FOR_SANITIZERS && wish->sanitizers);
}

/* A call that this processor or this libseccomp does not know is not needed
 * there. */
static int allow(scmp_filter_ctx ctx, const char *name, unsigned count,
                 const struct scmp_arg_cmp *checks)
{
    int number = seccomp_syscall_resolve_name(name), err;

    if (number == __NR_SCMP_ERROR)
        return 0;
    err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, count, checks);
    return err == -EDOM || err == -EACCES ? 0 : err;
}

static int allow_group(scmp_filter_ctx ctx, const char *calls)
{
    char name[64];
    int err = 0;

    while (*calls != '\0' && err == 0) {
        size_t len = strcspn(calls, " ");

        if (len >= sizeof(name))
            return -EINVAL;
        memcpy(name, calls, len);
        name[len] = '\0';
        calls += len + (calls[len] == ' ');
        err = allow(ctx, name, 0, NULL);
    }
    return err;
}

static int allow_checked(scmp_filter_ctx ctx, const struct pl_call_check *check)
{
    struct scmp_arg_cmp compared[2];
    unsigned n = 0;

    for (unsigned i = 0; i < 2; i++) {
        const struct pl_call_arg *arg = &check->args[i];
        uint64_t value =
            arg->value == PL_OWN_PID ? (uint64_t)getpid() : arg->value;

        if (arg->mask != 0)
            compared[n++] =
                SCMP_CMP(arg->arg, SCMP_CMP_MASKED_EQ, arg->mask, value);
    }
    return allow(ctx, check->call, n, compared);
}

/* Its flags are behind a pointer, where no filter can look: glibc takes clone()
 * where there is none. */
static int without_clone3(scmp_filter_ctx ctx)
{
    int number = seccomp_syscall_resolve_name("clone3");

    return number == __NR_SCMP_ERROR
               ? 0
               : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), number, 0);
}

/* The C library makes these with all signals blocked (posix_spawn), or in a
 * signal handler of its own in each thread (setuid): SIGSYS would end us there.
 * So the kernel answers them itself. */
static int refuse_by_kernel(scmp_filter_ctx ctx, bool processes)
{
    static const char *const names[] = {
        "fork",      "vfork",    "execve",   "execveat",  "setuid",
        "setgid",    "setreuid", "setregid", "setresuid", "setresgid",
        "setgroups", "setfsuid", "setfsgid"};
    const struct scmp_arg_cmp no_thread =
        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    int err = processes
                  ? 0
                  : seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM),
                                           SCMP_SYS(clone), 1, &no_thread);

    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && err == 0; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
                               seccomp_syscall_resolve_name(names[i]), 0);
    return err;
}

static int fill(scmp_filter_ctx ctx, const struct pl_seccomp_wish *wish)
{
    const struct pl_call_group *group = pl_call_groups;
    const struct pl_call_check *check = pl_call_checks;
    int err = without_clone3(ctx);

    if (err == 0 && wish->action == PL_SECCOMP_TRAP)
        err = refuse_by_kernel(ctx, wish->sanitizers);
    for (; group->calls != NULL && err == 0; group++)
        if (is_for(wish, group->who))
            err = allow_group(ctx, group->calls);
    for (; check->call != NULL && err == 0; check++)
        if (is_for(wish, check->who))
            err = allow_checked(ctx, check);
    return err;
}

int pl_seccomp_compile(const struct pl_seccomp_wish *wish, int fd)
{
    scmp_filter_ctx ctx = seccomp_init(actions[wish->action]);
    int err = -ENOMEM;

    if (ctx == NULL)
        return ENOMEM;
    /* A tree instead of a list: what is far down is found in a few steps. */
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    err = fill(ctx, wish);
    if (err == 0)
        err = seccomp_export_bpf(ctx, fd);
    seccomp_release(ctx);
    return -err;
}
