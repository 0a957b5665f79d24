/* straight_os.c - files and child processes in straight lines, for C programs
 * (perilune.h). What is found out is kept for the request, or for the caller's
 * task if there is none. */
#include "base/error.h"
#include "http/request.h"
#include "os/fs.h"
#include "os/process.h"
#include "task/fiber.h"

static struct pl_sched *may_wait(void)
{
    struct pl_sched *sched = pl_on_fiber() ? pl_sched_current() : NULL;

    return sched == NULL || sched->lua_depth > 0 || sched->offload == NULL
               ? NULL
               : sched;
}

static void free_data(void *data)
{
    pl_free(data);
}

/* Takes data (may be NULL): freed when who asks is through. */
static int keep(struct pl_request *req, void *data)
{
    int err = data == NULL  ? 0
              : req != NULL ? pl_request_defer(req, free_data, data)
                            : pl_defer(free_data, data);

    if (err < 0)
        pl_free(data);
    return err;
}

/* ---- files ---- */

/* Makes the call and gives it, to be dropped; NULL: not even begun. */
static struct pl_fs_call *make_call(int (*work)(struct pl_fs_call *call),
                                    const struct pl_fs_args *args, int *err)
{
    struct pl_sched *sched = may_wait();
    struct pl_fs_call *call;
    struct pl_fs_op op;

    *err = sched == NULL ? PL_ERR_STATE : PL_ERR_NOMEM;
    if (sched == NULL)
        return NULL;
    call = pl_fs_call_new(work, args);
    if (call == NULL)
        return NULL;
    pl_fs_begin(&op, sched, call);
    *err = pl_op_wait(&op.offload.op);
    return call;
}

int pl_fs_read(struct pl_request *req, const char *path, size_t max,
               struct pl_str *content)
{
    const struct pl_fs_args args = {
        .path = pl_str_c(path), .length = UINT64_MAX, .max = max};
    int err;
    struct pl_fs_call *call = make_call(pl_fs_do_read, &args, &err);

    if (err == 0) {
        *content = pl_str(call->out == NULL ? "" : call->out, call->out_len);
        err = keep(req, call->out);
        call->out = NULL; /* it is not the call's any more */
    }
    pl_fs_call_drop(call);
    return err;
}

int pl_fs_write(struct pl_request *req, const char *path, struct pl_str content)
{
    const struct pl_fs_args args = {
        .path = pl_str_c(path), .data = content, .mode = PL_FS_NO_MODE};
    int err;

    (void)req;
    pl_fs_call_drop(make_call(pl_fs_do_write, &args, &err));
    return err;
}

int pl_fs_stat(struct pl_request *req, const char *path, struct stat *st)
{
    const struct pl_fs_args args = {.path = pl_str_c(path)};
    int err;
    struct pl_fs_call *call = make_call(pl_fs_do_stat, &args, &err);

    (void)req;
    if (err == 0)
        *st = call->st;
    pl_fs_call_drop(call);
    return err;
}

/* Gives a list of what `type byte, name, NUL` says, count times. */
static struct pl_fs_entry *make_entries(const char *at, size_t count)
{
    struct pl_fs_entry *entries = pl_malloc((count + 1) * sizeof(*entries));

    for (size_t i = 0; i < count && entries != NULL; i++) {
        entries[i].type = *at++;
        entries[i].name = pl_str_c(at);
        at += entries[i].name.len + 1;
    }
    return entries;
}

int pl_fs_list(struct pl_request *req, const char *path, size_t max,
               struct pl_fs_entry **entries, size_t *count)
{
    const struct pl_fs_args args = {.path = pl_str_c(path), .max = max};
    struct pl_fs_entry *made = NULL;
    int err;
    struct pl_fs_call *call = make_call(pl_fs_do_list, &args, &err);

    if (err == 0) {
        made = make_entries(call->out, (size_t)call->number);
        *count = (size_t)call->number;
        err = made == NULL ? PL_ERR_NOMEM : keep(req, made);
    }
    if (err == 0) {
        err = keep(req, call->out); /* the names */
        call->out = NULL;
        *entries = made;
    }
    pl_fs_call_drop(call);
    return err;
}

int pl_fs_mkdir(struct pl_request *req, const char *path)
{
    const struct pl_fs_args args = {
        .path = pl_str_c(path), .mode = PL_FS_NO_MODE, .flags = PL_FS_PARENTS};
    int err;

    (void)req;
    pl_fs_call_drop(make_call(pl_fs_do_mkdir, &args, &err));
    return err;
}

int pl_fs_rename(struct pl_request *req, const char *from, const char *to)
{
    const struct pl_fs_args args = {.path = pl_str_c(from), .to = pl_str_c(to)};
    int err;

    (void)req;
    pl_fs_call_drop(make_call(pl_fs_do_rename, &args, &err));
    return err;
}

int pl_fs_remove(struct pl_request *req, const char *path, bool recursive)
{
    const struct pl_fs_args args = {.path = pl_str_c(path),
                                    .flags = recursive ? PL_FS_RECURSIVE : 0};
    int err;

    (void)req;
    pl_fs_call_drop(make_call(pl_fs_do_remove, &args, &err));
    return err;
}

/* ---- processes ---- */

enum { MAX_OUTPUT = 16 << 20 };

/* The caller may know less of the options than we do. */
static struct pl_process_options known(const struct pl_process_options *options)
{
    struct pl_process_options all = {.size = sizeof(all)};

    if (options != NULL)
        memcpy(&all, options, PL_MIN(options->size, sizeof(all)));
    if (all.max_output == 0)
        all.max_output = MAX_OUTPUT;
    return all;
}

static int keep_output(struct pl_request *req, struct pl_process_output *out,
                       struct pl_str *to)
{
    int err = keep(req, out->data);

    *to =
        err < 0 || out->data == NULL ? PL_STR("") : pl_str(out->data, out->len);
    out->data = NULL;
    return err;
}

static int keep_result(struct pl_request *req, struct pl_process_run *run,
                       struct pl_process_result *result)
{
    int out = keep_output(req, &run->out, &result->out);
    int err = keep_output(req, &run->err, &result->err);

    result->status = run->status;
    result->signal = run->signal;
    return PL_MIN(out, err);
}

int pl_process_run(struct pl_request *req, const char *const *argv,
                   const struct pl_process_options *options,
                   struct pl_process_result *result)
{
    struct pl_process_options all = known(options);
    const struct pl_process_spec spec = {
        .argv = (char *const *)argv,
        .env = (char *const *)all.env,
        .folder = all.folder,
        .use = {all.input.len > 0 ? PL_PROCESS_PIPE : PL_PROCESS_NULL,
                PL_PROCESS_PIPE,
                all.merge ? PL_PROCESS_MERGE : PL_PROCESS_PIPE},
    };
    struct pl_process_run run = {.input = all.input,
                                 .max_output = all.max_output,
                                 .timeout = all.timeout_ms * 1000000};
    int err, kept;

    if (may_wait() == NULL)
        return PL_ERR_STATE;
    if (argv[0] == NULL)
        return PL_ERR_INVALID;
    pl_process_run_begin(&run, pl_task_current(), &spec);
    err = pl_op_wait(&run.op);
    kept = keep_result(req, &run, result);
    return err < 0 ? err : kept;
}
