/* worker_reload.c - one worker's part in a reload (reload.h): it loads a
 * generation as a task among others, takes it in one turn, and ends the one
 * that served until then. */
#include "base/features.h"
#include "base/log.h"
#include "http/request.h"
#include "lua/vm.h"
#include "server/live.h"
#include "server/server.h"
#include "socket/serve.h"

static void set(struct pl_worker *worker, enum pl_worker_reload reload)
{
    worker->reload = reload;
    pl_server_wake(worker->server);
}

/* ---- loading ---- */

static void discard_next(struct pl_worker *worker)
{
    struct pl_generation *gen = worker->next;

    worker->next = NULL;
    if (gen != NULL)
        pl_generation_end(gen);
}

static void on_loaded(struct pl_op *op)
{
    struct pl_worker *worker = PL_CONTAINER_OF(op, struct pl_worker, load.op);

    worker->error = worker->load.error;
    worker->next = pl_generation_take(&worker->load);
    if (op->result < 0 || worker->discarded)
        discard_next(worker);
    set(worker, worker->discarded ? PL_RELOAD_NONE
                : op->result < 0  ? PL_RELOAD_FAILED
                                  : PL_RELOAD_LOADED);
}

static void on_load(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, load_mail);

    if (worker->stage != PL_WORKER_SERVING) { /* a stop came first */
        set(worker, PL_RELOAD_NONE);
        return;
    }
    worker->discarded = false;
    pl_generation_load(&worker->load, worker->server->loader, worker);
    pl_op_then(&worker->load.op, on_loaded);
}

static void on_discard(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, discard_mail);

    if (worker->reload == PL_RELOAD_LOADING) { /* on_loaded() does the rest */
        worker->discarded = true;
        pl_op_cancel(&worker->load.op);
        return;
    }
    discard_next(worker);
    worker->error = (struct pl_error){.code = 0}; /* it is said */
    set(worker, PL_RELOAD_NONE);
}

/* ---- the listeners ---- */

static bool has_group(const struct pl_listen_set *list,
                      const struct pl_listen_group *group)
{
    for (unsigned i = 0; i < list->ngroups; i++)
        if (list->groups[i] == group)
            return true;
    return false;
}

static struct pl_listener *listener_of(const struct pl_worker *worker,
                                       const struct pl_listen_group *group)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &worker->net.listeners) {
        struct pl_listener *listener =
            PL_LIST_ENTRY(node, struct pl_listener, node);

        if (listener->group == group && !listener->stopped)
            return listener;
    }
    return NULL;
}

/* Of a raw connection that is still in its handshake: who serves it now? */
static void set_service(const struct pl_worker *worker,
                        struct pl_listener *listener)
{
    const struct pl_service *service;

    if (!PL_WITH_SOCKETS || listener->protocol != &pl_service_protocol)
        return;
    service = listener->stopped ? NULL
                                : pl_site_service(worker->generation->site,
                                                  listener->options->service);
    listener->arg = (void *)(service != NULL ? service : &pl_service_nobody);
}

/* What is queued in sockets that are listened to no more is served still. */
static void stop_removed(struct pl_worker *worker,
                         const struct pl_listen_set *list)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &worker->net.listeners) {
        struct pl_listener *listener =
            PL_LIST_ENTRY(node, struct pl_listener, node);

        listener->refs++; /* it may have no connection */
        if (!listener->stopped && !has_group(list, listener->group))
            pl_listener_stop(listener);
        set_service(worker, listener);
        pl_listener_drop(listener);
    }
}

static void listen_anew(struct pl_worker *worker)
{
    const struct pl_listen_set *list = &worker->server->reload.taking;
    int err;

    for (unsigned i = 0; i < list->ngroups; i++) {
        if (listener_of(worker, list->groups[i]) != NULL)
            continue;
        err = pl_worker_listen(worker, list->groups[i]);
        if (err < 0)
            pl_log(PL_LOG_ERROR, "server",
                   "worker %u cannot listen on all addresses: %s", worker->id,
                   pl_err_text(err));
    }
    stop_removed(worker, list);
}

/* ---- the commit ---- */

/* The oldest of those that end, if there are too many. */
static void end_oldest(struct pl_worker *worker)
{
    struct pl_generation *oldest = NULL;
    struct pl_list *node;
    unsigned n = 0;

    PL_LIST_FOREACH (node, &worker->retired) {
        struct pl_generation *gen =
            PL_LIST_ENTRY(node, struct pl_generation, node);

        if (gen->stage != PL_GENERATION_RETIRED)
            continue;
        oldest = oldest == NULL ? gen : oldest;
        n++;
    }
    if (n > PL_GENERATIONS_RETIRED)
        pl_generation_end(oldest);
}

/* Those that go on without their generation. */
static void renew_requests(struct pl_worker *worker)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &worker->http.requests) {
        struct pl_request *req = PL_LIST_ENTRY(node, struct pl_request, node);

        if (req->moves)
            pl_request_renew(req);
    }
}

static void on_take(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, take_mail);
    struct pl_generation *old = worker->generation;
    int err;

    if (worker->stage != PL_WORKER_SERVING || worker->next == NULL) {
        set(worker, PL_RELOAD_NONE);
        return;
    }
    worker->generation = worker->next;
    worker->generation->id = worker->server->reload.id;
    worker->next = NULL;
    if (old->vm != NULL)
        (void)pl_vm_emit(old->vm, "reload", NULL);
    err = pl_worker_begin(worker, old);
    if (err < 0)
        pl_log(PL_LOG_ERROR, "server",
               "no memory to start what the site records: worker=%u",
               worker->id);
    listen_anew(worker);
    pl_metrics_move(&worker->metrics, worker->generation, pl_now(worker->loop));
    if (PL_WITH_WATCH)
        pl_live_changed(worker);
    if (PL_WITH_UPSTREAM && PL_WITH_HTTP2)
        renew_requests(worker);
    pl_generation_retire(old);
    end_oldest(worker);
    set(worker, PL_RELOAD_NONE);
}

/* ---- by the main thread ---- */

static void tell(struct pl_worker *worker, struct pl_mail *mail,
                 void (*deliver)(struct pl_mail *mail))
{
    mail->deliver = deliver;
    pl_mailbox_send(pl_loop_mailbox(worker->loop), mail);
}

void pl_worker_reload(struct pl_worker *worker)
{
    worker->reload = PL_RELOAD_LOADING;
    tell(worker, &worker->load_mail, on_load);
}

void pl_worker_take(struct pl_worker *worker)
{
    tell(worker, &worker->take_mail, on_take);
}

void pl_worker_discard(struct pl_worker *worker)
{
    tell(worker, &worker->discard_mail, on_discard);
}
