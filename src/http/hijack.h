/* hijack.h - a connection that leaves HTTP/1 behind a request's head: raw bytes
 * from then on (socket/socket.h). */
#ifndef PL_HTTP_HIJACK_H
#define PL_HTTP_HIJACK_H

#include "http/request.h"
#include "socket/socket.h"

/* Takes the connection of req, of which nothing has been answered: GIVES *out.
 * What has come behind the request is the first that is read. Not from a
 * handler's first run, which may be called while the connection is being read:
 * it waits for the next turn before. One that an older generation has handed
 * over (again.h) is given as it is. Returns 0, PL_ERR_UNSUPPORTED (its
 * connection is not its own), PL_ERR_STATE (the body has not been read, or the
 * response has begun), PL_ERR_CLOSED, PL_ERR_NOMEM. */
int pl_hijack(struct pl_request *req, struct pl_socket **out);

#endif
