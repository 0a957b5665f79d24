/* udp.h - datagrams in straight lines.
 *
 * A call is tried first, and waited for only if the kernel says so: there are
 * no buffers here. Who sends faster than we read loses datagrams in the kernel,
 * as UDP has it. Home and owner are those of a socket (socket.h). */
#ifndef PL_SOCKET_UDP_H
#define PL_SOCKET_UDP_H

#include "socket/socket.h"

enum { PL_UDP_MAX = 65535 }; /* bytes of a datagram */

struct pl_udp_spec {
    const struct pl_addr *bind;  /* our address; NULL: the kernel chooses */
    const struct pl_addr *peer;  /* the only one we talk to; NULL: anybody */
    const struct pl_addr *group; /* of multicast, to be joined; NULL: none */
    unsigned ttl;                /* of what is sent to groups; 0: 1 */
    unsigned buffer;             /* bytes in the kernel; 0: as it has it */
    bool reuse_port;             /* several sockets share bind */
    bool broadcast;
};

struct pl_udp;

/* One who waits; his memory until it is DONE. */
struct pl_udp_op {
    struct pl_op op;
    struct pl_udp *udp;
    struct pl_timer timer;
    bool write;
};

struct pl_udp {
    uint32_t magic;
    uint32_t timeout_ms; /* 0: none */
    struct pl_source source;
    struct pl_sockets *sockets;
    struct pl_udp **home;
    struct pl_udp_op *reader, *writer;
    struct pl_list node;
    struct pl_task *owner;
    struct pl_task_defer defer;
    bool served; /* anybody may send to it: told when the server stops */
};

/* GIVES *out. 0 or PL_ERR_* with *error. */
int pl_udp_make(struct pl_sockets *sockets, const struct pl_udp_spec *spec,
                struct pl_udp **out, struct pl_error *error);

void pl_udp_set_home(struct pl_udp *udp, struct pl_udp **home);
void pl_udp_set_owner(struct pl_udp *udp, struct pl_task *owner);

/* Copies a datagram to to and gives who has sent it. Returns its length (of
 * which size bytes are there), PL_ERR_AGAIN, or PL_ERR_REFUSED (nobody listens
 * where we have sent to), ... */
ssize_t pl_udp_take(struct pl_udp *udp, char *to, size_t size,
                    struct pl_addr *from);

/* peer NULL: the one that was given. 0, PL_ERR_AGAIN, PL_ERR_TOO_LONG, ... */
int pl_udp_put(struct pl_udp *udp, struct pl_str bytes,
               const struct pl_addr *peer);

/* After PL_ERR_AGAIN: 0 when it may be tried again, PL_ERR_TIMEOUT,
 * PL_ERR_STOPPING, PL_ERR_BUSY, PL_ERR_CLOSED. */
void pl_udp_wait_begin(struct pl_udp_op *op, struct pl_udp *udp, bool write);

bool pl_udp_own_addr(const struct pl_udp *udp, struct pl_addr *addr);

/* For socket.c: the server stops, the worker ends. */
void pl_udp_drain(struct pl_sockets *sockets);
void pl_udp_close_all(struct pl_sockets *sockets);

#endif
