#include "os/process.h"

#include <poll.h>
#include <stdio.h>

#include "base/check.h"
#include "base/error.h"
#include "os/process_priv.h"

enum {
    MAGIC = 0x52504c50,
    LOOK_NS = 20 * 1000 * 1000, /* between two looks without a pidfd */
    REAP_TRIES = 10,
};

/* ---- the end ---- */

static void free_process(struct pl_process *process)
{
    PL_CHECK(process, MAGIC);
    process->magic = 0;
    pl_process_plan_free(process->plan);
    pl_free(process);
}

/* Takes it away from its task. */
static void leave_task(struct pl_process *process)
{
    if (process->task != NULL)
        pl_task_undefer(process->task, &process->defer);
    process->task = NULL;
}

static void end_exit_watch(struct pl_process *process)
{
    struct pl_loop *loop = process->sched->loop;

    pl_loop_remove(loop, &process->exit, false);
    if (process->exit.fd >= 0)
        pl_sys_close(process->exit.fd);
    process->exit.fd = -1;
    pl_timer_stop(pl_loop_wheel(loop), &process->timer);
}

/* Nobody asks for it any more: the last look at it. */
static void settle(struct pl_process *process)
{
    if (process->state == PL_PROCESS_OVER && process->task == NULL)
        free_process(process);
}

static void wake_waiters(struct pl_process *process, int result)
{
    struct pl_list *node;

    while ((node = pl_list_pop(&process->waiters)) != NULL)
        pl_op_complete(
            &PL_LIST_ENTRY(node, struct pl_process_wait_op, node)->op, result);
}

/* Is its output closed at the other side, too? */
static bool is_held(const struct pl_process *process)
{
    for (int i = PL_PROCESS_OUT; i <= PL_PROCESS_ERR; i++) {
        struct pollfd look = {.fd = process->fds[i]};

        if (look.fd >= 0 && poll(&look, 1, 0) == 0)
            return true;
    }
    return false;
}

static void reap(struct pl_process *process)
{
    siginfo_t info;

    if (process->ending)
        pl_sys_kill(-process->pid, SIGKILL); /* who is left of its group */
    for (int i = 0; i < REAP_TRIES; i++)
        if (pl_sys_waitid(process->pid, &info, WEXITED | WNOHANG) == 0 ||
            errno == ECHILD)
            break;
    process->state = PL_PROCESS_OVER;
    process->sched->jobs--;
}

/* May free it. */
static void try_to_reap(struct pl_process *process)
{
    if (process->state == PL_PROCESS_EXITED &&
        (process->ending || !is_held(process))) {
        reap(process);
        if (process->handle == NULL)
            leave_task(process);
    }
    settle(process);
}

/* Has it exited? Leaves it a zombie. A child that was reaped by somebody else
 * (SIGCHLD is ignored in a host program) has ended, nobody knows how. */
static bool look(struct pl_process *process)
{
    siginfo_t info = {.si_pid = 0};
    int options = WEXITED | WNOHANG | WNOWAIT;

    if (pl_sys_waitid(process->pid, &info, options) < 0) {
        if (errno != ECHILD)
            return false; /* looked for again */
        process->status = 127;
        return true;
    }
    if (info.si_pid == 0)
        return false;
    process->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    process->status = info.si_status + (process->signal != 0 ? 128 : 0);
    return true;
}

/* May free it. */
static void check_exit(struct pl_process *process)
{
    if (!look(process))
        return;
    process->state = PL_PROCESS_EXITED;
    end_exit_watch(process);
    wake_waiters(process, 0);
    try_to_reap(process);
}

static void on_exit_ready(struct pl_source *source, unsigned events)
{
    (void)events;
    check_exit(PL_CONTAINER_OF(source, struct pl_process, exit));
}

/* ---- signals ---- */

