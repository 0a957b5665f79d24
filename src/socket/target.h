/* target.h - where a connection is to go, as people write it. */
#ifndef PL_SOCKET_TARGET_H
#define PL_SOCKET_TARGET_H

#include "net/addr.h"

enum { PL_HOST_MAX = 255 }; /* bytes of a name (RFC 1035, 2.3.4) */

struct pl_target {
    enum { PL_TARGET_TCP, PL_TARGET_TLS, PL_TARGET_UDP } kind;
    char host[PL_HOST_MAX + 1]; /* without brackets; "" for a UNIX address */
    uint16_t port;
    bool known; /* addr is it: nobody need be asked */
    struct pl_addr addr;
};

/* Understands "host:port", "[::1]:port", "unix:/path", and these behind
 * "tcp://", "tls://" or "udp://". plain is what no scheme means. Returns 0, or
 * PL_ERR_INVALID with *error. */
int pl_target_parse(struct pl_str text, int plain, struct pl_target *out,
                    struct pl_error *error);

#endif
