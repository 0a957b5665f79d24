/* process_start.c - how a child comes to be, on an offload thread.
 *
 * posix_spawn() makes it by a vfork: nothing of this process is copied, however
 * large it is, only the calling thread waits until the program is loaded, and
 * why it could not be is known. */
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "os/process_priv.h"

extern char **environ;

struct pl_process_plan {
    char **argv, **env; /* env NULL: that of this process */
    char *folder;
    enum pl_process_use use[PL_PROCESS_STREAMS];
    char *memory[]; /* the lists and then the texts */
};

/* ---- the plan ---- */

static size_t count(char *const *list, size_t *bytes)
{
    size_t n = 0;

    for (; list[n] != NULL; n++)
        *bytes += strlen(list[n]) + 1;
    return n + 1;
}

static char *keep(char **at, const char *text)
{
    size_t len = strlen(text) + 1;
    char *kept = memcpy(*at, text, len);

    *at += len;
    return kept;
}

static char **keep_list(char ***lists, char **at, char *const *list)
{
    char **kept = *lists;
    size_t n = 0;

    for (; list[n] != NULL; n++)
        kept[n] = keep(at, list[n]);
    kept[n] = NULL;
    *lists += n + 1;
    return kept;
}

struct pl_process_plan *pl_process_plan_new(const struct pl_process_spec *spec)
{
    size_t bytes = spec->folder == NULL ? 0 : strlen(spec->folder) + 1;
    size_t n = count(spec->argv, &bytes);
    struct pl_process_plan *plan;
    char **lists, *at;

    if (spec->env != NULL)
        n += count(spec->env, &bytes);
    plan = pl_malloc(sizeof(*plan) + n * sizeof(char *) + bytes);
    if (plan == NULL)
        return NULL;
    lists = plan->memory;
    at = (char *)(lists + n);
    plan->argv = keep_list(&lists, &at, spec->argv);
    plan->env = spec->env == NULL ? NULL : keep_list(&lists, &at, spec->env);
    plan->folder = spec->folder == NULL ? NULL : keep(&at, spec->folder);
    memcpy(plan->use, spec->use, sizeof(plan->use));
    return plan;
}

void pl_process_plan_free(struct pl_process_plan *plan)
{
    pl_free(plan);
}

/* ---- the child ---- */

/* What the child is given, and what it takes from it. */
struct child {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int fds[PL_PROCESS_STREAMS]; /* its ends of the pipes */
};

static void close_all(int *fds)
{
    for (int i = 0; i < PL_PROCESS_STREAMS; i++) {
        if (fds[i] >= 0)
            pl_sys_close(fds[i]);
        fds[i] = -1;
    }
}

/* Only our end does not block: the child would not expect it. */
static int make_pipe(struct pl_process *process, struct child *child, int i)
{
    int ends[2], ours = i == PL_PROCESS_IN ? 1 : 0;

    if (pl_sys_pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    process->fds[i] = ends[ours];
    child->fds[i] = ends[1 - ours];
    return fcntl(ends[ours], F_SETFL, O_NONBLOCK) < 0 ? errno : 0;
}

/* Returns an errno. */
static int plan_stream(struct pl_process *process, struct child *child, int i)
{
    int err;

    switch (process->plan->use[i]) {
    case PL_PROCESS_PIPE:
        err = make_pipe(process, child, i);
        if (err != 0)
            return err;
        return posix_spawn_file_actions_adddup2(&child->actions, child->fds[i],
                                                i);
    case PL_PROCESS_NULL:
        return posix_spawn_file_actions_addopen(
            &child->actions, i, "/dev/null",
            i == PL_PROCESS_IN ? O_RDONLY : O_WRONLY, 0);
    case PL_PROCESS_MERGE:
        return posix_spawn_file_actions_adddup2(&child->actions, PL_PROCESS_OUT,
                                                i);
    case PL_PROCESS_INHERIT:
        break;
    }
    return 0;
}

/* No signal is blocked or ignored, no descriptor is left open: also those of
 * libraries that forget O_CLOEXEC. Returns an errno. */
static int plan_child(struct pl_process *process, struct child *child)
{
    short flags =
        POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t all, none;
    int err = 0;

    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setflags(&child->attr, flags);
    posix_spawnattr_setsigdefault(&child->attr, &all);
    posix_spawnattr_setsigmask(&child->attr, &none);
    for (int i = 0; err == 0 && i < PL_PROCESS_STREAMS; i++)
        err = plan_stream(process, child, i);
    if (err == 0)
        err = posix_spawn_file_actions_addclosefrom_np(&child->actions,
                                                       PL_PROCESS_STREAMS);
    if (err == 0 && process->plan->folder != NULL)
        err = posix_spawn_file_actions_addchdir_np(&child->actions,
                                                   process->plan->folder);
    return err;
}

/* The kernel says the same of a program and of a folder that are not there. */
static void explain(struct pl_process *process)
{
    struct stat st;

    if (process->plan->folder != NULL &&
        (pl_sys_fstatat(AT_FDCWD, process->plan->folder, &st, 0) < 0 ||
         !S_ISDIR(st.st_mode)))
        process->problem = "there is no such folder to run in";
}

/* Without a pidfd the child is looked for now and then (process.c). */
static void open_pidfd(struct pl_process *process)
{
    process->exit.fd = pl_sys_pidfd_open(process->pid);
}

int pl_process_carry_out(struct pl_process *process)
{
    struct pl_process_plan *plan = process->plan;
    struct child child = {.fds = {-1, -1, -1}};
    int err;

    posix_spawn_file_actions_init(&child.actions);
    posix_spawnattr_init(&child.attr);
    err = plan_child(process, &child);
    if (err == 0)
        err = pl_sys_spawn(&process->pid, plan->argv[0], &child.actions,
                           &child.attr, plan->argv,
                           plan->env == NULL ? environ : plan->env);
    posix_spawn_file_actions_destroy(&child.actions);
    posix_spawnattr_destroy(&child.attr);
    close_all(child.fds);
    if (err == 0) {
        open_pidfd(process);
        return 0;
    }
    process->pid = 0;
    process->error = err;
    close_all(process->fds);
    explain(process);
    return err == ENOEXEC ? PL_ERR_INVALID : pl_err_from_errno(err);
}
