/* names.h - the addresses of a host.
 *
 * Asks the system's resolver (getaddrinfo), which may take its time, on threads
 * that are there for nothing else: a name server that does not answer holds no
 * file of anybody. Addresses in digits and "localhost" (RFC 6761, 6.3) are
 * known at once. */
#ifndef PL_SOCKET_NAMES_H
#define PL_SOCKET_NAMES_H

#include "socket/target.h"
#include "task/task.h"

enum { PL_ADDRS_MAX = 8 }; /* more are not tried */

/* Best first; families by turns (RFC 8305, 4). */
struct pl_addrs {
    unsigned n;
    struct pl_addr list[PL_ADDRS_MAX];
};

/* Looks up target->host. Completes with 0, PL_ERR_NOT_FOUND (there is no such
 * host, or it has no address), PL_ERR_UNREACHABLE (nobody answers; it may work
 * later), PL_ERR_NOMEM or PL_ERR_LIMIT. threads NULL: names are
 * PL_ERR_UNSUPPORTED. Then pl_lookup_end(). */
struct pl_lookup_op {
    struct pl_offload_op offload; /* offload.op is it */
    struct pl_lookup *lookup;
};

void pl_lookup_begin(struct pl_lookup_op *op, struct pl_sched *sched,
                     struct pl_offload *threads,
                     const struct pl_target *target);

/* What was found: until pl_lookup_end(), which is to be called once, when the
 * op is DONE, whatever its result. */
const struct pl_addrs *pl_lookup_addrs(const struct pl_lookup_op *op);
void pl_lookup_end(struct pl_lookup_op *op);

#endif
