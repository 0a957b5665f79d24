/* fiber.c - tasks with a stack of their own.
 *
 *     | guard | <- grows down ... first frame | struct fiber |
 *
 * The task stands at the top of its stack: one allocation for both, and a
 * parked fiber that calls little touches one page. All switches go between the
 * loop's stack and one fiber, never from fiber to fiber. */
#include "task/fiber.h"

#include "base/sys.h"
#include "task/annotate.h"
#include "task/context.h"
#include "task/stacks.h"
#include "task/task_priv.h"

struct fiber {
    struct pl_task task;
    struct pl_context context;
    pl_fiber_fn *fn;
    void *arg;
    struct pl_side side;
    bool over; /* fn and the defers have returned */
};

struct pl_stacks {
    struct pl_stack_pool pool;
    struct pl_context loop; /* where the loop's stack was left */
    struct pl_side side;
};

/* Aligned to a cache line. */
enum { FIBER_SIZE = (sizeof(struct fiber) + 63) & ~(size_t)63 };

_Static_assert(sizeof(struct pl_task) <= 160, "two and a half cache lines");

static struct fiber *fiber_of(struct pl_task *task)
{
    return PL_CONTAINER_OF(task, struct fiber, task);
}

static char *stack_of(struct fiber *fiber)
{
    return (char *)fiber + FIBER_SIZE - PL_STACK_SIZE;
}

/* ---- on the fiber ---- */

static void park(struct fiber *fiber)
{
    struct pl_stacks *stacks = fiber->task.sched->stacks;

    pl_side_leave(&fiber->side, &stacks->side, false);
    pl_context_switch(&fiber->context, &stacks->loop);
    pl_side_arrive(&fiber->side, &stacks->side);
}

/* What outlives fn. Its own function, for its frame is rarely needed. */
static PL_NOINLINE void leave(struct pl_task *task)
{
    struct pl_task_exit exit;

    pl_task_exit_begin(task, &exit);
    pl_op_wait(&exit.children);
    pl_task_run_defers(task);
    pl_task_exit_end(task);
}

static void run(struct fiber *fiber)
{
    struct pl_task *task = &fiber->task;

    task->result = fiber->fn(fiber->arg);
    if (!pl_list_empty(&task->children) || task->defers != NULL)
        leave(task);
    fiber->over = true;
}

/* Not instrumented: it leaves its stack for ever by returning. */
static PL_NO_SANITIZE struct pl_context *fiber_main(void *arg)
{
    struct fiber *fiber = arg;
    struct pl_stacks *stacks = fiber->task.sched->stacks;

    pl_side_arrive(&fiber->side, &stacks->side);
    run(fiber);
    pl_side_leave(&fiber->side, &stacks->side, true);
    return &stacks->loop;
}

/* ---- on the loop's stack ---- */

static void resume(struct pl_task *task)
{
    struct fiber *fiber = fiber_of(task);
    struct pl_stacks *stacks = task->sched->stacks;

    pl_side_leave(&stacks->side, &fiber->side, false);
    pl_context_switch(&stacks->loop, &fiber->context);
    pl_side_arrive(&stacks->side, &fiber->side);
    if (fiber->over)
        pl_task_end(task, task->result);
}

static void release(struct pl_task *task)
{
    struct fiber *fiber = fiber_of(task);

    pl_side_fini_fiber(&fiber->side);
    pl_stack_put(&task->sched->stacks->pool, stack_of(fiber));
}

static const struct pl_task_type fiber_type = {"fiber", resume, release};

/* The stacks of sched, made when first needed; NULL when out of memory. */
static struct pl_stacks *stacks_of(struct pl_sched *sched)
{
    struct pl_stacks *stacks = sched->stacks;

    if (PL_LIKELY(stacks != NULL))
        return stacks;
    stacks = pl_calloc(1, sizeof(*stacks));
    if (stacks != NULL) {
        pl_stack_pool_init(&stacks->pool, sched->loop, sched->fiber_limit);
        pl_side_init_thread(&stacks->side);
        sched->stacks = stacks;
    }
    return stacks;
}

void pl_stacks_free(struct pl_stacks *stacks)
{
    if (stacks == NULL)
        return;
    pl_stack_pool_fini(&stacks->pool);
    pl_free(stacks);
}

struct pl_task *pl_fiber_new(struct pl_sched *sched, struct pl_task *parent,
                             pl_fiber_fn *fn, void *arg)
{
    struct pl_stacks *stacks = stacks_of(sched);
    char *base = stacks == NULL ? NULL : pl_stack_get(&stacks->pool);
    struct fiber *fiber;

    if (base == NULL)
        return NULL;
    fiber = (struct fiber *)(void *)(base + PL_STACK_SIZE - FIBER_SIZE);
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->over = false;
    pl_task_init(&fiber->task, &fiber_type, sched, parent);
    pl_context_make(&fiber->context, base, (char *)fiber, fiber_main, fiber);
    pl_side_init_fiber(&fiber->side, base, PL_STACK_SIZE);
    return &fiber->task;
}

int pl_fiber_spawn(struct pl_sched *sched, struct pl_task *parent,
                   pl_fiber_fn *fn, void *arg, struct pl_join_op *join)
{
    struct pl_task *task = pl_fiber_new(sched, parent, fn, arg);

    if (task == NULL)
        return PL_ERR_NOMEM;
    if (join != NULL)
        pl_task_join_begin(join, task);
    pl_task_start(task);
    return 0;
}

/* ---- waiting ---- */

uintptr_t pl_fiber_stack_end(const struct pl_task *task)
{
    return task->type == &fiber_type ? (uintptr_t)task : 0;
}

/* Not instrumented: red zones between variables are read, too. */
PL_COLD PL_NO_SANITIZE size_t pl_fiber_copy_stack(const struct pl_task *task,
                                                  uintptr_t *words, size_t n)
{
    size_t copied = 0;
#if PL_CONTEXT_ASM
    const struct fiber *fiber;
    const uintptr_t *word;

    if (task->type != &fiber_type || task == pl_task_current())
        return 0;
    fiber = PL_CONTAINER_OF(task, const struct fiber, task);
    word = fiber->context.sp;
    while (copied < n && (uintptr_t)(word + 1) <= (uintptr_t)fiber)
        words[copied++] = *word++;
#else
    (void)task;
    (void)words;
    (void)n;
#endif
    return copied;
}

bool pl_on_fiber(void)
{
    struct pl_task *task = pl_task_current();

    return task != NULL && task->type == &fiber_type;
}

int pl_op_wait(struct pl_op *op)
{
    struct pl_task *task = op->sched->current;

    PL_ASSERT(task != NULL && task->type == &fiber_type);
    PL_ASSERT(op->sched->lua_depth == 0); /* a Lua frame is on this stack */
    if (pl_task_prepare_wait(task, op))
        park(fiber_of(task));
    PL_ASSERT(op->state == PL_OP_DONE);
    return op->result;
}

int pl_fiber_sleep(uint64_t ms)
{
    struct pl_sched *sched = pl_sched_current();
    struct pl_sleep_op sleep;

    PL_ASSERT(pl_on_fiber());
    /* The caller may have computed for long before. */
    pl_loop_update_now(sched->loop);
    pl_sleep_begin(&sleep, sched, pl_now(sched->loop) + ms * 1000000);
    return pl_op_wait(&sleep.op);
}

void pl_fiber_stats(struct pl_sched *sched, unsigned *stacks, unsigned *used)
{
    struct pl_stacks *all = sched->stacks;

    *stacks = all == NULL ? 0 : all->pool.total;
    *used = all == NULL ? 0 : all->pool.total - all->pool.count;
}
