/* dispatch.h - hands a request to its route: 404, 405, OPTIONS, parameters. */
#ifndef PL_ROUTE_DISPATCH_H
#define PL_ROUTE_DISPATCH_H

#include "route/router.h"

/* Finds the route and starts its chain, or answers itself: 404 for an unknown
 * path, 405 with Allow for a method the path does not have, 204 with Allow for
 * OPTIONS. */
void pl_dispatch(const struct pl_router *router, struct pl_request *req);

#endif
