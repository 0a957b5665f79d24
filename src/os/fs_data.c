/* fs_data.c - whole files: read, write, copy.
 *
 * A file is written by way of a new one beside it, which then takes its name:
 * whoever reads sees the old content or the new one, also after a crash, and a
 * full disk leaves the old one alone. */
#include <limits.h>
#include <stdio.h>

#include "os/fs_priv.h"

/* ---- read ---- */

/* So much would be good to have room for: what is left of the file, and one
 * more byte to see its end. Files of /proc say 0. */
static size_t room_for(const struct pl_fs_call *call, const struct stat *st)
{
    int64_t left = st->st_size - call->args.offset;
    uint64_t want = PL_MIN(call->args.length, call->args.max);

    left = PL_MAX(left, 4096 - 1);
    return (size_t)PL_MIN((uint64_t)left, want) + 1;
}

/* Up to more bytes at offset; their number, 0 at the end. */
static ssize_t read_step(struct pl_fs_call *call, int fd, size_t more)
{
    ssize_t n;

    do
        n = pl_sys_pread(fd, call->out + call->out_len, more,
                         call->args.offset + (off_t)call->out_len);
    while (n < 0 && errno == EINTR);
    return n;
}

static int read_all(struct pl_fs_call *call, int fd, const struct stat *st)
{
    uint64_t length = call->args.length;
    size_t more = room_for(call, st);
    ssize_t n;
    int err;

    for (;;) {
        err = pl_fs_check_stop(call);
        if (err == 0)
            err = pl_fs_reserve(call, more);
        if (err < 0)
            return err;
        more = call->out_size - call->out_len;
        more = (size_t)PL_MIN((uint64_t)more, length - call->out_len);
        n = more == 0 ? 0 : read_step(call, fd, PL_MIN(more, PL_FS_STEP));
        if (n <= 0)
            break;
        call->out_len += (size_t)n;
        if (call->out_len > call->args.max)
            return pl_fs_refuse(call, PL_ERR_LIMIT,
                                "larger than the limit of this read");
        more = 1;
    }
    return n < 0 ? pl_fs_fail(call) : 0;
}

int pl_fs_do_read(struct pl_fs_call *call)
{
    struct stat st;
    int fd = pl_fs_open_regular(call, call->path, O_RDONLY, 0, &st), err;

    if (fd < 0)
        return fd;
    err = read_all(call, fd, &st);
    pl_sys_close(fd);
    return err;
}

/* ---- write ---- */

int pl_fs_write_all(struct pl_fs_call *call, int fd, struct pl_str data)
{
    while (data.len > 0) {
        ssize_t n = pl_sys_write(fd, data.data, PL_MIN(data.len, PL_FS_STEP));

        if (n < 0 && errno != EINTR)
            return pl_fs_fail(call);
        data = pl_str_skip(data, n < 0 ? 0 : (size_t)n);
        if (data.len > 0 && pl_fs_check_stop(call) < 0)
            return PL_ERR_CANCELED;
    }
    return 0;
}

/* close() too may be the one that tells of a failed write. */
static int finish(struct pl_fs_call *call, int fd, int err)
{
    if (err == 0 && call->args.flags & PL_FS_SYNC && pl_sys_fsync(fd) < 0)
        err = pl_fs_fail(call);
    if (pl_sys_close(fd) < 0 && err == 0)
        err = pl_fs_fail(call);
    return err;
}

static int write_in_place(struct pl_fs_call *call)
{
    unsigned flags = call->args.flags;
    int mode = call->args.mode;
    int how = O_WRONLY | O_CREAT | (flags & PL_FS_APPEND ? O_APPEND : O_TRUNC) |
              (flags & PL_FS_EXCLUSIVE ? O_EXCL : 0);
    struct stat st;
    int fd = pl_fs_open_regular(call, call->path, how, 0666, &st), err = 0;

    if (fd < 0)
        return fd;
    if (mode != PL_FS_NO_MODE && pl_sys_fchmod(fd, (mode_t)mode) < 0)
        err = pl_fs_fail(call);
    if (err == 0)
        err = pl_fs_write_all(call, fd, call->args.data);
    return finish(call, fd, err);
}

