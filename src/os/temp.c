/* temp.c - see temp.h. Functions whose names begin with work_ run on offload
 * threads, and so does what they call. */
#include "os/temp.h"

#include <stdio.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

enum {
    NAME_TRIES = 10,
    NAME_ROOM = sizeof("/.perilune-0123456789abcdef"),
    COPY_STEP = 1 << 20,
};

struct pl_temp {
    struct pl_sched *sched;
    struct pl_offload_op closing;
    int fd;     /* -1: not made yet, or closed */
    bool named; /* it has the name, and loses it */
    mode_t mode;
    bool exclusive, sync;
    uint64_t size;
    size_t room;        /* of the struct and its texts */
    const char *folder; /* NULL: the default */
    const char *target; /* NULL: it is for us alone */
    char *name;         /* NAME_ROOM bytes behind the folder */
    char texts[];
};

/* ---- names ---- */

/* The folder of a target: up to its last slash. */
static struct pl_str folder_of(struct pl_str path)
{
    ptrdiff_t slash = pl_str_rchr(path, '/');

    if (slash < 0)
        return PL_STR(".");
    return slash == 0 ? PL_STR("/") : pl_str_first(path, (size_t)slash);
}

static char *put(char *to, struct pl_str text)
{
    memcpy(to, text.data, text.len);
    to[text.len] = '\0';
    return to + text.len + 1;
}

struct pl_temp *pl_temp_new(struct pl_sched *sched,
                            const struct pl_temp_spec *spec)
{
    struct pl_str target = pl_str_c(spec->target);
    struct pl_str folder =
        target.data != NULL ? folder_of(target) : pl_str_c(spec->folder);
    /* The longest of the default folders is looked for later. */
    size_t name = PL_MAX(folder.len, (size_t)256) + NAME_ROOM;
    size_t room =
        sizeof(struct pl_temp) + folder.len + 1 + target.len + 1 + name;
    struct pl_temp *temp = pl_pool_get(pl_loop_pool(sched->loop), room);
    char *to;

    if (temp == NULL)
        return NULL;
    *temp = (struct pl_temp){.sched = sched,
                             .fd = -1,
                             .mode = spec->mode,
                             .exclusive = spec->exclusive,
                             .sync = spec->sync,
                             .room = room};
    to = temp->texts;
    if (folder.data != NULL) {
        temp->folder = to;
        to = put(to, folder);
    }
    if (target.data != NULL) {
        temp->target = to;
        to = put(to, target);
    }
    temp->name = to;
    return temp;
}

/* ---- making it ---- */

static void make_name(struct pl_temp *temp, const char *folder)
{
    uint64_t chance;

    pl_random(&chance, sizeof(chance));
    sprintf(temp->name, "%s/.perilune-%016llx", folder,
            (unsigned long long)chance);
}

static int open_named(struct pl_temp *temp, const char *folder)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        make_name(temp, folder);
        temp->fd = pl_sys_open(temp->name,
                               O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (temp->fd >= 0 || errno != EEXIST)
            break;
    }
    if (temp->fd < 0)
        return -1;
    temp->named = true;
    if (temp->target == NULL && pl_sys_unlink(temp->name) == 0)
        temp->named = false;
    return 0;
}

/* Not every file system has files without a name, nor does every kernel say so
 * in the same way. */
static int open_in(struct pl_temp *temp, const char *folder)
{
    temp->fd = pl_sys_open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (temp->fd >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT &&
        errno != EINVAL)
        return -1;
    return open_named(temp, folder);
}

/* /tmp is memory on many machines; /var/tmp is for what is large. */
static int open_default(struct pl_temp *temp)
{
    const char *said = getenv("TMPDIR");

    if (said != NULL && said[0] == '/' && strlen(said) < 256)
        return open_in(temp, said);
    return open_in(temp, "/var/tmp") == 0 ? 0 : open_in(temp, "/tmp");
}

static int make_file(struct pl_temp *temp)
{
    int done;

    if (temp->fd >= 0)
        return 0;
    done =
        temp->folder != NULL ? open_in(temp, temp->folder) : open_default(temp);
    return done == 0 ? 0 : pl_err_from_errno(errno);
}

/* ---- operations ---- */

/* The one limit that a file can meet is that of the process. */
static int write_error(void)
{
    return errno == EFBIG ? PL_ERR_NO_SPACE : pl_err_from_errno(errno);
}

