#include "os/notify.h"

#include "base/error.h"
#include "os/fs_priv.h"

/* A file is told of when it was written and closed; at each write, if that is
 * asked for. */
enum {
    EVENTS = IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM |
             IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
             IN_EXCL_UNLINK
};

int pl_notify_open(struct pl_fs_file **out)
{
    struct pl_fs_file *file = pl_malloc(sizeof(*file));

    if (file == NULL)
        return PL_ERR_NOMEM;
    atomic_init(&file->refs, 1);
    atomic_init(&file->busy, false);
    file->fd = pl_sys_inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (file->fd < 0) {
        int err = pl_err_from_errno(errno);

        pl_free(file);
        return err;
    }
    *out = file;
    return 0;
}

int pl_notify_add(struct pl_fs_file *file, const char *path, unsigned flags)
{
    int watch = pl_sys_inotify_add_watch(
        file->fd, path, EVENTS | (flags & PL_FS_MODIFY ? IN_MODIFY : 0));

    if (watch >= 0)
        return watch;
    return errno == ENOSPC ? PL_ERR_LIMIT : pl_err_from_errno(errno);
}

void pl_notify_remove(struct pl_fs_file *file, int watch)
{
    (void)pl_sys_inotify_rm_watch(file->fd, watch); /* it may be gone */
}

int pl_fs_do_notify(struct pl_fs_call *call)
{
    int watch = pl_notify_add(call->args.file, call->path, call->args.flags);

    if (watch == PL_ERR_LIMIT)
        return pl_fs_refuse(call, PL_ERR_LIMIT,
                            "more folders than fs.inotify.max_user_watches");
    if (watch < 0)
        return pl_fs_fail(call);
    call->number = watch;
    return 0;
}

ssize_t pl_notify_read(struct pl_fs_file *file, void *block, size_t size)
{
    ssize_t n;

    do
        n = pl_sys_read(file->fd, block, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? pl_err_from_errno(errno) : n;
}

bool pl_notify_next(struct pl_str *rest, struct pl_notify_event *event)
{
    struct inotify_event raw;

    if (rest->len < sizeof(raw))
        return false;
    memcpy(&raw, rest->data, sizeof(raw));
    event->watch = raw.mask & IN_Q_OVERFLOW ? -1 : raw.wd;
    event->mask = raw.mask;
    event->cookie = raw.cookie;
    /* The name is padded with NULs. */
    event->name = pl_str(rest->data + sizeof(raw),
                         strnlen(rest->data + sizeof(raw), raw.len));
    *rest = pl_str_skip(*rest, sizeof(raw) + raw.len);
    return true;
}
