/* access.h - one line per request, in the combined log format with the time
 * taken and the request id behind it. */
#ifndef PL_SERVER_ACCESS_H
#define PL_SERVER_ACCESS_H

struct pl_conn;
struct pl_request;

/* 127.0.0.1 - - [22/Nov/2026:07:14:22 +0000] "GET /x HTTP/1.1" 200 13
 * "referer" "agent" 0.000123 4be1c7...   (one line); of a request that was
 * measured also: cpu=0.000100 lua=4096 */
void pl_access_log(struct pl_request *req);

/* What was refused before it was a request: 127.0.0.1 - - [...] "-" 400 0 ...
 */
void pl_access_log_refused(const struct pl_conn *conn, int status);

#endif
