#include "task/meter.h"

#include <stdio.h>

#include "base/sys.h"
#include "task/task_priv.h"

/* How soon a run that is to end is interrupted again. */
enum { MS = 1000000, AGAIN_NS = 20 * MS };

static void exceed(struct pl_meter *meter, enum pl_over over)
{
    if (meter->over == PL_OVER_NONE)
        meter->over = over;
    if (meter->root != NULL)
        pl_task_cancel(meter->root);
}

PL_COLD static void on_wall_over(struct pl_timer *timer)
{
    exceed(PL_CONTAINER_OF(timer, struct pl_meter, limit), PL_OVER_WALL);
}

void pl_meter_init(struct pl_meter *meter, struct pl_sched *sched,
                   const struct pl_budget *budget, uint64_t began)
{
    *meter = (struct pl_meter){
        .budget = *budget,
        .sched = sched,
        .wall_end = UINT64_MAX,
        .cpu_limit = budget->cpu_ms == 0 ? UINT64_MAX : budget->cpu_ms * MS};
    pl_timer_init(&meter->limit, on_wall_over);
    if (budget->wall_ms == 0)
        return;
    meter->wall_end = began + budget->wall_ms * MS;
    pl_timer_start(pl_loop_wheel(sched->loop), &meter->limit, meter->wall_end);
}

void pl_meter_end(struct pl_meter *meter)
{
    struct pl_sched *sched = meter->sched;

    meter->root = NULL;
    if (meter->limit.armed)
        pl_timer_stop(pl_loop_wheel(sched->loop), &meter->limit);
    if (sched->meter == meter)
        sched->meter = NULL;
}

void pl_meter_add(struct pl_meter *meter, struct pl_task *task)
{
    task->meter = meter;
    if (meter->root == NULL)
        meter->root = task;
}

/* ---- a run ---- */

uint64_t pl_meter_cpu(const struct pl_meter *meter)
{
    const struct pl_sched *sched = meter->sched;

    return sched->meter != meter
               ? meter->cpu
               : meter->cpu + pl_clock_thread() - sched->run_began;
}

static void set_deadline(struct pl_sched *sched, uint64_t deadline)
{
    atomic_store_explicit(&sched->deadline, deadline, memory_order_relaxed);
    if (deadline != 0 && sched->on_deadline != NULL)
        sched->on_deadline(sched->on_deadline_arg, deadline);
}

enum pl_over pl_meter_judge(struct pl_meter *meter)
{
    uint64_t now = pl_clock_monotonic(), deadline = meter->wall_end;
    uint64_t cpu = meter->budget.cpu_ms == 0 ? 0 : pl_meter_cpu(meter);

    if (meter->over == PL_OVER_NONE && now >= meter->wall_end)
        meter->over = PL_OVER_WALL;
    else if (meter->over == PL_OVER_NONE && cpu > meter->cpu_limit)
        meter->over = PL_OVER_CPU;
    if (meter->over != PL_OVER_NONE)
        deadline = now + AGAIN_NS;
    else if (meter->budget.cpu_ms != 0)
        deadline = PL_MIN(deadline, now + meter->cpu_limit - cpu);
    if (deadline != UINT64_MAX)
        set_deadline(meter->sched, deadline);
    return meter->over;
}

/* The meter may end in the run, with the task or before. */
void pl_meter_run(struct pl_task *task)
{
    struct pl_sched *sched = task->sched;
    struct pl_meter *meter = task->meter;

    sched->run_began = pl_clock_thread();
    sched->meter = meter;
    pl_meter_judge(meter);
    task->type->resume(task);
    set_deadline(sched, 0);
    if (sched->meter == NULL)
        return;
    meter->cpu = pl_meter_cpu(meter);
    sched->meter = NULL;
    if (meter->cpu > meter->cpu_limit)
        exceed(meter, PL_OVER_CPU);
    else if (meter->over != PL_OVER_NONE)
        exceed(meter, meter->over);
}

PL_COLD void pl_meter_why(const struct pl_meter *meter, char *out, size_t size)
{
    const struct pl_budget *budget = &meter->budget;

    switch (meter->over) {
    case PL_OVER_WALL:
        snprintf(out, size, "it took more than its %.3g s",
                 (double)budget->wall_ms / 1e3);
        break;
    case PL_OVER_CPU:
        snprintf(out, size, "it used more than its %.3g s of CPU",
                 (double)budget->cpu_ms / 1e3);
        break;
    case PL_OVER_MEMORY:
        snprintf(out, size, "it held more than its %.4g MiB of Lua's memory",
                 (double)budget->memory / (1 << 20));
        break;
    case PL_OVER_NONE:
        snprintf(out, size, "it is within its budget");
    }
}
