/* worker.h - one worker: a thread with a loop, connections and a generation.
 *
 *     STARTING -> LOADING -> LOADED --commit--> SERVING -> DRAINING -> OVER
 *                    |                                                  ^
 *                    +---> FAILED          (a stop or kill, at any time)+
 *
 * Workers share nothing that changes. The process talks to a worker by mail,
 * and a worker to the process by its stage. */
#ifndef PL_SERVER_WORKER_H
#define PL_SERVER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "lua/module.h"
#include "server/generation.h"
#include "server/metrics.h"
#include "share/member.h"
#include "socket/socket.h"

struct pl_listen_group;
struct pl_server;

enum pl_worker_stage {
    PL_WORKER_STARTING,
    PL_WORKER_LOADING,
    PL_WORKER_LOADED,   /* waits for the commit */
    PL_WORKER_SERVING,  /* accepts connections */
    PL_WORKER_DRAINING, /* requests finish, pl.on("stop") runs */
    PL_WORKER_ENDING,   /* what is left is cancelled */
    PL_WORKER_OVER,     /* the loop turns no more */
    PL_WORKER_FAILED,   /* error says why there is no generation */
};

/* A reload, as far as this worker has got. */
enum pl_worker_reload {
    PL_RELOAD_NONE,
    PL_RELOAD_LOADING,
    PL_RELOAD_LOADED, /* waits for the commit */
    PL_RELOAD_FAILED, /* error says why */
};

struct pl_worker {
    unsigned id, count;
    bool scratch; /* only reads the site: is no worker to the others */
    struct pl_server *server;
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_net net;
    struct pl_sockets sockets;
    struct pl_http http; /* http.files is the worker's */
    struct pl_generation *generation;
    struct pl_module_home modules; /* of its generations */
    struct pl_generation *next;    /* loaded by a reload; or NULL */
    struct pl_list retired;        /* generations that end; the oldest first */
    struct pl_vm *serving;         /* of the generation that serves */
    bool discarded;          /* the load that is on its way is for nothing */
    struct pl_member member; /* what others share with it, and send to it */
    struct pl_metrics metrics;
    struct pl_live *live; /* NULL: nobody develops, so far */
    bool looking;         /* a fiber looks at its messages (app_share.c) */
    /* garbage collection between requests */
    struct pl_timer upkeep;
    uint64_t upkeep_requests; /* when the timer was set */
    uint8_t upkeep_cycles;    /* of the collector, still to be ended */
    /* stopping */
    unsigned quiet_turns;   /* one after another without a new request */
    uint64_t stop_requests; /* how many there were in the last turn */
    struct pl_timer stop_timer;
    struct pl_hook stop_hook;
    struct pl_join_op stop_handlers;
    struct pl_op vm_drained;
    /* of the process: */
    struct pl_load load;
    struct pl_error error; /* of loading (FAILED) or starting (SERVING) */
    struct pl_mail commit_mail, drain_mail, stop_mail, kill_mail;
    struct pl_mail load_mail, take_mail, discard_mail; /* worker_reload.c */
    int told; /* enum pl_stop_step: mail of this and all before was sent */
    bool made;
    pthread_t thread;
    _Atomic(enum pl_worker_stage) stage;
    _Atomic(enum pl_worker_reload) reload;
};

/* ---- on its own thread, or for a worker without one ---- */

/* A scratch worker: number 0 of 1. 0 or PL_ERR_*. */
int pl_worker_init(struct pl_worker *worker, struct pl_server *server);

/* No connection is left. Ends the tasks of a generation that never served. */
void pl_worker_fini(struct pl_worker *worker);

/* Makes and keeps a generation by server->loader; else worker->error. */
int pl_worker_load(struct pl_worker *worker);

/* ---- by the main thread ---- */

/* Starts its thread, which loads and then waits for the commit. Returns 0 or
 * PL_ERR_*; from then on pl_worker_end() is due. */
int pl_worker_start(struct pl_worker *worker, struct pl_server *server,
                    unsigned id, unsigned count);

/* LOADED: to accept connections and to run what the site has recorded. */
void pl_worker_commit(struct pl_worker *worker);

/* LOADING or later, each at most once and in this order: to finish the running
 * requests and then end; to do so within the site's stop time; to end now. */
void pl_worker_drain(struct pl_worker *worker);
void pl_worker_stop(struct pl_worker *worker);
void pl_worker_kill(struct pl_worker *worker);

/* SERVING, and no reload is on its way: to load a generation while it serves.
 * Then, once each: to serve it, when all workers have LOADED; or to discard it,
 * whatever has become of it. Both end with NONE. */
void pl_worker_reload(struct pl_worker *worker);
void pl_worker_take(struct pl_worker *worker);
void pl_worker_discard(struct pl_worker *worker);

/* OVER or FAILED: ends the thread and the worker. */
void pl_worker_end(struct pl_worker *worker);

/* ---- between the files of worker ---- */

void pl_worker_set_stage(struct pl_worker *worker, enum pl_worker_stage stage);

/* Turns the loop until op is DONE. */
void pl_worker_turn(struct pl_worker *worker, const struct pl_op *op);

/* Serves by the settings of its generation, and starts that; previous (may be
 * NULL) has served until now. Returns 0 or PL_ERR_*. */
int pl_worker_begin(struct pl_worker *worker, struct pl_generation *previous);

/* Accepts from its sockets of group. Returns 0 or PL_ERR_*. */
int pl_worker_listen(struct pl_worker *worker, struct pl_listen_group *group);

#endif
