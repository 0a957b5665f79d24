/* worker.h - one worker: a thread with a loop, connections and a generation.
 *
 *     init -> load -> (thread) run -> drain -> end -> fini
 *
 * Workers share nothing that changes. The process talks to a worker by mail. */
#ifndef PL_SERVER_WORKER_H
#define PL_SERVER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "server/generation.h"

struct pl_server;

struct pl_worker {
    unsigned id, count;
    struct pl_server *server;
    struct pl_loop *loop;
    struct pl_sched sched;
    struct pl_net net;
    struct pl_http http;
    struct pl_generation *generation;
    pthread_t thread;
    bool threaded, made; /* the thread, the worker: to be taken down */
    atomic_bool over;    /* the thread has nothing more to do */
    /* stopping */
    struct pl_mail stop_mail, kill_mail;
    struct pl_timer stop_timer;
    struct pl_hook stop_hook;
    struct pl_join_op stop_handlers;
    struct pl_op vm_drained;
    enum pl_worker_state {
        PL_WORKER_RUNNING,
        PL_WORKER_DRAINING, /* requests finish, pl.on("stop") runs */
        PL_WORKER_ENDING,   /* what is left is cancelled */
    } state;
};

/* On the thread that will load. 0 or PL_ERR_NOMEM and the like. */
int pl_worker_init(struct pl_worker *worker, struct pl_server *server,
                   unsigned id, unsigned count);

/* No connection, no task is left. */
void pl_worker_fini(struct pl_worker *worker);

/* Makes and keeps a generation by server->loader. */
int pl_worker_load(struct pl_worker *worker, struct pl_error *error);

/* Accepts connections and runs what the site has recorded. */
int pl_worker_commit(struct pl_worker *worker);

/* Turns the loop until the worker has been stopped. */
void pl_worker_run(struct pl_worker *worker);

/* Any thread: finish the running requests within the site's stop time, then
 * end; or end now. Each at most once. */
void pl_worker_stop(struct pl_worker *worker);
void pl_worker_kill(struct pl_worker *worker);

#endif
