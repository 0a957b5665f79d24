/* wait.c - three operations: waiting for a time, for the stop of the worker,
 * and for a descriptor. */
#include "task/task_priv.h"

/* ---- sleep ---- */

static void on_sleep_over(struct pl_timer *timer)
{
    struct pl_sleep_op *sleep =
        PL_CONTAINER_OF(timer, struct pl_sleep_op, timer);

    pl_op_complete(&sleep->op, 0);
}

static void cancel_sleep(struct pl_op *op)
{
    struct pl_sleep_op *sleep = PL_CONTAINER_OF(op, struct pl_sleep_op, op);

    pl_timer_stop(pl_loop_wheel(op->sched->loop), &sleep->timer);
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_sleep_begin(struct pl_sleep_op *sleep, struct pl_sched *sched,
                    uint64_t due)
{
    pl_op_init(&sleep->op, sched, cancel_sleep);
    pl_op_begin(&sleep->op);
    pl_timer_init(&sleep->timer, on_sleep_over);
    pl_timer_start(pl_loop_wheel(sched->loop), &sleep->timer, due);
}

/* ---- the stop ---- */

static void end_stop_wait(struct pl_stop_op *wait, int result)
{
    pl_list_remove(&wait->node);
    pl_timer_stop(pl_loop_wheel(wait->op.sched->loop), &wait->timer);
    pl_op_complete(&wait->op, result);
}

static void on_no_stop(struct pl_timer *timer)
{
    end_stop_wait(PL_CONTAINER_OF(timer, struct pl_stop_op, timer), 0);
}

static void cancel_stop_wait(struct pl_op *op)
{
    end_stop_wait(PL_CONTAINER_OF(op, struct pl_stop_op, op), PL_ERR_CANCELED);
}

void pl_stop_wait_begin(struct pl_stop_op *wait, struct pl_sched *sched,
                        uint64_t due)
{
    pl_op_init(&wait->op, sched, cancel_stop_wait);
    pl_op_begin(&wait->op);
    if (sched->stopping) {
        pl_op_complete(&wait->op, 1);
        return;
    }
    pl_timer_init(&wait->timer, on_no_stop);
    pl_list_push(&sched->stop_waits, &wait->node);
    if (due != 0)
        pl_timer_start(pl_loop_wheel(sched->loop), &wait->timer, due);
}

PL_COLD void pl_sched_stop(struct pl_sched *sched)
{
    struct pl_list *node, *tmp;

    sched->stopping = true;
    PL_LIST_FOREACH_SAFE (node, tmp, &sched->stop_waits)
        end_stop_wait(PL_LIST_ENTRY(node, struct pl_stop_op, node), 1);
}

/* ---- a foreign descriptor ---- */

/* The only way out of a wait that was begun: undoes all of it. The descriptor
 * stays open, so the kernel must be told. */
static void end_fd_wait(struct pl_fd_op *wait, int result)
{
    struct pl_loop *loop = wait->op.sched->loop;

    pl_loop_remove(loop, &wait->source, true);
    pl_timer_stop(pl_loop_wheel(loop), &wait->timer);
    pl_op_complete(&wait->op, result);
}

static void on_fd_ready(struct pl_source *source, unsigned events)
{
    end_fd_wait(PL_CONTAINER_OF(source, struct pl_fd_op, source), (int)events);
}

static void on_fd_late(struct pl_timer *timer)
{
    end_fd_wait(PL_CONTAINER_OF(timer, struct pl_fd_op, timer), PL_ERR_TIMEOUT);
}

static void cancel_fd_wait(struct pl_op *op)
{
    end_fd_wait(PL_CONTAINER_OF(op, struct pl_fd_op, op), PL_ERR_CANCELED);
}

void pl_fd_begin(struct pl_fd_op *wait, struct pl_sched *sched, int fd,
                 unsigned events, uint64_t due)
{
    int err;

    pl_op_init(&wait->op, sched, cancel_fd_wait);
    pl_op_begin(&wait->op);
    pl_timer_init(&wait->timer, on_fd_late);
    wait->source = (struct pl_source){.ready = on_fd_ready, .fd = fd};
    err = pl_loop_add(sched->loop, &wait->source, events, PL_LEVEL);
    if (err < 0)
        pl_op_complete(&wait->op, err);
    else if (due != 0)
        pl_timer_start(pl_loop_wheel(sched->loop), &wait->timer, due);
}
