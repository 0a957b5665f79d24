#include "server/reload.h"

#include <stdio.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "lua/chunks.h"
#include "net/tls.h"
#include "process/link.h"
#include "server/live.h"
#include "server/sandbox.h"
#include "server/server.h"
#include "server/watcher.h"

/* How long the workers may take to load, and to take, a generation. One that a
 * handler holds is not waited for any longer. */
enum { PREPARE_MS = 10000 };

static uint64_t now_ms(void)
{
    return pl_clock_monotonic() / 1000000;
}

/* ---- who asks ---- */

void pl_reload_ask(struct pl_server *server, struct pl_reload_request *request)
{
    request->next = atomic_load(&server->reload.asked);
    while (!atomic_compare_exchange_weak(&server->reload.asked, &request->next,
                                         request))
        ;
    pl_server_wake(server);
}

/* A signal is the operator's; what the site wants at the same time is in it. */
static bool is_operators(const char *why)
{
    return strcmp(why, PL_RELOAD_SIGNAL) == 0;
}

void pl_reload_want(struct pl_server *server, const char *why)
{
    const char *none = NULL;

    if (is_operators(why))
        atomic_store(&server->reload.wanted, why);
    else
        atomic_compare_exchange_strong(&server->reload.wanted, &none, why);
    pl_server_wake(server);
}

static void ask_for_all(struct pl_server *server, const char *why);

static void on_done_for_all(struct pl_reload_request *request,
                            const struct pl_reload_status *status)
{
    struct pl_reload *reload =
        PL_CONTAINER_OF(request, struct pl_reload, for_all);
    struct pl_server *server =
        PL_CONTAINER_OF(reload, struct pl_server, reload);
    const char *again = reload->again;

    (void)status;
    reload->asking = false;
    reload->again = NULL;
    if (again != NULL && !pl_server_stopping(server))
        ask_for_all(server, again);
}

static void ask_for_all(struct pl_server *server, const char *why)
{
    struct pl_reload *reload = &server->reload;

    if (reload->asking) {
        if (reload->again == NULL || is_operators(why))
            reload->again = why;
        return;
    }
    reload->asking = true;
    reload->for_all = (struct pl_reload_request){
        .why = why, .by_operator = is_operators(why), .done = on_done_for_all};
    pl_reload_ask(server, &reload->for_all);
}

static void answer(struct pl_reload_request *request,
                   const struct pl_reload_status *status)
{
    while (request != NULL) {
        struct pl_reload_request *next = request->next;

        request->done(request, status);
        request = next;
    }
}

/* ---- the site's files ---- */

static void on_files_grown(void *arg)
{
    pl_server_wake(arg);
}

/* Without memory each worker reads them itself. */
static void begin_files(struct pl_server *server)
{
    struct pl_reload *reload = &server->reload;

    pl_chunks_drop(reload->files);
    reload->files = pl_chunks_new(reload->serving, on_files_grown, server);
}

static void serve_files(struct pl_reload *reload)
{
    pl_chunks_drop(reload->serving);
    reload->serving = pl_chunks_take(reload->files);
}

void pl_reload_init(struct pl_server *server)
{
    begin_files(server);
    serve_files(&server->reload);
}

void pl_reload_fini(struct pl_server *server)
{
    pl_chunks_drop(server->reload.files);
    pl_chunks_drop(server->reload.serving);
}

/* ---- its end ---- */

static void tell_result(struct pl_server *server)
{
    const struct pl_reload_status *status = &server->reload.status;
    const struct pl_error *error = &status->error;

    if (status->result == PL_RELOADED_BESIDE && error->code == 0)
        pl_log_each(PL_LOG_NOTICE, "server", "a new process takes over: why=%s",
                    status->why);
    else if (status->result == PL_RELOADED)
        pl_log_each(PL_LOG_NOTICE, "server",
                    "reloaded: generation=%llu why=%s took=%ums",
                    (unsigned long long)server->reload.id, status->why,
                    status->ms);
    else if (error->code != PL_ERR_CANCELED)
        pl_log_each(PL_LOG_ERROR, "server",
                    "not reloaded, what served goes on: %s%s%s why=%s",
                    error->where, error->where[0] == '\0' ? "" : ": ",
                    error->text, status->why);
}