/* ---- a new file that takes the name of another ---- */

struct fresh {
    char path[PATH_MAX];   /* of the new one */
    char target[PATH_MAX]; /* what it is to be */
    int fd;
};

static void random_name(char *to, size_t size, const char *folder)
{
    uint64_t number;

    pl_random(&number, sizeof(number));
    snprintf(to, size, "%s/.pl-%016llx.tmp", folder,
             (unsigned long long)number);
}

/* The new file is made as the old one is: its permissions, and its owner if we
 * may. old is NULL if there is none. */
static int take_after(struct pl_fs_call *call, int fd, const struct stat *old)
{
    int mode = call->args.mode;

    if (old != NULL && (old->st_uid != geteuid() || old->st_gid != getegid()) &&
        pl_sys_fchown(fd, old->st_uid, old->st_gid) < 0 && errno != EPERM)
        return pl_fs_fail(call);
    if (mode == PL_FS_NO_MODE && old != NULL)
        mode = (int)(old->st_mode & 07777);
    if (mode != PL_FS_NO_MODE && pl_sys_fchmod(fd, (mode_t)mode) < 0)
        return pl_fs_fail(call);
    return 0;
}

/* What path leads to becomes fresh->target, and its state *old if it is there.
 * A link is followed: it stays, and what it leads to is replaced. Returns 1 if
 * there is something, 0 if not, or PL_ERR_*. */
static int find_target(struct pl_fs_call *call, const char *path,
                       struct fresh *fresh, struct stat *old)
{
    struct stat st;

