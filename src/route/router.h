/* router.h - from host, method and path to a route.
 *
 * Patterns are taken apart at "/" once, when a site is loaded:
 *
 *     /about          this path
 *     /user/:id       one element, any but the empty one
 *     /files/ *rest   what follows, any number of elements (also none)
 *     mount /static   /static and all below it, on element borders
 *
 * (written without the space). At each element an exact name wins over a
 * parameter, and that over *rest and mounts, of which the longest wins. A
 * router is built by one thread and never changes afterwards. */
#ifndef PL_ROUTE_ROUTER_H
#define PL_ROUTE_ROUTER_H

#include "base/error.h"
#include "http/method.h"
#include "http/request.h"

struct pl_chain;
struct pl_handler;
struct pl_router;

enum { PL_ROUTE_PARAMS = 16 }; /* most parameters of one pattern */

/* Methods as a set of bits; PL_METHODS_ANY is all of them. */
#define PL_METHOD_BIT(method) (1u << (method))
#define PL_METHODS_ANY ((1u << PL_METHOD_COUNT) - 1)

struct pl_route {
    const char *pattern; /* as written */
    const char *host;    /* "" for all hosts */
    const char *where;   /* "site.lua:12", for messages; may be "" */
    unsigned methods;
    bool mount;
    struct pl_chain *chain; /* filters and handler; the router's */
    /* For answers that may be cached, unless the handler says so itself. */
    struct pl_str cache_control; /* absent: none */
    int64_t expires;             /* seconds; -1: none */
    /* 0 is the site's, all bits none; limited: there is any. */
    struct pl_budget budget; /* 0: the site's */
    struct pl_body_limits limits;
    bool limited;
    unsigned index; /* in the order of adding */
    /* of the pattern, by depth */
    unsigned nparams;
    struct pl_str params[PL_ROUTE_PARAMS];
    struct pl_route *next; /* same node, other methods */
};

struct pl_match {
    const struct pl_route *route; /* NULL: none */
    unsigned allow;     /* methods that the path has; 0: no such path */
    struct pl_str rest; /* of *rest or a mount: what follows, without its "/" */
    unsigned nparams;
    struct pl_str values[PL_ROUTE_PARAMS];
};

/* NULL when out of memory. */
struct pl_router *pl_router_new(void);
void pl_router_free(struct pl_router *router); /* and its routes and chains */

/* Adds a route. COPIES the strings of *route; TAKES route->chain, also on
 * failure. Returns 0 or PL_ERR_INVALID/EXISTS with *error saying what is wrong
 * with the pattern. host: "name", "*.name" or "". */
int pl_router_add(struct pl_router *router, const struct pl_route *route,
                  struct pl_error *error);

/* Fills *match: HEAD falls back to GET. Routes of the request's host come
 * first, then those of its "*." parent, then those for all hosts. */
void pl_router_find(const struct pl_router *router, struct pl_str host,
                    enum pl_method method, struct pl_str path,
                    struct pl_match *match);

/* What has to be done before pl_router_find(), if anything. */
enum pl_router_ahead {
    PL_AHEAD_HOST = 1,  /* it needs the host: a route names one */
    PL_AHEAD_FRONT = 2, /* there is a handler in front of all routes */
};

unsigned pl_router_ahead(const struct pl_router *router);

/* A handler that is given each request before it is routed: it answers, or
 * hands it on by pl_dispatch_anew(). TAKES it; there may be one. */
void pl_router_set_front(struct pl_router *router, struct pl_handler *front);
struct pl_handler *pl_router_front(const struct pl_router *router);

/* Is host what a route means that was added for name ("", "name", "*.name")?
 */
bool pl_router_host_is(struct pl_str name, struct pl_str host);

/* All routes in the order of adding: index from 0; NULL at the end. */
const struct pl_route *pl_router_route(const struct pl_router *router,
                                       unsigned index);

#endif
