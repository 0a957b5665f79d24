/* task_priv.h - what the files of this room know of one another. */
#ifndef PL_TASK_TASK_PRIV_H
#define PL_TASK_TASK_PRIV_H

#include "base/check.h"
#include "task/task.h"

/* Appends to the run queue. due must not stand there already. */
void pl_sched_push(struct pl_sched *sched, struct pl_due *due);

/* Queues task, which waits for nothing. */
PL_INLINE void pl_task_queue(struct pl_task *task)
{
    PL_ASSERT(!task->queued && !task->ended);
    task->queued = true;
    pl_sched_push(task->sched, &task->due);
}

/* Frees the stacks of a scheduler (fiber.c); NULL: none were made. */
void pl_stacks_free(struct pl_stacks *stacks);

#endif
