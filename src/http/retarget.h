/* retarget.h - a request whose path and query become others, while it is being
 * answered: what routes it then sees is what a client could have asked for. */
#ifndef PL_HTTP_RETARGET_H
#define PL_HTTP_RETARGET_H

#include "http/request.h"

/* A request may be rewritten so often: rules that lead to each other end. */
enum { PL_REWRITES_MAX = 4 };

/* Path, raw path and query are those of target ("/path?query"; BORROWED as long
 * as the request), decoded and checked like that of a client. Returns 0,
 * PL_ERR_PROTO or PL_ERR_NOMEM; the request is as it was then. */
int pl_request_retarget(struct pl_request *req, struct pl_str target);

/* They are again what the client has asked for. */
void pl_request_restore(struct pl_request *req);

#endif
