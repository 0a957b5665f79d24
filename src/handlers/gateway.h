/* gateway.h - requests sent on to other servers: pl.proxy and pl.fastcgi, with
 * pl_app_proxy and pl_app_fastcgi.
 *
 * A reverse proxy, or gateway (RFC 9110, 3.7), in the form of a mounted
 * handler: what the site says becomes rules (gateway_rules.c), each request a
 * relay (gateway.c), which is a head sent on (gateway_request.c), a head that
 * comes back (gateway_response.c), and bodies both ways, with back-pressure
 * from each end to the other. A WebSocket becomes a tunnel
 * (gateway_tunnel.c). */
#ifndef PL_HANDLERS_GATEWAY_H
#define PL_HANDLERS_GATEWAY_H

#include <perilune.h>

#include "base/error.h"
#include "http/handler.h"

struct pl_clients;

/* COPIES options. NULL: PL_ERR_INVALID or PL_ERR_NOMEM, with *error. */
struct pl_handler *pl_gateway_new(const struct pl_proxy_options *options,
                                  struct pl_error *error);

/* The same for programs that speak FastCGI (gateway_fcgi.c). */
struct pl_handler *pl_gateway_fcgi_new(const struct pl_fastcgi_options *options,
                                       struct pl_error *error);

/* Milliseconds between checks; 0: it has none. */
uint32_t pl_gateway_check_ms(const struct pl_handler *handler);

/* Asks each server whether it is well, on this worker. What is still asked is
 * left alone. The handler may go meanwhile. */
void pl_gateway_check(struct pl_handler *handler);

/* The key by which this request's server is chosen, instead of what the rules
 * say. COPIES. 0 or PL_ERR_NOMEM. */
int pl_gateway_set_key(struct pl_request *req, struct pl_str key);

#endif