/* They are kept the newest first. */
static const struct pl_reload_request *
first_asker(const struct pl_reload *reload)
{
    const struct pl_reload_request *request = reload->running;

    while (request->next != NULL)
        request = request->next;
    return request;
}

/* Who takes the new generation when its handler lets go. */
static unsigned count_held(const struct pl_server *server)
{
    unsigned n = 0;

    for (unsigned i = 0; i < server->nworkers; i++)
        n += server->workers[i].reload != PL_RELOAD_NONE;
    return n;
}

static void settle(struct pl_server *server, enum pl_reload_result result,
                   const struct pl_error *error)
{
    struct pl_reload *reload = &server->reload;
    struct pl_reload_status *status = &reload->status;

    if (reload->running == NULL)
        return;
    status->result = result;
    status->count++;
    status->failed += error != NULL && error->code < 0;
    status->ms = (uint32_t)(now_ms() - reload->began);
    status->when = (int64_t)(pl_clock_wall() / 1000000000 - status->ms / 1000);
    status->why = first_asker(reload)->why;
    status->held = result == PL_RELOADED ? count_held(server) : 0;
    status->error = error == NULL ? (struct pl_error){.code = 0} : *error;
    if (result == PL_RELOADED)
        serve_files(reload);
    tell_result(server);
    answer(reload->running, status);
    reload->running = NULL;
    if (PL_WITH_WATCH && PL_WITH_PAGES && status->error.code < 0 &&
        status->error.code != PL_ERR_CANCELED) /* else nobody is there */
        pl_live_failed(server, &status->error);
    if (PL_WITH_WATCH)
        pl_watcher_renew(server);
}

/* Nobody serves it: who has something of it lets go. */
static void discard(struct pl_server *server, enum pl_reload_result result,
                    const struct pl_error *error)
{
    server->reload.stage = PL_RELOAD_DISCARDS;
    pl_listeners_leave(server, &server->reload.taking);
    settle(server, result, error);
    for (unsigned i = 0; i < server->nworkers; i++)
        if (server->workers[i].reload != PL_RELOAD_NONE)
            pl_worker_discard(&server->workers[i]);
}

/* ---- what the process would have to be started anew for ---- */

static bool same_text(const char *option, const char *was, const char *is)
{
    return option != NULL || pl_text_eq(was, is);
}

static const char *fixed_setting(const struct pl_server_options *options,
                                 const struct pl_site *was,
                                 const struct pl_site *is)
{
    if (options->workers == 0 && was->workers != is->workers)
        return "workers";
    if (!same_text(options->user, was->user, is->user))
        return "user";
    if (!same_text(options->group, was->group, is->group))
        return "group";
    if (!same_text(options->pid_file, was->pid_file, is->pid_file))
        return "pid_file";
    if (!same_text(options->error_log, was->error_log, is->error_log))
        return "error_log";
    if (!same_text(options->access_log, was->access_log, is->access_log))
        return "access_log";
    if (!same_text(options->log_level, was->log_level, is->log_level))
        return "log_level";
    if (was->watch.on != is->watch.on || was->watch.kill != is->watch.kill ||
        was->watch.warn_ms != is->watch.warn_ms ||
        was->watch.abort_ms != is->watch.abort_ms)
        return "watchdog";
    if (PL_WITH_SANDBOX && !pl_sandbox_same(was, is))
        return "sandbox";
    return NULL;
}

/* ---- the commit ---- */

static void begin_taking(struct pl_server *server)
{
    struct pl_reload *reload = &server->reload;

    reload->stage = PL_RELOAD_TAKES;
    reload->id++;
    for (unsigned i = 0; i < server->nworkers; i++)
        pl_worker_take(&server->workers[i]);
}

