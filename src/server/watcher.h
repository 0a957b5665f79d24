/* watcher.h - --watch: a reload when a file of the site has changed.
 *
 * Watched is what the running generation has really loaded, and what the last
 * one that failed has: its site file, modules, what dofile() has read, native
 * modules, pages of errors, and names that were looked for in vain. When one of
 * them is written, or appears, the main thread asks for a reload as SIGHUP
 * would.
 *
 *     event ... event --quiet--> look --a file has changed--> reload
 *       ^                         (job)                         |
 *       +------------------ look at its files <-----------------+
 *
 * Pages are watched, too, as far as they were used: they reload alone, and only
 * browsers are told (live.h).
 *
 * Looking is a job of an offload thread; the main thread only hears. Where the
 * kernel cannot tell of changes, files are looked at each second. */
#ifndef PL_SERVER_WATCHER_H
#define PL_SERVER_WATCHER_H

struct pl_server;
struct pl_watcher;

/* All workers serve. Returns 0 or PL_ERR_NOMEM. Main thread, as all others. */
int pl_watcher_open(struct pl_server *server);

/* A reload is over. Like the next one nothing without a watcher. */
void pl_watcher_renew(struct pl_server *server);

/* The generation may have loaded more files. */
void pl_watcher_grown(struct pl_server *server);

/* No reload is asked for any more: waits for the job. */
void pl_watcher_close(struct pl_server *server);

#endif