int pl_process_signal(struct pl_process *process, int signal)
{
    if (process->state != PL_PROCESS_RUNNING &&
        process->state != PL_PROCESS_EXITED)
        return PL_ERR_NOT_FOUND;
    if (pl_sys_kill(-process->pid, signal) == 0)
        return 0;
    return pl_err_from_errno(errno);
}

static void set_timer(struct pl_process *process, uint64_t delay)
{
    struct pl_loop *loop = process->sched->loop;

    pl_timer_start(pl_loop_wheel(loop), &process->timer, pl_now(loop) + delay);
}

static void on_timer(struct pl_timer *timer)
{
    struct pl_process *process =
        PL_CONTAINER_OF(timer, struct pl_process, timer);

    if (process->ending && !process->killed &&
        pl_now(process->sched->loop) >= process->kill_at) {
        process->killed = true;
        pl_process_signal(process, SIGKILL);
    }
    if (process->exit.slot == 0) {
        set_timer(process, LOOK_NS);
        check_exit(process);
    }
}

static void begin_end(struct pl_process *process)
{
    bool watched = process->exit.slot != 0;

    if (process->ending || process->state == PL_PROCESS_STARTING)
        return;
    process->ending = true;
    if (process->state != PL_PROCESS_RUNNING)
        return;
    pl_process_signal(process, SIGTERM);
    process->kill_at = pl_now(process->sched->loop) + process->grace;
    if (watched) /* else the timer looks already */
        set_timer(process, process->grace);
}

void pl_process_terminate(struct pl_process *process)
{
    begin_end(process);
    try_to_reap(process); /* it has an owner: it is not freed */
}

/* ---- the beginning ---- */

/* Nobody's any more: it ends. While it starts, what it has is the job's. */
static void detach(struct pl_process *process)
{
    if (process->handle != NULL)
        *process->handle = NULL;
    process->handle = NULL;
    process->task = NULL;
    if (process->state == PL_PROCESS_STARTING)
        return;
    for (int i = 0; i < PL_PROCESS_STREAMS; i++)
        pl_process_close(process, i);
    wake_waiters(process, PL_ERR_CLOSED);
    begin_end(process);
    try_to_reap(process);
}

static void on_task_end(void *arg)
{
    detach(arg);
}

int pl_process_new(struct pl_task *task, const struct pl_process_spec *spec,
                   struct pl_process **handle)
{
    struct pl_process *process = pl_calloc(1, sizeof(*process));

    if (process == NULL)
        return PL_ERR_NOMEM;
    process->plan = pl_process_plan_new(spec);
    if (process->plan == NULL) {
        pl_free(process);
        return PL_ERR_NOMEM;
    }
    process->magic = MAGIC;
    process->state = PL_PROCESS_STARTING;
    process->sched = task->sched;
    process->grace = spec->grace == 0 ? PL_PROCESS_GRACE_NS : spec->grace;
    process->exit = (struct pl_source){.ready = on_exit_ready, .fd = -1};
    for (int i = 0; i < PL_PROCESS_STREAMS; i++)
        process->fds[i] = -1;
    pl_timer_init(&process->timer, on_timer);
    pl_list_init(&process->waiters);
    process->task = task;
    pl_task_defer(task, &process->defer, on_task_end, process);
    process->handle = handle;
    *handle = process;
    return 0;
}

static int carry_out(void *arg)
{
    return pl_process_carry_out(arg);
}

/* Watched by its pidfd; else by a look now and then. */
static void watch_exit(struct pl_process *process)
{
    if (process->exit.fd < 0 ||
        pl_loop_add(process->sched->loop, &process->exit, PL_READABLE,
                    PL_LEVEL) < 0)
        set_timer(process, LOOK_NS);
}

/* The job is over, whether anybody still waits for it or not. */
static void on_started(void *arg)
{
    struct pl_process *process = arg;

    pl_process_plan_free(process->plan);
    process->plan = NULL;
    if (process->pid == 0) {
        process->state = PL_PROCESS_OVER;
        settle(process);
        return;
    }
    process->state = PL_PROCESS_RUNNING;
    process->sched->jobs++;
    watch_exit(process);
    if (process->task == NULL)
        detach(process);
}

