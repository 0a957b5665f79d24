#include "server/generation.h"

#include "base/log.h"
#include "base/sys.h"
#include "http/request.h"
#include "lua/vm.h"
#include "server/worker.h"

/* How long a step of closing holds the loop, and what lies between two. */
enum { CLOSE_STEP_NS = 500000, CLOSE_PAUSE_NS = 1000000 };

/* ---- loading ---- */

static void cancel_load(struct pl_op *op)
{
    struct pl_load *load = PL_CONTAINER_OF(op, struct pl_load, op);

    if (load->gen->loader->cancel != NULL)
        load->gen->loader->cancel(load);
}

void pl_generation_load(struct pl_load *load, const struct pl_loader *loader,
                        struct pl_worker *worker)
{
    struct pl_generation *gen = pl_calloc(1, sizeof(*gen));

    *load = (struct pl_load){.gen = gen};
    pl_op_init(&load->op, &worker->sched, cancel_load);
    pl_op_begin(&load->op);
    if (gen == NULL) {
        pl_op_complete(&load->op, pl_error_set(&load->error, PL_ERR_NOMEM, "",
                                               "out of memory"));
        return;
    }
    gen->refs = 1;
    gen->worker = worker;
    gen->loader = loader;
    pl_list_init(&gen->node);
    pl_timer_init(&gen->timer, NULL);
    loader->begin(loader->arg, load);
}

struct pl_generation *pl_generation_take(struct pl_load *load)
{
    struct pl_generation *gen = load->gen;

    load->gen = NULL;
    return gen;
}

/* ---- closing ---- */

static struct pl_wheel *wheel_of(const struct pl_generation *gen)
{
    return pl_loop_wheel(gen->worker->loop);
}

static void set_timer(struct pl_generation *gen,
                      void (*fire)(struct pl_timer *timer), uint64_t delay)
{
    pl_timer_stop(wheel_of(gen), &gen->timer);
    pl_timer_init(&gen->timer, fire);
    pl_timer_start(wheel_of(gen), &gen->timer,
                   pl_now(gen->worker->loop) + delay);
}

/* What is left of it is its VM. */
static void release(struct pl_generation *gen)
{
    pl_timer_stop(wheel_of(gen), &gen->timer);
    pl_list_remove(&gen->node);
    pl_vm_free(gen->vm);
    pl_free(gen);
}

void pl_generation_free(struct pl_generation *gen)
{
    if (gen == NULL)
        return;
    gen->loader->drop(gen->loader->arg, gen);
    release(gen);
}

static void on_close_step(struct pl_timer *timer)
{
    struct pl_generation *gen =
        PL_CONTAINER_OF(timer, struct pl_generation, timer);
    uint64_t end = pl_clock_monotonic() + CLOSE_STEP_NS;

    while (!pl_vm_collect_step(gen->vm)) {
        if (pl_clock_monotonic() > end) {
            set_timer(gen, on_close_step, CLOSE_PAUSE_NS);
            return;
        }
    }
    release(gen);
}

/* Handlers refer to the VM: the routes go first. */
static void on_close(struct pl_timer *timer)
{
    struct pl_generation *gen =
        PL_CONTAINER_OF(timer, struct pl_generation, timer);

    gen->stage = PL_GENERATION_CLOSING;
    if (gen->vm == NULL || gen->worker->stage >= PL_WORKER_DRAINING) {
        pl_generation_free(gen);
        return;
    }
    gen->loader->drop(gen->loader->arg, gen);
    pl_vm_detach(gen->vm);
    set_timer(gen, on_close_step, CLOSE_PAUSE_NS);
}

/* By a timer: the last of its requests may be on the stack. */
static void settle(struct pl_generation *gen)
{
    if (gen->refs == 0 && gen->drained)
        set_timer(gen, on_close, 0);
}

/* ---- the end ---- */

static void on_drained(struct pl_op *op)
{
    struct pl_generation *gen =
        PL_CONTAINER_OF(op, struct pl_generation, vm_drained);

    gen->drained = true;
    settle(gen);
}

/* From now on it is known when the last task has gone. */
static void await_tasks(struct pl_generation *gen)
{
    if (gen->vm == NULL) {
        gen->drained = true;
    } else if (gen->vm_drained.state == PL_OP_IDLE) {
        pl_vm_drain_begin(&gen->vm_drained, gen->vm);
        pl_op_then(&gen->vm_drained, on_drained);
    }
}

void pl_generation_drop(struct pl_generation *gen)
{
    if (--gen->refs > 0)
        return;
    if (gen->stage == PL_GENERATION_RETIRED) {
        if (gen->vm != NULL)
            pl_vm_quiet(gen->vm);
        await_tasks(gen);
    }
    settle(gen);
}

static void on_limit(struct pl_timer *timer)
{
    struct pl_generation *gen =
        PL_CONTAINER_OF(timer, struct pl_generation, timer);

    pl_generation_end(gen);
}

void pl_generation_retire(struct pl_generation *gen)
{
    gen->stage = PL_GENERATION_RETIRED;
    pl_list_push(&gen->worker->retired, &gen->node);
    set_timer(gen, on_limit, (uint64_t)gen->site->reload_ms * 1000000u);
    pl_generation_drop(gen);
}

/* Returns how many there were. */
static unsigned cut_requests(struct pl_generation *gen)
{
    struct pl_list *node, *tmp;
    unsigned n = 0;

    PL_LIST_FOREACH_SAFE (node, tmp, &gen->worker->http.requests) {
        struct pl_request *req = PL_LIST_ENTRY(node, struct pl_request, node);

        if (req->generation != gen)
            continue;
        n++;
        pl_request_cut(req);
    }
    return n;
}

static void end_requests(struct pl_generation *gen)
{
    unsigned n = cut_requests(gen);

    if (n > 0)
        pl_log_each(PL_LOG_WARN, "server",
                    "requests of an old generation were cut off: worker=%u "
                    "generation=%llu requests=%u",
                    gen->worker->id, (unsigned long long)gen->id, n);
}

void pl_generation_end(struct pl_generation *gen)
{
    bool committed = gen->stage != PL_GENERATION_LOADING;

    if (gen->stage == PL_GENERATION_CLOSING &&
        gen->worker->stage >= PL_WORKER_DRAINING) {
        release(gen);
        return;
    }
    if (gen->stage >= PL_GENERATION_ENDING)
        return;
    gen->stage = PL_GENERATION_ENDING;
    pl_timer_stop(wheel_of(gen), &gen->timer);
    if (committed) {
        end_requests(gen);
    } else {
        pl_list_push(&gen->worker->retired, &gen->node);
        gen->refs--;
    }
    await_tasks(gen);
    if (gen->vm != NULL)
        pl_vm_stop(gen->vm);
    settle(gen);
}
