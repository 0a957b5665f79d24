/* proxy.h - connections that begin with a PROXY header: what stands at the door
 * of a listener until it is known who the client is.
 *
 * Only who is trusted may send one, within the time of a head. Then the
 * protocol of the listener takes over, and pl_conn_peer() and pl_conn_local()
 * say what the header said. The header itself is what a connection keeps: it is
 * read again by whoever asks, so that an idle one pays 64 bytes. */
#ifndef PL_NET_PROXY_H
#define PL_NET_PROXY_H

#include "net/conn.h"
#include "net/proxy_header.h"

extern const struct pl_protocol pl_proxy_protocol;

/* The header that conn began with. False: it had none, or the proxy itself
 * asks. The texts live as long as conn. */
bool pl_proxy_header_of(const struct pl_conn *conn,
                        struct pl_proxy_header *out);

/* For conn.c: conn is buried. */
void pl_proxy_forget(struct pl_conn *conn);

#endif
