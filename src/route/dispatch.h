/* dispatch.h - hands a request to its route: 404, 405, OPTIONS, parameters. */
#ifndef PL_ROUTE_DISPATCH_H
#define PL_ROUTE_DISPATCH_H

#include "http/handler.h"
#include "route/router.h"

/* Finds the route and starts its chain, or answers itself: 404 for an unknown
 * path, 405 with Allow for a method the path does not have, 204 with Allow for
 * OPTIONS. */
void pl_dispatch(const struct pl_router *router, struct pl_request *req);

/* The same for a request that somebody answers already, whose path has become
 * another one (http/retarget.h): the new route's parameters, limits and filters
 * are those of the request. then follows, in the place of its end. front: the
 * handler in front of the routes is asked again; not by itself. */
void pl_dispatch_anew(const struct pl_router *router, struct pl_request *req,
                      struct pl_then *then, bool front);

#endif