    if (strlen(path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return pl_fs_fail(call);
    }
    strcpy(fresh->target, path);
    if (pl_sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : pl_fs_fail(call);
    if (S_ISLNK(st.st_mode) &&
        (pl_sys_realpath(path, fresh->target) == NULL ||
         pl_sys_fstatat(AT_FDCWD, fresh->target, &st, 0) < 0))
        return pl_fs_fail(call);
    *old = st;
    if (S_ISREG(st.st_mode))
        return 1;
    if (!S_ISDIR(st.st_mode))
        return pl_fs_refuse(call, PL_ERR_INVALID, "not a regular file");
    errno = EISDIR;
    return pl_fs_fail(call);
}

static int open_fresh(struct pl_fs_call *call, struct fresh *fresh)
{
    char folder[PATH_MAX - 32];
    int err = pl_fs_folder_of(call, fresh->target, folder, sizeof(folder));

    if (err < 0)
        return err;
    do {
        random_name(fresh->path, sizeof(fresh->path), folder);
        fresh->fd = pl_sys_open(fresh->path,
                                O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fresh->fd < 0 && (errno == EEXIST || errno == EINTR));
    return fresh->fd < 0 ? pl_fs_fail(call) : 0;
}

/* The name itself must reach the disk, too. */
static int sync_folder(struct pl_fs_call *call, const char *path)
{
    char folder[PATH_MAX];
    int err = pl_fs_folder_of(call, path, folder, sizeof(folder)), fd;

    if (err < 0)
        return err;
    fd = pl_sys_open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return pl_fs_fail(call);
    return finish(call, fd, 0);
}

/* Gives the new file its name, or removes it after an error. A link cannot
 * replace what is there, so it is made where that is not wanted. */
static int commit(struct pl_fs_call *call, struct fresh *fresh, int err)
{
    bool exclusive = (call->args.flags & PL_FS_EXCLUSIVE) != 0;

    err = finish(call, fresh->fd, err);
    if (err == 0 && exclusive &&
        pl_sys_linkat(AT_FDCWD, fresh->path, AT_FDCWD, fresh->target, 0) < 0)
        err = pl_fs_fail(call);
    if (err == 0 && !exclusive &&
        pl_sys_renameat(AT_FDCWD, fresh->path, AT_FDCWD, fresh->target) < 0)
        err = pl_fs_fail(call);
    if (err < 0 || exclusive)
        pl_sys_unlinkat(AT_FDCWD, fresh->path, 0);
    if (err == 0 && call->args.flags & PL_FS_SYNC)
        err = sync_folder(call, fresh->target);
    return err;
}

/* Writes a new file by fill() and makes it what path leads to. like: after
 * whom it takes if there is no old one; may be NULL. */
static int replace(struct pl_fs_call *call, const char *path,
                   int (*fill)(struct pl_fs_call *call, int fd, int source),
                   int source, const struct stat *like)
{
    struct fresh fresh;
    struct stat old;
    int found = find_target(call, path, &fresh, &old), err;

    if (found < 0)
        return found;
    if (found > 0 && call->args.flags & PL_FS_EXCLUSIVE) {
        errno = EEXIST;
        return pl_fs_fail(call);
    }
    err = open_fresh(call, &fresh);
    if (err < 0)
        return err;
    err = take_after(call, fresh.fd, found > 0 ? &old : like);
    if (err == 0)
        err = fill(call, fresh.fd, source);
    return commit(call, &fresh, err);
}

static int fill_with_data(struct pl_fs_call *call, int fd, int source)
{
    (void)source;
    return pl_fs_write_all(call, fd, call->args.data);
}

int pl_fs_do_write(struct pl_fs_call *call)
{
    if (call->args.flags & (PL_FS_IN_PLACE | PL_FS_APPEND))
        return write_in_place(call);
    return replace(call, call->path, fill_with_data, -1, NULL);
}

/* ---- copy ---- */

/* Where the kernel cannot copy by itself. */
static int copy_by_hand(struct pl_fs_call *call, int fd, int source)
{
    struct pl_str block;
    ssize_t n;
    int err = pl_fs_reserve(call, PL_FS_STEP);

    while (err == 0) {
        n = pl_sys_read(source, call->out, PL_FS_STEP);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return pl_fs_fail(call);
        block = pl_str(call->out, n < 0 ? 0 : (size_t)n);
        err = pl_fs_write_all(call, fd, block);
        if (err == 0)
            err = pl_fs_check_stop(call);
    }
    return err;
}

/* Files of /proc say that they are empty, and the kernel copies nothing. */
static int fill_with_copy(struct pl_fs_call *call, int fd, int source)
{
    bool moved = false;

    for (;;) {
        ssize_t n = pl_sys_copy_file_range(source, NULL, fd, 16 * PL_FS_STEP);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO ||
                      errno == EFBIG))
            return pl_fs_fail(call);
        if (n < 0 || (n == 0 && !moved))
            return copy_by_hand(call, fd, source); /* goes on where that was */
        if (n == 0)
            return 0;
        moved = true;
        if (pl_fs_check_stop(call) < 0)
            return PL_ERR_CANCELED;
    }
}

int pl_fs_do_copy(struct pl_fs_call *call)
{
    struct stat st, like;
    int source = pl_fs_open_regular(call, call->path, O_RDONLY, 0, &st), err;

    if (source < 0)
        return source;
    like = st;
    like.st_uid = geteuid(); /* permissions are copied, owners are not */
    like.st_gid = getegid();
    err = replace(call, call->to, fill_with_copy, source, &like);
    pl_sys_close(source);
    return err;
}

/* ---- temp ---- */

int pl_fs_do_temp(struct pl_fs_call *call)
{
    bool folder = (call->args.flags & PL_FS_FOLDER) != 0;
    char path[PATH_MAX];
    int result;

    if (call->args.path.len >= PATH_MAX - 32) {
        errno = ENAMETOOLONG;
        return pl_fs_fail(call);
    }
    do {
        random_name(path, sizeof(path), call->path);
        result = folder
                     ? pl_sys_mkdirat(AT_FDCWD, path, 0700)
                     : pl_sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                                   0600);
    } while (result < 0 && (errno == EEXIST || errno == EINTR));
    if (result < 0)
        return pl_fs_fail(call);
    if (!folder)
        pl_sys_close(result);
    if (pl_fs_give_text(call, path, strlen(path)) == 0)
        return 0;
    pl_sys_unlinkat(AT_FDCWD, path, folder ? AT_REMOVEDIR : 0);
    return PL_ERR_NOMEM;
}
