/* process_run.c - a program from its start to its end, as one operation.
 *
 * It is made of others: the start, the end, and one for each stream. Each
 * goes on by itself in its done(); the run is DONE when none is pending. A run
 * that is to end early (run->result says why) ends its program, and with that
 * all of them end. */
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "os/process.h"

enum { BLOCK = 64 * 1024 };

/* One of the operations is over; perhaps it was the last. */
static void leave(struct pl_process_run *run)
{
    struct pl_loop *loop = run->op.sched->loop;

    if (--run->pending > 0)
        return;
    pl_timer_stop(pl_loop_wheel(loop), &run->deadline);
    run->status = run->process->status;
    run->signal = run->process->signal;
    pl_process_release(run->process);
    pl_op_complete(&run->op, run->result);
}

static void close_streams(struct pl_process_run *run)
{
    for (int i = 0; i < PL_PROCESS_STREAMS; i++)
        pl_process_close(run->process, i);
}

/* The first reason counts. Whoever still holds the output of a program that
 * was ended is not waited for. */
static void end_early(struct pl_process_run *run, int reason)
{
    if (run->result == 0)
        run->result = reason;
    if (run->process->state == PL_PROCESS_STARTING) {
        pl_op_cancel(&run->start.offload.op);
        return;
    }
    pl_process_terminate(run->process);
    if (run->process->state >= PL_PROCESS_EXITED)
        close_streams(run);
}

/* ---- streams ---- */

static void wait_stream(struct pl_process_run *run, int stream);

/* Room for one more block, but no more than the limit allows. */
static int reserve(struct pl_process_output *out)
{
    size_t size = PL_MAX(out->size * 2, (size_t)BLOCK);
    char *data;

    if (out->size - out->len >= BLOCK / 2)
        return 0;
    data = pl_realloc(out->data, size);
    if (data == NULL)
        return PL_ERR_NOMEM;
    out->data = data;
    out->size = size;
    return 0;
}

/* Returns PL_ERR_AGAIN, 0 at the end, or PL_ERR_*. */
static ssize_t read_output(struct pl_process_run *run, int stream)
{
    struct pl_process_output *out =
        stream == PL_PROCESS_OUT ? &run->out : &run->err;
    ssize_t n = reserve(out);

    if (n < 0)
        return n;
    n = pl_process_take(
        run->process, stream, out->data + out->len,
        PL_MIN(out->size - out->len, run->max_output - out->len + 1));
    if (n <= 0)
        return n;
    out->len += (size_t)n;
    if (out->len <= run->max_output)
        return PL_ERR_AGAIN;
    out->len = run->max_output;
    snprintf(run->problem, sizeof(run->problem), "more output than its limit");
    return PL_ERR_LIMIT;
}

/* The same. A program need not read its input. */
static ssize_t write_input(struct pl_process_run *run)
{
    ssize_t n;

    if (run->input.len == 0)
        return 0;
    n = pl_process_give(run->process, run->input.data, run->input.len);
    if (n < 0)
        return n == PL_ERR_CLOSED ? 0 : n;
    run->input = pl_str_skip(run->input, (size_t)n);
    return run->input.len == 0 ? 0 : PL_ERR_AGAIN;
}

static void on_stream_ready(struct pl_op *op)
{
    struct pl_process_io_op *io =
        PL_CONTAINER_OF(op, struct pl_process_io_op, op);
    struct pl_process_run *run =
        PL_CONTAINER_OF(io - io->stream, struct pl_process_run, io[0]);
    ssize_t n = op->result;

    if (n == 0 && run->result == 0) {
        n = io->stream == PL_PROCESS_IN ? write_input(run)
                                        : read_output(run, io->stream);
        if (n == PL_ERR_AGAIN) {
            wait_stream(run, io->stream);
            return;
        }
    }
    pl_process_close(run->process, io->stream);
    if (n < 0 && n != PL_ERR_CLOSED && n != PL_ERR_CANCELED)
        end_early(run, (int)n);
    leave(run);
}

static void wait_stream(struct pl_process_run *run, int stream)
{
    pl_process_io_begin(&run->io[stream], run->process, stream);
    pl_op_then(&run->io[stream].op, on_stream_ready);
}

/* ---- the program ---- */

static void on_exited(struct pl_op *op)
{
    struct pl_process_run *run =
        PL_CONTAINER_OF(PL_CONTAINER_OF(op, struct pl_process_wait_op, op),
                        struct pl_process_run, wait);

    pl_process_close(run->process, PL_PROCESS_IN);
    if (run->result < 0)
        close_streams(run);
    leave(run);
}

static void on_started(struct pl_op *op)
{
    struct pl_process_start_op *start =
        PL_CONTAINER_OF(PL_CONTAINER_OF(op, struct pl_offload_op, op),
                        struct pl_process_start_op, offload);
    struct pl_process_run *run =
        PL_CONTAINER_OF(start, struct pl_process_run, start);

    if (op->result < 0) {
        if (run->result == 0) {
            run->result = op->result;
            snprintf(run->problem, sizeof(run->problem), "%s",
                     pl_process_problem(run->process, op->result));
        }
        leave(run);
        return;
    }
    for (int i = 0; i < PL_PROCESS_STREAMS; i++) {
        if (run->process->fds[i] < 0)
            continue;
        run->pending++;
        wait_stream(run, i);
    }
    pl_process_wait_begin(&run->wait, run->process);
    pl_op_then(&run->wait.op, on_exited); /* in the place of the start */
}

/* ---- the operation ---- */

static void on_deadline(struct pl_timer *timer)
{
    struct pl_process_run *run =
        PL_CONTAINER_OF(timer, struct pl_process_run, deadline);

    end_early(run, PL_ERR_TIMEOUT);
}

static void cancel_run(struct pl_op *op)
{
    end_early(PL_CONTAINER_OF(op, struct pl_process_run, op), PL_ERR_CANCELED);
}

void pl_process_run_begin(struct pl_process_run *run, struct pl_task *task,
                          const struct pl_process_spec *spec)
{
    struct pl_loop *loop = task->sched->loop;
    int err;

    pl_op_init(&run->op, task->sched, cancel_run);
    pl_op_begin(&run->op);
    run->out = run->err = (struct pl_process_output){NULL, 0, 0};
    run->status = run->signal = run->result = 0;
    run->problem[0] = '\0';
    run->pending = 1;
    pl_timer_init(&run->deadline, on_deadline);
    err = pl_process_new(task, spec, &run->process);
    if (err < 0) {
        pl_op_complete(&run->op, err);
        return;
    }
    if (run->timeout > 0)
        pl_timer_start(pl_loop_wheel(loop), &run->deadline,
                       pl_now(loop) + run->timeout);
    pl_process_start_begin(&run->start, run->process);
    pl_op_then(&run->start.offload.op, on_started);
}

void pl_process_run_fini(struct pl_process_run *run)
{
    pl_free(run->out.data);
    pl_free(run->err.data);
    run->out.data = run->err.data = NULL;
}
