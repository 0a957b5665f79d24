#include "server/worker.h"

#include <stdio.h>

#include "base/check.h"
#include "base/crash.h"
#include "base/features.h"
#include "base/log.h"
#include "base/sys.h"
#include "filters/coders.h"
#include "handlers/files.h"
#include "fcgi/fcgi.h"
#include "http/h2.h"
#include "lua/vm.h"
#include "net/tls.h"
#include "route/dispatch.h"
#include "server/access.h"
#include "server/dev.h"
#include "server/live.h"
#include "server/server.h"
#include "socket/serve.h"

/* ---- upkeep: the garbage of a busy time is collected in the next idle one.
 *
 * The first request after an idle time sets a timer. When it fires in a second
 * without requests, a collection is made in small steps; then nothing runs any
 * more until the next request. Busy workers pay one comparison a request. */

enum {
    UPKEEP_LOOK_NS = 1000000000, /* no request for this long: idle */
    UPKEEP_STEP_NS = 500000,     /* how long a step may hold the loop, */
    UPKEEP_PAUSE_NS = 1000000,   /* and what lies between two steps */
    /* The cycle that is under way, in which what was made during it survives; a
     * whole one; and one for what finalizers have kept until then. */
    UPKEEP_CYCLES = 3,
};

static void set_upkeep(struct pl_worker *worker, uint64_t delay)
{
    worker->upkeep_requests = worker->http.stats.requests;
    pl_timer_start(pl_loop_wheel(worker->loop), &worker->upkeep,
                   pl_now(worker->loop) + delay);
}

static void look_later(struct pl_worker *worker)
{
    worker->upkeep_cycles = UPKEEP_CYCLES;
    set_upkeep(worker, UPKEEP_LOOK_NS);
}

static void collect_step(struct pl_worker *worker, struct pl_vm *vm)
{
    uint64_t end = pl_clock_monotonic() + UPKEEP_STEP_NS;

    while (worker->upkeep_cycles > 0) {
        if (pl_vm_idle(vm))
            worker->upkeep_cycles--;
        if (pl_clock_monotonic() > end) {
            set_upkeep(worker, UPKEEP_PAUSE_NS);
            return;
        }
    }
}

static void on_upkeep(struct pl_timer *timer)
{
    struct pl_worker *worker = PL_CONTAINER_OF(timer, struct pl_worker, upkeep);
    struct pl_vm *vm = worker->generation->vm;

    if (worker->http.stats.requests != worker->upkeep_requests)
        look_later(worker);
    else if (vm != NULL)
        collect_step(worker, vm);
}

/* ---- requests ---- */

/* Pages that load themselves again: what that takes is there. */
enum { LIVE = PL_WITH_WATCH && PL_WITH_PAGES && PL_WITH_RELOAD };

static void drop_generation(void *generation)
{
    pl_generation_drop(generation);
}

/* Until it is over, whatever is reloaded. */
static void hold_generation(struct pl_generation *gen, struct pl_request *req)
{
    gen->refs++;
    req->generation = gen;
    req->drop_generation = drop_generation;
}

static void on_request(void *arg, struct pl_request *req)
{
    struct pl_worker *worker = arg;
    struct pl_generation *gen = worker->generation;

    if (PL_WITH_RELOAD)
        hold_generation(gen, req);
    if (PL_UNLIKELY(!worker->upkeep.armed))
        look_later(worker);
    if (pl_log_access_enabled()) /* the peer may be gone when it is written */
        pl_request_remote(req, &req->remote_port);
    pl_dispatch(gen->site->router, req);
}

static void on_finished(void *arg, struct pl_request *req)
{
    struct pl_worker *worker = arg;

    if (PL_WITH_ADMIN)
        pl_metrics_count(&worker->metrics, req, pl_now(worker->loop));
    if (pl_log_access_enabled())
        pl_access_log(req);
}

static void on_refused(void *arg, const struct pl_conn *conn, int status)
{
    (void)arg;
    if (pl_log_access_enabled())
        pl_access_log_refused(conn, status);
}

