/* head.h - the head of a response as CGI has it (RFC 3875, 6.3): "Status: ",
 * fields, an empty line.
 *
 * No Date, no Server, nothing of the connection: these are the web server's to
 * say, unless the handler has said them. */
#ifndef PL_FCGI_HEAD_H
#define PL_FCGI_HEAD_H

#include "http/request.h"

/* An upper bound for its bytes. */
size_t pl_fcgi_head_bound(const struct pl_request *req);

/* Writes that of req->response; returns the end. */
char *pl_fcgi_head_write(char *out, const struct pl_request *req);

#endif
