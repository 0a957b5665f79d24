#include "process/upgrade.h"

#include <stdio.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "process/upgrade_state.h"

enum { CHECK_MS = 60000, SAID = 64 };

/* One upgrade on its way, up to the exec. */
struct pl_upgrade {
    int program; /* the file: what was checked is what is run */
    int state;   /* memfd */
    int said;    /* memfd: what the check prints */
    pid_t pid;
};

void pl_upgrade_forget(struct pl_supervisor *sup)
{
    struct pl_upgrade *upgrade = sup->upgrade;

    if (upgrade == NULL)
        return;
    if (upgrade->program >= 0)
        pl_sys_close(upgrade->program);
    if (upgrade->state >= 0)
        pl_sys_close(upgrade->state);
    if (upgrade->said >= 0)
        pl_sys_close(upgrade->said);
    pl_free(upgrade);
    sup->upgrade = NULL;
    sup->upgrade_ms = 0;
}

static void fail(struct pl_supervisor *sup, const char *why)
{
    pl_log(PL_LOG_ERROR, "supervisor",
           "no upgrade to %s: %s; everything goes on as it was", sup->program,
           why);
    pl_supervisor_report(sup, PL_ERR_UNSUPPORTED, why);
    pl_systemd_ready(&sup->systemd);
    pl_upgrade_forget(sup);
}

/* ---- the check ---- */

static void exec_path(char out[32], const struct pl_upgrade *upgrade)
{
    snprintf(out, 32, "/proc/self/fd/%d", upgrade->program);
}

static void set_state_variable(int fd)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", fd);
    setenv(PL_STATE_VARIABLE, text, 1);
}

/* Standard error is our log; the state stays open, the rest is closed. */
static int spawn_check(struct pl_supervisor *sup, char **words)
{
    struct pl_upgrade *upgrade = sup->upgrade;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    char path[32];
    int err;

    exec_path(path, upgrade);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&actions, upgrade->said, STDOUT_FILENO);
    if (sup->log >= 0)
        posix_spawn_file_actions_adddup2(&actions, sup->log, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, upgrade->state, upgrade->state);
    posix_spawnattr_setsigmask(&attr, &sup->before);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    set_state_variable(upgrade->state);
    err = pl_sys_spawn(&upgrade->pid, path, &actions, &attr, words, environ);
    unsetenv(PL_STATE_VARIABLE);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

/* "check" and our own words behind it. */
static int begin_check(struct pl_supervisor *sup)
{
    size_t n = 0;
    char **words;
    int err;

    while (sup->argv[n] != NULL)
        n++;
    words = pl_calloc(n + 2, sizeof(*words));
    if (words == NULL)
        return ENOMEM;
    words[0] = sup->program;
    words[1] = (char *)"check";
    for (size_t i = 1; i < n; i++)
        words[i + 1] = sup->argv[i];
    err = spawn_check(sup, words);
    pl_free(words);
    return err;
}

static const char *open_all(struct pl_supervisor *sup)
{
    struct pl_upgrade *upgrade = sup->upgrade;

    upgrade->program = pl_sys_open(sup->program, O_PATH | O_CLOEXEC, 0);
    if (upgrade->program < 0)
        return strerror(errno);
    upgrade->said = pl_sys_memfd_create("perilune-check", MFD_CLOEXEC);
    upgrade->state = pl_state_write(sup);
    if (upgrade->said < 0 || upgrade->state < 0)
        return "no memory for its state";
    return NULL;
}

/* Nothing is in between: the state would have to tell of it. */
static const char *reason_not_to(struct pl_supervisor *sup)
{
    if (sup->program == NULL)
        return "where the program is was not to be found out at its start";
    if (sup->replacing || pl_supervisor_child(sup, PL_CHILD_STARTING) != NULL ||
        pl_supervisor_child(sup, PL_CHILD_SERVING) == NULL)
        return "a server process is just starting";
    if (pl_supervisor_child(sup, PL_CHILD_NONE) == NULL)
        return "too many server processes still finish their requests";
    return NULL;
}

