#include "process/supervisor.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/inherit.h"
#include "process/exit.h"
#include "process/supervisor_priv.h"
#include "process/upgrade.h"

/* One that has served for QUICK_MS may die and is replaced at once, as may the
 * first FREE of those that lived shorter; then pauses double. One that did not
 * even begin to serve has none for free. */
enum { QUICK_MS = 250, FREE = 5, PAUSE_MS = 100, PAUSE_MAX_MS = 10000 };

/* What all get, when asked to leave by force, before they are killed. */
enum { GRACE_MS = 5000, FORCE = 3 };

static uint64_t now_ms(void)
{
    return pl_clock_monotonic() / 1000000;
}

struct pl_child *pl_supervisor_child(struct pl_supervisor *sup,
                                     enum pl_child_state state)
{
    for (unsigned i = 0; i < PL_CHILDREN; i++)
        if (sup->children[i].state == state)
            return &sup->children[i];
    return NULL;
}

static bool any_child(struct pl_supervisor *sup)
{
    for (unsigned i = 0; i < PL_CHILDREN; i++)
        if (sup->children[i].state != PL_CHILD_NONE)
            return true;
    return false;
}

/* ---- starting one ---- */

static void become_child(struct pl_supervisor *sup, pid_t supervisor, int fd,
                         struct pl_server_link *link)
{
    *link = (struct pl_server_link){.fd = fd,
                                    .supervisor = supervisor,
                                    .starts = sup->starts,
                                    .crashes = sup->crashes};
    pl_upgrade_forget(sup);
    pl_supervisor_leave(sup);
    pl_inherit_from(supervisor);
    prctl(PR_SET_NAME, "perilune-server");
    /* Until it minds the link. The supervisor may have died before this. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != supervisor)
        raise(SIGTERM);
    sigprocmask(SIG_SETMASK, &sup->before, NULL);
}

enum fork_result { FORK_FAILED, FORK_PARENT, FORK_CHILD };

static enum fork_result start_child(struct pl_supervisor *sup,
                                    struct pl_server_link *link)
{
    struct pl_child *child = pl_supervisor_child(sup, PL_CHILD_NONE);
    pid_t self = getpid();
    int ends[2];

    if (child == NULL ||
        pl_sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return FORK_FAILED;
    *child = (struct pl_child){
        .state = PL_CHILD_STARTING, .link = ends[0], .started_ms = now_ms()};
    child->pid = pl_sys_fork();
    if (child->pid == 0) {
        become_child(sup, self, ends[1], link);
        return FORK_CHILD;
    }
    pl_sys_close(ends[1]);
    if (child->pid > 0) {
        sup->starts++;
        return FORK_PARENT;
    }
    pl_sys_close(ends[0]);
    *child = (struct pl_child){.state = PL_CHILD_NONE};
    return FORK_FAILED;
}

static void start_later(struct pl_supervisor *sup, bool was_ready)
{
    unsigned past;

    if (!was_ready)
        sup->streak = PL_MAX(sup->streak, (unsigned)FREE);
    sup->streak++;
    past = sup->streak > FREE ? sup->streak - FREE : 0;
    sup->start_ms =
        now_ms() + (past == 0  ? 0
                    : past > 7 ? PAUSE_MAX_MS
                               : PL_MIN((unsigned)PAUSE_MAX_MS,
                                        (unsigned)PAUSE_MS << (past - 1)));
}

void pl_supervisor_replace(struct pl_supervisor *sup, const char *why)
{
    if (sup->stop > 0 || sup->over)
        return;
    if (sup->replacing || sup->start_ms != 0 ||
        pl_supervisor_child(sup, PL_CHILD_STARTING) != NULL) {
        pl_log(PL_LOG_NOTICE, "supervisor",
               "%s: a server process is starting already", why);
        return;
    }
    if (pl_supervisor_child(sup, PL_CHILD_NONE) == NULL) {
        pl_log(PL_LOG_ERROR, "supervisor",
               "%s: too many server processes still finish their requests",
               why);
        return;
    }
    pl_log(PL_LOG_NOTICE, "supervisor",
           "%s: a new server process takes the place of the old one", why);
    pl_systemd_reloading(&sup->systemd);
    sup->replacing = true;
    sup->start_ms = now_ms();
}

/* ---- the end of one ---- */

static bool leaves_core(int number)
{
    switch (number) {
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGSEGV:
    case SIGSYS:
    case SIGTRAP:
        return true;
    default:
        return false;
    }
}

/* Where the kernel leaves cores, for who looks for this one. */
static void core_note(char *out, size_t size, int status)
{
    char pattern[128];
    int fd =
        pl_sys_open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? -1 : pl_sys_read(fd, pattern, sizeof(pattern) - 1);

    if (fd >= 0)
        pl_sys_close(fd);
    pattern[PL_MAX(n, (ssize_t)0)] = '\0';
    pattern[strcspn(pattern, "\n")] = '\0';
    snprintf(out, size, ", %s core_pattern=%s",
             WCOREDUMP(status) ? "core dumped" : "no core (see ulimit -c)",
             pattern);
}

static void describe(char *out, size_t size, int status)
{
    char core[192];

    if (WIFEXITED(status)) {
        snprintf(out, size, "exit code %d", WEXITSTATUS(status));
        return;
    }
    core[0] = '\0';
    if (leaves_core(WTERMSIG(status)))
        core_note(core, sizeof(core), status);
    snprintf(out, size, "signal %d SIG%s%s", WTERMSIG(status),
             sigabbrev_np(WTERMSIG(status)), core);
}

static void finish(struct pl_supervisor *sup, const struct pl_child *child,
                   int status)
{
    bool by_us = !WIFEXITED(status) && WTERMSIG(status) == child->killed_by_us;

    sup->over = true;
    sup->code = WIFEXITED(status) ? WEXITSTATUS(status)
                : by_us           ? PL_EXIT_OK
                                  : PL_EXIT_FAILURE;
}

/* The first server process did not get ready: it has said why, and nobody is
 * served yet, so its end is ours. */
static void on_first_failure(struct pl_supervisor *sup,
                             const struct pl_child *child, int status)
{
    char text[300];

    finish(sup, child, status);
    if (WIFEXITED(status))
        return;
    if (WTERMSIG(status) == child->killed_by_us) {
        sup->raise = child->killed_by_us;
        return;
    }
    describe(text, sizeof(text), status);
    fprintf(stderr, "perilune: the server process died while it started: %s\n",
            text);
}

static void on_crash(struct pl_supervisor *sup, const struct pl_child *child,
                     int status)
{
    uint64_t lived = now_ms() - child->started_ms;
    char text[300];

    describe(text, sizeof(text), status);
    sup->crashes++;
    if (child->ready_once && lived >= QUICK_MS) {
        sup->streak = 0;
        sup->start_ms = now_ms();
    } else {
        start_later(sup, child->ready_once);
    }
    pl_log(PL_LOG_ERROR, "supervisor",
           "the server process %s: %s; another one is started %s pid=%ld "
           "lived_ms=%llu crashes=%u",
           child->ready_once ? "died" : "did not start", text,
           sup->start_ms > now_ms() ? "after a pause" : "at once",
           (long)child->pid, (unsigned long long)lived, sup->crashes);
}

/* The one that should take its place died before it was ready. */
static void on_failed_replacement(struct pl_supervisor *sup,
                                  const struct pl_child *child, int status)
{
    char text[300];

    describe(text, sizeof(text), status);
    pl_log(PL_LOG_ERROR, "supervisor",
           "the new server process did not start: %s; the old one goes on "
           "pid=%ld",
           text, (long)child->pid);
    pl_supervisor_report(sup, PL_ERR_CANCELED, text);
    pl_held_close_unused(sup);
    pl_supervisor_drop_pid_file(&sup->next_pid_file);
    sup->replacing = false;
    pl_systemd_ready(&sup->systemd);
}

static void on_death(struct pl_supervisor *sup, struct pl_child *child,
                     int status)
{
    struct pl_child was;

    pl_supervisor_listen(sup, child); /* its last words */
    pl_held_let_go(sup, child);
    was = *child;
    pl_sys_close(child->link);
    *child = (struct pl_child){.state = PL_CHILD_NONE};
    if (was.state == PL_CHILD_LEAVING)
        pl_log(PL_LOG_NOTICE, "supervisor",
               "the old server process has ended pid=%ld", (long)was.pid);
    else if (was.state == PL_CHILD_STARTING &&
             pl_supervisor_child(sup, PL_CHILD_SERVING) != NULL)
        on_failed_replacement(sup, &was, status);
    else if (!sup->served)
        on_first_failure(sup, &was, status);
    else if (sup->stop > 0 || was.ending)
        finish(sup, &was, status);
    else if (!sup->over)
        on_crash(sup, &was, status);
}

static void reap(struct pl_supervisor *sup)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pl_upgrade_reaped(sup, pid, status))
            continue;
        for (unsigned i = 0; i < PL_CHILDREN; i++)
            if (sup->children[i].state != PL_CHILD_NONE &&
                sup->children[i].pid == pid)
                on_death(sup, &sup->children[i], status);
    }
}

