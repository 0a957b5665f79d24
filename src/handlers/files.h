/* files.h - what a worker keeps of the files it has served: descriptors, small
 * bodies, heads; by root and path, so that a hot file costs no system call.
 *
 *     get: kept and looked at within the period -----------------> there
 *          kept, too long ago --look--> as it was ---------------> there
 *          not kept, or changed --openat2(RESOLVE_CACHED)--------> there
 *                     | the disk must be asked
 *                     +--> begin: an offload thread loads it, once for all who
 *                          ask meanwhile
 *
 * Whatever would wait for a disk or a network runs on offload threads. The
 * least used go when their memory or descriptors pass the limit, all that is
 * not asked for after a minute. Belongs to one worker. */
#ifndef PL_HANDLERS_FILES_H
#define PL_HANDLERS_FILES_H

#include "base/memo.h"
#include "handlers/load.h"
#include "http/http.h"

struct pl_files {
    struct pl_sched *sched;
    struct pl_memo memo;
    struct pl_account account; /* of bodies and the like */
    unsigned descriptors, most_descriptors;
    struct pl_timer sweep;
};

/* Room for limit bytes (0: nothing is kept) and so many descriptors. NULL when
 * out of memory. Borrows sched; its loop must have ended every request before
 * pl_files_free(), which may be given NULL. */
struct pl_files *pl_files_new(struct pl_sched *sched, size_t limit,
                              unsigned descriptors);
void pl_files_free(struct pl_files *files);

/* For a new generation; what is too much goes with the next load. */
void pl_files_limit(struct pl_files *files, size_t limit, unsigned descriptors);

/* GIVES a reference to what was looked at within root's period, or NULL: costs
 * no system call. Without files (NULL) nothing is kept. */
struct pl_file *pl_files_peek(struct pl_files *files,
                              const struct pl_file_name *name, uint64_t now);

/* GIVES *out: now, or PL_ERR_AGAIN if pl_file_begin() has to fetch it; or the
 * error of pl_file_load(). */
int pl_files_get(struct pl_http *http, const struct pl_file_name *name,
                 struct pl_file **out);

/* Completes with 0 and GIVES file, or with the error. For use after
 * PL_ERR_AGAIN; COPIES name. A cancelled one gives nothing. */
struct pl_file_op {
    struct pl_op op;
    struct pl_memo_waiter waiter;
    struct pl_files *files;
    struct pl_memo_entry *entry; /* that is waited for; or NULL */
    struct pl_file *file;
};

void pl_file_begin(struct pl_file_op *op, struct pl_http *http,
                   const struct pl_file_name *name);

/* Gives a reference back. */
void pl_file_drop(struct pl_file *file);

#endif
