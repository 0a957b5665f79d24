/* server.h - the process: listeners, workers, signals, the end.
 *
 * The site is loaded once by a scratch worker on the main thread, only to read
 * what the process needs (the manifest: listeners, user, workers, logs); then
 * each worker loads it for itself, one after another, and all of them commit.
 * The main thread never runs the site again: its loop waits for signals and
 * for what becomes of the workers.
 *
 * Below a supervisor (options.link) it is the server process: addresses, pid
 * file, signals and systemd are the supervisor's, the rest is the same. */
#ifndef PL_SERVER_SERVER_H
#define PL_SERVER_SERVER_H

#include <unistd.h>

#include "net/listener.h"
#include "process/exit.h"
#include "process/link.h"
#include "process/process.h"
#include "process/systemd.h"
#include "server/generation.h"
#include "server/listeners.h"
#include "server/reload.h"
#include "server/watchdog.h"
#include "server/worker.h"

/* Are errors shown to who asks? See dev.h. */
enum pl_dev {
    PL_DEV_SITE, /* if the site says so, to this machine only */
    PL_DEV_HERE, /* to this machine */
    PL_DEV_ANY,  /* to everybody */
};

struct pl_dialect;

struct pl_server_options {
    unsigned workers;    /* over the site's; 0: as it says */
    const char *address; /* -h: host part for -p; NULL */
    int port;            /* -p: listen here instead of the site's; -1 */
    const char *fastcgi; /* --fastcgi: the same, for web servers; NULL */
    bool v6;             /* -6 */
    bool quiet;          /* no "listening on" lines */
    enum pl_dev dev;     /* --dev, --dev=any */
    bool watch;          /* --watch */
    bool tls_dev;        /* --tls dev: on the address of the command line */
    const char *tls_cert, *tls_key; /* --tls-cert, --tls-key; NULL */
    /* The process is ours: TERM, QUIT, INT, HUP, USR1, USR2 are handled, the
     * last words of a crash are logged, and a worker that does not end is left
     * behind by _exit(). */
    bool own_process;
    const struct pl_dialect *dialect;    /* --dialect; NULL: our own */
    const char *modules;                 /* -m: with commas between; NULL */
    const char *user, *group, *pid_file; /* over the site's; NULL */
    const char *admin; /* the admin socket: a path, "off"; NULL: the site's */
    const char *error_log, *access_log, *log_level; /* the same */
    struct pl_server_link *link; /* to the supervisor; NULL: there is none */
};

struct pl_sandbox;

struct pl_server {
    struct pl_server_options options;
    const struct pl_loader *loader;
    struct pl_offload *offload;
    struct pl_offload *background; /* computes for long, behind the workers */
    struct pl_offload *names; /* looks up hosts: its threads for nothing else */
    struct pl_share *share;   /* what the workers have together */
    struct pl_listen_set listening; /* what it listens on */
    struct pl_listen_set closed; /* ... and what had been, with connections */
    bool http2, taking_http2;    /* is offered to clients with TLS; soon */
    struct pl_reload reload;
    struct pl_worker *workers;
    unsigned nworkers, started;
    unsigned max_conns; /* of a worker whose site does not say */
    struct pl_watch_settings watch;
    struct pl_watchdog *watchdog; /* or NULL */
    uint32_t stop_ms;             /* how long a graceful stop may take */
    struct pl_pid_file pid_file;
    struct pl_systemd systemd;   /* without a supervisor, whose it is */
    struct pl_timer alive;       /* when it wants to hear from us */
    struct pl_server_link *link; /* to the supervisor; NULL: there is none */
    struct pl_source supervisor; /* of the link */
    struct pl_loop *loop;        /* the main thread's: it turns in control.c */
    struct pl_source signals;    /* a signalfd, or -1 */
    struct pl_watcher *watcher;  /* NULL: files are not watched */
    _Atomic unsigned touched;    /* changes of pages that it has seen */
    struct pl_admin *admin;      /* NULL: there is no admin socket */
    struct pl_sandbox *sandbox;  /* what we are kept to; NULL: nothing */
    _Atomic unsigned stop; /* how far we are asked to stop, and exit status */
};

/* How far: the low bits of server->stop. Each step includes those before. */
enum pl_stop_step {
    PL_STOP_NONE,
    PL_STOP_DRAIN, /* requests finish, however long they take */
    PL_STOP_ASKED, /* ... within stop_ms */
    PL_STOP_NOW,
    PL_STOP_FORCE, /* who does not end is left behind */
};

enum { PL_STOP_STEPS = 7, PL_STOP_STATUS = 3 }; /* mask; the status follows */

PL_INLINE bool pl_server_stopping(const struct pl_server *server)
{
    return (server->stop & PL_STOP_STEPS) != 0;
}

/* Borrows options and loader for the life of the server. 0 or PL_ERR_*. */
int pl_server_init(struct pl_server *server,
                   const struct pl_server_options *options,
                   const struct pl_loader *loader);
void pl_server_fini(struct pl_server *server);

/* Loads the site as a server would and hands it to see, whose code it returns;
 * starts nothing. Or the code of the site's fault, which was said. */
int pl_server_look(struct pl_server *server,
                   int (*see)(void *arg, const struct pl_generation *gen),
                   void *arg);

/* The same, and looks at its addresses. Returns an enum pl_exit, having said on
 * stderr what is wrong. */
int pl_server_check(struct pl_server *server,
                    void (*see)(void *arg, const struct pl_generation *gen),
                    void *arg);

/* Serves until it is stopped. Returns an enum pl_exit (or what pl.stop(status)
 * asked for), having said on stderr what is wrong. */
int pl_server_run(struct pl_server *server);

/* ---- any thread ---- */

/* Ends pl_server_run(). now: without waiting for requests. Who asks first says
 * the exit status. */
void pl_server_stop(struct pl_server *server, bool now, int exit_status);

/* The site wants the end of all: pl_server_stop(), and no supervisor starts
 * another process. */
void pl_server_end(struct pl_server *server, int exit_status);

/* The same, but requests and WebSockets may take as long as they need; exit
 * status 0. */
void pl_server_drain(struct pl_server *server);

/* The process that people know, and that the pid file names: the supervisor's,
 * or ours without one. */
PL_INLINE pid_t pl_server_pid(const struct pl_server *server)
{
    return pl_link_is(server->link) ? server->link->supervisor : getpid();
}

/* The main thread looks at the workers' stages again. */
void pl_server_wake(struct pl_server *server);

#endif
