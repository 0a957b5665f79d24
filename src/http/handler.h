/* handler.h - who answers a request.
 *
 * start() runs on the loop's stack (or from a filter's task) and must lead to
 * one call of done(), now or later: a C function on a fiber, a Lua function in
 * a coroutine, or a built-in that needs no task at all. */
#ifndef PL_HTTP_HANDLER_H
#define PL_HTTP_HANDLER_H

#include <stdbool.h>

struct pl_request;

/* What follows a handler: the end of the request, or the filter around it. */
struct pl_then {
    void (*done)(struct pl_then *then, struct pl_request *req, int result);
};

struct pl_handler {
    const char *kind; /* "c", "lua", "static", ...: for lists */
    void (*start)(struct pl_handler *handler, struct pl_request *req,
                  struct pl_then *then);
    void (*free)(struct pl_handler *handler);
};

/* The rest of the chain, as seen by a filter. */
struct pl_next;

/* Code around handlers. May answer itself instead of going on. */
struct pl_filter {
    const char *kind;
    unsigned refs; /* the chains it is in */
    void (*start)(struct pl_filter *filter, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then);
    void (*free)(struct pl_filter *filter);
    /* Answers an OPTIONS request that asks what may be asked of the route
     * (CORS), where that has no OPTIONS itself. False: it is none, nothing was
     * built. NULL where filters know nothing of that. */
    bool (*preflight)(struct pl_filter *filter, struct pl_request *req);
};

/* For filters: runs what follows; then->done() is called once when it has
 * built (or sent) its answer. At most once per request and filter. */
void pl_next_start(const struct pl_next *next, struct pl_request *req,
                   struct pl_then *then);

#endif