void pl_supervisor_promote(struct pl_supervisor *sup, struct pl_child *child)
{
    struct pl_child *old = pl_supervisor_child(sup, PL_CHILD_SERVING);

    child->state = PL_CHILD_SERVING;
    child->ready_once = sup->served = true;
    child->started_ms = now_ms();
    sup->replacing = false;
    pl_systemd_ready(&sup->systemd);
    if (sup->crashes + (old != NULL) > 0)
        pl_log(PL_LOG_NOTICE, "supervisor",
               "a new server process serves pid=%ld starts=%u crashes=%u",
               (long)child->pid, sup->starts, sup->crashes);
    if (old == NULL) {
        pl_held_close_unused(sup);
        return;
    }
    old->state = PL_CHILD_LEAVING;
    pl_child_signal(old, SIGTERM);
}

/* ---- signals ---- */

/* One that does not mind the link yet ends, or not, as any program does. */
void pl_child_signal(struct pl_child *child, int number)
{
    const struct pl_link_message message = {.kind = PL_LINK_SIGNAL,
                                            .number = number};

    if (child->minding) {
        pl_link_send(child->link, &message, NULL, 0);
    } else {
        child->killed_by_us = number;
        pl_sys_kill(child->pid, number);
    }
}

static void to_all(struct pl_supervisor *sup, int number)
{
    for (unsigned i = 0; i < PL_CHILDREN; i++)
        if (sup->children[i].state != PL_CHILD_NONE)
            pl_child_signal(&sup->children[i], number);
}

