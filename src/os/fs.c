/* fs.c - the life of a call, and the calls that are one system call. */
#include "os/fs.h"

#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "os/fs_priv.h"

/* ---- the life of a call ---- */

struct pl_fs_file *pl_fs_file_take(struct pl_fs_file *file)
{
    atomic_fetch_add(&file->refs, 1);
    return file;
}

void pl_fs_file_drop(struct pl_fs_file *file)
{
    if (file == NULL || atomic_fetch_sub(&file->refs, 1) > 1)
        return;
    if (file->fd >= 0)
        pl_sys_close(file->fd);
    pl_free(file);
}

/* A copy in call's memory, terminated; *at moves on. */
static struct pl_str keep(char **at, struct pl_str text)
{
    struct pl_str kept = pl_str(*at, text.len);

    if (text.data == NULL)
        return text;
    memcpy(*at, text.data, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return kept;
}

static const char *name_of(struct pl_fs_call *call, struct pl_str name)
{
    if (name.data == NULL)
        return NULL;
    if (strlen(name.data) == name.len)
        return name.data;
    call->bad_name = true;
    return NULL;
}

struct pl_fs_call *pl_fs_call_new(int (*work)(struct pl_fs_call *call),
                                  const struct pl_fs_args *args)
{
    size_t size = args->path.len + args->to.len + args->data.len + 3;
    struct pl_fs_call *call = pl_malloc(sizeof(*call) + size);
    char *at;

    if (call == NULL)
        return NULL;
    memset(call, 0, sizeof(*call));
    at = call->memory;
    atomic_init(&call->refs, 1);
    call->work = work;
    call->args = *args;
    call->args.path = keep(&at, args->path);
    call->args.to = keep(&at, args->to);
    call->args.data = keep(&at, args->data);
    call->path = name_of(call, call->args.path);
    call->to = name_of(call, call->args.to);
    if (args->file != NULL)
        pl_fs_file_take(args->file);
    return call;
}

void pl_fs_call_drop(struct pl_fs_call *call)
{
    if (call == NULL || atomic_fetch_sub(&call->refs, 1) > 1)
        return;
    pl_fs_file_drop(call->args.file);
    pl_fs_file_drop(call->file);
    pl_free(call->out);
    pl_free(call);
}

static int do_work(void *arg)
{
    struct pl_fs_call *call = arg;

    if (call->bad_name)
        return pl_fs_refuse(call, PL_ERR_INVALID, "a name has a NUL byte");
    return call->work(call);
}

static void end_work(void *arg)
{
    struct pl_fs_call *call = arg;

    if (call->args.file != NULL)
        atomic_store(&call->args.file->busy, false);
    pl_fs_call_drop(call);
}

static void cancel_call(struct pl_op *op)
{
    struct pl_fs_op *fs = PL_CONTAINER_OF(op, struct pl_fs_op, offload.op);

    atomic_store(&fs->call->stop, true);
    fs->abandon(op);
}

void pl_fs_begin(struct pl_fs_op *op, struct pl_sched *sched,
                 struct pl_fs_call *call)
{
    op->call = call;
    atomic_fetch_add(&call->refs, 1);
    pl_offload_begin(&op->offload, sched, do_work, call, end_work);
    op->offload.counted = true;
    op->abandon = op->offload.op.cancel;
    op->offload.op.cancel = cancel_call;
}

/* ---- errors ---- */

/* EXDEV is not openat2()'s here, and nothing is to be tried again. */
static int code_of(int error)
{
    switch (error) {
    case EXDEV:
        return PL_ERR_UNSUPPORTED;
    case EAGAIN:
    case EINTR:
        return PL_ERR_BUSY;
    default:
        return pl_err_from_errno(error);
    }
}

int pl_fs_fail(struct pl_fs_call *call)
{
    call->error = errno;
    return code_of(errno);
}

int pl_fs_refuse(struct pl_fs_call *call, int err, const char *problem)
{
    call->problem = problem;
    return err;
}

int pl_fs_check_stop(const struct pl_fs_call *call)
{
    return atomic_load(&call->stop) ? PL_ERR_CANCELED : 0;
}

void pl_fs_message(const struct pl_fs_call *call, int err, char *text,
                   size_t size)
{
    const char *what = call->problem;
    bool both = call->work == pl_fs_do_rename || call->work == pl_fs_do_copy ||
                call->work == pl_fs_do_link;

    if (what == NULL && call->error != 0)
        what = strerrordesc_np(call->error);
    if (what == NULL)
        what = pl_err_text(err);
    snprintf(text, size, "%.*s%s%.*s: %s", PL_STR_ARG(call->args.path),
             both ? ", " : "", both ? (int)call->args.to.len : 0,
             both ? call->args.to.data : "", what);
}

/* ---- help for the calls ---- */

const char *pl_fs_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "pipe";
    case S_IFSOCK:
        return "socket";
    default:
        return "other";
    }
}