void pl_upgrade_begin(struct pl_supervisor *sup)
{
    const char *why = reason_not_to(sup);
    int err;

    if (sup->stop > 0 || sup->over || sup->upgrade != NULL)
        return;
    sup->upgrade = pl_calloc(1, sizeof(*sup->upgrade));
    if (sup->upgrade == NULL)
        return;
    *sup->upgrade = (struct pl_upgrade){.program = -1, .state = -1, .said = -1};
    pl_systemd_reloading(&sup->systemd);
    if (why == NULL)
        why = open_all(sup);
    err = why == NULL ? begin_check(sup) : 0;
    if (err != 0)
        why = strerror(err);
    if (why != NULL) {
        fail(sup, why);
        return;
    }
    sup->upgrade_ms = pl_clock_monotonic() / 1000000 + CHECK_MS;
    pl_log(PL_LOG_NOTICE, "supervisor", "upgrade: %s is checked", sup->program);
}

void pl_upgrade_give_up(struct pl_supervisor *sup)
{
    sup->upgrade_ms = 0;
    pl_sys_kill(sup->upgrade->pid, SIGKILL); /* then it is reaped */
}

void pl_upgrade_end(struct pl_supervisor *sup)
{
    if (sup->upgrade == NULL)
        return;
    pl_upgrade_give_up(sup);
    pl_upgrade_forget(sup);
}

/* Does what it printed end as ours does? Any program may exit with 0. */
static bool said_good(const struct pl_upgrade *upgrade)
{
    char want[SAID], got[SAID];
    int len = snprintf(want, sizeof(want), PL_UPGRADE_GOOD, PL_STATE_VERSION);
    off_t end = pl_sys_lseek(upgrade->said, 0, SEEK_END);

    return end >= len &&
           pl_sys_pread(upgrade->said, got, (size_t)len, end - len) == len &&
           memcmp(want, got, (size_t)len) == 0;
}

/* ---- the exec ---- */

static void run_new(struct pl_supervisor *sup)
{
    char path[32];

    exec_path(path, sup->upgrade);
    pl_state_keep(sup, true);
    fcntl(sup->upgrade->state, F_SETFD, 0);
    set_state_variable(sup->upgrade->state);
    execv(path, sup->argv);
    unsetenv(PL_STATE_VARIABLE);
    pl_state_keep(sup, false);
    fail(sup, strerror(errno));
}

/* What it says of us may have changed while the new program was checked. */
static void go_on(struct pl_supervisor *sup)
{
    const char *why = reason_not_to(sup);
    int state = why == NULL ? pl_state_write(sup) : -1;

    if (why == NULL && state < 0)
        why = pl_err_text(state);
    if (why != NULL) {
        fail(sup, why);
        return;
    }
    pl_sys_close(sup->upgrade->state);
    sup->upgrade->state = state;
    run_new(sup);
}

bool pl_upgrade_reaped(struct pl_supervisor *sup, int pid, int status)
{
    if (sup->upgrade == NULL || sup->upgrade->pid != pid)
        return false;
    if (sup->stop > 0)
        pl_upgrade_forget(sup);
    else if (!WIFEXITED(status))
        fail(sup, sup->upgrade_ms == 0 ? "its check took too long"
                                       : "its check crashed");
    else if (WEXITSTATUS(status) != 0)
        fail(sup, "its check failed, see above");
    else if (!said_good(sup->upgrade))
        fail(sup, "it is no perilune that could take over");
    else
        go_on(sup);
    return true;
}

/* ---- in the new program ---- */

/* The descriptor that we were given, or -1. */
static int state_fd(void)
{
    uint64_t fd;

    if (!pl_str_to_u64(pl_str_c(getenv(PL_STATE_VARIABLE)), &fd) ||
        fd > INT32_MAX)
        return -1;
    return (int)fd;
}

int pl_upgrade_check(struct pl_error *error)
{
    int fd = state_fd(), err;

    if (fd < 0)
        return 0;
    err = pl_state_read(fd, NULL, error);
    return err < 0 ? err : 1;
}

int pl_upgrade_resume(struct pl_supervisor *sup, struct pl_error *error)
{
    int fd = state_fd(), err;

    if (fd < 0)
        return 0;
    unsetenv(PL_STATE_VARIABLE);
    err = pl_state_read(fd, sup, error);
    pl_sys_close(fd);
    if (err < 0)
        return err;
    pl_state_keep(sup, false);
    sup->served = true;
    if (sup->log >= 0)
        pl_log_use(sup->log);
    return 1;
}