static void on_renew(void *arg, struct pl_request *req)
{
    struct pl_worker *worker = arg;

    hold_generation(worker->generation, req);
}

static const struct pl_http_ops http_ops = {on_request, on_finished, on_refused,
                                            PL_WITH_RELOAD ? on_renew : NULL};

/* --dev: errors are shown, and pages load themselves again. */
static void on_request_of_dev(void *arg, struct pl_request *req)
{
    struct pl_worker *worker = arg;

    if (!pl_dev_is_for(worker->generation, req) ||
        !pl_live_request(worker, req))
        on_request(arg, req);
}

static const struct pl_http_ops dev_ops = {on_request_of_dev, on_finished,
                                           on_refused,
                                           PL_WITH_RELOAD ? on_renew : NULL};

/* ---- life ---- */

static int open_worker(struct pl_worker *worker)
{
    const struct pl_loop_options options = {.backend = NULL};
    int err;

    pl_timer_init(&worker->upkeep, on_upkeep);
    pl_module_home_init(&worker->modules);
    worker->modules.scratch = worker->scratch;
    pl_list_init(&worker->retired);
    err = pl_loop_new(&options, &worker->loop);
    if (err < 0)
        return err;
    err = pl_sched_init(&worker->sched, worker->loop, worker->server->offload);
    if (err < 0)
        goto fail_loop;
    worker->sched.background = worker->server->background;
    err = pl_member_join(&worker->member, worker->server->share, worker->loop,
                         worker->id, worker->scratch);
    if (err < 0)
        goto fail_sched;
    err = pl_net_init(&worker->net, worker->loop, NULL);
    if (err < 0)
        goto fail_member;
    worker->net.offload = worker->server->offload;
    if (PL_WITH_SOCKETS)
        pl_sockets_init(&worker->sockets, &worker->net, &worker->sched,
                        worker->server->names);
    pl_http_init(&worker->http, &worker->net, &worker->sched,
                 &pl_http_default_settings, &http_ops, worker);
    worker->http.files = pl_files_new(&worker->sched, 0, 0);
    if (worker->http.files == NULL) {
        err = PL_ERR_NOMEM;
        goto fail_net;
    }
    worker->made = true;
    return 0;
fail_net:
    if (PL_WITH_SOCKETS)
        pl_sockets_fini(&worker->sockets);
    pl_net_fini(&worker->net);
fail_member:
    pl_member_leave(&worker->member);
fail_sched:
    pl_sched_fini(&worker->sched);
fail_loop:
    pl_loop_free(worker->loop);
    return err;
}

int pl_worker_init(struct pl_worker *worker, struct pl_server *server)
{
    *worker = (struct pl_worker){.count = 1, .scratch = true, .server = server};
    return open_worker(worker);
}

enum { WAIT_FAILURES = 100 };

/* The kernel may fail one wait; if it fails them all, we broke the loop. */
static void step(struct pl_worker *worker, int *failures)
{
    if (pl_loop_step(worker->loop, -1) < 0)
        PL_ASSERT(++*failures < WAIT_FAILURES);
}

void pl_worker_turn(struct pl_worker *worker, const struct pl_op *op)
{
    int failures = 0;

    while (op->state != PL_OP_DONE)
        step(worker, &failures);
}

/* What nobody waits for comes back from other threads all the same. */
static void settle(struct pl_worker *worker)
{
    int failures = 0;

    while (!pl_sched_idle(&worker->sched))
        step(worker, &failures);
}

/* Ends the tasks of a generation that nothing runs on, so that it can be
 * dropped. */
static void abandon(struct pl_worker *worker, struct pl_generation *gen)
{
    struct pl_op drained;

    if (gen == NULL || gen->vm == NULL)
        return;
    pl_vm_stop_begin(&drained, gen->vm);
    pl_worker_turn(worker, &drained);
}