static void on_stop_signal(struct pl_supervisor *sup, int number)
{
    if (number == SIGINT && sup->stop == 0)
        sup->stop = 1; /* fast: the first is like a second TERM */
    sup->stop++;
    sup->start_ms = 0;
    pl_systemd_stopping(&sup->systemd);
    to_all(sup, number);
    if (sup->stop >= FORCE && sup->kill_ms == 0)
        sup->kill_ms = now_ms() + GRACE_MS;
    if (!any_child(sup))
        sup->over = true;
}

/* What is not for the end: one that has just begun reads everything anew. */
static void to_serving(struct pl_supervisor *sup, int number)
{
    struct pl_child *child = pl_supervisor_child(sup, PL_CHILD_SERVING);

    if (child == NULL)
        child = pl_supervisor_child(sup, PL_CHILD_STARTING);
    if (child != NULL && (child->minding || !sup->served))
        pl_child_signal(child, number);
}

static void on_signal(struct pl_supervisor *sup, int number)
{
    switch (number) {
    case SIGTERM:
    case SIGQUIT:
    case SIGINT:
        on_stop_signal(sup, number);
        break;
    case SIGCHLD:
        reap(sup);
        break;
    case SIGUSR2:
        pl_upgrade_begin(sup);
        break;
    default:
        to_serving(sup, number);
    }
}

static void read_signals(struct pl_supervisor *sup)
{
    struct signalfd_siginfo info;

    while (pl_sys_read(sup->signals, &info, sizeof(info)) == sizeof(info))
        on_signal(sup, (int)info.ssi_signo);
}

static int open_signals(struct pl_supervisor *sup)
{
    static const int numbers[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP,
                                  SIGUSR1, SIGUSR2, SIGCHLD};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < PL_COUNT(numbers); i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, &sup->before);
    sup->signals = pl_sys_signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return sup->signals < 0 ? pl_err_from_errno(errno) : 0;
}

/* ---- time ---- */

/* systemd hears from us when the server process's main thread answers; while
 * there is none, from us alone. */
static void ping(struct pl_supervisor *sup, uint64_t now)
{
    const struct pl_link_message message = {.kind = PL_LINK_PING};
    struct pl_child *child = pl_supervisor_child(sup, PL_CHILD_SERVING);

    if (sup->systemd.watchdog_ms == 0 || now < sup->ping_ms)
        return;
    sup->ping_ms = now + sup->systemd.watchdog_ms;
    if (child == NULL || child->ending) {
        pl_systemd_alive(&sup->systemd);
    } else if (!child->pinged) {
        child->pinged = true;
        pl_link_send(child->link, &message, NULL, 0);
    }
}

static void kill_all(struct pl_supervisor *sup)
{
    for (unsigned i = 0; i < PL_CHILDREN; i++)
        if (sup->children[i].state != PL_CHILD_NONE)
            pl_sys_kill(sup->children[i].pid, SIGKILL);
    sup->kill_ms = 0;
}

static int time_left(const struct pl_supervisor *sup)
{
    const uint64_t times[] = {sup->start_ms, sup->kill_ms, sup->ping_ms,
                              sup->upgrade_ms};
    uint64_t first = UINT64_MAX, now = now_ms();

    for (size_t i = 0; i < PL_COUNT(times); i++)
        if (times[i] != 0)
            first = PL_MIN(first, times[i]);
    return first == UINT64_MAX ? -1
           : first <= now      ? 0
                               : (int)PL_MIN(first - now, (uint64_t)INT_MAX);
}

/* ---- the loop ---- */

