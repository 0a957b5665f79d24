#include "server/server.h"

#include <signal.h>
#include <stdio.h>

#include "base/crash.h"
#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/mime.h"
#include "loop/offload.h"
#include "net/inherit.h"
#include "server/admin.h"
#include "server/control.h"
#include "server/dev.h"
#include "server/listeners.h"
#include "server/sandbox.h"
#include "server/watcher.h"

enum {
    OFFLOAD_THREADS = 4,
    BACKGROUND_NICE = 10,
    OFFLOAD_QUEUE = 1024,
    NAME_THREADS = 4, /* of lookups that may take seconds each */
    NAME_QUEUE = 256,
};

/* Without it the built-in table serves. */
static const char MIME_TYPES[] = "/etc/mime.types";

/* A reload compiles beside requests that are answered: it may take longer, they
 * may not. */
static PL_COLD int new_background(struct pl_server *server)
{
    int err = pl_offload_new(1, OFFLOAD_QUEUE, &server->background);

    if (err == 0)
        pl_offload_set_nice(server->background, BACKGROUND_NICE);
    return err;
}

int pl_server_init(struct pl_server *server,
                   const struct pl_server_options *options,
                   const struct pl_loader *loader)
{
    const struct pl_loop_options loop = {.backend = NULL};
    int err;

    *server = (struct pl_server){.options = *options,
                                 .loader = loader,
                                 .link = options->link,
                                 .supervisor = {.fd = -1},
                                 .signals = {.fd = -1}};
    err = pl_loop_new(&loop, &server->loop);
    if (err == 0)
        err = pl_share_new(&server->share);
    if (err == 0)
        err = pl_offload_new(OFFLOAD_THREADS, OFFLOAD_QUEUE, &server->offload);
    if (err == 0 && PL_WITH_RELOAD)
        err = new_background(server);
    if (err == 0 && PL_WITH_SOCKETS)
        err = pl_offload_new(NAME_THREADS, NAME_QUEUE, &server->names);
    if (err < 0) {
        pl_offload_free(server->background);
        pl_offload_free(server->offload);
        pl_share_free(server->share);
        pl_loop_free(server->loop);
    }
    return err;
}

void pl_server_fini(struct pl_server *server)
{
    pl_listeners_free(server);
    if (PL_WITH_SANDBOX)
        pl_sandbox_free(server->sandbox);
    pl_free(server->workers);
    pl_offload_free(server->names);
    pl_offload_free(server->background);
    pl_offload_free(server->offload);
    pl_share_free(server->share);
    if (PL_WITH_RELOAD)
        pl_reload_fini(server);
    pl_loop_free(server->loop);
}

/* ---- the manifest ---- */

/* Loads the site into a scratch worker; pl_worker_fini() follows in any case.
 */
static int scratch_load(struct pl_server *server, struct pl_worker *scratch)
{
    int err = pl_worker_init(scratch, server);

    if (err < 0)
        return pl_exit_text(PL_EXIT_FAILURE, pl_err_text(err));
    if (pl_worker_load(scratch) == 0)
        return PL_EXIT_OK;
    pl_exit_say(PL_EXIT_SITE, &scratch->error);
    if (PL_WITH_PAGES && server->options.dev != PL_DEV_SITE &&
        server->loader->folder != NULL)
        pl_dev_say_source(&scratch->error, server->loader->folder);
    return PL_EXIT_SITE;
}

/* One that is no address is the site's fault. */
static int say_listen(int err, const struct pl_error *error)
{
    return pl_exit_say(err == PL_ERR_INVALID ? PL_EXIT_SITE : PL_EXIT_LISTEN,
                       error);
}

int pl_server_look(struct pl_server *server,
                   int (*see)(void *arg, const struct pl_generation *gen),
                   void *arg)
{
    struct pl_worker scratch;
    int code = scratch_load(server, &scratch);

    if (code == PL_EXIT_OK)
        code = see(arg, scratch.generation);
    pl_worker_fini(&scratch);
    return code;
}

int pl_server_check(struct pl_server *server,
                    void (*see)(void *arg, const struct pl_generation *gen),
                    void *arg)
{
    struct pl_error error = {.code = 0};
    struct pl_worker scratch;
    int code = scratch_load(server, &scratch), err;

    if (code == PL_EXIT_OK) {
        see(arg, scratch.generation);
        err = pl_listeners_check(server, scratch.generation->site, &error);
        if (err < 0)
            code = say_listen(err, &error);
    }
    pl_worker_fini(&scratch);
    return code;
}

/* ---- what the process needs from the manifest, before any worker ---- */

static const char *either(const char *option, const char *setting)
{
    return option != NULL ? option : setting;
}

static int open_logs(const struct pl_server *server, const struct pl_site *site,
                     struct pl_error *error)
{
    const struct pl_server_options *options = &server->options;
    const char *level = either(options->log_level, site->log_level);
    const char *access = either(options->access_log, site->access_log);
    enum pl_level parsed = pl_log_level;

