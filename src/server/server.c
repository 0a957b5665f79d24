#include "server/server.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/mime.h"
#include "loop/offload.h"
#include "net/addr.h"

enum { OFFLOAD_THREADS = 4, OFFLOAD_QUEUE = 1024 };

/* Without it the built-in table serves. */
static const char MIME_TYPES[] = "/etc/mime.types";

int pl_server_init(struct pl_server *server,
                   const struct pl_server_options *options,
                   const struct pl_loader *loader)
{
    int err;

    *server = (struct pl_server){.options = *options, .loader = loader};
    server->control = pl_sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->control < 0)
        return pl_err_from_errno(errno);
    err = pl_offload_new(OFFLOAD_THREADS, OFFLOAD_QUEUE, &server->offload);
    if (err < 0)
        pl_sys_close(server->control);
    return err;
}

void pl_server_fini(struct pl_server *server)
{
    for (unsigned i = 0; i < server->ngroups; i++)
        pl_listen_close(server->groups[i]);
    pl_free(server->groups);
    pl_free(server->workers);
    pl_offload_free(server->offload);
    pl_sys_close(server->control);
}

static int complain(const struct pl_error *error, int exit_code)
{
    if (error->where[0] != '\0' &&
        !pl_str_starts(pl_str_c(error->text), pl_str_c(error->where)) &&
        exit_code == PL_EXIT_SITE)
        fprintf(stderr, "perilune: %s: %s\n", error->where, error->text);
    else
        fprintf(stderr, "perilune: %s\n", error->text);
    return exit_code;
}

/* ---- the manifest ---- */

/* Loads the site into a scratch worker; the caller ends that. */
static int scratch_load(struct pl_server *server, struct pl_worker *scratch)
{
    struct pl_error error = {.code = 0};
    int err = pl_worker_init(scratch, server, 0, 1);

    if (err < 0) {
        fprintf(stderr, "perilune: %s\n", pl_err_text(err));
        return PL_EXIT_FAILURE;
    }
    if (pl_worker_load(scratch, &error) < 0) {
        pl_worker_fini(scratch);
        return complain(&error, PL_EXIT_SITE);
    }
    return PL_EXIT_OK;
}

int pl_server_check(struct pl_server *server,
                    void (*see)(void *arg, const struct pl_site *site),
                    void *arg)
{
    struct pl_worker scratch;
    int code = scratch_load(server, &scratch);

    if (code != PL_EXIT_OK)
        return code;
    see(arg, scratch.generation->site);
    pl_worker_fini(&scratch);
    return PL_EXIT_OK;
}

/* ---- listeners ---- */

static int open_address(struct pl_server *server, struct pl_str text,
                        const struct pl_listen_options *options,
                        struct pl_error *error)
{
    struct pl_listen_group **grown =
        pl_realloc(server->groups, (server->ngroups + 1) * sizeof(*grown));
    struct pl_addr addr;
    int err;

    if (grown == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    server->groups = grown;
    err = pl_addr_parse(text, server->options.v6, &addr, error);
    if (err == 0)
        err = pl_listen_open(&addr, options, &server->groups[server->ngroups],
                             error);
    if (err == 0)
        server->ngroups++;
    return err;
}

/* -p and -h take the place of what the site says; a site without pl.listen
 * gets port 8080 of the loopback address. */
static int open_listeners(struct pl_server *server, const struct pl_site *site,
                          struct pl_error *error)
{
    const struct pl_server_options *options = &server->options;
    const struct pl_listen_options plain = {.sockets = 0};
    struct pl_list *node;
    char text[300];
    int err = 0;

