/* server.h - the process: listeners, workers, signals, the end.
 *
 * The site is loaded once by a scratch worker on the main thread, only to read
 * what the process needs (the manifest: listeners, workers, logs); then each
 * worker loads it for itself, one after another, and all of them commit. The
 * main thread never runs the site again: it waits for signals.
 *
 * The scratch load and the opening of listeners are the places that move into
 * the loader and the supervisor. */
#ifndef PL_SERVER_SERVER_H
#define PL_SERVER_SERVER_H

#include "net/listener.h"
#include "server/generation.h"
#include "server/worker.h"

/* Exit codes of the command. */
enum pl_exit {
    PL_EXIT_OK = 0,
    PL_EXIT_FAILURE = 1, /* at run time */
    PL_EXIT_USAGE = 2,   /* command line */
    PL_EXIT_SITE = 3,    /* the site does not load */
    PL_EXIT_LISTEN = 4,  /* an address cannot be listened on */
};

struct pl_server_options {
    unsigned workers;    /* over the site's; 0: as it says */
    const char *address; /* -h: host part for -p; NULL */
    int port;            /* -p: listen here instead of the site's; -1 */
    bool v6;             /* -6 */
    bool handle_signals; /* TERM, QUIT, INT, HUP, USR1 */
    bool quiet;          /* no "listening on" lines */
    const char *pid_file;
    const char *error_log, *access_log, *log_level; /* over the site's; NULL */
};

struct pl_server {
    struct pl_server_options options;
    const struct pl_loader *loader;
    struct pl_offload *offload;
    struct pl_listen_group **groups;
    unsigned ngroups;
    struct pl_worker *workers;
    unsigned nworkers;
    int control;            /* eventfd: pl_server_stop() */
    _Atomic int stop_asked; /* 0, 1: graceful, 2: now */
    _Atomic int exit_status;
};

/* Borrows options and loader for the life of the server. 0 or PL_ERR_*. */
int pl_server_init(struct pl_server *server,
                   const struct pl_server_options *options,
                   const struct pl_loader *loader);
void pl_server_fini(struct pl_server *server);

/* Loads the site as a server would and hands it to see; starts nothing.
 * Returns an enum pl_exit, having said on stderr what is wrong. */
int pl_server_check(struct pl_server *server,
                    void (*see)(void *arg, const struct pl_site *site),
                    void *arg);

/* Serves until it is stopped. Returns an enum pl_exit (or what pl.stop(status)
 * asked for), having said on stderr what is wrong. */
int pl_server_run(struct pl_server *server);

/* Any thread: ends pl_server_run(). now: without waiting for requests. */
void pl_server_stop(struct pl_server *server, bool now, int exit_status);

#endif
