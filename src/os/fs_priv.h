/* fs_priv.h - what the files of this room share of a call. */
#ifndef PL_OS_FS_PRIV_H
#define PL_OS_FS_PRIV_H

#include "os/fs.h"

enum { PL_FS_STEP = 1 << 20 }; /* bytes between two looks at call->stop */

/* The failure of a system call, from errno. */
int pl_fs_fail(struct pl_fs_call *call);

/* A failure that the kernel does not know of. problem is a constant. */
int pl_fs_refuse(struct pl_fs_call *call, int err, const char *problem);

/* 0, or PL_ERR_CANCELED: the caller has left. */
int pl_fs_check_stop(const struct pl_fs_call *call);

/* Opens path, which must be a regular file, without waiting for anybody; its
 * state goes to *st. Returns a descriptor or PL_ERR_*. */
int pl_fs_open_regular(struct pl_fs_call *call, const char *path, int flags,
                       mode_t mode, struct stat *st);

/* Room for more bytes behind out_len. */
int pl_fs_reserve(struct pl_fs_call *call, size_t more);

/* All of it, in steps. */
int pl_fs_write_all(struct pl_fs_call *call, int fd, struct pl_str data);

/* out becomes a copy of text. */
int pl_fs_give_text(struct pl_fs_call *call, const char *text, size_t len);

/* The folder of path, "." if it names none. */
int pl_fs_folder_of(struct pl_fs_call *call, const char *path, char *folder,
                    size_t size);

#endif
