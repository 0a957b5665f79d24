/* reload.h - a new generation inside the process that serves (a soft reload).
 *
 *     IDLE --asked--> LOADING --all have LOADED--> TAKING --all have it--> IDLE
 *                        | one has failed, or it takes too long             ^
 *                        +--> DISCARDING --nobody has anything left of it --+
 *
 * The main thread drives it: one worker after another loads the site as a task
 * among others; then each takes the new generation in one turn of its own. What
 * fails anywhere is discarded everywhere, is logged once, and what serves goes
 * on serving. One at a time: what is asked for meanwhile is one more. */
#ifndef PL_SERVER_RELOAD_H
#define PL_SERVER_RELOAD_H

#include <stdatomic.h>

#include "base/error.h"
#include "server/listeners.h"

struct pl_chunks;
struct pl_server;

enum pl_reload_result {
    PL_RELOADED_NEVER,
    PL_RELOADED,        /* all workers serve it */
    PL_RELOADED_NOT,    /* error says why */
    PL_RELOADED_BESIDE, /* it needs a new process: the supervisor starts one, or
                           there is none, and error says for what */
};

/* Of the last one that is over. Main thread only. */
struct pl_reload_status {
    enum pl_reload_result result;
    uint64_t count;  /* of all that are over */
    uint64_t failed; /* ... and did not come to serve */
    unsigned held; /* workers that do not serve it yet: a handler holds them */
    int64_t when;  /* seconds since 1970: it began */
    uint32_t ms;   /* how long it took */
    const char *why; /* who has asked first */
    struct pl_error error;
};

/* Why, when it was SIGHUP. */
#define PL_RELOAD_SIGNAL "SIGHUP"

/* The caller's memory until done(). */
struct pl_reload_request {
    struct pl_reload_request *next;
    const char *why;  /* "SIGHUP": for the log */
    bool by_operator; /* not the site: may have what only a new process gets */
    /* On the main thread; status is that of the reload which has answered it,
     * or of none that was possible any more (PL_ERR_CANCELED). */
    void (*done)(struct pl_reload_request *request,
                 const struct pl_reload_status *status);
};

enum pl_reload_stage {
    PL_RELOAD_IDLE,
    PL_RELOAD_LOADS,
    PL_RELOAD_TAKES,
    PL_RELOAD_DISCARDS,
};

struct pl_reload {
    _Atomic(struct pl_reload_request *) asked; /* the newest first */
    struct pl_reload_request *running; /* those that were not answered yet */
    enum pl_reload_stage stage;
    unsigned loaded; /* workers that have */
    uint64_t began;  /* monotonic ms */
    uint64_t id;     /* of the generation that serves, or is being taken */
    struct pl_listen_set taking;
    struct pl_chunks *files;      /* of the site as it was loaded last, or is */
    struct pl_chunks *serving;    /* ... as it serves */
    _Atomic(const char *) wanted; /* by who does not wait: why */
    struct pl_reload_request for_all;
    bool asking;       /* for_all is under way, */
    const char *again; /* and one more was wanted since */
    struct pl_reload_status status;
};

/* Any thread. TAKES request until done(). */
void pl_reload_ask(struct pl_server *server, struct pl_reload_request *request);

/* The same for who does not want to know what becomes of it (a signal, say):
 * one reload that begins after it, however often. why: a constant. */
void pl_reload_want(struct pl_server *server, const char *why);

/* ---- the main thread ---- */

/* The site is about to be loaded for the first time: from now on files are
 * compiled once for all workers. Gives back in fini. */
void pl_reload_init(struct pl_server *server);
void pl_reload_fini(struct pl_server *server);

/* Something has happened: goes on. Nothing before all workers serve. */
void pl_reload_turn(struct pl_server *server);

/* When pl_reload_turn() is due without that (monotonic ms); 0: never. */
uint64_t pl_reload_due(const struct pl_server *server);

/* The workers are no more: answers who still asks. */
void pl_reload_end(struct pl_server *server);

/* ---- a worker ---- */

struct pl_vm_reload_op;

/* pl.reload(): begins reload->op, by the scheduler of this thread. */
void pl_reload_begin(struct pl_server *server, struct pl_vm_reload_op *reload);

#endif
