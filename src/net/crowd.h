/* crowd.h - how many connections each address has with one worker, where a site
 * has a limit for that (pl_net_limits.max_per_address).
 *
 * Counted is who is connected, not whom it speaks for: an IPv4 address, or the
 * 64 bits of an IPv6 address that one network is given. UNIX sockets and
 * proxies that are trusted stand for many, and are not counted.
 *
 * One too many is told so by its protocol, and counted as refused until it is
 * closed; when as many are being told, further ones are closed unheard. */
#ifndef PL_NET_CROWD_H
#define PL_NET_CROWD_H

#include "net/conn.h"

struct pl_crowd;
struct pl_crowd_entry;

/* Before a connection is made of fd. Returns false if there is no more to be
 * said to its address. *out: whom it is counted with; NULL: it is not. */
bool pl_crowd_admit(struct pl_listener *listener, int fd,
                    struct pl_crowd_entry **out);

/* The connection is there, with its slot. entry may be NULL. Returns true if it
 * is one too many. */
bool pl_crowd_join(struct pl_conn *conn, struct pl_crowd_entry *entry);

/* It was not made after all. entry may be NULL. */
void pl_crowd_miss(struct pl_net *net, struct pl_crowd_entry *entry);

/* It is being closed, and has its slot still. net->crowd is there. */
void pl_crowd_leave(struct pl_conn *conn);

/* There are no connections any more. crowd may be NULL. */
void pl_crowd_free(struct pl_crowd *crowd);

#endif
