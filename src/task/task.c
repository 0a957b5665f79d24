/* task.c - the life of a task and the tree it stands in.
 *
 *     init -> queued <-> running <-> waiting        cancel(): waiting is
 * hurried
 *                           |
 *                  exit_begin() .. exit_end()       its defers may wait
 *                           |
 *                          end() -> ended -> over   when the last child is gone
 *
 * Invariants: a task that is ended has cancelled its children; a task is in the
 * children of its parent (or among the roots) until it is over; task->waiting
 * and op->task point at each other or nowhere. Nothing here recurses: the tree
 * may be as deep as there are tasks. */
#include "task/meter.h"
#include "task/task_priv.h"

/* ---- running ---- */

static inline void run_task(struct pl_task *task)
{
    struct pl_sched *sched = task->sched;

    PL_ASSERT(sched->current == NULL && task->waiting == NULL && !task->ended);
    sched->current = sched->seen = task;
    if (PL_UNLIKELY(task->meter != NULL))
        pl_meter_run(task);
    else
        task->type->resume(task); /* may release it */
    sched->current = sched->seen = NULL;
}

static void run_due_task(struct pl_due *due)
{
    struct pl_task *task = PL_CONTAINER_OF(due, struct pl_task, due);

    task->queued = false;
    run_task(task);
}

void pl_task_start(struct pl_task *task)
{
    if (task->sched->current == NULL)
        run_task(task);
    else
        pl_task_queue(task);
}

/* May task wait, although it was cancelled? */
static bool is_shielded(const struct pl_task *task)
{
    return task->exit != NULL && !task->exit->expired;
}

void pl_task_init(struct pl_task *task, const struct pl_task_type *type,
                  struct pl_sched *sched, struct pl_task *parent)
{
    /* Field by field: a compiler clears a whole struct by "rep stos", which
     * takes longer than all the rest of a spawn. */
    task->type = type;
    task->sched = sched;
    task->parent = parent;
    task->due = (struct pl_due){NULL, run_due_task};
    task->waiting = NULL;
    task->joins = NULL;
    task->defers = NULL;
    task->exit = NULL;
    task->owner = NULL;
    task->over = NULL;
    task->meter = parent == NULL ? NULL : parent->meter;
    task->id = ++sched->next_id;
    task->result = 0;
    task->queued = task->canceled = task->ended = false;
    task->serves = parent != NULL && parent->serves;
    pl_list_init(&task->children);
    if (parent == NULL) {
        pl_list_push(&sched->roots, &task->sibling);
    } else {
        PL_ASSERT(!parent->ended || sched->current == parent);
        task->canceled = parent->canceled && !is_shielded(parent);
        pl_list_push(&parent->children, &task->sibling);
    }
    sched->live++;
}

/* ---- waiting ---- */

/* The first wait of a defer starts the limit for all defers of the task. */
static void limit_defers(struct pl_task *task)
{
    struct pl_sched *sched = task->sched;
    struct pl_task_exit *exit = task->exit;

    if (!exit->limit.armed)
        pl_timer_start(pl_loop_wheel(sched->loop), &exit->limit,
                       pl_now(sched->loop) + sched->defer_limit);
}

PL_INLINE bool wait_for(struct pl_task *task, struct pl_op *op)
{
    if (op->state == PL_OP_DONE)
        return false;
    op->task = task;
    task->waiting = op;
    return true;
}

/* Of a task that was cancelled, or whose defers run. */
static PL_NOINLINE bool wait_hurried(struct pl_task *task, struct pl_op *op)
{
    if (op->state == PL_OP_PENDING && task->canceled && !is_shielded(task))
        pl_op_cancel(op);
    if (op->state == PL_OP_PENDING && task->exit != NULL &&
        op != &task->exit->children)
        limit_defers(task);
    return wait_for(task, op);
}

bool pl_task_prepare_wait(struct pl_task *task, struct pl_op *op)
{
    PL_ASSERT(op->state != PL_OP_IDLE && op->task == NULL && op->done == NULL);
    PL_ASSERT(task->sched->current == task && task->waiting == NULL);
    if (PL_UNLIKELY(task->canceled || task->exit != NULL))
        return wait_hurried(task, op);
    return wait_for(task, op);
}

/* ---- cancelling ---- */

/* Cancels one task. Returns whether its children are still to be told: not if
 * it was cancelled before (so were they), nor while its defers run or when it
 * has ended (it has seen to them). */
static bool cancel_one(struct pl_task *task)
{
    if (task->canceled || task->ended)
        return false;
    task->canceled = true;
    if (task->exit != NULL)
        return false;
    if (task->waiting != NULL)
        pl_op_cancel(task->waiting);
    return true;
}

static struct pl_task *first_child(const struct pl_task *task)
{
    return PL_LIST_ENTRY(task->children.next, struct pl_task, sibling);
}

/* The task after at, in the order parents before children, below root; NULL
 * when that was the last. */
static struct pl_task *next_below(const struct pl_task *root,
                                  struct pl_task *at, bool descend)
{
    if (descend && !pl_list_empty(&at->children))
        return first_child(at);
    while (at != root) {
        if (at->sibling.next != &at->parent->children)
            return PL_LIST_ENTRY(at->sibling.next, struct pl_task, sibling);
        at = at->parent;
    }
    return NULL;
}

