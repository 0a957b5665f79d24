/* listener.h - listening sockets: opened once per process, accepted from by
 * each worker.
 *
 * A TCP address is a group of SO_REUSEPORT sockets whose number is fixed for
 * the life of the address (closing one would reset what is queued in it); with
 * fewer workers than sockets a worker polls several. A UNIX address is one
 * socket that all workers watch (EPOLLEXCLUSIVE). */
#ifndef PL_NET_LISTENER_H
#define PL_NET_LISTENER_H

#include <stdatomic.h>

#include "net/addr.h"
#include "net/listen_options.h"
#include "net/net.h"

enum { PL_LISTEN_BATCH = 64 }; /* most accepts of one turn */

struct pl_protocol;
struct pl_reader;
struct pl_tls_context;

/* The sockets of one address; made by the process, shared read-only. */
struct pl_listen_group {
    struct pl_addr addr; /* as bound: port 0 has become a number */
    struct pl_listen_options options;
    struct pl_pool pool; /* of what they lead to */
    struct pl_arena arena;
    struct pl_str name;         /* as the site writes it: its identity */
    atomic_uint users;          /* listeners that look at it, in all workers */
    bool shared;                /* one socket for all workers */
    bool adopted;               /* its file is not ours to remove */
    struct pl_tls_context *tls; /* with options.tls: set by who opens it */
    unsigned count;
    int fds[];
};

/* GIVES *out; COPIES options. A stale UNIX socket file (nobody listens) is
 * replaced. Returns 0 or PL_ERR_* with *error naming the address and the
 * reason. */
int pl_listen_open(const struct pl_addr *addr,
                   const struct pl_listen_options *options,
                   struct pl_listen_group **out, struct pl_error *error);

/* Takes over a listening stream socket that somebody else has opened. TAKES fd
 * on success only. GIVES *out; COPIES options. 0 or PL_ERR_* with *error. */
int pl_listen_adopt(int fd, const struct pl_listen_options *options,
                    struct pl_listen_group **out, struct pl_error *error);

/* The sockets of one address that another process has opened by
 * pl_listen_open(), and will take down. TAKES fds in any case. GIVES *out;
 * COPIES options. 0 or PL_ERR_* with *error. */
int pl_listen_share(const int *fds, unsigned count,
                    const struct pl_listen_options *options,
                    struct pl_listen_group **out, struct pl_error *error);

/* The same sockets with other options: more descriptors of them, so that both
 * groups can be listened to, and what the kernel has queued is lost by none.
 * group's file stays when it is closed. GIVES *out; COPIES options. 0 or
 * PL_ERR_* with *error. */
int pl_listen_renew(struct pl_listen_group *group,
                    const struct pl_listen_options *options,
                    struct pl_listen_group **out, struct pl_error *error);

/* Closes the sockets; unlinks the file of a UNIX address. Connections that were
 * accepted still look at the group. */
void pl_listen_shut(struct pl_listen_group *group);

/* The same, and frees the group, which nobody looks at any more. */
void pl_listen_close(struct pl_listen_group *group);

/* One socket as one worker sees it. Lives until the last of its connections
 * has gone. */
struct pl_listener {
    struct pl_source source;
    struct pl_list node;
    struct pl_net *net;
    const struct pl_protocol *protocol;
    const struct pl_protocol *door;          /* new connections begin with it */
    const struct pl_listen_options *options; /* never NULL */
    struct pl_listen_group *group;           /* that it is a user of; or NULL */
    void *arg;     /* the protocol's, e.g. its struct pl_http */
    uint32_t refs; /* its connections, and 1 while it is open */
    bool shared, paused;
    bool stopped;               /* it accepts no more */
    bool more;                  /* its connections have a struct pl_conn_more */
    struct pl_timer retry;      /* accepting was paused: out of descriptors */
    struct pl_tls_context *tls; /* NULL: clear text (pl_listener_secure()) */
    struct pl_reader *reader;   /* of its certificates */
};

/* Borrows fd, which stays open when the listener is closed. nodelay: no Nagle
 * for what it accepts. GIVES *out, with pl_listen_defaults as its options. */
int pl_listener_start(struct pl_net *net, int fd, bool shared, bool nodelay,
                      const struct pl_protocol *protocol, void *arg,
                      struct pl_listener **out);

/* Before it has accepted anything: it is a user of group, as long as it has
 * connections, and gives these the room and the beginning that its options ask
 * for. */
void pl_listener_configure(struct pl_listener *listener,
                           struct pl_listen_group *group);

/* One without a socket, for connections that are not accepted. Has
 * pl_conn_more. NULL: no memory. Its end is pl_listener_drop(). */
struct pl_listener *pl_listener_dialer(struct pl_net *net);

/* Accepts what is queued by now, and then no more; the connections stay. */
void pl_listener_stop(struct pl_listener *listener);

/* For conn.c: a connection has gone. */
void pl_listener_drop(struct pl_listener *listener);

/* For conn.c: a connection could not be kept for lack of something. */
void pl_listener_pause(struct pl_listener *listener, int err);

/* For conn.c: listeners that were paused look again, as connections have gone.
 */
void pl_net_accept_again(struct pl_net *net);

#endif
