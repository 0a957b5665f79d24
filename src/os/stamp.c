#include "os/stamp.h"

/* FAT and some file systems of networks count in steps of two seconds. */
enum { COARSE_S = 2 };

struct pl_stamp pl_stamp_of(const struct stat *st)
{
    int64_t now = (int64_t)(pl_clock_wall() / 1000000000);

    if (st == NULL)
        return (struct pl_stamp){.there = false};
    return (struct pl_stamp){
        .there = true,
        .recent = st->st_mtim.tv_sec + COARSE_S >= now,
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = st->st_size,
        .changed = st->st_mtim,
    };
}

struct pl_stamp pl_stamp_read(const char *path)
{
    struct stat st;

    return pl_stamp_of(pl_sys_fstatat(AT_FDCWD, path, &st, 0) == 0 ? &st
                                                                   : NULL);
}

bool pl_stamp_eq(const struct pl_stamp *a, const struct pl_stamp *b)
{
    return a->there == b->there && a->device == b->device &&
           a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}
