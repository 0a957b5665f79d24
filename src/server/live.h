/* live.h - with --dev, pages in the browser load themselves again when the site
 * has changed, and show why it could not be loaded.
 *
 * A page that a browser goes to gets a script (live.js) behind its end, which
 * listens to a stream of events: the generation that serves, how often files
 * that reload alone have changed, and the error of the last reload that failed.
 * A page that is older, or of a process that is no more, asks for itself again.
 *
 *     /.perilune/live.js    the script
 *     /.perilune/live       the events
 *
 * Only for who may be shown errors (dev.h), and only in pages: what scripts,
 * curl and the like ask for stays as it is. All of it belongs to a worker. */
#ifndef PL_SERVER_LIVE_H
#define PL_SERVER_LIVE_H

#include "base/error.h"
#include "http/request.h"

struct pl_server;
struct pl_worker;

/* A request of who develops: answers it, if it is for us, and returns true; or
 * sees to it that its response gets the script, if it is a page. */
bool pl_live_request(struct pl_worker *worker, struct pl_request *req);

/* The worker has taken another generation. */
void pl_live_changed(struct pl_worker *worker);

/* A reload has failed: all workers tell their pages. Main thread. */
void pl_live_failed(struct pl_server *server, const struct pl_error *error);

/* Files that reload alone have changed: the same. Main thread. */
void pl_live_touched(struct pl_server *server);

/* No request is left. */
void pl_live_free(struct pl_worker *worker);

#endif
