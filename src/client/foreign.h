/* foreign.h - descriptors and the timer of a library, on a worker's loop.
 *
 * libcurl and c-ares say which of their descriptors they want to hear of, and
 * when they want to be called. This is the other side of that. */
#ifndef PL_CLIENT_FOREIGN_H
#define PL_CLIENT_FOREIGN_H

#include "loop/loop.h"

struct pl_foreign {
    struct pl_loop *loop;
    struct pl_list watches;
    struct pl_timer timer;
    int err; /* PL_ERR_*: a descriptor could not be watched; due() is called */
    void (*ready)(struct pl_foreign *foreign, int fd, unsigned events);
    void (*due)(struct pl_foreign *foreign);
};

struct pl_foreign_watch;

/* Borrows loop. */
void pl_foreign_init(struct pl_foreign *foreign, struct pl_loop *loop,
                     void (*ready)(struct pl_foreign *foreign, int fd,
                                   unsigned events),
                     void (*due)(struct pl_foreign *foreign));

/* Forgets all descriptors, and closes none. */
void pl_foreign_fini(struct pl_foreign *foreign);

/* ready() is to be called for these events of fd, level-triggered; none: no
 * more, which is to be said before fd is closed. watch: what this has given for
 * fd before; NULL: nothing, or it is looked for. Returns NULL when there is
 * nothing to watch. */
struct pl_foreign_watch *pl_foreign_watch(struct pl_foreign *foreign,
                                          struct pl_foreign_watch *watch,
                                          int fd, unsigned events);

/* due() is to be called after so many milliseconds, once; -1: not. */
void pl_foreign_alarm(struct pl_foreign *foreign, int64_t ms);

#endif
