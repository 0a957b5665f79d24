/* params.h - what a web server says of a request: the variables of CGI (RFC
 * 3875, 4.1), as a request of ours.
 *
 *     REQUEST_METHOD, SERVER_PROTOCOL   method and version
 *     REQUEST_URI                       the target; without it SCRIPT_NAME,
 *                                       PATH_INFO and QUERY_STRING make one
 *     HTTP_*, CONTENT_TYPE              the fields; Host from SERVER_NAME if
 *                                       the client has sent none
 *     CONTENT_LENGTH                    how long the body is; "", and the "-1"
 *                                       of Caddy: nobody knows
 *     REMOTE_ADDR, REMOTE_PORT          the client, as the web server sees it
 *     HTTPS, REQUEST_SCHEME             whether it came by TLS
 *
 * All of them stay in req->env. Fields that are about the client's connection,
 * which is not ours, become no fields; HTTP_PROXY, which programs take for a
 * setting of their own, is passed over altogether. */
#ifndef PL_FCGI_PARAMS_H
#define PL_FCGI_PARAMS_H

#include "fcgi/record.h"

struct pl_addr;
struct pl_http;
struct pl_request;

/* The bytes that all params of a request may have, beside its fields. */
enum { PL_FCGI_OWN_PARAMS = 32 * 1024 };

/* Why a request has no handler: the status to answer with. */
struct pl_fcgi_refusal {
    int status; /* 0: all is well */
    const char *why;
};

/* A request of the whole stream of its params, which is COPIED. The wire and
 * what has come of the body are the caller's to set. NULL: no memory. With a
 * refusal it is good for pl_request_refuse() only. */
struct pl_request *pl_fcgi_params_request(struct pl_http *http,
                                          struct pl_str params,
                                          enum pl_fcgi_role role,
                                          struct pl_fcgi_refusal *refusal);

/* The same of params of which there are too many to be looked at. */
struct pl_request *pl_fcgi_params_none(struct pl_http *http);

/* An address and a port as two variables say them. False: they do not. */
bool pl_fcgi_params_addr(struct pl_request *req, struct pl_str host,
                         struct pl_str port, struct pl_addr *out);

#endif