void pl_process_start_begin(struct pl_process_start_op *start,
                            struct pl_process *process)
{
    pl_offload_begin(&start->offload, process->sched, carry_out, process,
                     on_started);
    start->offload.counted = true;
}

const char *pl_process_problem(const struct pl_process *process, int err)
{
    if (process->problem != NULL)
        return process->problem;
    return process->error != 0 ? strerrordesc_np(process->error)
                               : pl_err_text(err);
}

void pl_process_release(struct pl_process *process)
{
    leave_task(process);
    detach(process);
}

void pl_process_forget(struct pl_process *process)
{
    process->handle = NULL;
    if (process->state == PL_PROCESS_OVER)
        pl_process_release(process);
}

/* ---- waiting for the end ---- */

static void cancel_wait(struct pl_op *op)
{
    pl_list_remove(&PL_CONTAINER_OF(op, struct pl_process_wait_op, op)->node);
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_process_wait_begin(struct pl_process_wait_op *wait,
                           struct pl_process *process)
{
    pl_op_init(&wait->op, process->sched, cancel_wait);
    pl_op_begin(&wait->op);
    if (process->state >= PL_PROCESS_EXITED)
        pl_op_complete(&wait->op, 0);
    else
        pl_list_push(&process->waiters, &wait->node);
}

/* ---- streams ---- */

static void end_io(struct pl_process_io_op *io, int result)
{
    pl_loop_remove(io->op.sched->loop, &io->source, true);
    io->process->io[io->stream] = NULL;
    pl_op_complete(&io->op, result);
}

static void on_io_ready(struct pl_source *source, unsigned events)
{
    (void)events; /* whatever it is, the next call tells */
    end_io(PL_CONTAINER_OF(source, struct pl_process_io_op, source), 0);
}

static void cancel_io(struct pl_op *op)
{
    end_io(PL_CONTAINER_OF(op, struct pl_process_io_op, op), PL_ERR_CANCELED);
}

void pl_process_io_begin(struct pl_process_io_op *io,
                         struct pl_process *process, int stream)
{
    unsigned events = stream == PL_PROCESS_IN ? PL_WRITABLE : PL_READABLE;
    int err = process->fds[stream] < 0      ? PL_ERR_CLOSED
              : process->io[stream] != NULL ? PL_ERR_BUSY
                                            : 0;

    pl_op_init(&io->op, process->sched, cancel_io);
    pl_op_begin(&io->op);
    io->process = process;
    io->stream = stream;
    io->source =
        (struct pl_source){.ready = on_io_ready, .fd = process->fds[stream]};
    if (err == 0)
        err = pl_loop_add(process->sched->loop, &io->source, events, PL_LEVEL);
    if (err < 0)
        pl_op_complete(&io->op, err);
    else
        process->io[stream] = io;
}

void pl_process_close(struct pl_process *process, int stream)
{
    int fd = process->fds[stream];

    if (process->io[stream] != NULL)
        end_io(process->io[stream], PL_ERR_CLOSED);
    process->fds[stream] = -1;
    if (fd >= 0)
        pl_sys_close(fd);
}

ssize_t pl_process_take(struct pl_process *process, int stream, void *to,
                        size_t len)
{
    ssize_t n;

    if (process->fds[stream] < 0)
        return 0;
    do
        n = pl_sys_read(process->fds[stream], to, len);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    if (n < 0)
        return pl_err_from_errno(errno);
    pl_process_close(process, stream);
    try_to_reap(process); /* it has an owner: it is not freed */
    return 0;
}

ssize_t pl_process_give(struct pl_process *process, const void *from,
                        size_t len)
{
    ssize_t n;

    if (process->fds[PL_PROCESS_IN] < 0)
        return PL_ERR_CLOSED;
    do
        n = pl_sys_write(process->fds[PL_PROCESS_IN], from, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? pl_err_from_errno(errno) : n;
}