static int work_write(void *arg)
{
    struct pl_temp_op *op = arg;
    struct pl_str rest = op->bytes;
    int err = make_file(op->temp);

    while (err == 0 && rest.len > 0) {
        ssize_t n = pl_sys_write(op->temp->fd, rest.data, rest.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = write_error();
        else
            rest = pl_str_skip(rest, (size_t)n);
    }
    op->temp->size += op->bytes.len - rest.len;
    return err;
}

static int work_read(void *arg)
{
    struct pl_temp_op *op = arg;
    size_t done = 0;
    int err = make_file(op->temp);

    while (err == 0 && done < op->n) {
        ssize_t n = pl_sys_pread(op->temp->fd, op->to + done, op->n - done,
                                 (off_t)(op->at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            err = n == 0 ? PL_ERR_IO : pl_err_from_errno(errno);
        else
            done += (size_t)n;
    }
    return err;
}

/* What copy_file_range cannot do between two file systems. */
static int copy_step(struct pl_temp_op *op, off_t *off)
{
    char piece[16 * 1024];
    ssize_t n = pl_sys_pread(op->from->fd, piece, sizeof(piece), *off);

    if (n <= 0)
        return n == 0           ? PL_ERR_IO
               : errno == EINTR ? 0
                                : pl_err_from_errno(errno);
    op->bytes = pl_str(piece, (size_t)n);
    *off += n;
    return work_write(op);
}

static int work_copy(void *arg)
{
    struct pl_temp_op *op = arg;
    struct pl_temp *temp = op->temp;
    uint64_t size = op->from->size;
    int err = make_file(temp);
    off_t off = 0;

    while (err == 0 && (uint64_t)off < size) {
        ssize_t n = pl_sys_copy_file_range(
            op->from->fd, &off, temp->fd,
            (size_t)PL_MIN(size - (uint64_t)off, COPY_STEP));

        if (n > 0)
            temp->size += (uint64_t)n;
        else if (n == 0 || errno == EXDEV || errno == EOPNOTSUPP ||
                 errno == ENOSYS || errno == EINVAL)
            err = copy_step(op, &off);
        else if (errno != EINTR)
            err = write_error();
    }
    return err;
}

/* ---- keeping it ---- */

/* Gives the file the name to. */
static int link_to(const struct pl_temp *temp, const char *to)
{
    char own[32];

    if (temp->named)
        return pl_sys_linkat(AT_FDCWD, temp->name, AT_FDCWD, to, 0);
    sprintf(own, "/proc/self/fd/%d", temp->fd);
    if (pl_sys_linkat(AT_FDCWD, own, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    if (errno != ENOENT) /* that may also mean: there is no /proc */
        return -1;
    return pl_sys_linkat(temp->fd, "", AT_FDCWD, to, AT_EMPTY_PATH);
}

/* A file that is there is replaced by a rename, which needs a name. */
static int replace(struct pl_temp *temp)
{
    for (int i = 0; i < NAME_TRIES && !temp->named; i++) {
        make_name(temp, temp->folder);
        temp->named = link_to(temp, temp->name) == 0;
        if (!temp->named && errno != EEXIST)
            break;
    }
    if (!temp->named ||
        pl_sys_renameat(AT_FDCWD, temp->name, AT_FDCWD, temp->target) < 0)
        return -1;
    temp->named = false;
    return 0;
}

static int sync_folder(const struct pl_temp *temp)
{
    int fd = pl_sys_open(temp->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int done = fd < 0 ? -1 : pl_sys_fsync(fd);

    if (fd >= 0)
        pl_sys_close(fd);
    return done;
}

static int work_keep(void *arg)
{
    struct pl_temp *temp = ((struct pl_temp_op *)arg)->temp;
    int err = make_file(temp);

    if (err < 0)
        return err;
    if (pl_sys_fchmod(temp->fd, temp->mode) < 0 ||
        (temp->sync && pl_sys_fsync(temp->fd) < 0))
        return write_error();
    /* Where the target is new it gets its name at once. */
    if (link_to(temp, temp->target) < 0 &&
        (errno != EEXIST || temp->exclusive || replace(temp) < 0))
        return write_error();
    return temp->sync && sync_folder(temp) < 0 ? write_error() : 0;
}

/* ---- on the worker ---- */

static void on_done(struct pl_op *op)
{
    struct pl_offload_op *offload =
        PL_CONTAINER_OF(op, struct pl_offload_op, op);
    struct pl_temp_op *self =
        PL_CONTAINER_OF(offload, struct pl_temp_op, offload);
    int result = op->result;

    pl_offload_end(offload);
    /* What the queue of jobs has for a limit is none of the file's. */
    self->done(self, result == PL_ERR_LIMIT ? PL_ERR_BUSY : result);
}

static void begin(struct pl_temp_op *op, struct pl_temp *temp,
                  int (*work)(void *arg))
{
    op->temp = temp;
    pl_offload_begin(&op->offload, temp->sched, work, op, NULL);
    pl_op_then(&op->offload.op, on_done);
}

void pl_temp_write(struct pl_temp_op *op, struct pl_temp *temp,
                   struct pl_str bytes)
{
    op->bytes = bytes;
    begin(op, temp, work_write);
}

void pl_temp_read(struct pl_temp_op *op, struct pl_temp *temp, uint64_t at,
                  char *to, size_t n)
{
    op->at = at;
    op->to = to;
    op->n = n;
    begin(op, temp, work_read);
}

void pl_temp_copy(struct pl_temp_op *op, struct pl_temp *temp,
                  struct pl_temp *from)
{
    op->from = from;
    begin(op, temp, work_copy);
}

void pl_temp_keep(struct pl_temp_op *op, struct pl_temp *temp)
{
    PL_ASSERT(temp->target != NULL);
    begin(op, temp, work_keep);
}

uint64_t pl_temp_size(const struct pl_temp *temp)
{
    return temp->size;
}

/* ---- the end ---- */

/* The last byte of a large file takes its time, too. */
static int work_close(void *arg)
{
    struct pl_temp *temp = arg;

    if (temp->named)
        pl_sys_unlink(temp->name);
    pl_sys_close(temp->fd);
    temp->fd = -1;
    return 0;
}

static void on_closed(struct pl_op *op)
{
    struct pl_offload_op *closing =
        PL_CONTAINER_OF(op, struct pl_offload_op, op);
    struct pl_temp *temp = PL_CONTAINER_OF(closing, struct pl_temp, closing);

    pl_offload_end(closing);
    if (temp->fd >= 0) /* no thread would do it */
        work_close(temp);
    pl_pool_put(pl_loop_pool(temp->sched->loop), temp, temp->room);
}

void pl_temp_free(struct pl_temp *temp)
{
    if (temp == NULL)
        return;
    if (temp->fd < 0) {
        pl_pool_put(pl_loop_pool(temp->sched->loop), temp, temp->room);
        return;
    }
    pl_offload_begin(&temp->closing, temp->sched, work_close, temp, NULL);
    pl_op_then(&temp->closing.op, on_closed);
}
