/* public.h - is an address one of the Internet, or of this machine and the
 * networks around it? */
#ifndef PL_CLIENT_PUBLIC_H
#define PL_CLIENT_PUBLIC_H

#include "net/addr.h"

/* False for what is not reachable from everywhere: loopback, private, shared,
 * link-local, documentation, multicast, ... (IANA's registries of special
 * addresses, RFC 6890), also where an IPv6 address holds such an IPv4 one
 * (mapped, NAT64, 6to4), and for UNIX sockets. */
bool pl_addr_is_public(const struct pl_addr *addr);

#endif
