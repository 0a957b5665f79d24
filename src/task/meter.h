/* meter.h - what a task and its children use, and how much of it they may.
 *
 * A meter belongs to somebody who outlives the tasks (a request). The scheduler
 * adds up what each run takes; lua/ adds the memory. What goes beyond a limit
 * is noted in over, and the tasks are cancelled: at once if they wait, else
 * after the run, unless a watchdog interrupts it at sched->deadline.
 *
 * Without a meter a task costs one comparison a run. */
#ifndef PL_TASK_METER_H
#define PL_TASK_METER_H

#include "task/task.h"

struct pl_budget {
    uint64_t wall_ms; /* from the beginning, waits included */
    uint64_t cpu_ms;  /* of all runs */
    uint64_t memory;  /* bytes by which Lua's heap may grow in runs */
};

enum pl_over { PL_OVER_NONE, PL_OVER_WALL, PL_OVER_CPU, PL_OVER_MEMORY };

struct pl_meter {
    struct pl_budget budget; /* 0: no limit */
    struct pl_sched *sched;
    struct pl_task *root;  /* whose tree is cancelled; NULL: none runs yet */
    struct pl_timer limit; /* of wall */
    uint64_t wall_end;     /* UINT64_MAX: none */
    uint64_t cpu_limit;    /* ns; UINT64_MAX: none */
    uint64_t cpu;          /* ns, of runs that are over */
    int64_t held;          /* bytes, now and at most */
    int64_t peak;
    enum pl_over over;
    bool told; /* somebody has logged that */
    /* For lua/: the collector was told to begin; what was refused last. */
    bool nudged;
    int64_t refused;
};

/* began: when it began, ns of the loop's clock. */
void pl_meter_init(struct pl_meter *meter, struct pl_sched *sched,
                   const struct pl_budget *budget, uint64_t began);

/* Its tasks are over, or will not be measured any more. Also in a run of one.
 */
void pl_meter_end(struct pl_meter *meter);

/* task and what it starts are measured from now on. Before its first run. */
void pl_meter_add(struct pl_meter *meter, struct pl_task *task);

/* ns of CPU, this moment of the run included. */
uint64_t pl_meter_cpu(const struct pl_meter *meter);

/* What is over, with this moment included, and sets the deadline anew: for
 * signal handlers on the thread of the run, too. */
enum pl_over pl_meter_judge(struct pl_meter *meter);

/* Runs the task (sched.c). */
void pl_meter_run(struct pl_task *task);

/* "it took more than its 2 s": what over means, for people. */
void pl_meter_why(const struct pl_meter *meter, char *out, size_t size);

#endif
