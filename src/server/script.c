#include "server/script.h"

#include <stdio.h>

#include "base/str.h"
#include "loop/offload.h"
#include "lua/vm.h"
#include "server/server.h"

enum { OFFLOAD_THREADS = 4, OFFLOAD_QUEUE = 1024 };

struct script {
    struct pl_offload *offload;
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_vm *vm;
    struct pl_vm_load load;
    bool stopped; /* by pl.stop(status) */
    int status;
};

static void on_stop(void *ctx, int status)
{
    struct script *script = ctx;

    script->stopped = true;
    script->status = status;
    pl_op_cancel(&script->load.op);
}

/* arg[0] is the script, arg[1] and on its arguments, as in lua(1). */
static void set_args(lua_State *L, const char *path, char **args)
{
    lua_newtable(L);
    lua_pushstring(L, path);
    lua_rawseti(L, -2, 0);
    for (int i = 0; args != NULL && args[i] != NULL; i++) {
        lua_pushstring(L, args[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
}

static int open_script(struct script *script, const char *path,
                       struct pl_error *error)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    const struct pl_loop_options options = {.backend = NULL};
    const struct pl_vm_options vm_options = {.folder = folder,
                                             .worker = 0,
                                             .workers = 1,
                                             .ctx = script,
                                             .stop = on_stop};
    int err;

    snprintf(folder, sizeof(folder), "%.*s",
             slash == NULL ? 1 : (int)PL_MAX(slash - path, 1),
             slash == NULL ? "." : path);
    err = pl_offload_new(OFFLOAD_THREADS, OFFLOAD_QUEUE, &script->offload);
    if (err == 0)
        err = pl_loop_new(&options, &script->loop);
    if (err == 0)
        err = pl_sched_init(&script->sched, script->loop, script->offload);
    if (err < 0)
        return pl_error_set(error, err, "", "cannot start: %s",
                            pl_err_text(err));
    return pl_vm_new(&script->sched, &vm_options, &script->vm, error);
}

static void turn_until_done(struct script *script, const struct pl_op *op)
{
    while (op->state != PL_OP_DONE && pl_loop_step(script->loop, -1) >= 0)
        continue;
}

static void close_script(struct script *script)
{
    struct pl_op drained;

    pl_vm_stop_begin(&drained, script->vm);
    turn_until_done(script, &drained);
    while (!pl_sched_idle(&script->sched))
        if (pl_loop_step(script->loop, -1) < 0)
            break;
    pl_vm_free(script->vm);
    pl_sched_fini(&script->sched);
    pl_loop_free(script->loop);
    pl_offload_free(script->offload);
}

static int exit_code(const struct script *script)
{
    const struct pl_vm_load *load = &script->load;

    if (script->stopped)
        return script->status;
    if (load->op.result == 0)
        return load->value;
    fprintf(stderr, "perilune: %s%s%s\n", load->error.where,
            load->error.where[0] != '\0' ? ": " : "", load->error.text);
    return load->op.result == PL_ERR_SYNTAX ||
                   load->op.result == PL_ERR_NOT_FOUND
               ? PL_EXIT_SITE
               : PL_EXIT_FAILURE;
}

int pl_script_run(const char *path, char **args)
{
    struct script script = {.status = 0};
    struct pl_error error = {.code = 0};
    int code;

    if (open_script(&script, path, &error) < 0) {
        fprintf(stderr, "perilune: %s\n", error.text);
        return PL_EXIT_FAILURE;
    }
    set_args(pl_vm_state(script.vm), path, args);
    pl_vm_commit(script.vm, NULL); /* spawn and every start at once */
    pl_vm_load_begin(&script.load, script.vm, path);
    turn_until_done(&script, &script.load.op);
    code = exit_code(&script);
    close_script(&script);
    return code;
}
