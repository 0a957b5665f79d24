/* client.h - which address a request comes from: that of its connection, or
 * what trusted proxies say (pl.set { trusted }). */
#ifndef PL_FILTERS_CLIENT_H
#define PL_FILTERS_CLIENT_H

#include "http/request.h"
#include "net/addr.h"

/* AF_INET, AF_INET6 or, without any address, AF_UNIX. An IPv4 address in IPv6
 * is the IPv4 address. False: a proxy has named its client in another way
 * ("unknown", "_hidden"), see pl_request_remote(). */
bool pl_client_addr(struct pl_request *req, struct pl_addr *addr);

#endif
