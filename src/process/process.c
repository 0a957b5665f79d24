#include "process/process.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "base/str.h"
#include "base/sys.h"
#include "base/user.h"

/* ---- the pid file ---- */

static int explain(struct pl_error *error, const char *path)
{
    int number = errno;

    return pl_error_set(error, pl_err_from_errno(number), "", "pid file %s: %s",
                        path, strerror(number));
}

static int explain_busy(struct pl_error *error, const char *path, int fd)
{
    char pid[24];
    ssize_t n = pl_sys_pread(fd, pid, sizeof(pid), 0);
    struct pl_str text = pl_str(pid, n > 0 ? (size_t)n : 0);
    uint64_t number;

    if (pl_str_ends(text, PL_STR("\n")))
        text.len--;
    if (!pl_str_to_u64(text, &number)) /* empty: it is just starting */
        return pl_error_set(error, PL_ERR_BUSY, "",
                            "pid file %s: another server has it", path);
    return pl_error_set(error, PL_ERR_BUSY, "",
                        "pid file %s: process %.*s is running", path,
                        PL_STR_ARG(text));
}

/* The file that was locked may have been removed by its last owner in the
 * meantime: then nobody else sees the lock. */
static bool still_there(int fd, const char *path)
{
    struct stat mine, named;

    return pl_sys_fstat(fd, &mine) == 0 &&
           pl_sys_fstatat(AT_FDCWD, path, &named, 0) == 0 &&
           mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

enum { CLAIMS = 100 }; /* each lost to a server that came and went */

int pl_pid_file_claim(struct pl_pid_file *file, const char *path,
                      struct pl_error *error)
{
    int err;

    *file = (struct pl_pid_file){.path = path, .fd = -1};
    for (int i = 0; path != NULL && i < CLAIMS; i++) {
        file->fd =
            pl_sys_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
        if (file->fd < 0)
            break;
        if (flock(file->fd, LOCK_EX | LOCK_NB) < 0) {
            err = explain_busy(error, path, file->fd);
            goto fail;
        }
        if (still_there(file->fd, path)) {
            if (ftruncate(file->fd, 0) == 0)
                return 0;
            break;
        }
        pl_sys_close(file->fd);
        file->fd = -1;
        errno = EAGAIN;
    }
    if (path == NULL)
        return 0;
    err = explain(error, path);
fail:
    if (file->fd >= 0)
        pl_sys_close(file->fd);
    file->path = NULL;
    return err;
}

int pl_pid_file_write(const struct pl_pid_file *file, struct pl_error *error)
{
    char text[24];
    int len;

    if (file->path == NULL)
        return 0;
    len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (pl_sys_write(file->fd, text, (size_t)len) == len)
        return 0;
    return explain(error, file->path);
}

void pl_pid_file_release(struct pl_pid_file *file)
{
    if (file->path == NULL)
        return;
    if (pl_sys_unlink(file->path) < 0 && ftruncate(file->fd, 0) < 0)
        file->path = NULL; /* nothing else can be done */
    pl_sys_close(file->fd);
    *file = (struct pl_pid_file){.fd = -1};
}

/* ---- the user ---- */

int pl_user_find(const char *user, const char *group, struct pl_user *out,
                 struct pl_error *error)
{
    int err = 0;

    *out = (struct pl_user){.uid = geteuid(), .gid = getegid()};
    if (user != NULL) {
        out->name = user;
        err = pl_user_lookup(user, &out->uid, &out->gid, error);
    }
    if (err == 0 && group != NULL) {
        out->name = user != NULL ? user : group;
        err = pl_group_lookup(group, &out->gid, error);
    }
    if (err < 0 || out->name == NULL)
        return err;
    if (out->uid == geteuid() && out->gid == getegid() && geteuid() != 0)
        out->name = NULL; /* it is already */
    else if (geteuid() != 0)
        return pl_error_set(error, PL_ERR_DENIED, "",
                            "cannot become %s '%s': only root may",
                            user != NULL ? "user" : "group", out->name);
    return 0;
}

static int cannot_become(const struct pl_user *user, struct pl_error *error)
{
    return pl_error_set(error, pl_err_from_errno(errno), "",
                        "cannot become user '%s': %s", user->name,
                        strerror(errno));
}

int pl_user_join(const struct pl_user *user, struct pl_error *error)
{
    gid_t groups[NGROUPS_MAX];
    const struct passwd *entry;
    int count = PL_COUNT(groups);

    if (user->name == NULL)
        return 0;
    entry = getpwuid(user->uid);
    groups[0] = user->gid;
    if (entry == NULL)
        count = 1;
    else if (getgrouplist(entry->pw_name, user->gid, groups, &count) < 0)
        count = PL_COUNT(groups); /* as many as the kernel takes */
    return pl_sys_setgroups((size_t)count, groups) < 0
               ? cannot_become(user, error)
               : 0;
}

/* Nothing of the old user is left, and there is no way back. */
static bool is_for_good(const struct pl_user *user)
{
    uid_t uids[3];
    gid_t gids[3];

    if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) < 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uids[i] != user->uid || gids[i] != user->gid)
            return false;
    return user->uid == 0 || setuid(0) < 0;
}

int pl_user_become(const struct pl_user *user, struct pl_error *error)
{
    if (user->name == NULL)
        return 0;
    if (pl_sys_setresgid(user->gid, user->gid, user->gid) < 0 ||
        pl_sys_setresuid(user->uid, user->uid, user->uid) < 0)
        return cannot_become(user, error);
    if (is_for_good(user))
        return 0;
    return pl_error_set(error, PL_ERR_DENIED, "",
                        "cannot become user '%s' for good: the system would "
                        "let us be root again",
                        user->name);
}

/* ---- descriptors ---- */

enum {
    OWN_FILES = 32, /* logs, pid file, listeners, libraries that are loading */
    WORKER_FILES = 16, /* epoll, eventfd and the like */
    LEAST = 4,
    TABLE = 8192, /* 64 KiB of the kernel's memory */
};

void pl_descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

unsigned pl_descriptors_share(unsigned workers)
{
    struct rlimit limit = {.rlim_cur = 1024};
    uint64_t all, own = OWN_FILES + (uint64_t)workers * WORKER_FILES;

    getrlimit(RLIMIT_NOFILE, &limit);
    all = PL_MIN((uint64_t)limit.rlim_cur, (uint64_t)1 << 30);
    all = all > own ? all - own : 0;
    all -= all / 8; /* for the files of static and uploads, for clients */
    return (unsigned)PL_MAX(all / workers, (uint64_t)LEAST);
}

void pl_descriptors_reserve(uint64_t count)
{
    int some = pl_sys_eventfd(0, EFD_CLOEXEC), last;

    if (some < 0)
        return;
    last = fcntl(some, F_DUPFD_CLOEXEC, (int)PL_MIN(count, TABLE) - 1);
    if (last >= 0)
        pl_sys_close(last);
    pl_sys_close(some);
}