static bool by_operator(const struct pl_server *server)
{
    const struct pl_reload_request *at = server->reload.running;

    while (at != NULL && !at->by_operator)
        at = at->next;
    return at != NULL;
}

/* The supervisor starts a process that begins with what the site says now. Who
 * is in a sandbox does not get out of it by asking for a reload. */
static void replace(struct pl_server *server, const char *setting)
{
    struct pl_error error = {.code = 0};
    const char *who =
        !pl_link_is(server->link) ? "which needs a restart"
        : PL_WITH_SANDBOX && server->sandbox != NULL && !by_operator(server)
            ? "for which the operator has to reload it"
            : NULL;

    if (who == NULL)
        pl_link_say(server->link, PL_LINK_REPLACE);
    else
        pl_error_set(&error, PL_ERR_STATE, "", "setting '%s' has changed, %s",
                     setting, who);
    discard(server, PL_RELOADED_BESIDE, &error);
}

/* What has failed may be within the reach of a process that is not in the
 * sandbox yet: certificates, new folders. A site that is broken is not, and the
 * new process would say so once more. */
static bool is_confined(const struct pl_server *server, int err)
{
    return PL_WITH_SANDBOX && server->sandbox != NULL &&
           pl_link_is(server->link) && by_operator(server) &&
           err != PL_ERR_SYNTAX && err != PL_ERR_TIMEOUT;
}

static void give_up_load(struct pl_server *server, const struct pl_error *error)
{
    if (is_confined(server, error->code)) {
        pl_log(PL_LOG_NOTICE, "server",
               "a new process tries what failed in the sandbox: %s%s%s",
               error->where, error->where[0] == '\0' ? "" : ": ", error->text);
        replace(server, "sandbox");
    } else {
        discard(server, PL_RELOADED_NOT, error);
    }
}

/* All have loaded the same site: the first one's says what the process needs.
 * It does not change, and stays until we say what becomes of it. */
static void commit(struct pl_server *server)
{
    const struct pl_worker *first = &server->workers[0];
    const struct pl_site *site = first->next->site;
    const char *fixed =
        fixed_setting(&server->options, first->generation->site, site);
    struct pl_error error;
    int err;

    if (fixed != NULL) {
        replace(server, fixed);
        return;
    }
    err = pl_listeners_prepare(server, site, &server->reload.taking, &error);
    if (err < 0) {
        give_up_load(server, &error);
    } else if (err > 0) {
        replace(server, "listen");
    } else {
        server->stop_ms = site->stop_ms;
        begin_taking(server);
    }
}

/* ---- its stages ---- */

static bool is_late(const struct pl_server *server)
{
    return now_ms() >= server->reload.began + PREPARE_MS;
}

static bool all_are(const struct pl_server *server, enum pl_worker_reload what)
{
    for (unsigned i = 0; i < server->nworkers; i++)
        if (server->workers[i].reload != what)
            return false;
    return true;
}

static bool all_serve(const struct pl_server *server)
{
    for (unsigned i = 0; i < server->nworkers; i++)
        if (server->workers[i].stage != PL_WORKER_SERVING)
            return false;
    return server->nworkers > 0;
}

/* A program in C has no site to be read again, but certificates. */
static void refresh(struct pl_server *server)
{
    struct pl_listen_set *set = &server->listening;
    struct pl_error error = {.code = 0};

    for (unsigned i = 0; i < set->ngroups && error.code == 0; i++)
        if (PL_WITH_TLS && set->groups[i]->tls != NULL)
            (void)pl_tls_context_refresh(set->groups[i]->tls, &error);
    settle(server, error.code < 0 ? PL_RELOADED_NOT : PL_RELOADED, &error);
}