static int open_again(const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = pl_sys_open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int pl_fs_open_regular(struct pl_fs_call *call, const char *path, int flags,
                       mode_t mode, struct stat *st)
{
    int fd = open_again(path, flags, mode), err;

    if (fd < 0 && errno == ENXIO)
        return pl_fs_refuse(call, PL_ERR_INVALID, "not a regular file");
    if (fd < 0)
        return pl_fs_fail(call);
    if (pl_sys_fstat(fd, st) < 0) {
        err = pl_fs_fail(call);
    } else if (S_ISREG(st->st_mode)) {
        return fd;
    } else if (S_ISDIR(st->st_mode)) {
        errno = EISDIR;
        err = pl_fs_fail(call);
    } else {
        err = pl_fs_refuse(call, PL_ERR_INVALID, "not a regular file");
    }
    pl_sys_close(fd);
    return err;
}

int pl_fs_reserve(struct pl_fs_call *call, size_t more)
{
    size_t size = call->out_size;
    char *out;

    if (more <= size - call->out_len)
        return 0;
    if (more > SIZE_MAX / 2 - call->out_len)
        return PL_ERR_NOMEM;
    size = PL_MAX(call->out_len + more, size + size / 2);
    out = pl_realloc(call->out, size);
    if (out == NULL)
        return PL_ERR_NOMEM;
    call->out = out;
    call->out_size = size;
    return 0;
}

int pl_fs_give_text(struct pl_fs_call *call, const char *text, size_t len)
{
    if (pl_fs_reserve(call, len + 1) < 0)
        return PL_ERR_NOMEM;
    memcpy(call->out, text, len);
    call->out[len] = '\0';
    call->out_len = len;
    return 0;
}

int pl_fs_folder_of(struct pl_fs_call *call, const char *path, char *folder,
                    size_t size)
{
    struct pl_str name = pl_str_c(path);
    ptrdiff_t slash = pl_str_rchr(name, '/');
    size_t len = slash <= 0 ? 1 : (size_t)slash;

    if (len >= size) {
        errno = ENAMETOOLONG;
        return pl_fs_fail(call);
    }
    memcpy(folder, slash < 0 ? "." : path, len);
    folder[len] = '\0';
    return 0;
}

static int done(struct pl_fs_call *call, int result)
{
    return result < 0 ? pl_fs_fail(call) : 0;
}

/* ---- calls of one step ---- */

int pl_fs_do_stat(struct pl_fs_call *call)
{
    int flags = call->args.flags & PL_FS_LINK ? AT_SYMLINK_NOFOLLOW : 0;

    return done(call, pl_sys_fstatat(AT_FDCWD, call->path, &call->st, flags));
}

int pl_fs_do_rename(struct pl_fs_call *call)
{
    return done(call,
                pl_sys_renameat(AT_FDCWD, call->path, AT_FDCWD, call->to));
}

int pl_fs_do_link(struct pl_fs_call *call)
{
    return done(call,
                pl_sys_linkat(AT_FDCWD, call->path, AT_FDCWD, call->to, 0));
}

int pl_fs_do_symlink(struct pl_fs_call *call)
{
    return done(call, pl_sys_symlinkat(call->to, AT_FDCWD, call->path));
}

int pl_fs_do_readlink(struct pl_fs_call *call)
{
    char target[PATH_MAX];
    ssize_t n = pl_sys_readlinkat(AT_FDCWD, call->path, target, sizeof(target));

    return n < 0 ? pl_fs_fail(call) : pl_fs_give_text(call, target, (size_t)n);
}

int pl_fs_do_realpath(struct pl_fs_call *call)
{
    char path[PATH_MAX];

    if (pl_sys_realpath(call->path, path) == NULL)
        return pl_fs_fail(call);
    return pl_fs_give_text(call, path, strlen(path));
}

int pl_fs_do_chmod(struct pl_fs_call *call)
{
    return done(call, pl_sys_chmod(call->path, (mode_t)call->args.mode));
}

int pl_fs_do_touch(struct pl_fs_call *call)
{
    const struct timespec times[2] = {call->args.time, call->args.time};
    int fd;

    if (pl_sys_utimensat(AT_FDCWD, call->path, times, 0) == 0)
        return 0;
    if (errno != ENOENT)
        return pl_fs_fail(call);
    fd = open_again(call->path, O_WRONLY | O_CREAT, 0666);
    if (fd < 0)
        return pl_fs_fail(call);
    pl_sys_close(fd);
    return done(call, pl_sys_utimensat(AT_FDCWD, call->path, times, 0));
}

/* ---- mkdir ---- */

static bool is_folder(const char *path)
{
    struct stat st;

    return pl_sys_fstatat(AT_FDCWD, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* Makes what is missing of the folders above; path is cut and mended. Slashes
 * at its end have none above them. */
static int make_parents(struct pl_fs_call *call, char *path)
{
    for (char *at = path + 1; *at != '\0'; at++) {
        int result, error;

        if (*at != '/' || at[strspn(at, "/")] == '\0')
            continue;
        *at = '\0';
        result = pl_sys_mkdirat(AT_FDCWD, path, 0777);
        error = errno;
        *at = '/';
        if (result < 0 && error != EEXIST && error != EISDIR) {
            errno = error;
            return pl_fs_fail(call);
        }
    }
    return 0;
}

int pl_fs_do_mkdir(struct pl_fs_call *call)
{
    bool parents = (call->args.flags & PL_FS_PARENTS) != 0;
    int mode = call->args.mode, err = 0, error;

    if (parents && call->path[0] != '\0')
        err = make_parents(call, (char *)call->path);
    if (err < 0)
        return err;
    if (pl_sys_mkdirat(AT_FDCWD, call->path, 0777) == 0)
        return mode == PL_FS_NO_MODE
                   ? 0
                   : done(call, pl_sys_chmod(call->path, (mode_t)mode));
    error = errno;
    if (parents && error == EEXIST && is_folder(call->path))
        return 0;
    errno = error;
    return pl_fs_fail(call);
}
