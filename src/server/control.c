#include "server/control.h"

#include <signal.h>
#include <sys/prctl.h>

#include "base/features.h"
#include "base/log.h"
#include "base/sys.h"
#include "process/exit.h"
#include "server/admin.h"
#include "server/listeners.h"
#include "server/sandbox.h"
#include "server/server.h"

/* What a worker gets on top of its own limits before it is left behind. */
enum { GRACE_MS = 5000 };

static int asked_step(const struct pl_server *server)
{
    return (int)(server->stop & PL_STOP_STEPS);
}

/* ---- stopping ---- */

/* Raises what is asked for; the first to ask says the exit status. */
static void ask(struct pl_server *server, unsigned step, int exit_status)
{
    unsigned before = server->stop, after;

    do {
        if ((before & PL_STOP_STEPS) >= step)
            break;
        after = (before & PL_STOP_STEPS) == 0
                    ? ((unsigned)exit_status & 255) << PL_STOP_STATUS | step
                    : (before & ~(unsigned)PL_STOP_STEPS) | step;
    } while (!atomic_compare_exchange_weak(&server->stop, &before, after));
    pl_server_wake(server);
}

void pl_server_stop(struct pl_server *server, bool now, int exit_status)
{
    ask(server, now ? PL_STOP_NOW : PL_STOP_ASKED, exit_status);
}

void pl_server_drain(struct pl_server *server)
{
    ask(server, PL_STOP_DRAIN, PL_EXIT_OK);
}

void pl_server_end(struct pl_server *server, int exit_status)
{
    pl_link_say(server->link, PL_LINK_ENDING);
    pl_server_stop(server, false, exit_status);
}

void pl_server_wake(struct pl_server *server)
{
    pl_loop_wake(server->loop);
}

/* Each worker is told each step once, as soon as it has a loop. */
static void tell_workers(struct pl_server *server)
{
    int asked = asked_step(server);

    if (asked >= PL_STOP_DRAIN)
        pl_systemd_stopping(&server->systemd);
    for (unsigned i = 0; i < server->started; i++) {
        struct pl_worker *worker = &server->workers[i];

        if (worker->stage < PL_WORKER_LOADING ||
            worker->stage >= PL_WORKER_OVER)
            continue;
        if (asked >= PL_STOP_DRAIN && worker->told < PL_STOP_DRAIN)
            pl_worker_drain(worker);
        if (asked >= PL_STOP_ASKED && worker->told < PL_STOP_ASKED)
            pl_worker_stop(worker);
        if (asked >= PL_STOP_NOW && worker->told < PL_STOP_NOW)
            pl_worker_kill(worker);
        worker->told = asked;
    }
}

static bool nobody_accepts(const struct pl_server *server)
{
    for (unsigned i = 0; i < server->started; i++)
        if (server->workers[i].stage < PL_WORKER_DRAINING)
            return false;
    return true;
}

/* A handler that never returns holds its worker, and nothing but the end of
 * the process can take it from there. */
PL_NORETURN static void leave_behind(struct pl_server *server)
{
    for (unsigned i = 0; i < server->started; i++)
        if (server->workers[i].stage < PL_WORKER_OVER)
            pl_log(PL_LOG_ERROR, "server",
                   "worker %u does not end, it is held by what it runs: the "
                   "process ends without it",
                   i);
    pl_log_flush();
    pl_listeners_close(server);
    if (PL_WITH_ADMIN)
        pl_admin_unlink(server);
    pl_pid_file_release(&server->pid_file);
    _exit(PL_EXIT_FAILURE);
}

/* Are only those left that the watchdog has given up? Then nothing is gained by
 * waiting. */
static bool only_lost_are_left(const struct pl_server *server)
{
    bool lost = false;

    for (unsigned i = 0; i < server->started; i++) {
        if (server->workers[i].stage >= PL_WORKER_OVER)
            continue;
        if (!pl_watchdog_gives_up(server->watchdog, i))
            return false;
        lost = true;
    }
    return lost && server->watch.kill;
}

/* When leave_behind() is due (monotonic ms; 0: not yet) after step. */
static uint64_t last_moment(const struct pl_server *server, int step)
{
    uint64_t now = pl_clock_monotonic() / 1000000;

    if (!server->options.own_process || step < PL_STOP_ASKED)
        return 0;
    return now + GRACE_MS + (step == PL_STOP_ASKED ? server->stop_ms : 0);
}

/* ---- signals ---- */

static void on_signal(struct pl_server *server, uint32_t number)
{
    const char *name = sigabbrev_np((int)number);
    int asked = asked_step(server);

    switch (number) {
    case SIGTERM:
    case SIGQUIT:
    case SIGINT:
        asked = PL_MAX(asked, PL_STOP_DRAIN); /* a drain is no stop yet */
        if (number == SIGINT)
            asked = PL_MAX(asked, PL_STOP_ASKED); /* fast: like a second TERM */
        ask(server, (unsigned)PL_MIN(asked + 1, PL_STOP_FORCE), PL_EXIT_OK);
        pl_log(PL_LOG_NOTICE, "server", "SIG%s: %s", name,
               asked < PL_STOP_ASKED
                   ? "running requests are finished, then the end"
               : asked < PL_STOP_NOW ? "the end, at once"
                                     : "the end, by force");
        break;
    case SIGUSR1:
        pl_log_reopen();
        if (pl_link_is(server->link)) {
            pl_log_flush(); /* they are open when it returns */
            pl_link_log(server->link);
        }
        break;
    case SIGUSR2: /* is the supervisor's */
        pl_log(PL_LOG_WARN, "server",
               "SIGUSR2: there is no supervisor to replace the program: "
               "ignored");
        break;
    case SIGHUP:
        if (PL_WITH_RELOAD)
            pl_reload_want(server, PL_RELOAD_SIGNAL);
        else
            pl_log(PL_LOG_ERROR, "server",
                   "SIGHUP: " PL_WITHOUT PL_FEATURE_RELOAD);
        break;
    default:
        pl_log(PL_LOG_WARN, "server", "SIG%s is not used yet: ignored", name);
    }
}