void pl_task_cancel_children(struct pl_task *task)
{
    struct pl_task *at = next_below(task, task, true);

    while (at != NULL)
        at = next_below(task, at, cancel_one(at));
}

void pl_task_cancel(struct pl_task *task)
{
    if (cancel_one(task))
        pl_task_cancel_children(task);
}

PL_COLD void pl_sched_cancel_all(struct pl_sched *sched)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &sched->roots)
        pl_task_cancel(PL_LIST_ENTRY(node, struct pl_task, sibling));
}

/* ---- joining ---- */

/* The waiter lets go; the task goes on. */
static void cancel_join(struct pl_op *op)
{
    struct pl_join_op *join = PL_CONTAINER_OF(op, struct pl_join_op, op);
    struct pl_join_op **at = &join->task->joins;

    while (*at != join)
        at = &(*at)->next;
    *at = join->next;
    join->task = NULL;
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_task_join_begin(struct pl_join_op *join, struct pl_task *task)
{
    struct pl_join_op **at = &task->joins;

    pl_op_init(&join->op, task->sched, cancel_join);
    pl_op_begin(&join->op);
    join->task = task;
    join->next = NULL;
    while (*at != NULL) /* completed in the order of joining */
        at = &(*at)->next;
    *at = join;
}

static void complete_joins(struct pl_task *task)
{
    struct pl_join_op *join;

    while ((join = task->joins) != NULL) {
        task->joins = join->next;
        join->task = NULL;
        pl_op_complete(&join->op, task->result);
    }
}

/* ---- defers and the exit ---- */

void pl_task_defer(struct pl_task *task, struct pl_task_defer *defer,
                   void (*fn)(void *arg), void *arg)
{
    *defer = (struct pl_task_defer){.next = task->defers, .fn = fn, .arg = arg};
    task->defers = defer;
}

void pl_task_undefer(struct pl_task *task, struct pl_task_defer *defer)
{
    struct pl_task_defer **at = &task->defers;

    while (*at != defer)
        at = &(*at)->next;
    *at = defer->next;
}

void pl_task_run_defers(struct pl_task *task)
{
    struct pl_task_defer *defer;

    while ((defer = task->defers) != NULL) {
        task->defers = defer->next;
        defer->fn(defer->arg); /* may free defer, or add another */
    }
}

PL_COLD static void on_defers_late(struct pl_timer *timer)
{
    struct pl_task_exit *exit =
        PL_CONTAINER_OF(timer, struct pl_task_exit, limit);
    struct pl_task *task = exit->task;

    exit->expired = true;
    task->canceled = true;
    if (task->waiting != NULL)
        pl_op_cancel(task->waiting);
    pl_task_cancel_children(task);
}

void pl_task_exit_begin(struct pl_task *task, struct pl_task_exit *exit)
{
    PL_ASSERT(task->exit == NULL && !task->ended);
    pl_task_cancel_children(task);
    *exit = (struct pl_task_exit){.task = task};
    pl_timer_init(&exit->limit, on_defers_late);
    pl_op_init(&exit->children, task->sched, NULL);
    pl_op_begin(&exit->children);
    if (pl_list_empty(&task->children))
        pl_op_complete(&exit->children, 0);
    task->exit = exit;
}

void pl_task_exit_end(struct pl_task *task)
{
    struct pl_task_exit *exit = task->exit;

    PL_ASSERT(exit != NULL && exit->children.state == PL_OP_DONE);
    if (exit->limit.armed)
        pl_timer_stop(pl_loop_wheel(task->sched->loop), &exit->limit);
    task->exit = NULL;
}

/* ---- ending ---- */

/* Runs the defers of an ended task on the loop's stack, in its name. */
static void run_last_defers(struct pl_task *task)
{
    struct pl_task *before = task->sched->current;

    task->sched->current = task;
    pl_task_run_defers(task);
    task->sched->current = before;
    pl_task_cancel_children(task); /* whom they have spawned */
}

static void release(struct pl_task *task)
{
    pl_list_remove(&task->sibling);
    task->sched->live--;
    if (task->sched->seen == task)
        task->sched->seen = NULL;
    if (task->meter != NULL && task->meter->root == task)
        task->meter->root = NULL;
    if (task->over != NULL)
        task->over(task);
    if (task->joins != NULL)
        complete_joins(task);
    task->type->release(task);
}

/* Releases task if it is over, and then every ancestor that has waited only
 * for it. */
static void settle(struct pl_task *task)
{
    struct pl_task *parent;

    for (; task != NULL && pl_list_empty(&task->children); task = parent) {
        if (!task->ended) {
            if (task->exit != NULL &&
                task->exit->children.state == PL_OP_PENDING)
                pl_op_complete(&task->exit->children, 0);
            return;
        }
        if (task->defers != NULL) {
            run_last_defers(task);
            if (!pl_list_empty(&task->children))
                return;
        }
        parent = task->parent;
        release(task);
    }
}

void pl_task_end(struct pl_task *task, int result)
{
    PL_ASSERT(!task->ended && task->waiting == NULL && task->exit == NULL);
    task->ended = true;
    task->result = result;
    if (!pl_list_empty(&task->children))
        pl_task_cancel_children(task);
    settle(task);
}