    if (options->port >= 0 || options->address != NULL ||
        pl_list_empty(&site->listeners)) {
        const char *host = options->address != NULL ? options->address
                           : options->port >= 0     ? ""
                           : options->v6            ? "[::1]"
                                                    : "127.0.0.1";
        int port = options->port >= 0 ? options->port : 8080;

        if (pl_str_starts(pl_str_c(host), PL_STR("unix:")))
            snprintf(text, sizeof(text), "%s", host);
        else if (strchr(host, ':') != NULL && host[0] != '[')
            snprintf(text, sizeof(text), "[%s]:%d", host, port);
        else
            snprintf(text, sizeof(text), "%s:%d", host, port);
        return open_address(server, pl_str_c(text), &plain, error);
    }
    PL_LIST_FOREACH (node, &site->listeners) {
        const struct pl_listen_spec *spec =
            PL_LIST_ENTRY(node, struct pl_listen_spec, node);
        const struct pl_listen_options one = {.sockets = spec->sockets,
                                              .backlog = (int)spec->backlog,
                                              .mode = spec->mode,
                                              .v6only = spec->v6only};

        err = open_address(server, pl_str_c(spec->address), &one, error);
        if (err < 0)
            break;
    }
    return err;
}

static void announce(const struct pl_server *server)
{
    char text[PL_ADDR_TEXT];

    for (unsigned i = 0; i < server->ngroups && !server->options.quiet; i++) {
        pl_addr_format(&server->groups[i]->addr, text);
        if (server->groups[i]->shared)
            printf("listening on %s\n", text);
        else
            printf("listening on http://%s/\n", text);
    }
    fflush(stdout);
}

/* ---- workers ---- */

/* Loading goes from worker to worker, so a semaphore passes the turn; nothing
 * here is on the way of a request. */
struct turn {
    struct pl_worker *worker;
    struct pl_error error;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    enum { TURN_LOADING, TURN_LOADED, TURN_FAILED, TURN_GO, TURN_BACK } state;
};

static void set_turn(struct turn *turn, int state)
{
    pthread_mutex_lock(&turn->mutex);
    turn->state = (typeof(turn->state))state;
    pthread_cond_broadcast(&turn->cond);
    pthread_mutex_unlock(&turn->mutex);
}

static int wait_turn(struct turn *turn, int past)
{
    int state;

    pthread_mutex_lock(&turn->mutex);
    while ((int)turn->state <= past)
        pthread_cond_wait(&turn->cond, &turn->mutex);
    state = turn->state;
    pthread_mutex_unlock(&turn->mutex);
    return state;
}

static void wake_control(struct pl_server *server)
{
    uint64_t one = 1;

    if (pl_sys_write(server->control, &one, sizeof(one)) < 0)
        return; /* full: it is awake anyway */
}

/* The thread leaves the worker standing, so that mail can still be sent to it:
 * end_workers() takes it down. */
static void *worker_main(void *arg)
{
    struct turn *turn = arg;
    struct pl_worker *worker = turn->worker;
    struct pl_server *server = worker->server;
    char name[16];
    int err = pl_worker_init(worker, server, worker->id, server->nworkers);

    snprintf(name, sizeof(name), "worker %u", worker->id);
    pthread_setname_np(pthread_self(), name);
    worker->made = err == 0;
    if (err < 0)
        pl_error_set(&turn->error, err, "", "%s", pl_err_text(err));
    else
        err = pl_worker_load(worker, &turn->error);
    set_turn(turn, err < 0 ? TURN_FAILED : TURN_LOADED);
    if (err < 0 || wait_turn(turn, TURN_FAILED) != TURN_GO)
        return NULL;
    err = pl_worker_commit(worker);
    if (err < 0) {
        pl_log(PL_LOG_ERROR, "server", "worker %u cannot start: %s", worker->id,
               pl_err_text(err));
        pl_server_stop(server, true, PL_EXIT_FAILURE);
    }
    pl_worker_run(worker);
    worker->over = true;
    wake_control(server);
    return NULL;
}

/* Starts the workers up to "loaded". Returns 0, or PL_ERR_* of the one that
 * failed. */
static int load_workers(struct pl_server *server, struct turn *turns,
                        struct pl_error *error)
{
    for (unsigned i = 0; i < server->nworkers; i++) {
        struct turn *turn = &turns[i];

        server->workers[i].id = i;
        server->workers[i].server = server;
        *turn = (struct turn){.worker = &server->workers[i],
                              .mutex = PTHREAD_MUTEX_INITIALIZER,
                              .cond = PTHREAD_COND_INITIALIZER};
        if (pthread_create(&turn->worker->thread, NULL, worker_main, turn) != 0)
            return pl_error_set(error, PL_ERR_NOMEM, "",
                                "cannot start a thread");
        turn->worker->threaded = true;
        if (wait_turn(turn, TURN_LOADING) == TURN_FAILED) {
            *error = turn->error;
            return turn->error.code;
        }
    }
    return 0;
}

static void end_workers(struct pl_server *server)
{
    for (unsigned i = 0; i < server->nworkers; i++) {
        struct pl_worker *worker = &server->workers[i];

        if (worker->threaded)
            pthread_join(worker->thread, NULL);
        if (worker->made)
            pl_worker_fini(worker);
    }
}

static unsigned worker_count(const struct pl_server *server,
                             const struct pl_site *site)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (server->options.workers > 0)
        return server->options.workers;
    return site->workers > 0 ? site->workers : (unsigned)PL_MAX(cpus, 1);
}

/* ---- signals ---- */

static void wanted_signals(sigset_t *set)
{
    static const int signals[] = {SIGTERM, SIGQUIT, SIGINT,
                                  SIGHUP,  SIGUSR1, SIGUSR2};

    sigemptyset(set);
    for (size_t i = 0; i < PL_COUNT(signals); i++)
        sigaddset(set, signals[i]);
}