/* With a supervisor its word counts alone: a terminal, or whoever signals a
 * whole group, would be heard twice. */
static void on_signals(struct pl_source *source, unsigned events)
{
    struct pl_server *server =
        PL_CONTAINER_OF(source, struct pl_server, signals);
    struct signalfd_siginfo info;

    (void)events;
    while (pl_sys_read(source->fd, &info, sizeof(info)) == sizeof(info))
        if (!pl_link_is(server->link))
            on_signal(server, info.ssi_signo);
}

static void wanted_signals(sigset_t *set)
{
    static const int signals[] = {SIGTERM, SIGQUIT, SIGINT,
                                  SIGHUP,  SIGUSR1, SIGUSR2};

    sigemptyset(set);
    for (size_t i = 0; i < PL_COUNT(signals); i++)
        sigaddset(set, signals[i]);
}

static int watch_signals(struct pl_server *server)
{
    struct pl_source *source = &server->signals;
    sigset_t set;

    wanted_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    source->ready = on_signals;
    source->fd = pl_sys_signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (source->fd < 0)
        return pl_err_from_errno(errno);
    return pl_loop_add(server->loop, source, PL_READABLE, PL_LEVEL);
}

/* ---- the supervisor ---- */

static void read_link(struct pl_server *server)
{
    bool was_there;
    int number;

    if (!pl_link_is(server->link))
        return;
    was_there = !server->link->gone;
    while ((number = pl_link_turn(server->link)) != 0)
        on_signal(server, (uint32_t)number);
    if (!was_there || !server->link->gone)
        return;
    pl_loop_remove(server->loop, &server->supervisor, true);
    pl_log(PL_LOG_ERROR, "server",
           "the supervisor has gone: running requests are finished, then the "
           "end");
    ask(server, PL_STOP_ASKED, PL_EXIT_FAILURE);
}

static void on_link(struct pl_source *source, unsigned events)
{
    (void)events;
    read_link(PL_CONTAINER_OF(source, struct pl_server, supervisor));
}

static int watch_link(struct pl_server *server)
{
    struct pl_source *source = &server->supervisor;
    int err;

    if (!pl_link_is(server->link))
        return 0;
    source->ready = on_link;
    source->fd = server->link->fd;
    err = pl_loop_add(server->loop, source, PL_READABLE, PL_LEVEL);
    if (err < 0)
        return err;
    prctl(PR_SET_PDEATHSIG, 0); /* from now on the link tells us */
    pl_link_say(server->link, PL_LINK_MINDING);
    return 0;
}

/* ---- systemd's watchdog: without a supervisor it is fed from here ---- */

static void on_alive(struct pl_timer *timer)
{
    struct pl_server *server = PL_CONTAINER_OF(timer, struct pl_server, alive);

    pl_systemd_alive(&server->systemd);
    pl_timer_start(pl_loop_wheel(server->loop), timer,
                   pl_now(server->loop) +
                       server->systemd.watchdog_ms * (uint64_t)1000000);
}

/* ---- the whole ---- */

int pl_control_open(struct pl_server *server)
{
    int err;

    if (!server->options.own_process)
        return 0;
    err = watch_signals(server);
    if (err == 0)
        err = watch_link(server);
    pl_timer_init(&server->alive, on_alive);
    if (err == 0 && server->systemd.watchdog_ms > 0)
        on_alive(&server->alive);
    return err;
}

void pl_control_close(struct pl_server *server)
{
    struct pl_source *source = &server->signals;

    pl_timer_stop(pl_loop_wheel(server->loop), &server->alive);
    pl_loop_remove(server->loop, &server->supervisor, true);
    pl_loop_remove(server->loop, source, false);
    if (source->fd >= 0)
        pl_sys_close(source->fd);
    source->fd = -1;
}

/* ---- waiting ---- */

static int time_left(uint64_t last)
{
    uint64_t now = pl_clock_monotonic() / 1000000;

    if (last == 0)
        return -1;
    return last > now ? (int)PL_MIN(last - now, (uint64_t)INT32_MAX) : 0;
}

static uint64_t earliest(uint64_t last, const struct pl_server *server)
{
    uint64_t due = PL_WITH_RELOAD ? pl_reload_due(server) : 0;

    return due == 0 || (last != 0 && last < due) ? last : due;
}

void pl_control_until(struct pl_server *server,
                      bool (*reached)(const struct pl_server *server))
{
    uint64_t last = 0;
    int step = 0;

    for (;;) {
        read_link(server); /* also what came while an answer was awaited */
        if (asked_step(server) > step) {
            step = asked_step(server);
            last = last_moment(server, step);
        }
        tell_workers(server);
        if (PL_WITH_SANDBOX)
            pl_sandbox_turn(server->sandbox);
        if (PL_WITH_RELOAD)
            pl_reload_turn(server);
        if (step >= PL_STOP_DRAIN && server->listening.ngroups > 0 &&
            nobody_accepts(server))
            pl_listeners_close(server);
        if (reached(server))
            return;
        if (step >= PL_STOP_FORCE || time_left(last) == 0 ||
            (step >= PL_STOP_DRAIN && only_lost_are_left(server)))
            leave_behind(server);
        /* After a wait that failed everything is looked at, too. */
        pl_loop_step(server->loop, time_left(earliest(last, server)));
    }
}
