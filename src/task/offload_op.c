/* offload_op.c - waiting for work on an offload thread.
 *
 * Two hold a job: the thread until on_work_over(), the caller until its op is
 * cancelled or ended. The second to leave frees it, on the worker's thread. */
#include "base/pool.h"
#include "loop/offload.h"
#include "task/task_priv.h"

struct pl_offload_job {
    struct pl_job job;
    struct pl_offload_op *offload; /* NULL: the caller has left */
    struct pl_sched *sched;
    int (*work)(void *arg);
    void *arg;
    void (*free_arg)(void *arg);
    int result;
};

static void free_job(struct pl_offload_job *job)
{
    struct pl_pool *pool = pl_loop_pool(job->sched->loop);

    if (job->free_arg != NULL)
        job->free_arg(job->arg);
    pl_pool_put(pool, job, sizeof(*job));
}

static void do_work(struct pl_job *base)
{
    struct pl_offload_job *job =
        PL_CONTAINER_OF(base, struct pl_offload_job, job);

    job->result = job->work(job->arg);
}

static void on_work_over(struct pl_job *base)
{
    struct pl_offload_job *job =
        PL_CONTAINER_OF(base, struct pl_offload_job, job);

    struct pl_offload_op *offload = job->offload;
    int result = job->result;

    job->sched->jobs--;
    if (offload == NULL) {
        free_job(job);
        return;
    }
    if (offload->counted) {
        offload->job = NULL;
        free_job(job);
    }
    pl_op_complete(&offload->op, result);
}

static void abandon_work(struct pl_op *op)
{
    struct pl_offload_op *offload =
        PL_CONTAINER_OF(op, struct pl_offload_op, op);

    offload->job->offload = NULL;
    offload->job = NULL;
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_offload_end(struct pl_offload_op *offload)
{
    PL_ASSERT(offload->op.state == PL_OP_DONE);
    if (offload->job != NULL)
        free_job(offload->job);
    offload->job = NULL;
}

/* A job in the hands of the offload threads; err says why there is none. */
static struct pl_offload_job *submit(struct pl_offload_op *offload,
                                     struct pl_offload *threads,
                                     int (*work)(void *arg), void *arg,
                                     void (*free_arg)(void *arg), int *err)
{
    struct pl_sched *sched = offload->op.sched;
    struct pl_pool *pool = pl_loop_pool(sched->loop);
    struct pl_offload_job *job = pl_pool_get(pool, sizeof(*job));

    *err = PL_ERR_NOMEM;
    if (job == NULL)
        return NULL;
    *job = (struct pl_offload_job){
        .job = {.work = do_work,
                .done = on_work_over,
                .reply = pl_loop_mailbox(sched->loop)},
        .offload = offload,
        .sched = sched,
        .work = work,
        .arg = arg,
        .free_arg = free_arg,
    };
    *err = pl_offload_submit(threads, &job->job);
    if (*err == 0)
        return job;
    pl_pool_put(pool, job, sizeof(*job));
    return NULL;
}

void pl_offload_begin_on(struct pl_offload_op *offload, struct pl_sched *sched,
                         struct pl_offload *threads, int (*work)(void *arg),
                         void *arg, void (*free_arg)(void *arg))
{
    int err;

    PL_ASSERT(threads != NULL);
    pl_op_init(&offload->op, sched, abandon_work);
    pl_op_begin(&offload->op);
    offload->counted = false;
    offload->job = submit(offload, threads, work, arg, free_arg, &err);
    if (offload->job != NULL) {
        sched->jobs++;
        return;
    }
    if (free_arg != NULL)
        free_arg(arg);
    pl_op_complete(&offload->op, err);
}

void pl_offload_begin(struct pl_offload_op *offload, struct pl_sched *sched,
                      int (*work)(void *arg), void *arg,
                      void (*free_arg)(void *arg))
{
    pl_offload_begin_on(offload, sched, sched->offload, work, arg, free_arg);
}
