#include "socket/names.h"

#include <netdb.h>
#include <strings.h>

#include "base/pool.h"
#include "base/str.h"
#include "base/sys.h"

struct pl_lookup {
    struct pl_pool *pool;
    uint16_t port;
    bool datagrams;
    struct pl_addrs addrs;
    char host[PL_HOST_MAX + 1];
};

static void free_lookup(void *arg)
{
    struct pl_lookup *lookup = arg;

    pl_pool_put(lookup->pool, lookup, sizeof(*lookup));
}

/* ---- on a thread ---- */

static void add(struct pl_lookup *lookup, const struct addrinfo *found)
{
    struct pl_addr *addr = &lookup->addrs.list[lookup->addrs.n++];

    *addr = (struct pl_addr){.len = found->ai_addrlen};
    memcpy(addr, found->ai_addr, found->ai_addrlen);
    if (found->ai_family == AF_INET)
        addr->v4.sin_port = htons(lookup->port);
    else
        addr->v6.sin6_port = htons(lookup->port);
}

static const struct addrinfo *next_of(const struct addrinfo *at, int family,
                                      bool same)
{
    while (at != NULL && (at->ai_family == family) != same)
        at = at->ai_next;
    return at;
}

/* The resolver has put them in order (RFC 6724); the families take turns. */
static void sort(struct pl_lookup *lookup, const struct addrinfo *found)
{
    int family = found->ai_family;
    const struct addrinfo *at[2] = {found, next_of(found, family, false)};

    for (unsigned turn = 0; lookup->addrs.n < PL_ADDRS_MAX; turn ^= 1) {
        if (at[turn] == NULL)
            turn ^= 1;
        if (at[turn] == NULL)
            break;
        add(lookup, at[turn]);
        at[turn] = next_of(at[turn]->ai_next, family, turn == 0);
    }
}

static int look_up(void *arg)
{
    struct pl_lookup *lookup = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype =
                                 lookup->datagrams ? SOCK_DGRAM : SOCK_STREAM,
                             .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found;

    switch (pl_sys_getaddrinfo(lookup->host, NULL, &hints, &found)) {
    case 0:
        sort(lookup, found);
        freeaddrinfo(found);
        return 0;
    case EAI_AGAIN:
        return PL_ERR_UNREACHABLE;
    case EAI_MEMORY:
        return PL_ERR_NOMEM;
    case EAI_SYSTEM:
        return pl_err_from_errno(errno);
    default:
        return PL_ERR_NOT_FOUND;
    }
}

/* ---- on the worker ---- */

static void set_localhost(struct pl_lookup *lookup)
{
    lookup->addrs.list[0] =
        (struct pl_addr){.v4 = {.sin_family = AF_INET,
                                .sin_port = htons(lookup->port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}},
                         .len = sizeof(struct sockaddr_in)};
    lookup->addrs.list[1] =
        (struct pl_addr){.v6 = {.sin6_family = AF_INET6,
                                .sin6_port = htons(lookup->port),
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT},
                         .len = sizeof(struct sockaddr_in6)};
    lookup->addrs.n = 2;
}

static void complete(struct pl_lookup_op *op, struct pl_sched *sched,
                     int result)
{
    pl_op_init(&op->offload.op, sched, NULL);
    op->offload.job = NULL;
    pl_op_begin(&op->offload.op);
    pl_op_complete(&op->offload.op, result);
}

void pl_lookup_begin(struct pl_lookup_op *op, struct pl_sched *sched,
                     struct pl_offload *threads, const struct pl_target *target)
{
    struct pl_pool *pool = pl_loop_pool(sched->loop);
    struct pl_lookup *lookup = pl_pool_get(pool, sizeof(*lookup));

    op->lookup = lookup;
    if (lookup == NULL) {
        complete(op, sched, PL_ERR_NOMEM);
        return;
    }
    *lookup = (struct pl_lookup){.pool = pool,
                                 .port = target->port,
                                 .datagrams = target->kind == PL_TARGET_UDP};
    if (target->known) {
        lookup->addrs.list[0] = target->addr;
        lookup->addrs.n = 1;
        complete(op, sched, 0);
    } else if (strcasecmp(target->host, "localhost") == 0) {
        set_localhost(lookup);
        complete(op, sched, 0);
    } else if (threads == NULL) {
        complete(op, sched, PL_ERR_UNSUPPORTED);
    } else {
        memcpy(lookup->host, target->host, sizeof(lookup->host));
        pl_offload_begin_on(&op->offload, sched, threads, look_up, lookup,
                            free_lookup);
        /* Out of reach if it was not begun: it is freed then. */
        if (op->offload.job == NULL)
            op->lookup = NULL;
    }
}

const struct pl_addrs *pl_lookup_addrs(const struct pl_lookup_op *op)
{
    return &op->lookup->addrs;
}

void pl_lookup_end(struct pl_lookup_op *op)
{
    bool canceled = op->offload.op.result == PL_ERR_CANCELED;

    if (op->offload.job != NULL)
        pl_offload_end(&op->offload);
    else if (op->lookup != NULL && !canceled)
        free_lookup(op->lookup);
    op->lookup = NULL;
}
