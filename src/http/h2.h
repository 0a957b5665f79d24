/* h2.h - HTTP/2 as the rest of this room sees it: a protocol, and the ways into
 * it from a connection that has begun as HTTP/1. */
#ifndef PL_HTTP_H2_H
#define PL_HTTP_H2_H

#include "http/request.h"

/* For listeners and ALPN (listener->arg is the struct pl_http). */
extern const struct pl_protocol pl_h2_protocol;

/* Makes conn one of HTTP/2, and says our part of the preface. Bytes that have
 * come (the preface first) are for its input(). 0 or PL_ERR_CLOSED. */
int pl_h2_begin(struct pl_conn *conn);

/* Do these bytes, the first of a connection, begin with the preface of a client
 * that knows we speak it (RFC 9113, 3.3), or with a part of it (*part)? */
bool pl_h2_is_preface(struct pl_str bytes, bool *part);

/* Does an HTTP/1.1 request without a body ask for HTTP/2 (RFC 7540, 3.2)? */
bool pl_h2_is_asked_for(struct pl_request *req);

/* Says 101; req, which has left its wire, is stream 1 from now on, and begins
 * when the client has said its preface. TAKES it. */
void pl_h2_upgrade(struct pl_conn *conn, struct pl_request *req);

/* The version of the library that compresses header fields. */
const char *pl_h2_library(void);

#endif
