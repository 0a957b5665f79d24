/* origin.h - who asks, and for what: where proxies that are trusted know it
 * better than the connection. */
#ifndef PL_HTTP_ORIGIN_H
#define PL_HTTP_ORIGIN_H

#include <stdbool.h>

struct pl_request;

/* Sets remote, host and secure of req by what its connection began with and by
 * the fields that its listener believes. What a trusted proxy says and nobody
 * can read makes the client "unknown", never the proxy: a request must not get
 * the rights of the proxy's address because it spoilt a field. */
void pl_request_ask_proxies(struct pl_request *req);

/* Has it come through a proxy that is believed: with a PROXY header, or with
 * one of the fields Forwarded, X-Forwarded-For and X-Real-IP? */
bool pl_request_is_proxied(struct pl_request *req);

#endif