void pl_worker_fini(struct pl_worker *worker)
{
    if (!worker->made)
        return;
    if (worker->generation != NULL) {
        if (worker->stage != PL_WORKER_OVER)
            abandon(worker, worker->generation);
        pl_generation_free(worker->generation);
    }
    settle(worker);
    pl_member_leave(&worker->member);
    pl_timer_stop(pl_loop_wheel(worker->loop), &worker->upkeep);
    pl_metrics_fini(&worker->metrics);
    if (LIVE)
        pl_live_free(worker);
    pl_files_free(worker->http.files);
    if (PL_WITH_COMPRESS)
        pl_coders_free(worker->http.coders);
    if (PL_WITH_SOCKETS)
        pl_sockets_fini(&worker->sockets);
    pl_net_fini(&worker->net);
    pl_sched_fini(&worker->sched);
    pl_loop_free(worker->loop);
    worker->made = false;
}

/* ---- the generation ---- */

/* A part of the eighth of all descriptors that is not for connections (see
 * pl_descriptors_share()). */
static unsigned kept_descriptors(const struct pl_server *server)
{
    enum { PART = 14, MOST = 4096 };

    return PL_MIN(server->max_conns / PART + 1, (unsigned)MOST);
}

static void apply_settings(struct pl_worker *worker)
{
    const struct pl_site *site = worker->generation->site;

    worker->http.settings = &site->http;
    worker->http.ops =
        LIVE && pl_dev_is_on(worker->generation) ? &dev_ops : &http_ops;
    worker->net.limits = site->net;
    worker->net.limits.head_ms = site->http.header_ms;
    if (worker->net.limits.max_conns == 0)
        worker->net.limits.max_conns = worker->server->max_conns;
    pl_files_limit(worker->http.files, site->http.file_cache,
                   kept_descriptors(worker->server));
}

int pl_worker_load(struct pl_worker *worker)
{
    struct pl_load *load = &worker->load;

    pl_generation_load(load, worker->server->loader, worker);
    pl_worker_turn(worker, &load->op);
    if (load->op.result < 0)
        abandon(worker, load->gen);
    worker->error = load->error;
    if (load->op.result < 0)
        pl_generation_free(pl_generation_take(load));
    else
        worker->generation = pl_generation_take(load);
    return load->op.result;
}

static const struct pl_protocol *
protocol_of(const struct pl_listen_group *group)
{
    if (PL_WITH_FASTCGI && group->options.speak == PL_SPEAK_FASTCGI)
        return &pl_fcgi_protocol;
    return PL_WITH_HTTP2 && group->options.speak == PL_SPEAK_H2
               ? &pl_h2_protocol
               : &pl_h1_protocol;
}

/* The sockets of a group are dealt out in turn; with fewer workers than
 * sockets each takes several, with more some share one. */
int pl_worker_listen(struct pl_worker *worker, struct pl_listen_group *group)
{
    unsigned first = worker->id % group->count;
    bool shared = group->shared || group->count < worker->count;
    bool tcp = group->addr.sa.sa_family != AF_UNIX;
    const struct pl_service *service =
        PL_WITH_SOCKETS
            ? pl_site_service(worker->generation->site, group->options.service)
            : NULL;
    int err = 0;

    for (unsigned i = first; i < group->count && err == 0; i += worker->count) {
        struct pl_listener *listener;

        err = pl_listener_start(
            &worker->net, group->fds[i], shared, tcp,
            service != NULL ? &pl_service_protocol : protocol_of(group),
            service != NULL ? (void *)service : (void *)&worker->http,
            &listener);
        if (err == 0)
            pl_listener_configure(listener, group);
        if (err == 0 && service != NULL)
            listener->more = true; /* for TLS that begins later */
        if (PL_WITH_TLS && err == 0 && group->tls != NULL)
            err = pl_listener_secure(listener, group->tls);
        worker->http.trusting |= group->options.trusted != NULL;
    }
    return err;
}

