#include "server/worker.h"

#include "base/check.h"
#include "base/log.h"
#include "lua/vm.h"
#include "route/dispatch.h"
#include "server/access.h"
#include "server/server.h"

/* ---- requests ---- */

static void drop_generation(void *generation)
{
    pl_generation_drop(generation);
}

static void on_request(void *arg, struct pl_request *req)
{
    struct pl_worker *worker = arg;
    struct pl_generation *gen = worker->generation;

    gen->refs++;
    req->generation = gen;
    req->drop_generation = drop_generation;
    if (pl_log_access_enabled()) /* the peer may be gone when it is written */
        pl_request_remote(req, &req->remote_port);
    pl_dispatch(gen->site->router, req);
}

static void on_finished(void *arg, struct pl_request *req)
{
    (void)arg;
    if (pl_log_access_enabled())
        pl_access_log(req);
}

static const struct pl_http_ops http_ops = {on_request, on_finished};

/* ---- life ---- */

int pl_worker_init(struct pl_worker *worker, struct pl_server *server,
                   unsigned id, unsigned count)
{
    const struct pl_loop_options options = {.backend = NULL};
    int err;

    memset(worker, 0, offsetof(struct pl_worker, thread));
    worker->id = id;
    worker->count = count;
    worker->server = server;
    worker->state = PL_WORKER_RUNNING;
    err = pl_loop_new(&options, &worker->loop);
    if (err < 0)
        return err;
    err = pl_sched_init(&worker->sched, worker->loop, server->offload);
    if (err < 0)
        goto fail_loop;
    err = pl_net_init(&worker->net, worker->loop, NULL);
    if (err < 0)
        goto fail_sched;
    pl_http_init(&worker->http, &worker->net, &worker->sched,
                 &pl_http_default_settings, &http_ops, worker);
    return 0;
fail_sched:
    pl_sched_fini(&worker->sched);
fail_loop:
    pl_loop_free(worker->loop);
    return err;
}

/* Ends the tasks of a generation that nothing runs on, so that it can be
 * dropped. */
static void abandon(struct pl_worker *worker, struct pl_generation *gen)
{
    struct pl_op drained;

    if (gen == NULL || gen->vm == NULL)
        return;
    pl_vm_stop_begin(&drained, gen->vm);
    while (drained.state != PL_OP_DONE)
        if (pl_loop_step(worker->loop, -1) < 0)
            break;
}

void pl_worker_fini(struct pl_worker *worker)
{
    if (worker->generation != NULL) {
        if (worker->state != PL_WORKER_ENDING)
            abandon(worker, worker->generation);
        pl_generation_drop(worker->generation);
    }
    pl_net_fini(&worker->net);
    pl_sched_fini(&worker->sched);
    pl_loop_free(worker->loop);
}

int pl_worker_load(struct pl_worker *worker, struct pl_error *error)
{
    struct pl_load load;
    int result;

    pl_generation_load(&load, worker->server->loader, worker);
    while (load.op.state != PL_OP_DONE)
        if (pl_loop_step(worker->loop, -1) < 0)
            break;
    result = load.op.result;
    *error = load.error;
    if (result < 0)
        abandon(worker, load.gen);
    worker->generation = pl_generation_take(&load);
    if (result < 0)
        return result;
    worker->http.settings = &worker->generation->site->http;
    worker->net.limits = worker->generation->site->net;
    return 0;
}

/* The sockets of a group are dealt out in turn; with fewer workers than
 * sockets each takes several, with more some share one. */
static int listen_on(struct pl_worker *worker,
                     const struct pl_listen_group *group)
{
    unsigned first = worker->id % group->count;
    bool shared = group->shared || group->count < worker->count;
    bool tcp = group->addr.sa.sa_family != AF_UNIX;
    int err = 0;

    for (unsigned i = first; i < group->count && err == 0; i += worker->count) {
        struct pl_listener *listener;

        err = pl_listener_start(&worker->net, group->fds[i], shared, tcp,
                                &pl_h1_protocol, &worker->http, &listener);
    }
    return err;
}