static void on_signal(struct pl_server *server, uint32_t number)
{
    switch (number) {
    case SIGTERM:
    case SIGQUIT:
        pl_server_stop(server, server->stop_asked > 0, PL_EXIT_OK);
        break;
    case SIGINT:
        pl_server_stop(server, true, PL_EXIT_OK);
        break;
    case SIGUSR1:
        pl_log_reopen();
        break;
    default:
        pl_log(PL_LOG_WARN, "server", "signal %u is not used yet: ignored",
               number);
    }
}

static bool all_over(const struct pl_server *server)
{
    for (unsigned i = 0; i < server->nworkers; i++)
        if (!server->workers[i].over)
            return false;
    return true;
}

/* Sends on what was asked for, each step once. */
static void pass_on(struct pl_server *server, int *passed_on)
{
    int asked = server->stop_asked;

    for (unsigned i = 0; i < server->nworkers && asked > *passed_on; i++) {
        if (asked == 2)
            pl_worker_kill(&server->workers[i]);
        else
            pl_worker_stop(&server->workers[i]);
    }
    *passed_on = asked;
}

/* The main thread: signals and pl_server_stop(), until all workers are over. */
static void control(struct pl_server *server, int signals)
{
    struct pollfd fds[2] = {{.fd = server->control, .events = POLLIN},
                            {.fd = signals, .events = POLLIN}};
    struct signalfd_siginfo info;
    int passed_on = 0;
    uint64_t count;

    while (!all_over(server)) {
        poll(fds, signals < 0 ? 1 : 2, -1);
        (void)!pl_sys_read(server->control, &count, sizeof(count));
        if (signals >= 0 &&
            pl_sys_read(signals, &info, sizeof(info)) == sizeof(info))
            on_signal(server, info.ssi_signo);
        pass_on(server, &passed_on);
    }
}

void pl_server_stop(struct pl_server *server, bool now, int exit_status)
{
    int step = now ? 2 : 1;

    server->exit_status = exit_status;
    if (server->stop_asked < step)
        server->stop_asked = step;
    wake_control(server);
}

/* ---- the whole ---- */

static int start_logs(const struct pl_server *server,
                      const struct pl_site *site, struct pl_error *error)
{
    const struct pl_server_options *options = &server->options;
    const char *level =
        options->log_level != NULL ? options->log_level : site->log_level;

    if (level != NULL && !pl_log_level_parse(pl_str_c(level), &pl_log_level))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "log level '%s': use debug, info, notice, warn or "
                            "error",
                            level);
    return pl_log_start(
        options->error_log != NULL ? options->error_log : site->error_log,
        options->access_log != NULL ? options->access_log : site->access_log,
        error);
}

/* Everything that the process needs from the manifest, before any thread. */
static int prepare(struct pl_server *server)
{
    struct pl_error error = {.code = 0};
    struct pl_worker scratch;
    const struct pl_site *site;
    int code = scratch_load(server, &scratch);

    if (code != PL_EXIT_OK)
        return code;
    site = scratch.generation->site;
    if (open_listeners(server, site, &error) < 0)
        code = complain(&error, PL_EXIT_LISTEN);
    else if (start_logs(server, site, &error) < 0)
        code = complain(&error, PL_EXIT_FAILURE);
    server->nworkers = worker_count(server, site);
    pl_worker_fini(&scratch);
    if (code != PL_EXIT_OK)
        return code;
    server->workers = pl_calloc(server->nworkers, sizeof(*server->workers));
    return server->workers == NULL ? PL_EXIT_FAILURE : PL_EXIT_OK;
}

static int serve(struct pl_server *server, struct turn *turns, int signals)
{
    struct pl_error error = {.code = 0};
    int err = load_workers(server, turns, &error);

    for (unsigned i = 0; i < server->nworkers; i++)
        if (server->workers[i].threaded)
            set_turn(&turns[i], err < 0 ? TURN_BACK : TURN_GO);
    if (err == 0) {
        announce(server);
        control(server, signals);
    }
    end_workers(server);
    return err < 0 ? complain(&error, PL_EXIT_SITE) : server->exit_status;
}

static int block_signals(const struct pl_server *server)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    if (!server->options.handle_signals)
        return -1;
    wanted_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return pl_sys_signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int pl_server_run(struct pl_server *server)
{
    struct turn *turns;
    int code, signals;

    signals = block_signals(server); /* before any thread exists */
    pl_mime_load(MIME_TYPES);
    code = prepare(server);
    if (code == PL_EXIT_OK) {
        turns = pl_calloc(server->nworkers, sizeof(*turns));
        code = turns == NULL ? PL_EXIT_FAILURE : serve(server, turns, signals);
        pl_free(turns);
        pl_log_stop();
    }
    if (signals >= 0)
        pl_sys_close(signals);
    return code;
}
