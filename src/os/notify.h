/* notify.h - what happens to the files of a folder (inotify).
 *
 * A notifier is a descriptor that the loop watches; each folder is added by a
 * job, because finding it may block. Shared by its owner and the jobs that add
 * to it: the last to leave closes it. */
#ifndef PL_OS_NOTIFY_H
#define PL_OS_NOTIFY_H

#include "os/fs.h"

/* As an open file: pl_fs_file_take(), pl_fs_file_drop(). GIVES *out. Returns 0
 * or PL_ERR_*; PL_ERR_NO_FDS also at the limit of notifiers. Does not block. */
int pl_notify_open(struct pl_fs_file **out);

/* Watches a folder for it: its number (again the same one, if it is watched
 * already); PL_ERR_LIMIT at the limit of watches, or PL_ERR_*. May block. */
int pl_notify_add(struct pl_fs_file *file, const char *path, unsigned flags);
void pl_notify_remove(struct pl_fs_file *file, int watch);

/* Watches the folder args.path for the notifier args.file. -> number, by which
 * events name the folder. flags MODIFY */
int pl_fs_do_notify(struct pl_fs_call *call);

struct pl_notify_event {
    int watch; /* the number; -1: events were lost */
    uint32_t mask;
    uint32_t cookie; /* the same for both halves of a rename */
    struct pl_str name;
};

/* Reads events into block (at least PL_NOTIFY_BLOCK bytes, aligned as
 * malloc's): the number of bytes, PL_ERR_AGAIN if there are none, or PL_ERR_*.
 */
enum { PL_NOTIFY_BLOCK = 16 * 1024 };
ssize_t pl_notify_read(struct pl_fs_file *file, void *block, size_t size);

/* Takes the first event off *rest; false when there is none. It points into the
 * block. */
bool pl_notify_next(struct pl_str *rest, struct pl_notify_event *event);

#endif
