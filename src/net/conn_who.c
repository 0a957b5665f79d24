/* conn_who.c - who is at the other end of a connection, and whether its word
 * counts. */
#include "base/features.h"
#include "base/sys.h"
#include "net/conn.h"
#include "net/proxy.h"
#include "net/trust.h"

/* False where it did not say. */
static bool said_by_proxy(const struct pl_conn *conn, bool peer,
                          struct pl_addr *addr)
{
    struct pl_proxy_header header;

    if (!pl_proxy_header_of(conn, &header))
        return false;
    *addr = peer ? header.peer : header.bound;
    return addr->len > 0;
}

bool pl_conn_peer(const struct pl_conn *conn, struct pl_addr *addr)
{
    if (PL_WITH_PROXY && said_by_proxy(conn, true, addr))
        return true;
    *addr = (struct pl_addr){.len = sizeof(addr->un)};
    return pl_sys_getpeername(conn->source.fd, &addr->sa, &addr->len) == 0;
}

bool pl_conn_local(const struct pl_conn *conn, struct pl_addr *addr)
{
    if (PL_WITH_PROXY && said_by_proxy(conn, false, addr))
        return true;
    *addr = (struct pl_addr){.len = sizeof(addr->un)};
    return pl_sys_getsockname(conn->source.fd, &addr->sa, &addr->len) == 0;
}

bool pl_conn_trusted(const struct pl_conn *conn)
{
    const struct pl_trust *trust = conn->listener->options->trusted;
    struct pl_conn_more *more = pl_conn_more(conn);
    struct pl_addr addr;

    if (trust == NULL || more == NULL)
        return false;
    if (more->trust == PL_TRUST_UNSEEN)
        more->trust = pl_conn_peer(conn, &addr) && pl_trust_has(trust, &addr)
                          ? PL_TRUST_YES
                          : PL_TRUST_NO;
    return more->trust == PL_TRUST_YES;
}