static bool begin(struct pl_server *server)
{
    struct pl_reload *reload = &server->reload;

    if (atomic_load(&reload->asked) == NULL || !all_serve(server))
        return false;
    reload->running = atomic_exchange(&reload->asked, NULL);
    reload->began = now_ms();
    reload->loaded = 0;
    if (reload->id == 0)
        reload->id = 1; /* of the one that was started with */
    if (server->loader->fixed) {
        refresh(server);
        return true;
    }
    if (PL_WITH_SANDBOX && pl_link_is(server->link) && by_operator(server) &&
        pl_sandbox_stale(server->sandbox)) {
        replace(server, "sandbox");
        return true;
    }
    begin_files(server);
    reload->stage = PL_RELOAD_LOADS;
    pl_worker_reload(&server->workers[0]);
    return true;
}

static bool load_on(struct pl_server *server)
{
    struct pl_reload *reload = &server->reload;
    struct pl_worker *worker = &server->workers[reload->loaded];
    enum pl_worker_reload state = worker->reload;
    struct pl_error error;

    if (state == PL_RELOAD_FAILED) {
        error = worker->error;
        give_up_load(server, &error);
    } else if (state == PL_RELOAD_LOADED &&
               ++reload->loaded == server->nworkers) {
        commit(server);
    } else if (state == PL_RELOAD_LOADED) {
        pl_worker_reload(&server->workers[reload->loaded]);
    } else if (is_late(server)) {
        pl_error_set(&error, PL_ERR_TIMEOUT, "",
                     "worker %u has not loaded the site within %d seconds",
                     worker->id, PREPARE_MS / 1000);
        discard(server, PL_RELOADED_NOT, &error);
    } else {
        return false;
    }
    return true;
}

static bool take_on(struct pl_server *server)
{
    bool all = all_are(server, PL_RELOAD_NONE);

    if (all)
        pl_listeners_take(server, &server->reload.taking);
    else if (is_late(server)) /* it will, when its handler lets go */
        settle(server, PL_RELOADED, NULL);
    if (all) {
        settle(server, PL_RELOADED, NULL);
        server->reload.stage = PL_RELOAD_IDLE;
    }
    return all;
}

static bool discard_on(struct pl_server *server)
{
    if (!all_are(server, PL_RELOAD_NONE))
        return false;
    server->reload.stage = PL_RELOAD_IDLE;
    return true;
}

/* The process ends: nothing begins any more. */
static void give_up(struct pl_server *server)
{
    struct pl_reload *reload = &server->reload;
    const struct pl_reload_status status = {
        .result = PL_RELOADED_NOT,
        .error = {.code = PL_ERR_CANCELED, .text = "the server stops"}};

    if (reload->stage == PL_RELOAD_LOADS)
        discard(server, PL_RELOADED_NOT, &status.error);
    settle(server, PL_RELOADED_NOT, &status.error);
    answer(atomic_exchange(&reload->asked, NULL), &status);
}

void pl_reload_turn(struct pl_server *server)
{
    static bool (*const steps[])(struct pl_server * server) = {
        [PL_RELOAD_IDLE] = begin,
        [PL_RELOAD_LOADS] = load_on,
        [PL_RELOAD_TAKES] = take_on,
        [PL_RELOAD_DISCARDS] = discard_on,
    };
    const char *wanted = atomic_exchange(&server->reload.wanted, NULL);

    if (pl_server_stopping(server)) {
        give_up(server);
        return;
    }
    if (wanted != NULL)
        ask_for_all(server, wanted);
    while (steps[server->reload.stage](server))
        ;
    if (PL_WITH_WATCH)
        pl_watcher_grown(server);
}

uint64_t pl_reload_due(const struct pl_server *server)
{
    const struct pl_reload *reload = &server->reload;
    bool waits = reload->stage == PL_RELOAD_LOADS ||
                 (reload->stage == PL_RELOAD_TAKES && reload->running != NULL);

    return waits ? reload->began + PREPARE_MS : 0;
}

void pl_reload_end(struct pl_server *server)
{
    give_up(server);
    pl_listeners_leave(server, &server->reload.taking);
}
