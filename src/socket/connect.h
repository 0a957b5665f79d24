/* connect.h - opening a connection: a name, its addresses, the first that
 * answers.
 *
 * The addresses are tried in their order. The next one begins when the one
 * before has failed, or has not answered for a quarter of a second (RFC 8305);
 * the first connection that is there wins, and the others are closed. */
#ifndef PL_SOCKET_CONNECT_H
#define PL_SOCKET_CONNECT_H

#include "socket/names.h"
#include "socket/secure.h"
#include "socket/socket.h"

enum { PL_CONNECT_MS = 10000, PL_CONNECT_NEXT_MS = 250 };

struct pl_connect_spec {
    struct pl_target target;
    bool has_from;
    struct pl_addr from;   /* the address on this side, if has_from */
    uint32_t connect_ms;   /* for all of it; 0: no limit */
    uint32_t timeout_ms;   /* of the socket's reads and writes; 0: no limit */
    struct pl_task *owner; /* of the socket; NULL: none */
    const struct pl_secure_spec *secure; /* NULL: in the clear */
    const char *name; /* of the server in its certificate; NULL: the host's */
};

struct pl_connect_op;

struct pl_connect_try {
    struct pl_source source; /* fd is -1: none */
    struct pl_connect_op *connect;
    unsigned which; /* address */
};

/* Completes with 0 and the socket, whose home is op->socket, or PL_ERR_*:
 * PL_ERR_REFUSED, PL_ERR_UNREACHABLE, PL_ERR_TIMEOUT, PL_ERR_NOT_FOUND (the
 * name, or a UNIX socket), ... of the first address; error says it in words. */
struct pl_connect_op {
    struct pl_op op;
    struct pl_socket *socket;
    struct pl_error error;
    struct pl_sockets *sockets;
    struct pl_connect_spec spec;
    struct pl_lookup_op lookup;
    struct pl_addrs addrs;
    struct pl_connect_try tries[PL_ADDRS_MAX];
    unsigned begun, pending;
    enum pl_connect_step {
        PL_CONNECT_PREPARE, /* what TLS needs */
        PL_CONNECT_LOOK_UP,
        PL_CONNECT_TRY,
        PL_CONNECT_AGREE, /* the handshake of TLS */
    } step;
    struct pl_secure_op secure;
    struct pl_socket_op agree;
    char name[PL_HOST_MAX + 1];
    struct pl_timer next, limit;
};

/* Copies spec, and what it leads to. */
void pl_connect_begin(struct pl_connect_op *op, struct pl_sockets *sockets,
                      const struct pl_connect_spec *spec);

#endif
