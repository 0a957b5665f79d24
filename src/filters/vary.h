/* vary.h - the Vary field (RFC 9110, 12.5.5), which several filters add to. */
#ifndef PL_FILTERS_VARY_H
#define PL_FILTERS_VARY_H

#include "http/response.h"

/* Adds the name of a request's field, unless it is there: all names in one
 * field. Returns 0 or PL_ERR_*. */
int pl_vary_add(struct pl_response *res, struct pl_str name);

#endif