int pl_worker_commit(struct pl_worker *worker)
{
    struct pl_server *server = worker->server;
    struct pl_vm *vm = worker->generation->vm;
    int err = vm == NULL ? 0 : pl_vm_commit(vm, NULL);

    for (unsigned i = 0; i < server->ngroups && err == 0; i++)
        err = listen_on(worker, server->groups[i]);
    if (err == 0 && vm != NULL)
        err = pl_vm_emit(vm, "start", NULL);
    return err;
}

void pl_worker_run(struct pl_worker *worker)
{
    pl_loop_run(worker->loop);
}

/* ---- stopping ---- */

static void stop_listening(struct pl_worker *worker)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &worker->net.listeners)
        pl_listener_stop(PL_LIST_ENTRY(node, struct pl_listener, node));
}

static void close_conn(struct pl_conn *conn, void *arg)
{
    (void)arg;
    pl_conn_close(conn, PL_ERR_CANCELED);
}

/* Nothing may wait any longer. */
static void end_now(struct pl_worker *worker)
{
    struct pl_vm *vm = worker->generation->vm;

    if (worker->state == PL_WORKER_ENDING)
        return;
    worker->state = PL_WORKER_ENDING;
    pl_timer_stop(pl_loop_wheel(worker->loop), &worker->stop_timer);
    if (worker->http.stats.open > 0)
        pl_log(PL_LOG_WARN, "server",
               "requests were cut off by the stop: worker=%u requests=%u",
               worker->id, worker->http.stats.open);
    pl_net_each(&worker->net, close_conn, NULL);
    if (vm != NULL)
        pl_vm_stop_begin(&worker->vm_drained, vm);
    pl_sched_cancel_all(&worker->sched);
}

/* At the end of every turn while stopping: is everything done? */
static bool check_stopped(struct pl_hook *hook)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(hook, struct pl_worker, stop_hook);
    struct pl_vm *vm = worker->generation->vm;

    if (worker->state == PL_WORKER_DRAINING && worker->net.stats.open == 0 &&
        worker->http.stats.open == 0 &&
        (vm == NULL || worker->stop_handlers.op.state != PL_OP_PENDING)) {
        end_now(worker);
        return true;
    }
    if (worker->state == PL_WORKER_ENDING && worker->net.stats.open == 0 &&
        worker->http.stats.open == 0 &&
        (vm == NULL || worker->vm_drained.state == PL_OP_DONE) &&
        pl_sched_idle(&worker->sched)) {
        pl_loop_remove_hook(hook);
        pl_loop_stop(worker->loop);
    }
    return false;
}

static void on_stop_timer(struct pl_timer *timer)
{
    end_now(PL_CONTAINER_OF(timer, struct pl_worker, stop_timer));
}

static void begin_stop(struct pl_worker *worker)
{
    uint64_t limit = (uint64_t)worker->generation->site->stop_ms * 1000000u;

    worker->state = PL_WORKER_DRAINING;
    stop_listening(worker);
    pl_http_drain(&worker->http);
    if (worker->generation->vm != NULL)
        pl_vm_emit(worker->generation->vm, "stop", &worker->stop_handlers);
    pl_timer_init(&worker->stop_timer, on_stop_timer);
    pl_timer_start(pl_loop_wheel(worker->loop), &worker->stop_timer,
                   pl_now(worker->loop) + limit);
    worker->stop_hook.run = check_stopped;
    pl_loop_add_hook(worker->loop, &worker->stop_hook);
}

static void on_stop(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, stop_mail);

    if (worker->state == PL_WORKER_RUNNING)
        begin_stop(worker);
}

static void on_kill(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, kill_mail);

    if (worker->state == PL_WORKER_RUNNING)
        begin_stop(worker);
    end_now(worker);
}

void pl_worker_stop(struct pl_worker *worker)
{
    worker->stop_mail.deliver = on_stop;
    pl_mailbox_send(pl_loop_mailbox(worker->loop), &worker->stop_mail);
}

void pl_worker_kill(struct pl_worker *worker)
{
    worker->kill_mail.deliver = on_kill;
    pl_mailbox_send(pl_loop_mailbox(worker->loop), &worker->kill_mail);
}
