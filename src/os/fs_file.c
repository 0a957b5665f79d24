/* fs_file.c - open files: what one call after another does with them. */
#include "os/fs_priv.h"

int pl_fs_do_open(struct pl_fs_call *call)
{
    struct pl_fs_file *file = pl_malloc(sizeof(*file));
    int mode = call->args.mode == PL_FS_NO_MODE ? 0666 : call->args.mode;

    if (file == NULL)
        return PL_ERR_NOMEM;
    atomic_init(&file->refs, 1);
    atomic_init(&file->busy, false);
    file->fd = pl_fs_open_regular(call, call->path, call->args.how,
                                  (mode_t)mode, &call->st);
    if (file->fd < 0) {
        int err = file->fd;

        pl_free(file);
        return err;
    }
    call->file = file;
    return 0;
}

/* As much as is asked for, unless the file ends. */
int pl_fs_do_file_read(struct pl_fs_call *call)
{
    size_t want = (size_t)call->args.length;
    int err = pl_fs_reserve(call, want);

    while (err == 0 && call->out_len < want) {
        ssize_t n = pl_sys_read(call->args.file->fd, call->out + call->out_len,
                                want - call->out_len);

        if (n == 0)
            break;
        if (n > 0)
            call->out_len += (size_t)n;
        else if (errno != EINTR)
            return pl_fs_fail(call);
        err = pl_fs_check_stop(call);
    }
    return err;
}

int pl_fs_do_file_write(struct pl_fs_call *call)
{
    return pl_fs_write_all(call, call->args.file->fd, call->args.data);
}

int pl_fs_do_file_seek(struct pl_fs_call *call)
{
    off_t at = pl_sys_lseek(call->args.file->fd, (off_t)call->args.offset,
                            call->args.how);

    if (at < 0)
        return pl_fs_fail(call);
    call->number = at;
    return 0;
}

int pl_fs_do_file_sync(struct pl_fs_call *call)
{
    return pl_sys_fsync(call->args.file->fd) < 0 ? pl_fs_fail(call) : 0;
}

int pl_fs_do_file_stat(struct pl_fs_call *call)
{
    int result = pl_sys_fstat(call->args.file->fd, &call->st);

    return result < 0 ? pl_fs_fail(call) : 0;
}

/* The descriptor is gone in any case; a failure tells of lost writes. */
int pl_fs_do_file_close(struct pl_fs_call *call)
{
    int fd = call->args.file->fd;

    call->args.file->fd = -1;
    return pl_sys_close(fd) < 0 ? pl_fs_fail(call) : 0;
}
