/* request_id.h - a filter that gives each request an id which is the same on
 * all machines that it goes through: that of a proxy that is trusted, or its
 * own. The handler finds it among the request's fields (and so does whoever the
 * request is passed on to), the client in the response; the access log has it
 * if it is not our own. */
#ifndef PL_FILTERS_REQUEST_ID_H
#define PL_FILTERS_REQUEST_ID_H

#include "base/error.h"
#include "http/handler.h"

enum { PL_REQUEST_ID_MOST = 128 }; /* bytes of one that is taken */

/* GIVES a filter with one reference. header: the name of the field, NULL is
 * "X-Request-Id". NULL, with *error: it is no name, or there is no memory. */
struct pl_filter *pl_request_id_new(const char *header, struct pl_error *error);

#endif
