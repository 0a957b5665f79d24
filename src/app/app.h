/* app.h - a C program's application: what the files of app share. Their
 * functions are in perilune.h. */
#ifndef PL_APP_APP_H
#define PL_APP_APP_H

#include "net/tls.h"
#include "server/server.h"

#define PL_APP_MAGIC 0x7061706cu /* "lpap" */

enum { PL_APP_DEPTH_MAX = 64 }; /* of hosts and groups in each other */

struct pl_app {
    uint32_t magic;
    struct pl_site *site; /* of all workers; fixed once it runs */
    struct pl_server server;
    struct pl_loader loader;
    struct pl_error error; /* the first one; code 0: none */
    bool running, signals, announce;
    unsigned depth; /* of hosts and groups that are open */
    uint64_t hosts; /* bit i: the one i levels out is a host */
    /* What routes get now, and of the groups that are open: [depth] is it. */
    struct pl_route_options limits[PL_APP_DEPTH_MAX + 1];
    _Atomic unsigned port;
    void *state;
    void (*free_state)(void *state);
    void (*on_start)(struct pl_app *app, void *arg);
    void *on_start_arg;
    struct pl_cache *caches; /* newest first */
    unsigned ncaches;
    struct pl_shared *shared; /* newest first */
    void (*on_message)(struct pl_app *app, int from, struct pl_str message,
                       void *arg);
    void *on_message_arg;
    struct pl_app_task *tasks; /* newest first */
};

/* What from says, for pl_site_listen(), and then to be dropped; also after a
 * failure. 0 or PL_ERR_*. */
int pl_app_tls_read(const struct pl_app_tls_options *from,
                    struct pl_tls_options *options, struct pl_error *error);
void pl_app_tls_drop(struct pl_tls_options *options);

/* Keeps the first failure, for pl_app_run(); gives err back. */
int pl_app_note(struct pl_app *app, int err, const char *call, const char *what,
                const char *why);

/* pl_app_listen_with(), for call; service: who gets the connections, instead of
 * HTTP, or NULL. */
int pl_app_open(struct pl_app *app, const char *call, const char *address,
                const struct pl_app_listen_options *options,
                struct pl_service *service);

/* A route, in the current group. call is the function of perilune.h. TAKES arg
 * if there is free_arg, also on failure. */
int pl_app_add(struct pl_app *app, const char *call, unsigned methods,
               const char *pattern, pl_handler_fn *handler, void *arg,
               void (*free_arg)(void *arg));

/* What a worker keeps of the caches, one memo each; the state of its
 * generation. NULL when out of memory. */
struct pl_memo *pl_app_memos_new(struct pl_app *app, struct pl_pool *pool);

/* memos may be NULL. Nobody holds a value any more. */
void pl_app_memos_free(struct pl_app *app, struct pl_memo *memos);

/* Frees the caches themselves. */
void pl_app_forget_caches(struct pl_app *app);

/* Frees what pl_shared_open() gave; the dictionaries are the server's. */
void pl_app_forget_shared(struct pl_app *app);

/* This worker begins to serve: starts its part of the tasks, and from now on
 * the program hears what is sent to it. Returns 0 or PL_ERR_NOMEM. */
int pl_app_commit(void *app, struct pl_generation *gen);

/* Frees what the tasks are described by. */
void pl_app_forget_tasks(struct pl_app *app);

#endif
