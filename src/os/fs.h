/* fs.h - calls of the file system, each a job of an offload thread.
 *
 *     call = pl_fs_call_new(pl_fs_do_read, &args)        copies its arguments
 *     pl_fs_begin(&op, sched, call) ... op is DONE       or pl_fs_wait()
 *     call->out, call->st, pl_fs_message(call, ...)
 *     pl_fs_call_drop(call)
 *
 * A call counts its users: the caller, and the job while it runs. A cancelled
 * caller leaves at once; the job sees call->stop between two steps, gives up,
 * and the call frees itself. What a call has found out may be looked at when
 * the op is DONE and was not cancelled.
 *
 * Nothing here waits for another process: files are opened with O_NONBLOCK and
 * must be regular, so that a FIFO or a terminal cannot hold a thread. */
#ifndef PL_OS_FS_H
#define PL_OS_FS_H

#include <stdatomic.h>

#include "base/str.h"
#include "base/sys.h"
#include "task/op.h"

/* An open file, shared by its handle and the jobs that use it; the last to
 * leave closes it, on any thread. */
struct pl_fs_file {
    atomic_int refs;
    int fd;
    atomic_bool busy; /* a job is at work on it: one at a time */
};

struct pl_fs_file *pl_fs_file_take(struct pl_fs_file *file); /* one more user */
void pl_fs_file_drop(struct pl_fs_file *file);               /* may be NULL */

enum pl_fs_flag {
    PL_FS_IN_PLACE = 1,   /* write: not by way of a new file */
    PL_FS_APPEND = 2,     /* write: at the end; implies PL_FS_IN_PLACE */
    PL_FS_SYNC = 4,       /* write, copy: it is on the disk at the end */
    PL_FS_EXCLUSIVE = 8,  /* write, copy: PL_ERR_EXISTS if it is there */
    PL_FS_LINK = 16,      /* stat: of a symbolic link itself */
    PL_FS_PARENTS = 32,   /* mkdir: those above it too; it may be there */
    PL_FS_RECURSIVE = 64, /* list, remove: what is below it too */
    PL_FS_FOLDER = 128,   /* temp: a folder, not a file */
    PL_FS_MODIFY = 256,   /* notify: of each write, too */
};

enum { PL_FS_NO_MODE = -1 };

/* What is not said is 0 or absent. */
struct pl_fs_args {
    struct pl_str path;
    struct pl_str to;        /* the second name; what a link says; a pattern */
    struct pl_str data;      /* to be written */
    struct pl_fs_file *file; /* instead of a path */
    int64_t offset;          /* read, seek */
    uint64_t length;         /* read: at most; UINT64_MAX: to the end */
    uint64_t max;            /* bytes that a read, names that a list may give */
    struct timespec time;    /* touch; UTIME_NOW in tv_nsec: now */
    int mode;                /* permissions, or PL_FS_NO_MODE */
    int how;                 /* open: O_*; seek: SEEK_* */
    unsigned flags;
};

struct pl_fs_call {
    atomic_int refs;
    atomic_bool stop; /* the caller has left */
    int (*work)(struct pl_fs_call *call);
    struct pl_fs_args args;
    /* terminated; NULL: absent, or no name at all (it has a NUL inside) */
    const char *path, *to;
    bool bad_name;
    /* what went wrong beside the result: an errno or a text */
    int error;
    const char *problem;
    /* what was found out; out is the call's */
    struct stat st;
    char *out;
    size_t out_len, out_size;
    int64_t number; /* position, entries, watch */
    struct pl_fs_file *file;
    char memory[];
};

/* Copies args. NULL when out of memory. */
struct pl_fs_call *pl_fs_call_new(int (*work)(struct pl_fs_call *call),
                                  const struct pl_fs_args *args);
void pl_fs_call_drop(struct pl_fs_call *call); /* any thread */

/* Completes with the call's result: 0 or PL_ERR_*. Cancelling it stops the call
 * where that is possible, and abandons it in any case. Borrows call. */
struct pl_fs_op {
    struct pl_offload_op offload;
    void (*abandon)(struct pl_op *op);
    struct pl_fs_call *call;
};

void pl_fs_begin(struct pl_fs_op *op, struct pl_sched *sched,
                 struct pl_fs_call *call);

/* "PATH: what went wrong", cut at size. */
void pl_fs_message(const struct pl_fs_call *call, int err, char *text,
                   size_t size);

/* "file", "directory", "link", "pipe", "socket", "other" */
const char *pl_fs_type(mode_t mode);

/* ---- the calls; what they take of args, and what they give ---- */

int pl_fs_do_stat(struct pl_fs_call *call);     /* flags LINK -> st */
int pl_fs_do_mkdir(struct pl_fs_call *call);    /* flags PARENTS, mode */
int pl_fs_do_rename(struct pl_fs_call *call);   /* to */
int pl_fs_do_link(struct pl_fs_call *call);     /* to */
int pl_fs_do_symlink(struct pl_fs_call *call);  /* path is made, says to */
int pl_fs_do_readlink(struct pl_fs_call *call); /* -> out */
int pl_fs_do_realpath(struct pl_fs_call *call); /* -> out */
int pl_fs_do_chmod(struct pl_fs_call *call);    /* mode */
int pl_fs_do_touch(struct pl_fs_call *call);    /* time */

int pl_fs_do_read(struct pl_fs_call *call);  /* offset, length, max -> out */
int pl_fs_do_write(struct pl_fs_call *call); /* data, flags, mode */
int pl_fs_do_copy(struct pl_fs_call *call);  /* to, flags, mode */
int pl_fs_do_temp(struct pl_fs_call *call);  /* path: where; FOLDER -> out */

/* Names with their types, sorted, as `type byte, name, NUL` (the type is the
 * first letter of pl_fs_type()). With RECURSIVE names are paths below path. to:
 * a pattern (fnmatch) for the last part of the name. -> out, number */
int pl_fs_do_list(struct pl_fs_call *call);

/* Never follows a symbolic link. flags RECURSIVE */
int pl_fs_do_remove(struct pl_fs_call *call);

/* On an open file. One at a time: the caller sets file->busy before it begins,
 * and the end of the job clears it. */
int pl_fs_do_open(struct pl_fs_call *call);       /* how, mode -> file */
int pl_fs_do_file_read(struct pl_fs_call *call);  /* length -> out, may be "" */
int pl_fs_do_file_write(struct pl_fs_call *call); /* data */
int pl_fs_do_file_seek(struct pl_fs_call *call);  /* how, offset -> number */
int pl_fs_do_file_sync(struct pl_fs_call *call);
int pl_fs_do_file_stat(struct pl_fs_call *call); /* -> st */
int pl_fs_do_file_close(struct pl_fs_call *call);

#endif
