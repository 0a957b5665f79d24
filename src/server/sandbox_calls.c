/* sandbox_calls.c - seccomp(2): system calls that are not on a list are
 * refused. The list is in a plug-in (plugins/seccomp), which makes a program of
 * it; this file gives that to the kernel, and tells what was refused.
 *
 * A refused call raises SIGSYS in the thread that makes it. Its handler answers
 * for the kernel, with EPERM, and notes the number; the main thread tells of
 * each once. A program that was started has no such handler: where programs may
 * be, the kernel itself answers, and tells in its own log. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <ucontext.h>

#include "base/log.h"
#include "base/plugin.h"
#include "base/seccomp_plugin.h"
#include "base/str.h"
#include "base/sys.h"
#include "server/sandbox_priv.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZERS true
#else
#define SANITIZERS false
#endif

/* ---- the handler ---- */

enum { WORD = 64, BY_FILTER = 1 }; /* si_code: SYS_SECCOMP */

/* What the handler has seen; of the process, as signals are. */
static _Atomic uint64_t refused[PL_SANDBOX_CALLS / WORD];
static _Atomic bool news;
static _Atomic(struct pl_loop *) listener;

#if defined(__x86_64__)
enum { ANSWERS = true };
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
enum { ANSWERS = true };
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#else
enum { ANSWERS = false };
#define RESULT(context) (*(long *)(context))
#endif

static void on_refused(int number, siginfo_t *info, void *context)
{
    unsigned call = (unsigned)info->si_syscall;
    uint64_t bit = UINT64_C(1) << call % WORD;
    int saved = errno;

    if (info->si_code != BY_FILTER) { /* somebody has sent it */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    RESULT((ucontext_t *)context) = -EPERM;
    if (call < PL_SANDBOX_CALLS &&
        (atomic_fetch_or(&refused[call / WORD], bit) & bit) == 0) {
        atomic_store(&news, true);
        pl_loop_wake(atomic_load(&listener));
    }
    errno = saved;
}

static int answer_refused(struct pl_sandbox *sandbox)
{
    struct sigaction action = {.sa_sigaction = on_refused,
                               .sa_flags =
                                   SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigset_t set;

    atomic_store(&listener, sandbox->server->loop);
    sigemptyset(&action.sa_mask);
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    if (sigaction(SIGSYS, &action, NULL) < 0 ||
        pthread_sigmask(SIG_UNBLOCK, &set, NULL) != 0)
        return -1;
    return 0;
}

/* ---- the program ---- */

static int load_plugin(const struct pl_seccomp_offer **offer,
                       struct pl_error *error)
{
    const struct pl_plugin_want want = {
        .name = "seccomp", .offer_size = sizeof(struct pl_seccomp_offer)};
    const void *table;
    int err = pl_plugin_load(&want, &table, error);

    if (err == 0)
        *offer = table;
    return err;
}

static enum pl_seccomp_action action_of(const struct pl_sandbox *sandbox)
{
    const char *said = sandbox->wish.seccomp;

    if (strcmp(said, "kill") == 0)
        return PL_SECCOMP_KILL;
    if (strcmp(said, "log") == 0)
        return PL_SECCOMP_LOG;
    return sandbox->wish.processes || !ANSWERS ? PL_SECCOMP_ERRNO
                                               : PL_SECCOMP_TRAP;
}

/* All of a file that somebody else has written through the same descriptor. */
static bool read_program(int fd, struct pl_sandbox_entry *entry)
{
    struct stat st;

    if (pl_sys_fstat(fd, &st) < 0 || st.st_size == 0)
        return false;
    entry->filter = pl_malloc((size_t)st.st_size);
    if (entry->filter == NULL)
        return false;
    entry->nfilter =
        (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
    return pl_sys_pread(fd, entry->filter, (size_t)st.st_size, 0) == st.st_size;
}

/* 0 or an errno. */
static int compile(const struct pl_seccomp_offer *offer,
                   const struct pl_seccomp_wish *wish,
                   struct pl_sandbox_entry *entry)
{
    int fd = pl_sys_memfd_create("seccomp", MFD_CLOEXEC), failed;

    if (fd < 0)
        return errno;
    failed = offer->compile(wish, fd);
    if (failed == 0 && !read_program(fd, entry))
        failed = ENOMEM;
    pl_sys_close(fd);
    return failed;
}

int pl_sandbox_compile(struct pl_sandbox *sandbox, struct pl_error *error)
{
    struct pl_seccomp_wish wish = {.processes = sandbox->wish.processes,
                                   .sanitizers = SANITIZERS};
    struct pl_sandbox_entry *entry = &sandbox->entry;
    const struct pl_seccomp_offer *offer = NULL;
    struct pl_error why;
    int failed;

    if (sandbox->wish.seccomp == NULL)
        return 0;
    wish.action = action_of(sandbox);
    if (load_plugin(&offer, &why) < 0)
        return pl_layer_is_missing(sandbox, PL_LAYER_SECCOMP, why.text, error);
    failed = compile(offer, &wish, entry);
    if (failed != 0)
        return pl_error_set(error, pl_err_from_errno(failed), "",
                            "sandbox: cannot make the list of system calls: %s",
                            strerror(failed));
    sandbox->traps = wish.action == PL_SECCOMP_TRAP;
    if (wish.action == PL_SECCOMP_ERRNO)
        entry->flags = SECCOMP_FILTER_FLAG_LOG;
    return 0;
}

int pl_sandbox_filter(struct pl_sandbox *sandbox, struct pl_error *error)
{
    const struct pl_sandbox_entry *entry = &sandbox->entry;
    int done;

    if (entry->filter == NULL)
        return 0;
    done = sandbox->traps ? answer_refused(sandbox) : 0;
    if (done == 0)
        done = pl_sys_seccomp(entry->flags, entry->filter, entry->nfilter);
    if (done > 0)
        return pl_error_set(error, PL_ERR_STATE, "",
                            "sandbox: thread %d cannot be kept to the list of "
                            "system calls",
                            done);
    if (done < 0)
        return pl_layer_is_missing(sandbox, PL_LAYER_SECCOMP,
                                   errno == ENOSYS || errno == EINVAL
                                       ? "the kernel has no seccomp"
                                       : strerror(errno),
                                   error);
    pl_layer_is_on(sandbox, PL_LAYER_SECCOMP, "%s", sandbox->wish.seccomp);
    return 0;
}

/* ---- what was refused ---- */

static void tell(struct pl_sandbox *sandbox, unsigned call)
{
    const struct pl_seccomp_offer *offer;
    struct pl_error error;
    char name[64] = "";

    if (load_plugin(&offer, &error) == 0)
        offer->name((int)call, name, sizeof(name));
    sandbox->calls++;
    pl_log_write(NULL, PL_LOG_WARN, "sandbox",
                 "a system call was refused, and is from now on without a "
                 "word: call=%s number=%u",
                 name, call);
}

void pl_sandbox_turn(struct pl_sandbox *sandbox)
{
    static uint64_t told[PL_SANDBOX_CALLS / WORD];

    if (sandbox == NULL || !atomic_exchange(&news, false))
        return;
    for (unsigned i = 0; i < PL_SANDBOX_CALLS / WORD; i++) {
        uint64_t fresh = atomic_load(&refused[i]) & ~told[i];

        told[i] |= fresh;
        for (; fresh != 0; fresh &= fresh - 1)
            tell(sandbox, i * WORD + (unsigned)__builtin_ctzll(fresh));
    }
}
