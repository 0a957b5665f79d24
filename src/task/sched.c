/* sched.c - the run queue of a worker.
 *
 * Strictly first in, first out: who becomes ready while the queue runs stands
 * behind everybody else. One turn of the loop runs all that were due when it
 * came to the queue: else input which makes tasks faster than they are run
 * would make the queue, and what its tasks own, grow without end. Of those that
 * become due meanwhile it runs only what is left of PL_SCHED_BUDGET, so that
 * two which wake each other for ever do not keep the loop from its events. */
#include "task/task_priv.h"

static _Thread_local struct pl_sched *current;

struct pl_sched *pl_sched_current(void)
{
    return current;
}

struct pl_task *pl_task_current(void)
{
    return current == NULL ? NULL : current->current;
}

void pl_sched_push(struct pl_sched *sched, struct pl_due *due)
{
    PL_ASSERT(sched == current); /* else: called on a foreign thread */
    if (sched->head == NULL && sched->turn == NULL)
        pl_loop_soon(sched->loop); /* the queue may have run in this turn */
    due->next = NULL;
    *sched->tail = due;
    sched->tail = &due->next;
}

static inline void run_due(struct pl_sched *sched, struct pl_due *due)
{
    due->run(due);
    pl_loop_refresh_now(sched->loop);
}

static bool run_queue(struct pl_hook *hook)
{
    struct pl_sched *sched = PL_CONTAINER_OF(hook, struct pl_sched, hook);
    struct pl_due *due = sched->head;
    int n = 0;

    if (due == NULL)
        return false;
    sched->head = NULL;
    sched->tail = &sched->head;
    for (; due != NULL; due = sched->turn, n++) {
        sched->turn = due->next;
        run_due(sched, due);
    }
    for (; n < PL_SCHED_BUDGET && (due = sched->head) != NULL; n++) {
        sched->head = due->next;
        if (sched->head == NULL)
            sched->tail = &sched->head;
        run_due(sched, due);
    }
    return sched->head != NULL;
}

PL_COLD int pl_sched_init(struct pl_sched *sched, struct pl_loop *loop,
                          struct pl_offload *offload)
{
    PL_ASSERT(current == NULL); /* one worker per thread */
    *sched = (struct pl_sched){
        .loop = loop,
        .offload = offload,
        .hook = {.run = run_queue},
        .defer_limit = PL_DEFER_LIMIT_NS,
        .fiber_limit = PL_FIBER_LIMIT,
    };
    sched->tail = &sched->head;
    pl_list_init(&sched->roots);
    pl_list_init(&sched->stop_waits);
    pl_loop_add_hook(loop, &sched->hook);
    current = sched;
    return 0;
}

bool pl_sched_idle(const struct pl_sched *sched)
{
    return sched->live == 0 && sched->jobs == 0 && sched->head == NULL &&
           sched->turn == NULL;
}

PL_COLD void pl_sched_fini(struct pl_sched *sched)
{
    PL_ASSERT(pl_sched_idle(sched));
    pl_loop_remove_hook(&sched->hook);
    pl_stacks_free(sched->stacks);
    if (current == sched)
        current = NULL;
}
