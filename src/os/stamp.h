/* stamp.h - which state of a file somebody has seen: enough to know later
 * whether it is still the same. */
#ifndef PL_OS_STAMP_H
#define PL_OS_STAMP_H

#include "base/sys.h"

struct pl_stamp {
    bool there;  /* else all of the rest is 0 */
    bool recent; /* it had just changed when it was looked at: clocks of file
                    systems are coarse, so the next change may not show */
    uint64_t device, inode;
    int64_t size;
    struct timespec changed; /* what it holds */
};

/* Now. NULL: there is no such file. */
struct pl_stamp pl_stamp_of(const struct stat *st);

/* Of a path; what cannot be looked at is not there. May block. */
struct pl_stamp pl_stamp_read(const char *path);

/* The same state of the same file? */
bool pl_stamp_eq(const struct pl_stamp *a, const struct pl_stamp *b);

#endif
