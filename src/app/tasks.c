/* tasks.c - what a C program does besides answering requests (perilune.h):
 * functions and timers of its workers, and who looks at messages.
 *
 * All of it begins when a worker does (its commit), as fibers without a parent;
 * the end of the worker cancels them. What is for one worker is done by the one
 * that leads (share/member.h), and by another when that has ended. */
#include "app/app.h"
#include "base/features.h"
#include "base/log.h"
#include "base/sys.h"
#include "task/fiber.h"

struct pl_app_task {
    struct pl_app_task *next;
    struct pl_app *app;
    enum pl_where where;
    uint64_t period; /* ns; 0: it is called once */
    void (*fn)(struct pl_app *app, void *arg);
    void *arg;
};

/* ---- of the program ---- */

static int add_task(struct pl_app *app, const char *call,
                    const struct pl_app_task *made)
{
    struct pl_app_task *task;

    if (app->running)
        return PL_ERR_STATE;
    task = pl_malloc(sizeof(*task));
    if (task == NULL)
        return pl_app_note(app, PL_ERR_NOMEM, call, "", "out of memory");
    *task = *made;
    task->next = app->tasks;
    app->tasks = task;
    return 0;
}

int pl_app_spawn(struct pl_app *app, enum pl_where where,
                 void (*fn)(struct pl_app *app, void *arg), void *arg)
{
    const struct pl_app_task task = {NULL, app, where, 0, fn, arg};

    return add_task(app, "pl_app_spawn", &task);
}

int pl_app_every(struct pl_app *app, enum pl_where where, uint64_t ms,
                 void (*fn)(struct pl_app *app, void *arg), void *arg)
{
    const struct pl_app_task task = {NULL, app, where, ms * 1000000, fn, arg};

    if (!app->running && (ms == 0 || ms > PL_EVERY_MAX))
        return pl_app_note(app, PL_ERR_INVALID, "pl_app_every", "",
                           "ms must be from 1 to PL_EVERY_MAX");
    return add_task(app, "pl_app_every", &task);
}

void pl_app_on_message(struct pl_app *app,
                       void (*fn)(struct pl_app *app, int from,
                                  struct pl_str message, void *arg),
                       void *arg)
{
    app->on_message = fn;
    app->on_message_arg = arg;
}

void pl_app_forget_tasks(struct pl_app *app)
{
    struct pl_app_task *task;

    while ((task = app->tasks) != NULL) {
        app->tasks = task->next;
        pl_free(task);
    }
}

/* ---- tasks of a worker ---- */

static int call(void *arg)
{
    struct pl_app_task *task = arg;

    task->fn(task->app, task->arg);
    return 0;
}

static int sleep_until(uint64_t due)
{
    struct pl_sleep_op sleep;

    pl_sleep_begin(&sleep, pl_sched_current(), due);
    return pl_op_wait(&sleep.op);
}

/* Each call is a task of its own, so that what it defers is done at its end. */
static int call_and_wait(struct pl_app_task *task)
{
    struct pl_join_op join;
    int err = pl_fiber_spawn(pl_sched_current(), pl_task_current(), call, task,
                             &join);

    if (err == 0)
        return pl_op_wait(&join.op);
    pl_log(PL_LOG_ERROR, "app", "no memory for a timer");
    return 0;
}

/* Due at fixed moments, a period apart; those that pass while fn runs are left
 * out. */
static int call_again(void *arg)
{
    struct pl_app_task *task = arg;
    struct pl_loop *loop = pl_sched_current()->loop;
    uint64_t due = pl_now(loop) + task->period;
    int err;

    while ((err = sleep_until(due)) == 0 && (err = call_and_wait(task)) == 0) {
        uint64_t now = pl_now(loop);

        due += task->period;
        if (due < now)
            due += (now - due + task->period - 1) / task->period * task->period;
    }
    return err;
}

static int start_tasks(struct pl_worker *worker, enum pl_where where)
{
    struct pl_app *app = worker->generation->loader->arg;
    int err = 0;

    for (struct pl_app_task *task = app->tasks; task != NULL && err == 0;
         task = task->next)
        if (task->where == where)
            err = pl_fiber_spawn(&worker->sched, NULL,
                                 task->period == 0 ? call : call_again, task,
                                 NULL);
    return err;
}

/* ---- what others tell this worker ---- */

/* A fiber of the worker: one message after another. */
static int look_at_messages(void *arg)
{
    struct pl_worker *worker = arg;
    struct pl_app *app = worker->generation->loader->arg;
    struct pl_envelope *envelope;

    while ((envelope = pl_member_next(&worker->member)) != NULL) {
        const struct pl_message *message = envelope->message;

        if (message->value.type == PL_DATUM_STRING && app->on_message != NULL)
            app->on_message(app, message->from, message->value.bytes,
                            app->on_message_arg);
        pl_envelope_release(envelope);
    }
    worker->looking = false;
    return 0;
}

/* Without memory for a fiber they wait for the next one to come. */
static void on_message(void *arg)
{
    struct pl_worker *worker = arg;

    if (worker->looking)
        return;
    worker->looking = true;
    if (pl_fiber_spawn(&worker->sched, NULL, look_at_messages, worker, NULL) <
        0)
        worker->looking = false;
}

static void on_lead(void *arg)
{
    if (start_tasks(arg, PL_ONE_WORKER) < 0)
        pl_log(PL_LOG_ERROR, "app", "no memory for what one worker does");
}

int pl_app_commit(void *app, struct pl_generation *gen)
{
    static const struct pl_member_ops ops = {on_message, on_lead};

    struct pl_worker *worker = gen->worker;
    int err = 0;

    (void)app;
    if (PL_WITH_SHARE)
        pl_member_stand(&worker->member, &ops, worker);
    else if (worker->id == 0) /* nobody follows it */
        err = start_tasks(worker, PL_ONE_WORKER);
    return err < 0 ? err : start_tasks(worker, PL_EACH_WORKER);
}