    if (level != NULL) /* it was looked at when it was said */
        pl_log_level_parse(pl_str_c(level), &parsed);
    pl_log_level = parsed;
    /* Who develops sees what is asked for. */
    if (access == NULL && (options->dev != PL_DEV_SITE || site->dev) &&
        isatty(STDOUT_FILENO))
        access = "-";
    return pl_log_open(either(options->error_log, site->error_log), access,
                       error);
}

static unsigned worker_count(const struct pl_server *server,
                             const struct pl_site *site)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (server->options.workers > 0)
        return server->options.workers;
    if (PL_WITH_FASTCGI && server->options.fastcgi != NULL &&
        pl_inherit_is(pl_str_c(server->options.fastcgi)))
        return 1; /* whoever has opened it starts as many of us as it likes */
    return site->workers > 0 ? site->workers : (unsigned)PL_MAX(cpus, 1);
}

static int make_workers(struct pl_server *server, const struct pl_site *site,
                        struct pl_error *error)
{
    server->nworkers = worker_count(server, site);
    server->max_conns = pl_descriptors_share(server->nworkers);
    pl_descriptors_reserve((uint64_t)server->max_conns * server->nworkers);
    server->stop_ms = site->stop_ms;
    server->watch = site->watch;
    server->workers = pl_calloc(server->nworkers, sizeof(*server->workers));
    if (server->workers == NULL ||
        pl_share_set_workers(server->share, server->nworkers) < 0)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    return 0;
}

static int claim_pid_file(struct pl_server *server, const char *path,
                          struct pl_error *error)
{
    return pl_link_is(server->link)
               ? pl_link_pid_file(server->link, path, error)
               : pl_pid_file_claim(&server->pid_file, path, error);
}

static int open_admin(struct pl_server *server, const struct pl_site *site,
                      struct pl_error *error)
{
    const char *said = either(server->options.admin, site->admin);

    if (!PL_WITH_ADMIN)
        return 0;
    if (server->options.admin != NULL && strcmp(said, "off") == 0)
        said = NULL;
    return pl_admin_open(
        server, said, either(server->options.pid_file, site->pid_file), error);
}

/* In an order that needs no way back: what only the old user may do comes
 * before becoming the new one, and the pid file before everything that a
 * running server would suffer from. The first thread of ours is the log's
 * writer, behind the sandbox. */
static int prepare(struct pl_server *server, const struct pl_generation *gen)
{
    const struct pl_site *site = gen->site;
    const struct pl_server_options *options = &server->options;
    struct pl_error error = {.code = 0};
    struct pl_user user;
    int err;

    if (pl_user_find(either(options->user, site->user),
                     either(options->group, site->group), &user, &error) < 0 ||
        claim_pid_file(server, either(options->pid_file, site->pid_file),
                       &error) < 0)
        return pl_exit_say(PL_EXIT_FAILURE, &error);
    if (make_workers(server, site, &error) < 0)
        return pl_exit_say(PL_EXIT_FAILURE, &error);
    err = pl_listeners_open(server, site, &error);
    if (err < 0)
        return say_listen(err, &error);
    if (pl_watchdog_open(server, gen->vm != NULL, &server->watchdog) < 0)
        return pl_exit_text(PL_EXIT_FAILURE, "out of memory");
    if (open_logs(server, site, &error) < 0)
        return pl_exit_say(PL_EXIT_FAILURE, &error);
    pl_link_log(server->link);
    err = open_admin(server, site, &error);
    if (err < 0 || pl_sandbox_enter(server, gen, &user, &error) < 0) {
        pl_log_stop();
        return err < 0 ? pl_exit_say(PL_EXIT_LISTEN, &error)
                       : pl_exit_say(PL_EXIT_FAILURE, &error);
    }
    if (pl_log_run(&error) < 0)
        return pl_exit_say(PL_EXIT_FAILURE, &error);
    return PL_EXIT_OK;
}

/* ---- workers ---- */

static bool last_is_loaded(const struct pl_server *server)
{
    return server->workers[server->started - 1].stage >= PL_WORKER_LOADED;
}

/* Workers load one after another, so that a site's modules need not expect to
 * be loaded by two threads at once. Stops at the first that fails, or when the
 * server is asked to stop. */
static int load_workers(struct pl_server *server)
{
    struct pl_error error;

    for (unsigned i = 0; i < server->nworkers && !pl_server_stopping(server);
         i++) {
        struct pl_worker *worker = &server->workers[i];
        int err = pl_worker_start(worker, server, i, server->nworkers);

        if (err < 0) {
            pl_error_set(&error, err, "", "cannot start a thread: %s",
                         pl_err_text(err));
            return pl_exit_say(PL_EXIT_FAILURE, &error);
        }
        server->started++;
        pl_control_until(server, last_is_loaded);
        if (worker->stage == PL_WORKER_FAILED && !pl_server_stopping(server))
            return pl_exit_say(worker->made ? PL_EXIT_SITE : PL_EXIT_FAILURE,
                               &worker->error);
    }
    return PL_EXIT_OK;
}