static void wait_for_news(struct pl_supervisor *sup)
{
    struct pollfd fds[1 + PL_CHILDREN] = {
        {.fd = sup->signals, .events = POLLIN}};

    for (unsigned i = 0; i < PL_CHILDREN; i++)
        fds[1 + i] =
            (struct pollfd){.fd = sup->children[i].state != PL_CHILD_NONE
                                      ? sup->children[i].link
                                      : -1,
                            .events = POLLIN};
    if (poll(fds, PL_COUNT(fds), time_left(sup)) <= 0)
        return;
    for (unsigned i = 0; i < PL_CHILDREN; i++)
        if (fds[1 + i].revents != 0)
            pl_supervisor_listen(sup, &sup->children[i]);
    read_signals(sup);
}

/* Is one due, and did it start? */
static enum fork_result start_due(struct pl_supervisor *sup,
                                  struct pl_server_link *link)
{
    enum fork_result result;

    if (sup->start_ms == 0 || now_ms() < sup->start_ms)
        return FORK_PARENT;
    sup->start_ms = 0;
    result = start_child(sup, link);
    if (result != FORK_FAILED)
        return result;
    if (sup->served) {
        pl_log(PL_LOG_ERROR, "supervisor",
               "cannot start a server process: %s; tried again",
               strerror(errno));
        start_later(sup, false);
    } else {
        sup->code =
            pl_exit_text(PL_EXIT_FAILURE, "cannot start a server process");
        sup->over = true;
    }
    return result;
}

/* True in a server process. */
static bool mind(struct pl_supervisor *sup, struct pl_server_link *link)
{
    while (!sup->over || any_child(sup)) {
        if (start_due(sup, link) == FORK_CHILD)
            return true;
        if (sup->over && !any_child(sup))
            break;
        wait_for_news(sup);
        if (sup->kill_ms != 0 && now_ms() >= sup->kill_ms)
            kill_all(sup);
        if (sup->upgrade_ms != 0 && now_ms() >= sup->upgrade_ms)
            pl_upgrade_give_up(sup);
        ping(sup, now_ms());
    }
    return false;
}

static void fini(struct pl_supervisor *sup)
{
    pl_upgrade_end(sup);
    pl_held_close(sup);
    pl_free(sup->held);
    pl_free(sup->program);
    pl_supervisor_drop_pid_file(&sup->next_pid_file);
    pl_supervisor_drop_pid_file(&sup->pid_file);
    if (sup->signals >= 0)
        pl_sys_close(sup->signals);
    if (sup->log >= 0)
        pl_sys_close(sup->log);
}

/* Whoever started us sees what the server process has died of. */
static void die_by(const struct pl_supervisor *sup)
{
    sigset_t set;

    if (sup->raise == 0)
        return;
    sigemptyset(&set);
    sigaddset(&set, sup->raise);
    signal(sup->raise, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(sup->raise);
}

/* The file that runs, whatever will lie at that path when it is upgraded. */
static char *find_program(void)
{
    char path[PATH_MAX];
    ssize_t n = pl_sys_readlink("/proc/self/exe", path, sizeof(path));
    char *copy = n < 0 || n == sizeof(path) ? NULL : pl_malloc((size_t)n + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, path, (size_t)n);
    copy[n] = '\0';
    return copy;
}

/* Either from nothing, or as the next of one that was here before. */
static int begin(struct pl_supervisor *sup)
{
    struct pl_error error;
    int resumed;

    if (open_signals(sup) < 0)
        return pl_exit_text(PL_EXIT_FAILURE, "cannot watch for signals");
    signal(SIGPIPE, SIG_IGN); /* whoever reads our log may go */
    signal(SIGXFSZ, SIG_IGN); /* a limit of its size is an error, too */
    sup->program = find_program();
    resumed = pl_upgrade_resume(sup, &error);
    if (resumed < 0)
        return pl_exit_say(PL_EXIT_FAILURE, &error);
    if (resumed > 0) {
        pl_supervisor_replace(sup, "upgrade to " PL_VERSION);
        reap(sup); /* who died during the exec */
    } else {
        pl_systemd_open(&sup->systemd);
    }
    sup->ping_ms = sup->systemd.watchdog_ms > 0 ? 1 : 0;
    sup->start_ms = PL_MAX(sup->start_ms, (uint64_t)1);
    return PL_EXIT_OK;
}

bool pl_supervise(char **argv, struct pl_server_link *link, int *code)
{
    struct pl_supervisor sup = {.argv = argv,
                                .signals = -1,
                                .log = -1,
                                .pid_file = {.fd = -1},
                                .next_pid_file = {.fd = -1}};

    *code = begin(&sup);
    if (*code == PL_EXIT_OK && mind(&sup, link))
        return true;
    if (*code == PL_EXIT_OK)
        *code = sup.code;
    fini(&sup);
    die_by(&sup);
    return false;
}
