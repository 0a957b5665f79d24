/* many.c - several operations as one: the first of them, or all.
 *
 * The end is decided once, by the first cause: enough parts are DONE, one has
 * failed, the time is over, the wait was cancelled. Then the parts that are
 * still on their way are cancelled, and the last one completes the whole. */
#include "task/task_priv.h"

static void end(struct pl_many_op *many, int outcome)
{
    struct pl_loop *loop = many->op.sched->loop;

    if (many->ending)
        return;
    many->ending = true;
    many->outcome = outcome;
    pl_timer_stop(pl_loop_wheel(loop), &many->timer);
    for (unsigned i = 0; i < many->n; i++)
        pl_op_cancel(many->parts[i]);
}

static void on_part_done(struct pl_op *part)
{
    struct pl_many_op *many = part->arg;

    many->pending--;
    if (part->result < 0)
        end(many, part->result);
    else if (!many->all || many->pending == 0)
        end(many, 0);
    if (many->pending == 0)
        pl_op_complete(&many->op, many->outcome);
}

static void on_late(struct pl_timer *timer)
{
    end(PL_CONTAINER_OF(timer, struct pl_many_op, timer), PL_ERR_TIMEOUT);
}

static void cancel_many(struct pl_op *op)
{
    end(PL_CONTAINER_OF(op, struct pl_many_op, op), PL_ERR_CANCELED);
}

void pl_many_begin(struct pl_many_op *many, struct pl_sched *sched,
                   struct pl_op **parts, unsigned n, bool all, uint64_t due)
{
    PL_ASSERT(n > 0);
    pl_op_init(&many->op, sched, cancel_many);
    pl_op_begin(&many->op);
    pl_timer_init(&many->timer, on_late);
    many->parts = parts;
    many->n = many->pending = n;
    many->all = all;
    many->ending = false;
    for (unsigned i = 0; i < n; i++) {
        parts[i]->arg = many;
        pl_op_then(parts[i], on_part_done);
    }
    if (due != 0)
        pl_timer_start(pl_loop_wheel(sched->loop), &many->timer, due);
}
