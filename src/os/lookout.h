/* lookout.h - a list of files, and where to hear of what becomes of them.
 *
 * Editors write a new file and rename it, folders come and go, names may lead
 * over symbolic links: so it is the folders that are watched (os/notify.h), and
 * a spot is a name in one of them that means one of the files. A folder that is
 * not there is waited for in the one above it.
 *
 * Hearing of a spot only means to look again; whether a file has changed is
 * what its stamp says. Used by one thread at a time. */
#ifndef PL_OS_LOOKOUT_H
#define PL_OS_LOOKOUT_H

#include "os/notify.h"
#include "os/stamp.h"

struct pl_lookout_file {
    char *path;
    struct pl_stamp stamp; /* what is known of it */
    struct pl_stamp seen;  /* by the last look */
    bool heard;            /* something has happened at a spot of it */
    bool changed;          /* seen is not what is known */
    bool alone;            /* for its owner */
};

struct pl_lookout_spot {
    int watch;
    unsigned file;
    char *name;
};

struct pl_lookout {
    struct pl_fs_file *notify; /* BORROWED; NULL: nothing is heard */
    const char *base; /* BORROWED: folders in it may be renamed; or NULL */
    struct pl_lookout_file *files;
    struct pl_lookout_spot *spots;
    unsigned nfiles, room, nspots, spots_room;
    /* Of the last look. */
    bool changed; /* some file has */
    bool deaf;    /* of some nothing is heard: they are to be looked at */
    int err;      /* 0; or why: PL_ERR_LIMIT (of watches), ... */
};

void pl_lookout_fini(struct pl_lookout *lookout);

/* The file of that path, or NULL. */
struct pl_lookout_file *pl_lookout_find(const struct pl_lookout *lookout,
                                        const char *path);

/* Adds a file, with what is known of it; one that is there already stays as it
 * is. COPIES path. Returns 0 or PL_ERR_NOMEM. */
int pl_lookout_add(struct pl_lookout *lookout, const char *path,
                   const struct pl_stamp *stamp);

/* Finds out where to hear of each file, and which have changed: those that are
 * there, and are not what is known of them. One that has gone has not: it is
 * being written anew, or what loads it will say so. May block. */
void pl_lookout_look(struct pl_lookout *lookout);

/* Nothing is heard until the next look. */
void pl_lookout_leave(struct pl_lookout *lookout);

/* Something has happened: is it about one of the files? */
bool pl_lookout_hear(struct pl_lookout *lookout,
                     const struct pl_notify_event *event);

#endif