static bool all_serve(const struct pl_server *server)
{
    for (unsigned i = 0; i < server->nworkers; i++)
        if (server->workers[i].stage < PL_WORKER_SERVING)
            return pl_server_stopping(server);
    return true;
}

static bool all_over(const struct pl_server *server)
{
    for (unsigned i = 0; i < server->started; i++)
        if (server->workers[i].stage < PL_WORKER_OVER)
            return false;
    return true;
}

static void watch_files(struct pl_server *server)
{
    if (PL_WITH_WATCH && server->options.watch && pl_watcher_open(server) < 0)
        pl_log(PL_LOG_ERROR, "server", "--watch: out of memory");
}

static void commit_workers(struct pl_server *server)
{
    struct pl_error error;

    for (unsigned i = 0; i < server->nworkers; i++)
        pl_worker_commit(&server->workers[i]);
    pl_control_until(server, all_serve);
    if (pl_server_stopping(server))
        return;
    if (server->options.own_process)
        pl_crash_install(); /* again: the site has loaded C modules */
    if (pl_pid_file_write(&server->pid_file, &error) < 0 ||
        pl_link_ready(server->link, &error) < 0) {
        pl_exit_say(PL_EXIT_FAILURE, &error);
        pl_server_stop(server, true, PL_EXIT_FAILURE);
    } else {
        pl_systemd_ready(&server->systemd);
        watch_files(server);
        if (!server->options.quiet)
            pl_listeners_announce(server, &(struct pl_listen_set){0});
    }
}

/* What was asked for by the first who stopped the server. */
static int exit_status(const struct pl_server *server)
{
    return (int)(server->stop >> PL_STOP_STATUS);
}

/* Of several workers that could not start, one says why. */
static void say_start_failure(const struct pl_server *server)
{
    for (unsigned i = 0; i < server->started; i++) {
        const struct pl_worker *worker = &server->workers[i];

        if (worker->stage == PL_WORKER_OVER && worker->error.code < 0) {
            pl_exit_say(PL_EXIT_FAILURE, &worker->error);
            return;
        }
    }
}

static int start_watchdog(struct pl_server *server)
{
    int err = pl_watchdog_start(server->watchdog);

    return err < 0 ? pl_exit_text(PL_EXIT_FAILURE, pl_err_text(err))
                   : PL_EXIT_OK;
}

/* For whoever asks why requests had to wait. */
static void say_turns(const struct pl_server *server)
{
    for (unsigned i = 0; i < server->started; i++) {
        const struct pl_worker *worker = &server->workers[i];

        if (worker->loop != NULL)
            pl_watchdog_say_turns(worker);
    }
}

static int serve(struct pl_server *server)
{
    int code = start_watchdog(server);

    if (code == PL_EXIT_OK)
        code = load_workers(server);
    if (code != PL_EXIT_OK)
        pl_server_stop(server, true, code);
    else if (!pl_server_stopping(server))
        commit_workers(server);
    pl_control_until(server, all_over);
    if (PL_WITH_ADMIN)
        pl_admin_close(server);
    pl_watchdog_stop(server->watchdog);
    if (PL_WITH_WATCHDOG)
        say_turns(server);
    say_start_failure(server);
    for (unsigned i = 0; i < server->started; i++)
        pl_worker_end(&server->workers[i]);
    if (PL_WITH_RELOAD)
        pl_reload_end(server);
    if (PL_WITH_WATCH)
        pl_watcher_close(server);
    pl_log_stop();
    return exit_status(server);
}

/* ---- the whole ---- */

/* Signals do what they do by default until the site has been read once: one
 * that hangs while it loads can be interrupted. */
static int begin(struct pl_server *server)
{
    struct pl_worker scratch;
    int code;

    if (PL_WITH_RELOAD)
        pl_reload_init(server);
    code = scratch_load(server, &scratch);
    if (code == PL_EXIT_OK && pl_server_stopping(server)) {
        code = exit_status(server); /* pl.stop() while loading */
    } else if (code == PL_EXIT_OK) {
        code = pl_control_open(server) < 0
                   ? pl_exit_text(PL_EXIT_FAILURE, "cannot watch for signals")
                   : prepare(server, scratch.generation);
    }
    pl_worker_fini(&scratch);
    return code;
}

int pl_server_run(struct pl_server *server)
{
    int code;

    if (server->options.own_process) {
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* a file as large as is allowed */
    }
    if (server->options.own_process)
        pl_systemd_open(&server->systemd);
    pl_mime_load(MIME_TYPES);
    code = begin(server);
    if (code == PL_EXIT_OK && !pl_server_stopping(server))
        code = serve(server);
    pl_watchdog_close(server->watchdog);
    if (PL_WITH_ADMIN)
        pl_admin_free(server);
    pl_control_close(server);
    pl_pid_file_release(&server->pid_file);
    return code;
}
