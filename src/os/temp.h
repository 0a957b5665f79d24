/* temp.h - temporary files: written, read and given a name on offload threads.
 *
 *     write write ...  -> read ...            a copy kept off the memory
 *     write write ...  -> keep                a new file, whole or not at all
 *
 * A file has no name (O_TMPFILE), so that whatever happens, SIGKILL too, it is
 * gone with its last user. Only where the file system cannot do that it has one
 * that begins with ".perilune-": one that is for us alone loses it at once, the
 * other when it is kept or freed.
 *
 * One operation at a time on a file; it always runs to its end. done(op,
 * result) is called on the loop's stack. Results are 0 or PL_ERR_*:
 * PL_ERR_NO_SPACE when the disk, a quota or the process's limit is full,
 * PL_ERR_BUSY when too much waits for the threads. */
#ifndef PL_OS_TEMP_H
#define PL_OS_TEMP_H

#include <sys/types.h>

#include "task/task.h"

struct pl_temp;

struct pl_temp_spec {
    const char *folder; /* of one without a target; NULL: $TMPDIR, or else
                           /var/tmp or /tmp */
    const char *target; /* what pl_temp_keep() makes; NULL: nothing */
    mode_t mode;        /* of the target */
    bool exclusive;     /* the target must be new: PL_ERR_EXISTS; otherwise it
                           is replaced */
    bool sync;          /* on the disk before keeping is over; where that fails
                           at last, the target is there all the same */
};

/* COPIES spec. The file itself is made by the first operation. NULL: out of
 * memory. */
struct pl_temp *pl_temp_new(struct pl_sched *sched,
                            const struct pl_temp_spec *spec);

/* Closes it, on a thread; one that has not been kept is gone. No operation is
 * pending. temp may be NULL. */
void pl_temp_free(struct pl_temp *temp);

/* Bytes written so far, where no operation is pending. */
uint64_t pl_temp_size(const struct pl_temp *temp);

struct pl_temp_op {
    struct pl_offload_op offload;
    void (*done)(struct pl_temp_op *op, int result); /* may free op */
    struct pl_temp *temp, *from;
    struct pl_str bytes;
    char *to;
    size_t n;
    uint64_t at;
};

/* All BORROW op, whose done is set, until that is called. */

/* Appends. BORROWS bytes. */
void pl_temp_write(struct pl_temp_op *op, struct pl_temp *temp,
                   struct pl_str bytes);

/* Reads n bytes from at on, all of them: PL_ERR_IO if there are not so many.
 * BORROWS to. */
void pl_temp_read(struct pl_temp_op *op, struct pl_temp *temp, uint64_t at,
                  char *to, size_t n);

/* Appends all of from, which stays as it is and has no operation pending. */
void pl_temp_copy(struct pl_temp_op *op, struct pl_temp *temp,
                  struct pl_temp *from);

/* Makes it the target, at once and as a whole. */
void pl_temp_keep(struct pl_temp_op *op, struct pl_temp *temp);

#endif
