#include "command/script.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/features.h"
#include "base/str.h"
#include "loop/offload.h"
#include "lua/vm.h"
#include "process/exit.h"
#include "share/member.h"
#include "socket/socket.h"

enum { OFFLOAD_THREADS = 4, OFFLOAD_QUEUE = 1024, LEAVE_STEP_MS = 100 };

#define LEAVE_NS ((uint64_t)5 * 1000000000)

struct script {
    struct pl_share *share;
    struct pl_member member; /* the only one */
    struct pl_offload *offload;
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_net net;
    struct pl_sockets sockets;
    struct pl_vm *vm;
    struct pl_vm_load load;
    bool scheduling; /* sched is there */
    bool connecting; /* net and sockets are there */
    bool stopped;    /* by pl.stop(status) */
    int status;
};

static void on_stop(void *ctx, int status)
{
    struct script *script = ctx;

    script->stopped = true;
    script->status = status;
    pl_op_cancel(&script->load.op);
}

/* As lua(1) does it, to stderr and without a time. */
static void on_report(void *ctx, struct pl_task *task, struct pl_str text)
{
    (void)ctx;
    (void)task;
    fprintf(stderr, "perilune: %.*s\n", PL_STR_ARG(text));
}

/* A script is the only user of its threads: it waits for its names with those
 * that wait for the disk. */
static int open_net(struct script *script)
{
    int err = pl_net_init(&script->net, script->loop, NULL);

    if (err < 0)
        return err;
    pl_sockets_init(&script->sockets, &script->net, &script->sched,
                    script->offload);
    script->connecting = true;
    return 0;
}

static int open_script(struct script *script, const char *path,
                       struct pl_error *error)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    const struct pl_loop_options options = {.backend = NULL};
    const struct pl_vm_options vm_options = {
        .folder = folder,
        .worker = 0,
        .workers = 1,
        .member = PL_WITH_SHARE ? &script->member : NULL,
        .ctx = script,
        .report = on_report,
        .stop = on_stop};
    int err = pl_share_new(&script->share);

    snprintf(folder, sizeof(folder), "%.*s",
             slash == NULL ? 1 : (int)PL_MAX(slash - path, 1),
             slash == NULL ? "." : path);
    if (err == 0)
        err = pl_share_set_workers(script->share, 1);
    if (err == 0)
        err = pl_offload_new(OFFLOAD_THREADS, OFFLOAD_QUEUE, &script->offload);
    if (err == 0)
        err = pl_loop_new(&options, &script->loop);
    if (err == 0)
        err = pl_member_join(&script->member, script->share, script->loop, 0,
                             false);
    if (err == 0)
        err = pl_sched_init(&script->sched, script->loop, script->offload);
    if (err < 0)
        return pl_error_set(error, err, "", "cannot start: %s",
                            pl_err_text(err));
    script->scheduling = true;
    if (PL_WITH_SOCKETS && open_net(script) < 0)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    err = pl_vm_new(&script->sched, &vm_options, &script->vm, error);
    if (err < 0)
        return err;
    err = pl_vm_commit(script->vm, NULL); /* spawn and every start at once */
    return err == 0 ? 0 : pl_error_set(error, err, "", "out of memory");
}

static void turn_until_done(struct script *script, const struct pl_op *op)
{
    while (op->state != PL_OP_DONE)
        pl_loop_step(script->loop, -1);
}

static void end_tasks(struct script *script)
{
    struct pl_op drained;

    pl_vm_stop_begin(&drained, script->vm);
    turn_until_done(script, &drained);
    while (!pl_sched_idle(&script->sched))
        pl_loop_step(script->loop, -1);
}

/* What was written to sockets still leaves, if their peers read. */
static void let_leave(struct script *script)
{
    uint64_t end = pl_now(script->loop) + LEAVE_NS;

    while (script->sockets.leaving > 0 && pl_now(script->loop) < end)
        pl_loop_step(script->loop, LEAVE_STEP_MS);
}

/* Also of one that could not be opened. */
static void close_script(struct script *script)
{
    if (script->vm != NULL) {
        end_tasks(script);
        pl_vm_free(script->vm);
    }
    if (PL_WITH_SOCKETS && script->connecting)
        let_leave(script);
    if (PL_WITH_SOCKETS && script->connecting) {
        pl_sockets_fini(&script->sockets);
        pl_net_fini(&script->net);
    }
    if (script->offload != NULL)
        pl_offload_free(script->offload);
    pl_member_leave(&script->member);
    if (script->scheduling)
        pl_sched_fini(&script->sched);
    if (script->loop != NULL)
        pl_loop_free(script->loop);
    pl_share_free(script->share);
}

static int exit_code(const struct script *script)
{
    const struct pl_vm_load *load = &script->load;

    if (script->stopped)
        return script->status;
    if (load->op.result == 0)
        return load->value;
    if (load->op.result == PL_ERR_SYNTAX || load->op.result == PL_ERR_NOT_FOUND)
        return pl_exit_say(PL_EXIT_SITE, &load->error);
    return PL_EXIT_FAILURE; /* reported */
}

int pl_script_run(const char *path, char **args)
{
    struct script script = {.status = 0};
    struct pl_error error = {.code = 0};
    int code;

    signal(SIGPIPE, SIG_IGN); /* a child that reads no more is an error */
    if (open_script(&script, path, &error) < 0) {
        close_script(&script);
        return pl_exit_say(PL_EXIT_FAILURE, &error);
    }
    pl_vm_script_begin(&script.load, script.vm, path, args);
    turn_until_done(&script, &script.load.op);
    code = exit_code(&script);
    close_script(&script);
    return code;
}
