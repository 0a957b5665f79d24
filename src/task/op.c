/* op.c - the state of an operation, and who hears of its end. */
#include "task/op.h"

#include "task/task_priv.h"

static void run_done(struct pl_due *due)
{
    struct pl_op *op = PL_CONTAINER_OF(due, struct pl_op, due);

    op->queued = false;
    op->done(op);
}

void pl_op_init(struct pl_op *op, struct pl_sched *sched,
                void (*cancel)(struct pl_op *op))
{
    *op = (struct pl_op){
        .sched = sched, .cancel = cancel, .due = {NULL, run_done}};
}

void pl_op_begin(struct pl_op *op)
{
    PL_ASSERT(op->state != PL_OP_PENDING && !op->queued);
    op->state = PL_OP_PENDING;
    op->canceled = false;
}

static void queue_done(struct pl_op *op)
{
    op->queued = true;
    pl_sched_push(op->sched, &op->due);
}

void pl_op_complete(struct pl_op *op, int result)
{
    struct pl_task *task = op->task;

    PL_ASSERT(op->state == PL_OP_PENDING); /* exactly once */
    op->state = PL_OP_DONE;
    op->result = result;
    if (task != NULL) {
        PL_ASSERT(task->waiting == op);
        task->waiting = NULL;
        op->task = NULL;
        pl_task_queue(task);
    } else if (op->done != NULL) {
        queue_done(op);
    }
}

void pl_op_cancel(struct pl_op *op)
{
    if (op->state != PL_OP_PENDING || op->canceled)
        return;
    op->canceled = true;
    if (op->cancel != NULL)
        op->cancel(op);
}

void pl_op_then(struct pl_op *op, void (*done)(struct pl_op *op))
{
    PL_ASSERT(op->state != PL_OP_IDLE && op->task == NULL && !op->queued);
    op->done = done;
    if (op->state == PL_OP_DONE)
        queue_done(op);
}
