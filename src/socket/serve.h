/* serve.h - raw connections that come to us: an address of the site whose
 * connections have no protocol but what a function makes of the bytes. */
#ifndef PL_SOCKET_SERVE_H
#define PL_SOCKET_SERVE_H

#include "socket/socket.h"

/* The arg of a listener with pl_service_protocol. Shared by workers where it is
 * made once for all; it does not change. */
struct pl_service {
    /* A connection has come, and if it is to be secret, the handshake is over.
     * Starts a task and gives socket to it; TAKES socket. */
    void (*accepted)(void *arg, struct pl_socket *socket);
    void *arg;
};

extern const struct pl_protocol pl_service_protocol;

/* Of an address that the site has no more: closes what still comes to it. */
extern const struct pl_service pl_service_nobody;

#endif
