/* worker_stop.c - how a worker ends.
 *
 *     drain: DRAINING  no new connections; what runs may finish, pl.on("stop")
 *            ENDING    runs. When that is done:
 *     stop:            the same, but no longer than the stop time
 *     kill:  ENDING    connections are closed, tasks cancelled and awaited
 *            (OVER)    the loop turns no more */
#include "server/worker.h"

#include "base/features.h"
#include "base/log.h"
#include "lua/vm.h"
#include "server/server.h"
#include "share/bus.h"

/* How long the defers of a task may still wait when everything must end. */
enum { LAST_DEFERS_NS = 1000000000, QUIET_TURNS = 2 };

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

/* What was loaded for later is discarded, what was retired ends. */
static void end_generations(struct pl_worker *worker)
{
    struct pl_generation *next = worker->next;
    struct pl_list *node, *tmp;

    worker->discarded = true;
    pl_op_cancel(&worker->load.op);
    worker->next = NULL;
    if (next != NULL)
        pl_generation_end(next);
    PL_LIST_FOREACH_SAFE (node, tmp, &worker->retired)
        pl_generation_end(PL_LIST_ENTRY(node, struct pl_generation, node));
}

static bool generations_over(const struct pl_worker *worker)
{
    return !PL_WITH_RELOAD ||
           (pl_list_empty(&worker->retired) && worker->load.gen == NULL);
}

/* Nothing may wait any longer. */
static void end_now(struct pl_worker *worker)
{
    struct pl_vm *vm = worker->generation->vm;

    if (worker->stage >= PL_WORKER_ENDING)
        return;
    pl_worker_set_stage(worker, PL_WORKER_ENDING);
    pl_timer_stop(pl_loop_wheel(worker->loop), &worker->stop_timer);
    if (worker->http.stats.open > 0)
        pl_log(PL_LOG_WARN, "server",
               "requests were cut off by the stop: worker=%u requests=%u",
               worker->id, worker->http.stats.open);
    worker->sched.defer_limit =
        PL_MIN(worker->sched.defer_limit, (uint64_t)LAST_DEFERS_NS);
    pl_net_each(&worker->net, close_conn, NULL);
    if (vm != NULL)
        pl_vm_stop_begin(&worker->vm_drained, vm);
    if (PL_WITH_RELOAD)
        end_generations(worker);
    pl_sched_cancel_all(&worker->sched);
}

static bool quiet(const struct pl_worker *worker)
{
    return worker->net.stats.open == 0 && worker->http.stats.open == 0 &&
           worker->net.reads == 0 &&
           (!PL_WITH_SOCKETS || worker->sockets.leaving == 0);
}

/* Idle connections are closed when the second turn has gone by without a new
 * request: what had arrived before the stop is answered, also on connections
 * that were accepted last. So is told who would wait for messages without end.
 * True once that is done. */
static bool close_idle(struct pl_worker *worker)
{
    if (worker->quiet_turns >= QUIET_TURNS)
        return true;
    if (worker->stop_requests == worker->http.stats.requests)
        worker->quiet_turns++;
    else
        worker->quiet_turns = 0;
    worker->stop_requests = worker->http.stats.requests;
    if (worker->quiet_turns < QUIET_TURNS)
        return false;
    pl_http_drain(&worker->http);
    if (PL_WITH_SHARE)
        pl_bus_drain(&worker->member);
    return true;
}

/* At the end of every turn while stopping: is everything done? */
static bool check_stopped(struct pl_hook *hook)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(hook, struct pl_worker, stop_hook);
    const struct pl_vm *vm = worker->generation->vm;

    if (worker->stage == PL_WORKER_DRAINING && !close_idle(worker))
        return true;
    if (worker->stage == PL_WORKER_DRAINING && quiet(worker) &&
        worker->stop_handlers.op.state != PL_OP_PENDING) {
        end_now(worker);
        return true;
    }
    if (worker->stage == PL_WORKER_ENDING && quiet(worker) &&
        (vm == NULL || worker->vm_drained.state == PL_OP_DONE) &&
        generations_over(worker) && pl_sched_idle(&worker->sched)) {
        pl_loop_remove_hook(hook);
        pl_loop_stop(worker->loop);
    }
    return false;
}

static void on_stop_timer(struct pl_timer *timer)
{
    end_now(PL_CONTAINER_OF(timer, struct pl_worker, stop_timer));
}

/* A generation that was never committed has no requests, and nothing that its
 * stop handlers could undo. */
static void begin_stop(struct pl_worker *worker)
{
    struct pl_generation *gen = worker->generation;
    bool committed = worker->stage == PL_WORKER_SERVING;

    worker->stop_hook.run = check_stopped;
    pl_loop_add_hook(worker->loop, &worker->stop_hook);
    pl_timer_init(&worker->stop_timer, on_stop_timer);
    pl_member_withdraw(&worker->member);
    pl_sched_stop(&worker->sched);
    stop_listening(worker);
    if (PL_WITH_SOCKETS)
        pl_sockets_drain(&worker->sockets);
    worker->http.draining = true;
    worker->stop_requests = worker->http.stats.requests;
    if (committed && gen->vm != NULL &&
        pl_vm_emit(gen->vm, "stop", &worker->stop_handlers) < 0)
        pl_log(PL_LOG_ERROR, "server",
               "no memory for the stop handlers: worker=%u", worker->id);
    pl_worker_set_stage(worker, PL_WORKER_DRAINING);
}

static void on_drain(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, drain_mail);

    if (worker->stage == PL_WORKER_LOADING)
        pl_op_cancel(&worker->load.op);
    else if (worker->stage < PL_WORKER_DRAINING)
        begin_stop(worker);
}

/* A drain has come before it. */
static void on_stop(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, stop_mail);

    if (worker->stage == PL_WORKER_DRAINING)
        pl_timer_start(pl_loop_wheel(worker->loop), &worker->stop_timer,
                       pl_now(worker->loop) +
                           worker->generation->site->stop_ms *
                               UINT64_C(1000000));
}

static void on_kill(struct pl_mail *mail)
{
    struct pl_worker *worker =
        PL_CONTAINER_OF(mail, struct pl_worker, kill_mail);

    if (worker->stage == PL_WORKER_LOADING) {
        pl_op_cancel(&worker->load.op);
        return;
    }
    if (worker->stage < PL_WORKER_DRAINING)
        begin_stop(worker);
    if (worker->stage < PL_WORKER_ENDING)
        end_now(worker);
}

void pl_worker_drain(struct pl_worker *worker)
{
    worker->drain_mail.deliver = on_drain;
    pl_mailbox_send(pl_loop_mailbox(worker->loop), &worker->drain_mail);
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