int pl_worker_begin(struct pl_worker *worker, struct pl_generation *previous)
{
    struct pl_generation *gen = worker->generation;
    int err;

    gen->stage = PL_GENERATION_SERVING;
    gen->began = pl_now(worker->loop);
    apply_settings(worker);
    err = gen->vm == NULL
              ? 0
              : pl_vm_commit(gen->vm, previous == NULL ? NULL : previous->vm);
    if (err == 0 && gen->loader->commit != NULL)
        err = gen->loader->commit(gen->loader->arg, gen);
    return err;
}

static int commit(struct pl_worker *worker)
{
    struct pl_server *server = worker->server;
    int err;

    worker->generation->id = 1;
    err = pl_worker_begin(worker, NULL);
    for (unsigned i = 0; i < server->listening.ngroups && err == 0; i++)
        err = pl_worker_listen(worker, server->listening.groups[i]);
    return err;
}

static void on_commit(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, commit_mail);
    int err;

    if (worker->stage != PL_WORKER_LOADED)
        return; /* a stop came first */
    err = commit(worker);
    if (err < 0) {
        pl_error_set(&worker->error, err, "", "worker %u cannot start: %s",
                     worker->id, pl_err_text(err));
        pl_server_stop(worker->server, true, PL_EXIT_FAILURE);
    }
    pl_worker_set_stage(worker, PL_WORKER_SERVING);
}

void pl_worker_commit(struct pl_worker *worker)
{
    worker->commit_mail.deliver = on_commit;
    pl_mailbox_send(pl_loop_mailbox(worker->loop), &worker->commit_mail);
}

/* ---- the thread ---- */

void pl_worker_set_stage(struct pl_worker *worker, enum pl_worker_stage stage)
{
    worker->stage = stage;
    pl_server_wake(worker->server);
}

static int make_generation(struct pl_worker *worker)
{
    int err = open_worker(worker);

    if (err < 0)
        return pl_error_set(&worker->error, err, "", "cannot start: %s",
                            pl_err_text(err));
    pl_watchdog_follow(worker->server->watchdog, worker);
    pl_worker_set_stage(worker, PL_WORKER_LOADING);
    err = pl_worker_load(worker);
    /* Asked to stop, but the load was over before it heard of that. */
    return worker->load.op.canceled ? PL_ERR_CANCELED : err;
}

/* A wait that fails once is tried again. If they all fail, this worker will
 * serve nobody any more: the process ends, so that somebody starts it anew. */
static void serve(struct pl_worker *worker)
{
    int failures = 0;

    while (pl_loop_run(worker->loop) < 0) {
        pl_log(PL_LOG_ERROR, "server", "worker %u cannot wait for events",
               worker->id);
        if (++failures == WAIT_FAILURES)
            pl_server_stop(worker->server, true, PL_EXIT_FAILURE);
    }
}

/* The thread leaves the worker standing, so that mail can still be sent to it:
 * pl_worker_end() takes it down. */
static void *run(void *arg)
{
    struct pl_worker *worker = arg;
    char name[16];

    snprintf(name, sizeof(name), "worker %u", worker->id % 1000);
    pthread_setname_np(pthread_self(), name);
    pl_watchdog_enter(worker->server->watchdog, worker);
    pl_crash_thread_enter(); /* without memory for it: a crash says less */
    if (make_generation(worker) < 0) {
        pl_worker_set_stage(worker, PL_WORKER_FAILED);
    } else {
        pl_worker_set_stage(worker, PL_WORKER_LOADED);
        serve(worker);
        pl_worker_set_stage(worker, PL_WORKER_OVER);
    }
    pl_crash_thread_leave();
    return NULL;
}

int pl_worker_start(struct pl_worker *worker, struct pl_server *server,
                    unsigned id, unsigned count)
{
    *worker = (struct pl_worker){.id = id, .count = count, .server = server};
    return pl_sys_thread(&worker->thread, run, worker) < 0
               ? pl_err_from_errno(errno)
               : 0;
}

void pl_worker_end(struct pl_worker *worker)
{
    pthread_join(worker->thread, NULL);
    pl_worker_fini(worker);
}
